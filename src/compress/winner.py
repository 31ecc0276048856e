# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The winner: its checkpoint, its file, and what it and the teacher's file do on dev and test rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from src.checkpoints.checkpoint import LoadedModel, load_model, save_model
from src.compress.candidates import Candidate
from src.config import Config, ExportConfig
from src.device import Device
from src.evaluate.by_row import Examined, examine, open_by_row
from src.export.artefacts import Compiled, run_onnx, write_onnx
from src.export.run import export_model

ALL_IS_ACCEPTED = 1e9
"""As max_drop: what a file loses is judged against the teacher, not against its own float32 file."""

Places = Mapping[str, tuple[str, str]]
"""By split, where the teacher's rows are and where the winner's: the task's files, or records."""


def settle(run: Path, candidate: Candidate) -> LoadedModel:
    """Return the winner, whose best checkpoint on dev is copied to RUN/model."""
    best = load_model(run / "candidates" / candidate.name / "model")
    save_model(run / "model", best.config, best.parameters, best.tokenizer_path)
    return load_model(run / "model")


def export(run: Path, candidate: Candidate, dev: str, seq_length: int, config: Config, device: Device) -> list[str]:
    """Write RUN/model.onnx, int8 where that is the winner's shape, with the operators that were measured; return what
    the user is told of it.

    Args:
        dev: where the dev rows in its vocabulary are.
        seq_length: longest row that the file is compared with the checkpoint on.
    """
    settings = ExportConfig(checkpoint=str(run / "model"), file_format="ONNX", output=str(run / "model.onnx"),
                            seq_length=seq_length, optimize=candidate.measured.fused)
    if candidate.shape.quantized:
        settings = replace(settings, quantize="int8", eval_data_dir=dev, max_drop=ALL_IS_ACCEPTED)
    exported = export_model(settings, rows_of=partial(open_by_row, config=config, device=device))
    return exported.quantized.lines() if exported.quantized else []


def compare(run: Path, teacher: LoadedModel, winner: LoadedModel, places: Places, config: Config, device: Device
            ) -> dict[str, dict[str, Any]]:
    """Run the teacher's float32 file and the winner's in turn, one row a call, one thread, and score them.

    Returns:
        `teacher` and `winner`, each with its metrics by split, onnx_latency_ms (median; of test rows where there are
        some), file_mb and parameters.
    """
    with TemporaryDirectory(prefix="compress-") as folder:
        file = Path(folder) / "teacher.onnx"
        write_onnx(teacher, file, Compiled())
        models, files = (teacher, winner), (file, run / "model.onnx")
        found: dict[str, Sequence[Examined]] = {}
        for split, locations in places.items():
            rows = [open_by_row(model, place, f"{split} rows", split, config, device)
                    for model, place in zip(models, locations, strict=True)]
            found[split] = examine([(each, run_onnx(path, model.config, threads=1))
                                    for each, path, model in zip(rows, files, models, strict=True)])
        timed = found.get("test") or found["dev"]
        results: dict[str, dict[str, Any]] = {
            name: {**{split: its[place].metrics for split, its in found.items()},
                   "onnx_latency_ms": timed[place].milliseconds, "file_mb": files[place].stat().st_size / 1e6,
                   "parameters": models[place].parameter_count} for place, name in enumerate(("teacher", "winner"))}
    results["winner"]["agreement_with_teacher"] = rows[0].agreement(*(each.answers for each in timed))
    return results
