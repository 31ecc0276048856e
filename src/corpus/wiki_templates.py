# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Templates that show text within a sentence, which would have a hole without it, and those that mark a whole page.

Their definitions, which a dump of articles does not hold, are not run: each shows one of its arguments.
"""

from __future__ import annotations

import re

# Name -> which positional argument is shown, from 0; the first that is not empty.
ARGUMENTS: dict[str, tuple[int, ...]] = {
    **dict.fromkeys(("lang", "langx", "transl", "transliteration"), (1,)),
    **dict.fromkeys(("nowrap", "nobr", "nobold", "small", "smaller", "big", "larger", "em", "strong", "mono", "var",
                     "sic", "abbr", "tooltip", "nihongo", "w", "vanchor", "visible anchor", "smallcaps", "zhi"), (0,)),
    # Links to articles that only a Wikipedia in another language has, as all {{link-en|...}}, {{link-de|...}} are.
    **dict.fromkeys(("le", "internal link helper"), (2, 0)),
    **dict.fromkeys(("tsl", "translink"), (3, 2, 1)),
    **dict.fromkeys(("ill", "illm", "interlanguage link", "interlanguage link multi", "red link", "仮リンク"), (0,)),
}
LINK, LINK_PLACES = "link-", (2, 0)
# {{convert|5|km|mi}} shows value and unit.
CONVERT = ("convert", "cvt")
# {{formatnum:12345}} is a function, not a template.
FORMATTED = "formatnum:"
BLANKS = re.compile(r"[\s_]+")

# Templates that mark a whole page, in lower case; those of the larger Wikipedias.
DISAMBIGUATION = ("disambig", "disambiguation", "disamb", "dab", "dabpage", "disambiguation page", "hndis", "hndab",
             "geodis", "geo-dis", "mil-unit-dis", "numberdis", "schooldis", "roaddis", "shipindex", "mathdab",
             "消歧义", "消歧義", "消歧义页", "消歧義頁", "消歧义页面", "人名消歧义", "人名消歧義",
             "地名消歧义", "地名消歧義",
             "aimai", "曖昧さ回避", "人名の曖昧さ回避", "地名の曖昧さ回避", "begriffsklärung", "bks",
             "homonymie",
             "desambiguación", "desambiguação", "desambig", "disambigua", "неоднозначность", "многозначность",
             "dp",
             "doorverwijspagina", "ujednoznacznienie", "동음이의", "동음이의어 문서", "förgrening", "wieloznaczne")
MARK = re.compile(r"\{\{\s*(?:[\w /-]{0,40}[ -](?:disambiguation|disambig|dab)|" + "|".join(
    re.escape(name) for name in DISAMBIGUATION) + r")\s*(?:\||\}\})", re.IGNORECASE)
MAGIC_WORD = "__DISAMBIG__"
CATEGORY = re.compile(r"\[\[\s*\w{1,20}\s*:\s*[^\[\]|]{0,60}(?:disambiguation pages|消歧义|消歧義|曖昧さ回避|"
                      r"Begriffsklärung|homonymie)[^\[\]|]{0,20}(?:\||\]\])", re.IGNORECASE)
TITLE = re.compile(r"[(（](?:disambiguation|消歧义|消歧義|消歧义页|消歧義頁|曖昧さ回避|begriffsklärung|homonymie|"
                   r"desambiguación|desambiguação|disambigua|значения|동음이의)[)）]$", re.IGNORECASE)


def shown_text(template: re.Match[str]) -> str:
    """What {{name|argument|...}} shows, "" for all that are not listed here; the first group is the inside."""
    name, bar, rest = template.group(1).partition("|")
    name = BLANKS.sub(" ", name).strip().lower()
    if not bar:
        return name.removeprefix(FORMATTED).strip() if name.startswith(FORMATTED) else ""
    if name in CONVERT:
        value, _, rest = rest.partition("|")
        return f"{value.strip()} {rest.partition('|')[0].strip()}"
    places = LINK_PLACES if name.startswith(LINK) else ARGUMENTS.get(name, ())
    arguments = [argument.strip() for argument in rest.split("|") if "=" not in argument] if places else []
    return next((arguments[place] for place in places if place < len(arguments) and arguments[place]), "")


def is_disambiguation(title: str, wikitext: str) -> bool:
    """Whether a page only lists what its title may mean."""
    return (TITLE.search(title) is not None or MAGIC_WORD in wikitext or MARK.search(wikitext) is not None
            or CATEGORY.search(wikitext) is not None)
