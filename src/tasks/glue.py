# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The tasks of the GLUE benchmark (Wang et al., arXiv:1804.07461) in the layout of its download.

Columns are those of the files' headers. The order of the labels is that of Google's run_classifier.py and of
TinyBERT; checkpoints carry their labels by name, so that one trained with another order is noticed. The first metric
chooses the best checkpoint, as TinyBERT's code does it (accuracy on MRPC and QQP). `copies` are TinyBERT's, too.
"""

from src.tasks.texts import TextTask

NLI_LABELS = ("contradiction", "entailment", "neutral")

GLUE = (
    TextTask(
        name="SST-2",
        text_a="sentence",
        label="label",
        labels=("0", "1"),
        copies=20,
        submission_files={"test": "SST-2.tsv"},
    ),
    TextTask(
        name="CoLA",
        text_a="sentence",
        label="label",
        labels=("0", "1"),
        metric_names=("matthews_correlation", "accuracy"),
        columns_without_header=("source", "label", "mark", "sentence"),
        copies=30,
        submission_files={"test": "CoLA.tsv"},
    ),
    TextTask(
        name="MRPC",
        text_a="#1 String",
        text_b="#2 String",
        label="Quality",
        labels=("0", "1"),
        metric_names=("accuracy", "f1"),
        copies=30,
        submission_files={"test": "MRPC.tsv"},
    ),
    TextTask(
        name="QQP",
        text_a="question1",
        text_b="question2",
        label="is_duplicate",
        labels=("0", "1"),
        metric_names=("accuracy", "f1"),
        copies=10,
        submission_files={"test": "QQP.tsv"},
    ),
    TextTask(
        name="STS-B",
        text_a="sentence1",
        text_b="sentence2",
        label="score",
        kind="regression",
        metric_names=("spearman", "pearson"),
        copies=30,
        submission_files={"test": "STS-B.tsv"},
    ),
    TextTask(
        name="MNLI",
        text_a="sentence1",
        text_b="sentence2",
        label="gold_label",
        labels=NLI_LABELS,
        dropped_labels=("-",),
        files={f"{split}_{kind}": f"{split}_{kind}.tsv"
               for split in ("dev", "test") for kind in ("matched", "mismatched")},
        copies=10,
        submission_files={"test_matched": "MNLI-m.tsv", "test_mismatched": "MNLI-mm.tsv"},
    ),
    TextTask(
        name="QNLI",
        text_a="question",
        text_b="sentence",
        label="label",
        labels=("entailment", "not_entailment"),
        copies=20,
        submission_files={"test": "QNLI.tsv"},
    ),
    TextTask(
        name="RTE",
        text_a="sentence1",
        text_b="sentence2",
        label="label",
        labels=("entailment", "not_entailment"),
        copies=30,
        submission_files={"test": "RTE.tsv"},
    ),
    TextTask(
        name="WNLI",
        text_a="sentence1",
        text_b="sentence2",
        label="label",
        labels=("0", "1"),
        submission_files={"test": "WNLI.tsv"},
    ),
    # The diagnostic set, for a model of MNLI; it has no labels.
    TextTask(
        name="AX",
        text_a="sentence1",
        text_b="sentence2",
        label="label",
        labels=NLI_LABELS,
        files={"test": "diagnostic.tsv"},
        submission_files={"test": "AX.tsv"},
    ),
)
