# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The tasks of the GLUE benchmark (Wang et al., arXiv:1804.07461) in the layout of its download.

Columns are those of the files' headers. The order of the labels is that of Google's run_classifier.py and of
TinyBERT; a checkpoint stores the names of its labels, so a model with another order is detected. The first metric
chooses the best checkpoint, as in TinyBERT's code (accuracy on MRPC and QQP). `copies` are TinyBERT's, too.
"""

from typing import Any

from src.tasks.texts import TextTask

NLI_LABELS = ("contradiction", "entailment", "neutral")
ENTAILMENT = ("entailment", "not_entailment")
PAIR = ("sentence1", "sentence2")
MNLI_SPLITS = ("dev_matched", "dev_mismatched", "test_matched", "test_mismatched")


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
    text_task("MRPC", ("#1 String", "#2 String"), "Quality", metric_names=("accuracy", "f1"), copies=30),
    text_task("QQP", ("question1", "question2"), "is_duplicate", metric_names=("accuracy", "f1"), copies=10),
    text_task("STS-B", PAIR, "score", (), kind="regression", metric_names=("spearman", "pearson"), copies=30),
    text_task("MNLI", PAIR, "gold_label", NLI_LABELS, dropped_labels=("-",), copies=10,
              files={split: (f"{split}.tsv",) for split in MNLI_SPLITS},
              submission_files={"test_matched": "MNLI-m.tsv", "test_mismatched": "MNLI-mm.tsv"}),
    text_task("QNLI", ("question", "sentence"), labels=ENTAILMENT, copies=20),
    text_task("RTE", PAIR, labels=ENTAILMENT, copies=30),
    text_task("WNLI", PAIR),
    # The diagnostic set, for a model of MNLI; it has no labels.
    text_task("AX", PAIR, labels=NLI_LABELS, files={"test": ("diagnostic.tsv",)}),
)
