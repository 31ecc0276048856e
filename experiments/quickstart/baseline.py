# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Two logistic regressions (scikit-learn) that a distilled student is compared with.

    python -m experiments.quickstart.baseline tfidf   --data_dir TASK --output DIR
    python -m experiments.quickstart.baseline probe   --checkpoint GENERAL_STUDENT --data_dir TASK --output DIR
    python -m experiments.quickstart.baseline predict --model DIR --data_dir TASK --split test \
        --predictions_path FILE.jsonl

`tfidf` works on words and word pairs: what a model without any pretraining reaches on the same rows.

`probe` measures the student before task distillation. A general-distilled student has no classifier, and a randomly
initialised one says nothing; so a logistic regression is fitted on the frozen student's pooled [CLS] output for the
same training rows and stored as the classification head of a checkpoint directory, which eval.py, export.py and the
benchmark treat like any other model. The regularisation of both is chosen on dev; test is not looked at.

TASK is a folder with train.tsv, dev.tsv, test.tsv: a header and `text<TAB>label` rows.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from experiments.quickstart.probe import probe
from experiments.quickstart.regression import class_ids, read_rows
from experiments.quickstart.tfidf import fit_tfidf, load_tfidf, save_tfidf, write_predictions
from src.common.arguments import OneLineParser, add_device_target
from src.common.errors import run


def main(argv: list[str]) -> None:
    """Command line: tfidf, probe, predict."""
    parser = OneLineParser("experiments.quickstart.baseline", __doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    tfidf_parser = commands.add_parser("tfidf", help="fit TF-IDF + logistic regression")
    probe_parser = commands.add_parser("probe", help="fit a classification head on a frozen encoder")
    predict_parser = commands.add_parser("predict", help="write the predictions of a TF-IDF model")
    for each in (tfidf_parser, probe_parser, predict_parser):
        each.add_argument("--data_dir", type=Path, required=True, help="folder with train.tsv, dev.tsv, test.tsv")
    for each in (tfidf_parser, probe_parser):
        each.add_argument("--output", type=Path, required=True, help="folder to write")
        each.add_argument("--seed", type=int, default=42)
    probe_parser.add_argument("--checkpoint", type=Path, required=True, help="checkpoint directory of the encoder")
    probe_parser.add_argument("--seq_length", type=int, default=64, help="longest sequence in tokens")
    add_device_target(probe_parser)
    predict_parser.add_argument("--model", type=Path, required=True, help="folder written by `tfidf`")
    predict_parser.add_argument("--split", default="test", choices=("train", "dev", "test"))
    predict_parser.add_argument("--predictions_path", type=Path, required=True, help="JSON lines to write")
    arguments = parser.parse_args(argv)
    if arguments.command == "tfidf":
        pipeline, labels, accuracy = fit_tfidf(arguments.data_dir, arguments.seed)
        save_tfidf(arguments.output, pipeline, labels)
        print(f"TF-IDF + logistic regression (C {pipeline[-1].C:g}): dev accuracy {accuracy:.4f}")
    elif arguments.command == "probe":
        accuracy = probe(arguments.checkpoint, arguments.data_dir, arguments.output, arguments.seq_length,
                         arguments.seed, arguments.device_target)
        print(f"logistic regression on the frozen pooled output: dev accuracy {accuracy:.4f}")
    else:
        pipeline, labels = load_tfidf(arguments.model)
        rows = read_rows(arguments.data_dir, arguments.split)
        scores, targets = pipeline.predict_log_proba(rows.texts), class_ids(rows, labels)
        write_predictions(arguments.predictions_path, scores, targets, labels)
        print(f"TF-IDF + logistic regression: {arguments.split} accuracy "
              f"{float(np.mean(np.argmax(scores, axis=1) == targets)):.4f} on {len(targets)} rows")


if __name__ == "__main__":
    run(main)
