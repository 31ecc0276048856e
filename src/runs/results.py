# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""What a run leaves beside its model: RUN/result.json, the best metrics and how they were reached."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from src.common.errors import UserError, nearest
from src.common.files import clear_leftovers, write_json
from src.tasks import Task
from src.train.stage import Progress

NAME = "result.json"


def check_metric(task: Task, name: str) -> None:
    """Raise `UserError` for a task without the metric that is to choose the best model; "" is its first one."""
    if name and name not in task.metric_names:
        raise UserError(f"metric is {name!r}; task {task.name} has {', '.join(task.metric_names)}"
                        f"{nearest(name, task.metric_names)}")


def write_result(run: Path, task: str, stages: Sequence[Progress], command: Sequence[str]) -> None:
    """Write RUN/result.json; metrics and step are those that the last stage ended with."""
    values = {"task": task, "metrics": stages[-1].metrics, "step": stages[-1].metrics_step,
              "seconds": round(sum(stage.seconds for stage in stages), 3), "command": list(command)}
    write_json(run / NAME, values)


def forget_result(run: Path) -> None:
    """Remove the result of an earlier run in the folder, before this one changes what it describes."""
    (run / NAME).unlink(missing_ok=True)
    clear_leftovers(run, NAME)
