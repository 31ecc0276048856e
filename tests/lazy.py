# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Heavy libraries that tests compare with, loaded by the first test that uses them.

Each process of pytest-xdist imports all test files to list the tests: loaded there, TensorFlow, PyTorch and
transformers would cost each of them seconds and half a gigabyte, even for `-m small`.
"""

from __future__ import annotations

from typing import Any

import pytest


class Lazy:
    """A module that is imported when an attribute of it is read; the test is skipped where it is not installed."""

    def __init__(self, name: str, minversion: str | None = None):
        self._name, self._minversion = name, minversion

    def __getattr__(self, attribute: str) -> Any:
        if attribute.startswith("_"):  # pytest looks for its own marks on everything in a test file
            raise AttributeError(attribute)
        return getattr(pytest.importorskip(self._name, self._minversion), attribute)
