# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Documents that other programs have made: WikiExtractor's <doc> elements, and JSON lines."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from html import unescape

from src.common.errors import UserError, nearest, one_line
from src.common.untrusted import parse_json
from src.corpus.articles import Article
from src.corpus.wiki_site import Site

DOC_TAG = re.compile(r'<doc\b[^>]*?\btitle="([^"]*)"[^>\n]*>|<doc\b[^>\n]*>')


def read_docs(raw: bytes, site: Site) -> Article:
    """Read one <doc> element; its first line is the title again, and its text has the entities of HTML."""
    try:
        text = raw.decode("utf-8").removesuffix("</doc>")
    except UnicodeDecodeError:
        return Article("", dropped="damaged")
    tag = DOC_TAG.match(text)
    if not tag or text.endswith("<"):
        return Article("", dropped="damaged")
    title = unescape(tag.group(1) or "").strip()
    lines = unescape(text[tag.end():]).strip().split("\n")
    if lines[0].strip() == title:
        del lines[0]
    return Article("", "\n".join(lines))


def read_json_lines(lines: Sequence[str], where: Callable[[int], str], text_field: str) -> Iterator[Article]:
    """Read JSON objects, one a stripped line; `where` names the place of a line by its number, from 0.

    Raises:
        UserError: a line that is no JSON object, or has no such field of text.
    """
    for number, line in enumerate(lines):
        if not line:
            continue
        try:
            values = parse_json(line)
        except ValueError as error:
            raise UserError(f"{where(number)}: not JSON ({one_line(error)}); expected one JSON object a line, or set "
                            "--input_format text to read the lines as they are") from error
        if not isinstance(values, dict):
            raise UserError(f"{where(number)}: a JSON {type(values).__name__}; expected an object with a field of text")
        text = values.get(text_field)
        if not isinstance(text, str):
            what = f"is a {type(text).__name__}" if text_field in values else "is not there"
            raise UserError(f"{where(number)}: the field {text_field!r} {what}; set --text_field to the one that holds "
                            f"the text{nearest(text_field, values)}")
        yield Article("", text)
