# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tasks of the Chinese benchmark CLUE (Xu et al., arXiv:2004.05986), and ChnSentiCorp: whole texts and pairs.

Files are the benchmark's JSON lines (train.json, dev.json, test.json), or tab-separated: with a header, or without
one in the order text, label. Names of submission files are those of CLUE 1.1.
"""

from typing import Any

from src.tasks.glue import NLI_LABELS, PAIR, text_task
from src.tasks.texts import TextTask

TNEWS_CODES = {
    "100": "news_story", "101": "news_culture", "102": "news_entertainment", "103": "news_sports",
    "104": "news_finance", "106": "news_house", "107": "news_car", "108": "news_edu", "109": "news_tech",
    "110": "news_military", "112": "news_travel", "113": "news_world", "114": "news_stock", "115": "news_agriculture",
    "116": "news_game",
}
"""Code of a class in the benchmark's files -> its name; the labels are in the order of the codes."""


def _task(name: str, columns: tuple[str, ...], labels: tuple[str, ...], submission: str, **settings: Any) -> TextTask:
    """A task of one text column or two; `submission` is the file of its test set, "" for none."""
    return text_task(name, columns, labels=labels, suffixes=(".json", ".jsonl", ".tsv", ".csv", ".parquet", ".arrow"),
                     columns_without_header=(*columns, "label"),
                     submission_files={"test": submission} if submission else {}, **settings)


CLUE = (
    _task("TNEWS", ("sentence",), tuple(TNEWS_CODES.values()), "tnews11_predict.json", label_aliases=TNEWS_CODES,
          hub_labels=tuple(TNEWS_CODES.values()),
          submission_labels={name: code for code, name in TNEWS_CODES.items()}),
    _task("AFQMC", PAIR, ("0", "1"), "afqmc_predict.json"),
    _task("CMNLI", PAIR, NLI_LABELS, "cmnli_predict.json", dropped_labels=("-",),
          hub_labels=("neutral", "entailment", "contradiction")),
    _task("ChnSentiCorp", ("text_a",), ("negative", "positive"), "",
          aliases={"text": "text_a", "sentence": "text_a", "review": "text_a", "content": "text_a"},
          label_aliases={"0": "negative", "1": "positive"}),
)
