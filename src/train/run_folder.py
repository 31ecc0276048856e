# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The folder of one training run, and whether this command may continue what lies there."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from operator import attrgetter
from pathlib import Path
from typing import Any

from src.config import Config, dump_yaml
from src.errors import UserError
from src.files import write_json
from src.train.checkpoint import CheckpointStore
from src.typed import to_plain
from src.untrusted import parse_json

# What may differ between the two halves of one run.
_FREE = ("logging", "checkpoint", "device.device_id", "device.compile_cache", "device.max_device_memory",
         "device.memory_optimize_level", "device.hccl_connect_timeout", "data.verify_records", "data.enable_data_sink",
         "data.data_sink_steps", "task_distill.phase2.cache_teacher_logits")


class RunFolder:
    """`config.yaml`, `metrics.jsonl`, `tensorboard/`, `checkpoints/` and `model/` of one run.

    Args:
        path: the folder.
        config: resolved settings.
        sections: the sections that decide what the run computes, such as "data" or "task_distill.phase1".
        inputs: what was read, by name: hashes of teacher and records.
        writer: False on all ranks but the first, which then leave the folder alone.
        model: where the result goes, the last student or the best one on dev; default: `model/` in the folder.

    Raises:
        UserError: the folder holds a run with other settings or inputs and `checkpoint.resume` is true.
    """

    def __init__(self, path: Path, config: Config, sections: tuple[str, ...], inputs: Mapping[str, str],
                 writer: bool = True, model: Path | None = None):
        self.path = Path(path)
        self.model = model or self.path / "model"
        self.writer = writer
        self.store = CheckpointStore(self.path, config.checkpoint.max_ckpt_num)
        if not writer:
            return
        settings = {section: attrgetter(section)(config) for section in sections}
        record = {"settings": dict(_leaves(settings)), "inputs": dict(inputs)}
        described = self.path / "run.json"
        if described.exists() and config.checkpoint.resume:
            _check_same(described, record)
        else:
            self._start_over(record, described)
        (self.path / "config.yaml").write_text(dump_yaml(config), encoding="utf-8")

    @property
    def metrics(self) -> Path:
        """JSON lines, one a logged step or evaluation."""
        return self.path / "metrics.jsonl"

    def _start_over(self, record: dict[str, Any], described: Path) -> None:
        if self.path.is_file():
            raise UserError(f"save_ckpt_path {self.path} is a file; give a folder")
        for folder in (self.path / "checkpoints", self.path / "tensorboard", self.path / "compile_cache", self.model):
            shutil.rmtree(folder, ignore_errors=True)
        self.metrics.unlink(missing_ok=True)
        self.path.mkdir(parents=True, exist_ok=True)
        write_json(described, record)

    def trim_metrics(self, stage: str, step: int) -> None:
        """Drop the lines that an interrupted run wrote after the checkpoint it is resumed from."""
        if not (self.writer and self.metrics.exists()):
            return
        kept = []
        for line in self.metrics.read_text(encoding="utf-8").splitlines():
            try:
                entry = parse_json(line)
            except ValueError:
                continue  # the line that was being written when the run was killed
            if entry.get("stage") != stage or entry.get("step", 0) <= step:
                kept.append(line + "\n")
        self.metrics.write_text("".join(kept), encoding="utf-8")


def _leaves(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in tree.items():
        path = f"{prefix}{name}"
        plain = to_plain(value)
        if path in _FREE:
            continue
        if isinstance(plain, dict):
            yield from _leaves(plain, f"{path}.")
        else:
            yield path, plain


def _check_same(described: Path, record: dict[str, Any]) -> None:
    try:
        there = parse_json(described.read_text(encoding="utf-8"))
        pairs = [(kind, name) for kind in ("settings", "inputs") for name in {**there[kind], **record[kind]}]
        changed = [f"{name}: {there[kind].get(name)!r} there, {record[kind].get(name)!r} here" for kind, name in pairs
                   if there[kind].get(name) != record[kind].get(name)]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{described} cannot be read ({error}); choose another --save_ckpt_path, or start over with "
                        "--resume false") from error
    if changed:
        more = f", and {len(changed) - 3} more" if len(changed) > 3 else ""
        raise UserError(f"{described.parent} holds a run with other settings ({'; '.join(changed[:3])}{more}); choose "
                        "another --save_ckpt_path, or start over there with --resume false")
