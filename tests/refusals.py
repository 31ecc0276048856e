# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""What every refusal of bad input must be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from src.common.errors import UserError, one_line


def refused(match: str, call: Callable[..., object], *arguments: Any, **named: Any) -> None:
    """`call` raises a UserError whose message, which matches a regular expression, makes one line for the user."""
    __tracebackhide__ = True
    with pytest.raises(UserError, match=match) as raised:
        call(*arguments, **named)
    line = one_line(raised.value)
    assert line and "Traceback" not in line
