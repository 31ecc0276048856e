# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The words of a text, as places in it, so that whatever is replaced leaves the rest of the text as it was."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import islice
from typing import Literal

from src.text.segmentation import IDEOGRAPHS, chinese_words, is_chinese

Language = Literal["english", "chinese"]
Span = tuple[int, int]
"""Begin and end in the text."""

# Letters and digits, with accents that stand behind their letter: BERT's tokenizer cuts at spaces and punctuation.
_WORD = re.compile("[^\\W_](?:[^\\W_]|[\u0300-\u036f])*")
_BREAKS = re.compile("[\\t\\r\\n]+")
_IDEOGRAPH = re.compile(f"[{IDEOGRAPHS}]")
_LETTER = re.compile("[^\\W\\d_]")
_LOOKED_AT = 1000
CHINESE_SHARE = 0.3
"""Share of the letters from which on a text counts as Chinese; a Chinese character says as much as several letters."""


def clean(text: str) -> str:
    """A text that fits into a cell of a tab-separated file: tabs and line ends become spaces."""
    return _BREAKS.sub(" ", text)


def words(text: str, language: Language) -> list[Span]:
    """Places of all words: runs of letters and digits; in a Chinese text jieba's words, punctuation left out."""
    if language == "english":
        return [match.span() for match in _WORD.finditer(text)]
    spans, end = [], 0
    for word in chinese_words(text):
        begin, end = end, end + len(word)
        if _WORD.search(word):
            spans.append((begin, end))
    return spans


def replaceable_words(text: str, language: Language) -> list[Span]:
    """Places of the words that may be replaced: letters alone (Chinese: Chinese characters alone), no stop words."""
    return [(begin, end) for begin, end in words(text, language) if is_replaceable(text[begin:end], language)]


def is_replaceable(word: str, language: Language) -> bool:
    """Whether a word means something that another word of the same language may stand for."""
    if language == "chinese":
        return is_chinese(word) and word not in CHINESE
    return is_word(word) and word.lower() not in ENGLISH


def is_word(text: str) -> bool:
    """Whether a text is letters alone, none of them a Chinese character."""
    return text.isalpha() and not _IDEOGRAPH.search(text)


def language_of(texts: Iterable[str]) -> Language:
    """The language of most letters in the first texts."""
    letters = chinese = 0
    for text in islice(texts, _LOOKED_AT):
        letters += len(_LETTER.findall(text))
        chinese += len(_IDEOGRAPH.findall(text))
    return "chinese" if chinese > CHINESE_SHARE * letters else "english"


# --- stop words -------------------------------------------------------------------------------------------------------
# Words that carry grammar rather than meaning: TinyBERT's augmentation never replaces them. Closed classes only
# (articles, pronouns, prepositions, conjunctions, auxiliaries, particles, negation), listed by hand. Negation is among
# them because replacing it turns a label round.

ENGLISH = frozenset("""
a an the this that these those
i me my mine myself we us our ours ourselves you your yours yourself yourselves he him his himself she her hers herself
it its itself they them their theirs themselves one who whom whose which what
am is are was were be been being do does did doing done have has had having
can could may might must shall should will would ought cannot
and or but nor so yet if because as while until although though unless since than whether
of at by for with about against between into through during before after above below to from up down in out on off over
under within without upon among across toward towards per via
again further then once here there when where why how all any both each few more most other some such only own same too
very just not no never none neither either
s t d m o ll re ve y don doesn didn isn aren wasn weren hasn haven hadn won wouldn shan shouldn couldn mustn mightn
needn ain ma
""".split())
"""Lower case; with the pieces that an apostrophe leaves of a contraction."""

CHINESE = frozenset("""
的 地 得 了 着 过 吗 呢 吧 啊 呀 哦 哇 嘛 啦 么 呗 哈
我 你 您 他 她 它 我们 你们 您们 他们 她们 它们 咱 咱们 自己 大家
这 那 这个 那个 这些 那些 这里 那里 这样 那样 这么 那么
什么 怎么 怎样 哪 哪个 哪些 哪里 谁 几 多少 为什么
是 不是 有 没有 没 不 别 未 无 非 勿 莫 也 都 就 还 又 再 才 只 很 太 更 最 非常
已 已经 曾 曾经 正 正在 将 会 能 可以 可 要 想 应 应该
和 与 及 以及 或 或者 而 而且 并 并且 但 但是 可是 不过 然而 因为 因此 所以
如果 若 虽然 虽 即使 既 既然 只要 只有 无论 不管 不但 不仅
在 于 从 自 由 向 往 到 对 对于 关于 把 被 让 给 跟 同 比 为 为了 以 按 按照 通过 根据
之 其 所 等 等等 个 们
""".split())
