# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""What an ONNX file becomes a bundle with, which serving/ reads without MindSpore: see serving/bundle.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from serving.bundle import CARD, DESCRIPTION, KINDS, MODEL, TOKENIZER, VERSION, read_bundle
from src.checkpoints.checkpoint import LoadedModel
from src.checkpoints.places import MODEL as RESULT
from src.common.errors import UserError
from src.common.files import sha256_of, write_json, write_text
from src.common.patterns import split_paths
from src.config import DataConfig, ExportConfig, TaskConfig
from src.export.hub import check_repository
from src.export.model_card import check_identifiers, languages_of, model_card
from src.report.runs import Run, read_runs
from src.tasks.registry import task_of_model
from src.tasks.span import SpanTask
from src.tasks.tagging import TaggingTask

__all__ = ["MODEL", "TOKENIZER", "close", "describe"]


def describe(loaded: LoadedModel, settings: ExportConfig, reading: TaskConfig) -> dict[str, Any]:
    """Return what bundle.json says besides the card of an ONNX file.

    Rows are as long as `settings.seq_length` says, else as those of the run that the model lies in, else as eval.py's.

    Raises:
        UserError: a model that answers no text, one without a tokenizer or whose texts are segmented before, settings
            that the model card cannot hold, or a repository that cannot be uploaded to.
    """
    config, head = loaded.config, loaded.config.head
    if head.kind not in KINDS:
        raise UserError(f"{loaded.directory} has no head that answers for a text ({head.kind}); give a fine-tuned or "
                        "task-distilled checkpoint, or export it with --file_format ONNX")
    tokenizer = loaded.tokenizer()
    if segment := tokenizer.segment:
        raise UserError(f"{loaded.directory} cuts texts into words by {segment} first, which a {TOKENIZER} cannot; "
                        "give a student of another vocabulary, or export it with --file_format ONNX")
    check_identifiers(settings)
    if settings.push_to_hub:
        check_repository(settings.push_to_hub)
    run, = read_runs([str(loaded.directory)])
    task = task_of_model(config.task_name, head)
    trained = int(run.settings.get("data.seq_length", 0))
    length = settings.seq_length or config.row_length(trained or DataConfig().seq_length)
    loaded.check_length(length)
    is_span = isinstance(task, SpanTask)
    more = tokenizer.separators - 1
    shortest = more + (reading.max_query_length + 4 if is_span else 5)
    if length < shortest:
        raise UserError(f"rows of {length} tokens are too short for this model, which needs {shortest} or more; raise "
                        "--seq_length" + (", or lower --max_query_length" if is_span else ""))
    is_kept = run.model is not None and run.model.resolve() == loaded.directory.resolve()
    return {
        "bundle_version": VERSION if more else 1,
        "rows": {"takes": task.takes, "seq_length": length, "doc_stride": reading.doc_stride,
                 "max_query_length": reading.max_query_length,
                 "by_character": isinstance(task, TaggingTask) and task.by_character,
                 **({"separators": tokenizer.separators} if more else {})},
        "answers": {"has_impossible": isinstance(task, SpanTask) and task.has_impossible,
                    "n_best_size": reading.n_best_size, "max_answer_length": reading.max_answer_length,
                    "null_score_threshold": reading.null_score_threshold},
        "model": {"name": _name(loaded.directory), "size": config.encoder.size, "parameters": loaded.parameter_count},
        "metrics": {"dev": {name: value for name, (value, _) in run.metrics.items()} if is_kept else {}},
        "teacher": _teacher(run),
        **({"embedding_size": config.output_size} if head.kind == "embedding" else {}),
        "license": settings.license or None, "language": languages_of(task.name, settings.language),
    }


def close(folder: Path, card: dict[str, Any]) -> list[str]:
    """Write bundle.json and the model card into the folder of a model, and read the bundle as its user would."""
    files = {name: sha256_of(folder / name) for name in (MODEL, TOKENIZER)}
    write_json(folder / DESCRIPTION, {**card, "files": files})
    write_text(folder / CARD, model_card(card))
    bundle = read_bundle(folder)
    notes = [f"rows of up to {bundle.rows.seq_length} tokens; --seq_length sets another length"]
    if not card["license"]:
        notes.append(f"{CARD} names no licence; give --license, such as apache-2.0")
    if not card["language"]:
        notes.append(f"{CARD} names no language; give --language, such as en")
    return notes


def _name(folder: Path) -> str:
    """What a checkpoint directory is called: the result of a run by the run's name."""
    place = folder.resolve()
    return place.parent.name if place.name == RESULT else place.name


def _teacher(run: Run) -> dict[str, Any] | None:
    """Name, and identity at the time, of the model that a run has learnt from, of several the names and the first one's
    identity; None where there was none."""
    place = run.settings.get("teacher.load_teacher_ckpt_path")
    if not place or "teacher" not in run.inputs:
        return None
    names = [_name(Path(each)) for each in split_paths(place)]
    return {"name": ", ".join(names), "identity": run.inputs["teacher"]}
