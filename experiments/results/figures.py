# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""What the runs of experiments/results/run.py left, as numbers; everything comes from files below their folder.

A file of figures, docs/RESULTS.json, keeps those of all tasks: parts of the table are run on different days and
machines.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from experiments.pipeline.report import read_stamps
from experiments.results.stages import PRETRAINED
from experiments.results.table import COMPRESSED, TASKS, VARIANTS
from src.common.errors import UserError
from src.common.files import read_json, write_json
from src.config import read_yaml
from src.report.runs import count_parameters

CONDITIONS, LATENCY = "conditions.json", "latency.json"
Score = Mapping[str, Any]
"""A metric over the seeds: "mean", "std" (sample deviation; None: one run), "runs" (their number)."""


def read_score(found: Mapping[str, Any]) -> Score:
    """Return the score of a metric in seeds.json."""
    return {"mean": float(found["mean"]), "std": None if found["std"] is None else float(found["std"]),
            "runs": len(found["values"])}


def compare(without: Score, with_teacher: Score) -> tuple[float, float | None, str]:
    """Return the difference of the means; its standard error over the seeds, None where one arm has one run; and the
    verdict: "helps", "hurts" or "open" (within two standard errors), "single" without an error."""
    difference = with_teacher["mean"] - without["mean"]
    if without["std"] is None or with_teacher["std"] is None:
        return difference, None, "single"
    error = math.sqrt(sum(arm["std"] ** 2 / arm["runs"] for arm in (without, with_teacher)))
    if abs(difference) <= 2 * error:
        return difference, error, "open"
    return difference, error, "helps" if difference > 0 else "hurts"


def read_conditions(output: Path) -> dict[str, Any]:
    """Return machine, versions, seeds and data_dir of the runs; raises UserError for a file without them."""
    found = read_json(output / CONDITIONS)
    if missing := {"machine", "versions", "seeds", "data_dir"} - set(found):
        raise UserError(f"{output / CONDITIONS} has no {', '.join(sorted(missing))}; run experiments.results.run again")
    return found


def read_tasks(output: Path) -> list[dict[str, Any]]:
    """Return what `read_task` says of each task whose teacher is finished, in the order of the table, or raise
    UserError."""
    if not output.is_dir():
        raise UserError(f"{output} is not a folder; give the one that experiments.results.run wrote to (--output)")
    names = [entry.name for entry in TASKS if (output / entry.name / "teacher/dev.json").exists()]
    if not names:
        raise UserError(f"{output} holds no finished task (TASK/teacher/dev.json); run "
                        f"python -m experiments.results.run --output {output} first")
    # Not where the data lay: these figures are published.
    conditions = {name: value for name, value in read_conditions(output).items() if name != "data_dir"}
    tasks = []
    for name in names:
        try:
            tasks.append({**read_task(output, name), "conditions": conditions})
        except (KeyError, TypeError, ValueError, IndexError, ZeroDivisionError, AttributeError) as error:
            raise UserError(f"{output / name} is not what runs of this task leave ({type(error).__name__}: {error}); "
                            "run it again") from error
    return tasks


def merged(file: Path, tasks: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the tasks of a file of figures, those of `tasks` in place of theirs, in the order of the table.

    Raises:
        UserError: the file is none.
    """
    known: dict[str, Any] = read_json(file) if file.is_file() else {}
    by_name = {**known, **{task["name"]: task for task in tasks}}
    order = [entry.name for entry in TASKS]
    if other := [name for name, task in by_name.items() if name not in order or not isinstance(task, dict)
                 or {"models", "conditions"} - set(task)]:
        raise UserError(f"{file}: {other[0]!r} is no task with its figures; remove the file, or name another with "
                        "--figures")
    return [by_name[name] for name in order if name in by_name]


def write_figures(file: Path, tasks: Iterable[Mapping[str, Any]]) -> None:
    """Write a file of figures."""
    write_json(file, {task["name"]: task for task in tasks})


def read_task(output: Path, name: str) -> dict[str, Any]:
    """Return the figures of one task.

    Keys are "name"; "pretrained_here", the shape of the model that was pretrained for its teacher ("": it came with a
    package); "subset", what subset.json says of the data; "seq_length" and "batch_size"; "metric", which chose the
    models; "models", the teacher and the finished variants -> what `model_figures` says; "compressed", what
    `compressed_figures` says, None where it was not run; "latency", figures of pipeline/benchmark_model.py where they
    were measured; "commands" in the order in which they were run.
    """
    folder = output / name
    base = next(entry.base for entry in TASKS if entry.name == name)
    settings = read_yaml(folder / "teacher/config.yaml")
    scores: dict[str, Score] = {metric: {"mean": value, "std": None, "runs": 1}
                                for metric, value in read_json(folder / "teacher/dev.json")["metrics"].items()}
    models = {"teacher": model_figures(folder / "teacher", scores, [read_json(folder / "teacher/result.json")])}
    for variant in VARIANTS:
        if (folder / variant / "seeds.json").is_file():
            found = read_json(folder / variant / "seeds.json")
            # The first run's folder says the sizes and the steps of all.
            models[variant] = model_figures(
                folder / variant / f"seed-{found['seeds'][0]}",
                {metric: read_score(score) for metric, score in found["metrics"].items()}, list(found["runs"].values()))
    compressed = folder / COMPRESSED / "results.json"
    return {"name": name, "pretrained_here": "" if base == "english" else shape_of(output / PRETRAINED[base]),
            "subset": read_json(folder / "data/subset.json"), "seq_length": int(settings["data"]["seq_length"]),
            "batch_size": int(settings["finetune"]["batch_size"]), "metric": next(iter(scores)), "models": models,
            "compressed": compressed_figures(read_json(compressed)) if compressed.is_file() else None,
            "latency": read_json(folder / LATENCY)["models"] if (folder / LATENCY).is_file() else {},
            "commands": read_commands(folder / "stages", output)}


def compressed_figures(results: Mapping[str, Any]) -> dict[str, Any]:
    """Return the figures of run_compress.py's results.json: "name" of the shape, and of "teacher" and "winner", as ONNX
    files, "score" on dev (of "metric"), "file_mb", "onnx_latency_ms"."""
    metric = results["metric"]
    files = {name: {"score": float(results[name]["dev"][metric]), "file_mb": float(results[name]["file_mb"]),
                    "onnx_latency_ms": float(results[name]["onnx_latency_ms"])} for name in ("teacher", "winner")}
    return {"name": str(results["winner"]["name"]), "metric": metric, **files}


def model_figures(run: Path, metrics: Mapping[str, Score], runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Return "metrics", "parameters", "shape" (`3 x 384`), "steps" of each phase and mean "seconds" of a model."""
    phases = [phase for phase in ("phase1", "phase2") if (run / phase / "config.yaml").is_file()]
    steps = [read_yaml(run / phase / "config.yaml")["task_distill"][phase]["train_steps"] for phase in phases]
    steps = steps or [read_yaml(run / "config.yaml")["finetune"]["train_steps"]]
    return {"metrics": dict(metrics), "parameters": count_parameters(run / "model")[0],
            "shape": shape_of(run / "model"), "steps": [int(number) for number in steps],
            "seconds": sum(float(each["seconds"]) for each in runs) / len(runs)}


def shape_of(checkpoint: Path) -> str:
    """Return `3 x 384`, or `BiLSTM 2 x 150`."""
    encoder = read_json(checkpoint / "config.json")["encoder"]
    if "num_hidden_layers" in encoder:
        return f"{encoder['num_hidden_layers']} x {encoder['hidden_size']}"
    return f"BiLSTM 2 x {encoder['hidden_size']}"


def read_commands(ledgers: Path, output: Path) -> list[str]:
    """Return the command lines of all stages in the order of their last start; the folders of data and results are
    written DATA and OUT, so that a page does not depend on where they lay."""
    named = {str(output): "OUT", read_conditions(output)["data_dir"]: "DATA"}
    stamps = [stamp for ledger in ledgers.glob("*") for stamp in read_stamps(ledger).values()]
    return [shorten(line, named) for stamp in sorted(stamps, key=lambda stamp: stamp["started"])
            for line in stamp["commands"]]


def shorten(command: str, named: Mapping[str, str]) -> str:
    """Replace folders at the beginning of words by their names."""
    words = shlex.split(command)
    for folder, name in sorted(named.items(), key=lambda item: -len(item[0])):
        words = [name + word[len(folder):] if word == folder or word.startswith(f"{folder}/") else word
                 for word in words]
    return shlex.join(words)
