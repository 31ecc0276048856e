# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The page of the tasks' results, from the figures that experiments/results/figures.py reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from experiments.results.figures import Comparison, ModelFigures, Score, TaskFigures, verdicts
from experiments.results.table import AUGMENTED, BILSTM, PLAIN
from experiments.results.words import Words
from src.report.tables import markdown

KINDS = {PLAIN: "plain", AUGMENTED: "aug", BILSTM: "bilstm"}


def score_text(score: Score | None, words: Words) -> str:
    """Return `0.8123 ± 0.0045`, without a deviation where there is none, or a dash."""
    if score is None:
        return words["missing"]
    return f"{score.mean:.4f}" + ("" if score.std is None else f" ± {score.std:.4f}")


def score_of(model: ModelFigures | None, metric: str) -> Score | None:
    """Return a model's score, None where the model or the metric is missing."""
    return model.metrics.get(metric) if model else None


# --- the overview -----------------------------------------------------------------------------------------------------


def overview(tasks: Sequence[TaskFigures], words: Words) -> str:
    """Return the table with a row a task: its first metric, teacher, the two students, what the difference says."""
    columns = [words[name] for name in ("task", "metric", "teacher", "without", "with", "difference", "outcome")]
    rows = []
    for task in tasks:
        scores = [score_of(task.variants.get(name), task.metric) for name in PLAIN]
        found = dict(verdicts(task)).get(PLAIN)
        rows.append((task.name, task.metric, score_text(task.teacher.metrics[task.metric], words),
                     *(score_text(score, words) for score in scores),
                     f"{found.difference:+.4f}" if found else words["missing"],
                     words[found.verdict] if found else words["missing"]))
    return markdown(columns, rows)


# --- a task -----------------------------------------------------------------------------------------------------------


def task_table(task: TaskFigures, words: Words) -> str:
    """Return a task's table: all metrics, sizes, speed and cost of the teacher and of each student."""
    metrics = list(task.teacher.metrics)
    columns = [words["model"], *metrics,
               *(words[name] for name in ("shape", "parameters", "latency", "throughput", "steps", "minutes"))]
    rows = [model_row(words["teacher"], "teacher", task.teacher, task, metrics, words)]
    for name in (name for pair in task.pairs for name in pair):
        speed = "bilstm" if name in BILSTM else "student"
        rows.append(model_row(words[name], speed, task.variants.get(name), task, metrics, words))
    return markdown(columns, rows)


def model_row(title: str, speed: str, model: ModelFigures | None, task: TaskFigures, metrics: Sequence[str],
              words: Words) -> tuple[str, ...]:
    """Return the cells of one model; dashes where it was not run."""
    if model is None:
        return (title, *[words["missing"]] * (len(metrics) + 6))
    return (title, *(score_text(score_of(model, metric), words) for metric in metrics), model.shape,
            f"{model.parameters / 1e6:.2f} M", *speed_cells(task.latency, speed, words),
            " + ".join(f"{steps:,}" for steps in model.steps) or words["missing"], f"{model.seconds / 60:.1f}")


def speed_cells(latency: Mapping[str, Mapping[str, Any]], name: str, words: Words) -> tuple[str, str]:
    """Return latency and throughput, each with its ratio to the teacher's."""
    if name not in latency or "teacher" not in latency:
        return words["missing"], words["missing"]
    own, teacher = latency[name], latency["teacher"]
    cells = []
    for key, form in (("latency_ms_batch1", "{:.1f}"), ("sentences_per_second_batch32", "{:,.0f}")):
        ratio = "" if name == "teacher" else f" ({own[key] / teacher[key]:.2f} ×)"
        cells.append(form.format(own[key]) + ratio)
    return cells[0], cells[1]


def statement(task: TaskFigures, pair: tuple[str, str], found: Comparison, words: Words) -> str:
    """Return what a comparison says, in a sentence."""
    without, with_teacher = (task.variants[name].metrics[task.metric].mean for name in pair)
    return words[f"say_{found.verdict}"].format(
        of=words[f"of_{KINDS[pair]}"], metric=task.metric, with_=f"{with_teacher:.4f}", without=f"{without:.4f}",
        difference=f"{found.difference:+.4f}", error="" if found.error is None else f"{found.error:.4f}")


def data_line(task: TaskFigures, words: Words) -> str:
    """Return how much of the data was used."""
    train, dev = task.subset["train"], task.subset["dev"]
    student = next((task.variants[name] for name in PLAIN if name in task.variants), task.teacher)
    steps = sum(student.steps)
    return words["data"].format(train=f"{train['examples']:,}", train_of=f"{train['of']:,}",
                                dev=f"{dev['examples']:,}", dev_of=f"{dev['of']:,}", seed=task.subset["seed"],
                                length=task.seq_length, batch=task.batch_size, steps=f"{steps:,}",
                                passes=f"{steps * task.batch_size / train['examples']:.1f}")


def task_section(task: TaskFigures, base: str, words: Words) -> list[str]:
    """Return the lines of a task's section."""
    lines = [f"## {task.name}", "", task_table(task, words), "",
             *(f"- {statement(task, pair, found, words)}" for pair, found in verdicts(task)),
             f"- {data_line(task, words)}"]
    return [*lines, *([f"- {words['base'].format(shape=base)}"] if base else []), ""]


# --- the page ---------------------------------------------------------------------------------------------------------


def conditions_lines(conditions: Mapping[str, Any], words: Words) -> list[str]:
    """Return machine, seeds and versions."""
    machine = conditions["machine"]
    return [f"- {words['machine']}: {machine['processor']}, {machine['cores']} {words['cores']}, "
            f"{machine['memory_gb']} GB, {machine['system']}",
            f"- {words['seeds']}: {', '.join(map(str, conditions['seeds']))}",
            f"- {words['versions']}: " + ", ".join(f"{name} {found}" for name, found in conditions["versions"].items())]


def commands_section(tasks: Sequence[TaskFigures], words: Words) -> list[str]:
    """Return each task's command lines."""
    lines = [f"## {words['commands']}", "", words["command_note"], ""]
    for task in tasks:
        lines += [f"<details><summary>{task.name}</summary>", "", "```bash", *task.commands, "```", "", "</details>",
                  ""]
    return lines


def page_text(tasks: Sequence[TaskFigures], bases: Mapping[str, str], conditions: Mapping[str, Any],
              words: Words, image: str, other_page: str) -> str:
    """Return the page.

    Args:
        bases: base -> what `random_base` found.
        image: path of the picture, relative to the page.
        other_page: file name of the page in the other language; "" where there is none.
    """
    names = ",".join(task.name for task in tasks)
    lines = [f"# {words['title']}", ""]
    lines += [words["other"].format(page=other_page), ""] if other_page else []
    lines += [words["intro"], "", f"![{words['picture']}]({image})", "", *conditions_lines(conditions, words), "",
              words["made"], "", "```bash",
              f"bash scripts/run_task_results.sh --data_dir DATA --output OUT --tasks {names}",
              "python -m experiments.results.page OUT --page docs/RESULTS.md", "```", "", f"## {words['overview']}", "",
              overview(tasks, words), ""]
    lines += [f"- {words[name]}" for name in ("note_score", "note_verdict", "note_small", "note_steps",
                                              "note_latency")] + [""]
    for task in tasks:
        lines += task_section(task, bases.get(task.base, ""), words)
    return "\n".join([*lines, *commands_section(tasks, words)]).rstrip() + "\n"


def relative(path: Path, page: Path) -> str:
    """Return a path as a page links to it."""
    folder = page.resolve().parent
    target = path.resolve()
    return target.relative_to(folder).as_posix() if target.is_relative_to(folder) else str(target)
