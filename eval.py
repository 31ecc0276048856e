# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Evaluate any checkpoint on any task, every row counted; a language model on text.

python eval.py --checkpoint DIR --task_name SST-2 --data_dir DIR_OF_TSV_OR_RECORDS --split dev \
    --predictions_path FILE.jsonl --metrics_path FILE.json
python eval.py --checkpoint TEACHER --data_dir RECORDS --split train --write_teacher_outputs FILE.jsonl
python eval.py --checkpoint DIR --data_dir held_out.txt
python eval.py --checkpoint EMBEDDING_DIR --task_name STS-B --data_dir DIR_OF_TSV --split test --similarity cosine
python eval.py --checkpoint EMBEDDING_DIR --task retrieval --data_dir DIR_OF_LISTS --split test
"""

from __future__ import annotations

from src.versions import run_entry

if __name__ == "__main__":
    run_entry("eval")

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from src.checkpoints.checkpoint import LoadedModel, load_model
from src.common.errors import UserError
from src.common.files import write_text
from src.common.places import check_file, check_folder
from src.config import Config, EvaluateConfig, parse
from src.dataset import resolve_buckets
from src.dataset.compatibility import fitted_to
from src.device import Device, set_up_device
from src.evaluate import retrieval
from src.evaluate.embeddings import pair_similarities
from src.evaluate.language import evaluation_of
from src.evaluate.tasks import (
    Predictor,
    decode_options,
    open_rows,
    parts_of_split,
    write_metrics,
)
from src.evaluate.teacher_files import teacher_entries, writes_outputs
from src.records.columns import LABEL
from src.records.reading import has_records
from src.task_files.teacher_outputs import write_outputs
from src.tasks import get_task, is_same_name


def main(argv: list[str]) -> None:
    """Run the entry point."""
    config = parse("eval.py", argv)
    for name in ("predictions_path", "metrics_path", "write_teacher_outputs"):
        if value := getattr(config.evaluate, name):
            check_file(value, name)
    settings = config.evaluate
    if settings.submit:
        check_folder(settings.submit, "submit")
    device = set_up_device(config.device, config.seed)
    loaded = load_model(settings.checkpoint, "checkpoint")
    if loaded.config.head.kind == "none":
        raise UserError(f"{loaded.directory} has no head to evaluate; give a fine-tuned or task-distilled checkpoint")
    if settings.write_teacher_outputs and not writes_outputs(loaded.config.head):
        raise UserError(f"write_teacher_outputs is for models with classes, scores or tags, and {loaded.directory} has "
                        f"{loaded.config.head.title}; leave it out")
    if is_same_name(config.task.task_name, "retrieval"):
        on_retrieval(config, loaded, device)
        return
    if settings.similarity != "none" and loaded.config.head.kind != "embedding":
        raise UserError(f"similarity is {settings.similarity}, but {loaded.directory} has a {loaded.config.head.kind} "
                        "head and embeds no texts; leave it out, or convert a model with --pooling mean")
    if loaded.config.head.kind == "embedding" and not is_of_pairs(config):
        on_similarity(config, loaded, device)
    else:
        (on_text if loaded.config.head.is_language_model else on_task)(config, loaded, device)


def is_of_pairs(config: Config) -> bool:
    """Whether what is evaluated is a task on pairs for embeddings, by its name or that of the records."""
    settings, name = config.evaluate, config.task.task_name
    return get_task(name).kind == "embedding" if name else (
        settings.similarity == "none" and has_records(settings.data_dir, settings.split))


def on_text(config: Config, loaded: LoadedModel, device: Device) -> None:
    """Perplexity and accuracy of a language model on text, or on records of sequences."""
    kind = "clm" if loaded.config.encoder.causal else "mlm"
    if config.task.task_name.lower() not in ("", kind):
        raise UserError(f"task_name is {config.task.task_name}, but {loaded.directory} is a language model; leave "
                        "task_name out, or give a checkpoint of the task")
    metrics = evaluation_of(loaded, config.evaluate.data_dir, config.mlm, config.data, config.evaluate.batch_size,
                            config.seed, device)(loaded.parameters)
    if config.evaluate.metrics_path:
        write_metrics(Path(config.evaluate.metrics_path), kind, config.evaluate.data_dir, int(metrics["tokens"]),
                      metrics)
    print(f"{kind} {config.evaluate.data_dir}: perplexity: {metrics['perplexity']:.4f}, accuracy: "
          f"{metrics['accuracy']:.6f}, {metrics['tokens']:.0f} predicted tokens")


def on_retrieval(config: Config, loaded: LoadedModel, device: Device) -> None:
    """Metrics of a search for the queries of lists, among all their documents."""
    settings = config.evaluate
    collection, metrics, entries = retrieval.evaluate(loaded, config, device)
    write_results(settings, "retrieval", len(entries), metrics, entries)
    print(f"retrieval {settings.split}: {len(entries)} queries, {collection.number} documents{shown(metrics)}")


def on_similarity(config: Config, loaded: LoadedModel, device: Device) -> None:
    """Correlations of the cosines of pairs with their scores."""
    settings = config.evaluate
    if settings.similarity == "none":
        raise UserError(f"{loaded.directory} embeds texts; give --similarity cosine and a task of pairs with scores, "
                        "such as --task_name STS-B, or --task_name sts, pairs, triplets or retrieval")
    if settings.submit:
        raise UserError("--submit is for models with the head of a task; leave it out, or leave --similarity out")
    task, outputs = pair_similarities(loaded, config, device)
    options = decode_options(config.task)
    scores = task.score(outputs, options) if LABEL in outputs.values else {}
    write_results(settings, task.name, len(outputs.logits), scores,
                  task.predictions(outputs, options) if settings.predictions_path else ())
    print(f"{task.name} {settings.split}: {len(outputs.logits)} pairs by {settings.similarity}{shown(scores)}")


def on_task(config: Config, loaded: LoadedModel, device: Device) -> None:
    """Metrics of a model on a task; on all parts of a split that has several (MNLI's dev_matched and dev_mismatched).

    Metrics of the first part have the plain names, those of the others the part's: accuracy_mismatched.
    """
    settings, options = config.evaluate, decode_options(config.task)
    predictor = Predictor(loaded.config, device.compute_type)
    metrics: dict[str, float] = {}
    predictions: list[dict] = []
    number = 0
    task_name = config.task.task_name or loaded.config.task_name
    parts = parts_of_split(settings, task_name)
    if settings.write_teacher_outputs and len(parts) > 1:
        raise UserError(f"write_teacher_outputs takes one split, and {settings.split} is {', '.join(parts)}; give "
                        f"--split {parts[0]}")
    for place, split in enumerate(parts):
        rows = open_rows(settings.data_dir, split, loaded, config.data, config.task, config.seed)
        task = rows.task
        fitted = fitted_to(loaded, task.head(), "checkpoint", device.say)
        if not place or fitted is not loaded:
            predictor.load(fitted.parameters, fitted.directory)
        loaded = fitted
        outputs = rows.complete(predictor.predict(rows.chunks(), settings.batch_size,
                                                  resolve_buckets(config.data.buckets, rows.length)))
        if settings.submit:
            for name, text in task.submission(outputs, options, split).items():
                write_text(Path(settings.submit) / name, text)
                print(f"submission file: {Path(settings.submit) / name}")
        if settings.predictions_path:
            predictions += task.predictions(outputs, options)
        if settings.write_teacher_outputs:
            write_outputs(Path(settings.write_teacher_outputs), teacher_entries(task, outputs, rows.names()))
        scores = task.score(outputs, options) if rows.is_labelled else {}
        suffix = split.removeprefix(settings.split) if place else ""
        metrics |= {name + suffix: value for name, value in scores.items()}
        number += len(outputs.logits)
        print(f"{task.name} {split}: {len(outputs.logits)} rows{shown(scores)}")
    write_results(settings, task.name, number, metrics, predictions)


def write_results(settings: EvaluateConfig, task_name: str, rows: int, metrics: Mapping[str, float],
                  predictions: Iterable[dict[str, Any]]) -> None:
    """Write the files that the settings name."""
    if settings.predictions_path:
        lines = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in predictions)
        write_text(Path(settings.predictions_path), lines)
    if settings.metrics_path:
        write_metrics(Path(settings.metrics_path), task_name, settings.split, rows, metrics)


def shown(metrics: Mapping[str, float]) -> str:
    """Metrics as the last words of a line."""
    return "".join(f", {name}: {value:.6f}" for name, value in metrics.items()) or ", no labels to score"
