# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""What the parity tests share."""

from __future__ import annotations

from collections.abc import Iterator

import mindspore as ms
import pytest


@pytest.fixture
def pynative_mode() -> Iterator[None]:
    """Nothing is run twice, so that compiling would take most of the time."""
    mode = ms.get_context("mode")
    ms.set_context(mode=ms.PYNATIVE_MODE)
    yield
    ms.set_context(mode=mode)
