# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The language variants of a wiki: -{zh-hans:计算机; zh-hant:電腦}- shows one word or the other."""

from __future__ import annotations

import re

# Who reads: the first that a rule names. Of the Serbian and other wikis with two scripts the first that stands there.
SIMPLIFIED = ("zh-cn", "zh-hans", "zh", "zh-sg", "zh-my")
RULE = re.compile(r"\s*(?:[^=:;<>]{1,200}=>\s*)?([a-z]{2,3}(?:-[a-z]{2,8})*)\s*:(.*)", re.DOTALL)
FLAGS = re.compile(r"\s*([A-Z+-]|[a-z-]{2,12}(?:\s*;\s*[a-z-]{2,12})*)?(?:\s*;\s*[A-Z+-])*\s*\|")
# H adds a rule for the whole page, T gives its title, - removes a rule, D describes one and N names a variant.
SHOWS_NOTHING = ("H", "T", "-", "D", "N")


def resolve(inside: str) -> str:
    """What the inside of -{...}- shows to a reader of simplified Chinese.

    It is flags, a bar and rules (or a text without rules), or rules alone, or a text that is shown to all.
    """
    flags = FLAGS.match(inside)
    rules = inside[flags.end():] if flags else inside
    if flags and flags.group(1) in SHOWS_NOTHING:
        return ""
    shown: dict[str, str] = {}
    for rule in rules.split(";"):
        match = RULE.match(rule)
        if match:
            shown.setdefault(match.group(1), match.group(2).strip())
        elif shown and rule.strip():
            # A semicolon within the text of a rule, such as that of an entity.
            last = next(reversed(shown))
            shown[last] += ";" + rule.rstrip()
    if not shown:
        return rules
    return next((shown[variant] for variant in SIMPLIFIED if shown.get(variant)), next(iter(shown.values())))
