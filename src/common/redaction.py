# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""What a message may show: no passwords and tokens out of URLs, nothing that would move a terminal's cursor."""

from __future__ import annotations

import re

HIDDEN = "***"
_USER = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*://)[^\s'\"]*@")
_QUERY = re.compile(r"(?P<start>[A-Za-z][A-Za-z0-9+.-]*://[^\s?#'\"]*)[?#][^\s'\"]*")
# Hugging Face, GitHub, AWS: forms that stand for a secret wherever they occur.
_TOKEN = re.compile(r"\b(?:hf_|ghp_|github_pat_|AKIA)[A-Za-z0-9_]{12,}")


def redact(text: str) -> str:
    """Replace user names with passwords, queries and fragments of URLs, and known forms of tokens, by `***`.

    `s3://KEY:SECRET@bucket/wiki.bz2?X-Amz-Signature=...` becomes `s3://***@bucket/wiki.bz2?***`. A query is hidden as
    a whole: which of its parts sign a request differs from store to store.
    """
    text = _USER.sub(rf"\g<scheme>{HIDDEN}@", text)
    text = _QUERY.sub(rf"\g<start>?{HIDDEN}", text)
    return _TOKEN.sub(HIDDEN, text)


def printable(text: str) -> str:
    r"""Write control characters and other invisible ones (escape, right-to-left override) as `\x1b`, `\u202e`."""
    return "".join(character if character.isprintable() else character.encode("unicode_escape").decode()
                   for character in text)
