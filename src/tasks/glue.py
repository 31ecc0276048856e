# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The tasks of the GLUE benchmark (Wang et al., arXiv:1804.07461) in the layout of its download.

Columns are those of the files' headers. The order of the labels is that of Google's run_classifier.py and of
TinyBERT; a checkpoint stores the names of its labels, so a model with another order is detected. The first metric
chooses the best checkpoint, as in TinyBERT's code (accuracy on MRPC and QQP). `copies` are TinyBERT's, too. Files as
the Hugging Face hub has them (dataset `glue`) are read as well: the numbers that are their labels stand for
`hub_labels`.
"""

from typing import Any

from src.tasks.texts import SUFFIXES, TextTask

NLI_LABELS = ("contradiction", "entailment", "neutral")
ENTAILMENT = ("entailment", "not_entailment")
PAIR = ("sentence1", "sentence2")
MNLI_SPLITS = ("dev_matched", "dev_mismatched", "test_matched", "test_mismatched")

# Of the Hugging Face hub, whose files have other names of columns, and numbers as labels.
HUB_NLI = ("entailment", "neutral", "contradiction")
HUB_PAIR = {"premise": "sentence1", "hypothesis": "sentence2"}


def _files(split: str) -> tuple[str, ...]:
    """Names of a split's file: MNLI's own, and those of the hub."""
    stems = (split, split.replace("dev", "validation")) if split.startswith("dev") else (split,)
    return tuple(stem + suffix for stem in stems for suffix in SUFFIXES)


def text_task(name: str, columns: tuple[str, ...], label: str = "label", labels: tuple[str, ...] = ("0", "1"),
              **settings: Any) -> TextTask:
    """A task of one text column or two; its submission file is NAME.tsv unless `settings` name others."""
    text_a, text_b = (*columns, "")[:2]
    settings = {"submission_files": {"test": f"{name}.tsv"}, **settings}
    return TextTask(name=name, text_a=text_a, text_b=text_b, label=label, labels=labels, **settings)


GLUE = (
    text_task("SST-2", ("sentence",), copies=20),
    text_task("CoLA", ("sentence",), metric_names=("matthews_correlation", "accuracy"), copies=30,
              columns_without_header=("source", "label", "mark", "sentence")),
    text_task("MRPC", ("#1 String", "#2 String"), "Quality", metric_names=("accuracy", "f1"), copies=30,
              aliases={"sentence1": "#1 String", "sentence2": "#2 String", "label": "Quality"}),
    text_task("QQP", ("question1", "question2"), "is_duplicate", metric_names=("accuracy", "f1"), copies=10,
              aliases={"label": "is_duplicate"}),
    text_task("STS-B", PAIR, "score", (), kind="regression", metric_names=("spearman", "pearson"), copies=30,
              aliases={"label": "score"}),
    text_task("MNLI", PAIR, "gold_label", NLI_LABELS, dropped_labels=("-",), copies=10, hub_labels=HUB_NLI,
              aliases={**HUB_PAIR, "label": "gold_label"}, files={split: _files(split) for split in MNLI_SPLITS},
              submission_files={"test_matched": "MNLI-m.tsv", "test_mismatched": "MNLI-mm.tsv"}),
    text_task("QNLI", ("question", "sentence"), labels=ENTAILMENT, hub_labels=ENTAILMENT, copies=20),
    text_task("RTE", PAIR, labels=ENTAILMENT, hub_labels=ENTAILMENT, copies=30),
    text_task("WNLI", PAIR),
    # The diagnostic set, for a model of MNLI; it has no labels.
    text_task("AX", PAIR, labels=NLI_LABELS, hub_labels=HUB_NLI, aliases=HUB_PAIR,
              files={"test": tuple(stem + suffix for stem in ("diagnostic", "test") for suffix in SUFFIXES)}),
)
