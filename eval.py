# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Evaluate any checkpoint on any task, every row counted.

python eval.py --checkpoint DIR --task_name SST-2 --data_dir DIR_OF_TSV_OR_RECORDS --split dev \
    --predictions_path FILE.jsonl --metrics_path FILE.json
"""

from __future__ import annotations

from pathlib import Path

from src.config import parse
from src.dataset import resolve_buckets
from src.distill.contract import check_labels
from src.errors import UserError, run
from src.evaluate import Predictor, metrics_of, open_rows, write_metrics, write_predictions
from src.train.checkpoint import load_model
from src.train.device import set_up_device


def main(argv: list[str]) -> None:
    """Run the entry point."""
    config = parse("eval.py", argv)
    settings = config.evaluate
    device = set_up_device(config)
    loaded = load_model(settings.checkpoint, "checkpoint")
    if loaded.config.head.kind == "none":
        raise UserError(f"{loaded.directory} has no head to evaluate; give a fine-tuned or task-distilled checkpoint")

    rows = open_rows(config, loaded)
    check_labels(loaded.config, rows.task.labels, rows.task.is_regression, "checkpoint")
    predictor = Predictor(loaded.config, device.compute_type).load(loaded.parameters, loaded.directory)
    predictions = predictor.predict(rows.chunks(), settings.batch_size,
                                    resolve_buckets(config.data.buckets, rows.length))

    if settings.predictions_path:
        write_predictions(Path(settings.predictions_path), predictions, loaded.config.head, rows.is_labelled)
    metrics = metrics_of(predictions, loaded.config.head, rows.task) if rows.is_labelled else {}
    if settings.metrics_path:
        write_metrics(Path(settings.metrics_path), rows.task.name, settings.split, len(predictions.logits), metrics)
    shown = "".join(f", {name}: {value:.6f}" for name, value in metrics.items()) or ", no labels to score"
    print(f"{rows.task.name} {settings.split}: {len(predictions.logits)} rows{shown}")


if __name__ == "__main__":
    run(main)
