# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Traditional Chinese to simplified, word by word where a character has several counterparts (OpenCC)."""

from __future__ import annotations

from functools import lru_cache
from typing import Any


@lru_cache(maxsize=1)
def _converter() -> Any:
    import opencc

    # Its dictionaries take some tenths of a second to load, once a process.
    return opencc.OpenCC("t2s")


def simplify(text: str) -> str:
    """Return the text with simplified characters; other scripts stay as they are."""
    return _converter().convert(text)
