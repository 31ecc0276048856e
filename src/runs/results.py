# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""What a run leaves beside its model, and one command for several seeds: a run each, one after another.

    RUN/result.json     best metrics, and how they were reached
    RUN/seed-42/ ...    the run of a seed, as the same command with --seed 42 makes it
    RUN/seeds.json      values, mean and deviation of each metric
"""

from __future__ import annotations

import math
import os
import signal
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from src.common.errors import Interrupted, UserError, fail, nearest
from src.common.files import clear_leftovers, read_json, write_json
from src.common.signals import handled
from src.tasks import Task
from src.train.stage import Progress

REPOSITORY = Path(__file__).resolve().parents[2]
NAME, SUMMARY = "result.json", "seeds.json"


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


def run_seeds(entry: str, argv: Sequence[str], seeds: Sequence[int], distribute: bool, path: Path,
              dry_run: bool = False) -> None:
    """Run `entry` once for each seed, in processes of their own, and summarise the results.

    A dry run is that of the first seed: the others differ in nothing that it shows.

    Each is started, those that are done too: it finds out whether its settings, teacher and records are still the same,
    and then leaves at once. When a seed fails the process ends with that seed's status.

    Raises:
        UserError: a seed stands twice, or the run is distributed.
        Interrupted: a signal came, which the running seed has been sent.
    """
    if len(set(seeds)) < len(seeds):
        raise UserError(f"seeds {list(seeds)} has a seed twice; each stands for one run")
    if distribute:
        raise UserError("seeds are run by one process, one after another; start a distributed run for each: --seed N")
    results = {}
    for place, seed in enumerate(seeds, 1):
        folder = path / f"seed-{seed}"
        # The last of several values of an option counts.
        own = [*argv, "--seeds", "[]", "--seed", str(seed), "--save_ckpt_path", str(folder)]
        print(f"seed {seed} ({place} of {len(seeds)}): {folder}", flush=True)
        _run([sys.executable, str(REPOSITORY / entry), *own], seed)
        if dry_run:
            return
        if not (folder / NAME).is_file():
            raise UserError(f"seed {seed} left no {folder / NAME}: nothing was trained or evaluated; set do_train and "
                            "do_eval true, or leave seeds empty")
        results[seed] = {"folder": folder.name, **read_json(folder / NAME)}
    summary = summarise(results)
    write_json(path / SUMMARY, summary)
    print(describe(summary), flush=True)


def _run(command: Sequence[str], seed: int) -> None:
    """Run one seed to its end, passing on the signals that ask to stop."""
    received = 0
    process: subprocess.Popen | None = None

    def pass_on(number: int, _: object) -> None:
        nonlocal received
        received = number
        if process is not None and process.poll() is None:
            process.send_signal(number)

    with handled(pass_on, signal.SIGINT, signal.SIGTERM):
        # A session of its own: Ctrl-C reaches this process only, and is passed on once.
        process = subprocess.Popen(command, env={**os.environ, "PYTHONUNBUFFERED": "1"}, start_new_session=True)
        if received:  # between the two lines above
            process.send_signal(received)
        status = process.wait()
    if received:
        raise Interrupted(f"stopped by {signal.Signals(received).name} in seed {seed}; run the same command again to "
                          "continue", received)
    if status:
        how = (f"was ended by {signal.Signals(-status).name}" if status < 0
               else f"failed with status {status}, its message stands above")
        fail(f"seed {seed} {how}; run the same command again to continue", 128 - status if status < 0 else status)


def summarise(results: Mapping[int, Mapping[str, Any]]) -> dict[str, Any]:
    """Return what seeds.json holds: the values of each metric, their mean and sample deviation (of one run: None)."""
    metrics = {}
    for name in next(iter(results.values()))["metrics"]:
        values = [result["metrics"][name] for result in results.values()]
        spread = statistics.stdev(values) if len(values) > 1 and all(map(math.isfinite, values)) else None
        metrics[name] = {"values": values, "mean": sum(values) / len(values), "std": spread}
    return {"seeds": list(results), "metrics": metrics, "runs": {str(seed): dict(run) for seed, run in results.items()}}


def describe(summary: Mapping[str, Any]) -> str:
    """Return the line that says the means: `mean over 3 seeds: accuracy 0.8123 +- 0.0045`."""
    parts = [f"{name} {values['mean']:.4f}" + ("" if values["std"] is None else f" +- {values['std']:.4f}")
             for name, values in summary["metrics"].items()]
    number = len(summary["seeds"])
    return f"mean over {number} seed{'s' * (number > 1)}: {', '.join(parts) or 'no metrics'}"
