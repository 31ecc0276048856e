# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tasks of the Chinese benchmark CLUE (Xu et al., arXiv:2004.05986), and ChnSentiCorp, whole texts and pairs.

Files are the benchmark's JSON lines (train.json, dev.json, test.json), or tab-separated: with a header, or without
one in the order text, label. Names of submission files are those of CLUE 1.1.
"""

from src.tasks.glue import NLI_LABELS
from src.tasks.texts import TextTask

SUFFIXES = (".json", ".jsonl", ".tsv")

TNEWS_CODES = {
    "100": "news_story", "101": "news_culture", "102": "news_entertainment", "103": "news_sports",
    "104": "news_finance", "106": "news_house", "107": "news_car", "108": "news_edu", "109": "news_tech",
    "110": "news_military", "112": "news_travel", "113": "news_world", "114": "news_stock", "115": "news_agriculture",
    "116": "news_game",
}
"""How the benchmark's files call the classes; their order is that of the codes."""

CLUE = (
    TextTask(
        name="TNEWS",
        text_a="sentence",
        label="label",
        labels=tuple(TNEWS_CODES.values()),
        suffixes=SUFFIXES,
        columns_without_header=("sentence", "label"),
        label_aliases=TNEWS_CODES,
        submission_files={"test": "tnews11_predict.json"},
        submission_labels={name: code for code, name in TNEWS_CODES.items()},
    ),
    TextTask(
        name="AFQMC",
        text_a="sentence1",
        text_b="sentence2",
        label="label",
        labels=("0", "1"),
        suffixes=SUFFIXES,
        columns_without_header=("sentence1", "sentence2", "label"),
        submission_files={"test": "afqmc_predict.json"},
    ),
    TextTask(
        name="CMNLI",
        text_a="sentence1",
        text_b="sentence2",
        label="label",
        labels=NLI_LABELS,
        dropped_labels=("-",),
        suffixes=SUFFIXES,
        columns_without_header=("sentence1", "sentence2", "label"),
        submission_files={"test": "cmnli_predict.json"},
    ),
    TextTask(
        name="ChnSentiCorp",
        text_a="text_a",
        label="label",
        labels=("negative", "positive"),
        suffixes=SUFFIXES,
        aliases={"text": "text_a", "sentence": "text_a", "review": "text_a"},
        columns_without_header=("text_a", "label"),
        label_aliases={"0": "negative", "1": "positive"},
    ),
)
