# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Names of columns: which mean the texts and the label, and which tell a header from a row."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

TEXT_A = ("text", "sentence", "text_a", "sentence1", "sentence_a", "question", "question1", "premise", "content",
          "review", "文本", "内容", "正文", "评论", "句子", "文本1", "句子1")
TEXT_B = ("text_b", "sentence2", "sentence_b", "question2", "hypothesis", "文本2", "句子2")
LABEL = ("label", "labels", "gold_label", "score", "class", "category", "标签", "类别", "分类")
"""Names that are understood, in the form of `normal`."""

INDEX = ("", "id", "qid", "idx", "index", "guid", "uid", "no", "number", "unnamed:_0", "编号", "序号")
ID = ("id", "qid", "idx", "index", "guid", "uid")
"""Columns of names of rows."""
OTHERS = ("title", "body", "comment", "comments", "message", "msg", "tweet", "utterance", "query", "document", "doc",
          "description", "summary", "answer", "passage", "context", "string", "phrase", "text1", "text2", "input",
          "review_text", "review_body", "sentiment", "intent", "target", "tag", "tags", "rating", "ratings", "stars",
          "star_rating", "polarity", "topic", "type", "output", "emotion", "domain", "gold", "y", "label_text",
          "label_name", "class_name", "class_label", "category_name", "date", "time", "user", "author", "source", "url",
          "lang", "language", "split", "标题", "题目", "问题", "回答", "描述", "摘要", "留言", "消息", "意图", "情感",
          "情绪", "评分", "分数", "主题", "类型", "标注", "结果", "时间", "日期", "用户", "来源", "领域", "话术")
"""Names that a header may have and a row hardly has."""

_ALL = frozenset((*TEXT_A, *TEXT_B, *LABEL, *INDEX, *OTHERS)) - {""}
_BLANKS = r"[\s\ufeff\u200b-\u200d\u2060]+"
_AROUND = re.compile(rf"^{_BLANKS}|{_BLANKS}$")


def cut(text: str) -> str:
    """Cut blanks around a name or a label: full-width, non-breaking and zero-width ones too, and byte order marks."""
    return _AROUND.sub("", text)


def normal(name: Any) -> str:
    """Return a column's name without what does not tell names apart: blanks around, case, width, kind of blank."""
    return re.sub(r"[\s-]+", "_", cut(unicodedata.normalize("NFKC", str(name))).casefold()) if name is not None else ""


def is_known(name: Any) -> bool:
    """Whether a cell of the first line is a word that headers have."""
    return normal(str(name).strip('"')) in _ALL


def found(names: tuple[str, ...], cells: list[Any]) -> list[int]:
    """Return the places of the columns that have one of the names."""
    return [place for place, cell in enumerate(cells) if normal(cell) in names]
