# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Pages that list the meanings of a title, told by the template, magic word, category or title that marks them."""

from __future__ import annotations

import re

# Templates that mark a whole page, in lower case; those of the larger Wikipedias.
TEMPLATES = ("disambig", "disambiguation", "disamb", "dab", "dabpage", "disambiguation page", "hndis", "hndab",
             "geodis", "geo-dis", "mil-unit-dis", "numberdis", "schooldis", "roaddis", "shipindex", "mathdab",
             "消歧义", "消歧義", "消歧义页", "消歧義頁", "消歧义页面", "人名消歧义", "人名消歧義",
             "地名消歧义", "地名消歧義",
             "aimai", "曖昧さ回避", "人名の曖昧さ回避", "地名の曖昧さ回避", "begriffsklärung", "bks",
             "homonymie",
             "desambiguación", "desambiguação", "desambig", "disambigua", "неоднозначность", "многозначность",
             "dp",
             "doorverwijspagina", "ujednoznacznienie", "동음이의", "동음이의어 문서", "förgrening", "wieloznaczne")
TEMPLATE = re.compile(r"\{\{\s*(?:[\w /-]{0,40}[ -](?:disambiguation|disambig|dab)|" + "|".join(
    re.escape(name) for name in TEMPLATES) + r")\s*(?:\||\}\})", re.IGNORECASE)
MAGIC_WORD = "__DISAMBIG__"
CATEGORY = re.compile(r"\[\[\s*\w{1,20}\s*:\s*[^\[\]|]{0,60}(?:disambiguation pages|消歧义|消歧義|曖昧さ回避|"
                      r"Begriffsklärung|homonymie)[^\[\]|]{0,20}(?:\||\]\])", re.IGNORECASE)
TITLE = re.compile(r"[(（](?:disambiguation|消歧义|消歧義|消歧义页|消歧義頁|曖昧さ回避|begriffsklärung|homonymie|"
                   r"desambiguación|desambiguação|disambigua|значения|동음이의)[)）]$", re.IGNORECASE)


def is_disambiguation(title: str, wikitext: str) -> bool:
    """Whether a page only lists what its title may mean."""
    return (TITLE.search(title) is not None or MAGIC_WORD in wikitext or TEMPLATE.search(wikitext) is not None
            or CATEGORY.search(wikitext) is not None)
