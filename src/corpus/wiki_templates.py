# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Templates that stand within sentences and show text: without it the sentence would have a hole.

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


def shown_text(template: re.Match[str]) -> str:
    """What {{name|argument|...}} shows, "" for all that are not listed here; the first group is the inside."""
    name, bar, rest = template.group(1).partition("|")
    name = BLANKS.sub(" ", name).strip().lower()
    if not bar:
        return name.removeprefix(FORMATTED).strip() if name.startswith(FORMATTED) else ""
    if name in CONVERT:
        return _converted(rest)
    places = LINK_PLACES if name.startswith(LINK) else ARGUMENTS.get(name, ())
    arguments = [argument.strip() for argument in rest.split("|") if "=" not in argument] if places else []
    return next((arguments[place] for place in places if place < len(arguments) and arguments[place]), "")


def _converted(arguments: str) -> str:
    """Value and unit."""
    value, _, rest = arguments.partition("|")
    return f"{value.strip()} {rest.partition('|')[0].strip()}"
