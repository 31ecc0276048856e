# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Results of the task runs as a page with a picture, from their folders alone.

    python -m experiments.results.page OUT [--page docs/RESULTS.md] [--page_cn docs/RESULTS_CN.md]
        [--image docs/images/results.png] [--latency false]

OUT is what `experiments.results.run --output` wrote. Latency and throughput of each task's models are measured where
OUT/TASK/latency.json is missing; `--latency false` leaves them out then, `--latency again` measures anew.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from experiments.results.figures import CONDITIONS, LATENCY, TaskFigures, random_base, read_tasks, value_at
from experiments.results.layout import overview, page_text, relative, score_of
from experiments.results.table import BILSTM, PLAIN
from experiments.results.words import CHINESE, ENGLISH
from src.common.arguments import OneLineParser, add_device_target
from src.common.errors import UserError, run
from src.common.files import write_text

SECONDS = 4.0  # for each batch size of a task
COLOURS = {"teacher": "#9a9a9a", "without": "#b4520c", "with": "#1f4e8c"}


# --- latency ----------------------------------------------------------------------------------------------------------


def checkpoints(folder: Path) -> dict[str, Path]:
    """Return the models of a task that are measured: one of each architecture."""
    found = {"teacher": folder / "teacher/model"}
    for title, variants in (("student", PLAIN), ("bilstm", BILSTM)):
        models = [path for name in variants for path in sorted((folder / name).glob("seed-*/model"))]
        found |= {title: models[0]} if models else {}
    return found


def dev_lines(data: Path, number: int) -> list[str]:
    """Return lines of the dev file, which fill rows of a fixed length; their content does not matter for the time."""
    file = next(path for path in sorted(data.glob("dev.*")))
    lines = [" ".join(line.split()) for line in file.read_text(encoding="utf-8-sig").split("\n") if line.strip()]
    return (lines * number)[:number]


def measure_task(folder: Path, seq_length: int, device_target: str, seconds: float = SECONDS) -> None:
    """Write TASK/latency.json: latency and throughput of a task's models, called in turn."""
    from experiments.pipeline.benchmark_model import BATCH_SIZES, benchmark, model_calls

    texts = dev_lines(folder / "data", max(BATCH_SIZES))
    models = {name: model_calls(path, texts, seq_length, device_target) for name, path in checkpoints(folder).items()}
    benchmark(models, seq_length, seconds, folder / LATENCY)


# --- the picture ------------------------------------------------------------------------------------------------------


def draw(tasks: Sequence[TaskFigures], path: Path) -> None:
    """Draw a group of bars a task: teacher, student without and with distillation, with deviations over the seeds."""
    from matplotlib.figure import Figure

    from src.report.curves import save_figure

    figure = Figure(figsize=(max(5.0, 1.5 + 1.25 * len(tasks)), 3.8), dpi=130, layout="constrained")
    axis = figure.subplots()
    bars = {"teacher": ("Teacher", [task.teacher for task in tasks]),
            "without": ("Student, labels alone", [task.variants.get(PLAIN[0]) for task in tasks]),
            "with": ("Student, distilled", [task.variants.get(PLAIN[1]) for task in tasks])}
    for place, (name, (label, models)) in enumerate(bars.items()):
        scores = [score_of(model, task.metric) for model, task in zip(models, tasks, strict=True)]
        known = [(index, score) for index, score in enumerate(scores) if score is not None]
        deviations = [math.nan if score.std is None else score.std for _, score in known]
        axis.bar([index + (place - 1) * 0.26 for index, _ in known], [score.mean for _, score in known], 0.24,
                 yerr=deviations, capsize=3, color=COLOURS[name], label=label, error_kw={"linewidth": 1.0})
    axis.set_xticks(range(len(tasks)), [f"{task.name}\n{task.metric.replace('_', ' ')}" for task in tasks], fontsize=8)
    axis.set_ylabel("score on dev")
    axis.set_ylim(top=1.0)  # a correlation may lie below zero
    axis.set_ylim(bottom=min(0.0, axis.get_ylim()[0]) if axis.dataLim.ymin < 0 else 0.0)
    axis.set_axisbelow(True)
    axis.grid(axis="y", color="#dddddd", linewidth=0.8)
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)
    axis.legend(frameon=False, fontsize=8, ncols=3, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    save_figure(figure, path)


# --- command line -----------------------------------------------------------------------------------------------------


def write_pages(output: Path, page: Path, page_cn: Path | None, image: Path) -> list[TaskFigures]:
    """Write the picture and the pages; returns the tasks."""
    tasks = read_tasks(output)
    conditions = {key: value_at(output / CONDITIONS, key) for key in ("machine", "versions", "seeds")}
    bases = {base: random_base(output, base) for base in dict.fromkeys(task.base for task in tasks)}
    draw(tasks, image)
    pages = [(page, ENGLISH, page_cn), *([(page_cn, CHINESE, page)] if page_cn else [])]
    for path, words, other in pages:
        write_text(path, page_text(tasks, bases, conditions, words, relative(image, path),
                                   relative(other, path) if other else ""))
    return tasks


def main(argv: list[str]) -> None:
    """Measure what is not measured, write the pages, print the overview."""
    parser = OneLineParser("experiments.results.page", __doc__.splitlines()[0])
    parser.add_argument("output", type=Path, metavar="OUT", help="folder of the task runs")
    parser.add_argument("--page", type=Path, default=Path("docs/RESULTS.md"), help="(default: %(default)s)")
    parser.add_argument("--page_cn", type=Path, default=None, help="the same in Chinese, such as docs/RESULTS_CN.md")
    parser.add_argument("--image", type=Path, default=None,
                        help="picture to write (default: images/results.png beside the page)")
    parser.add_argument("--latency", choices=("true", "false", "again"), default="true",
                        help="measure latency where it was not measured yet, not at all, or anew (default: true)")
    add_device_target(parser)
    arguments = parser.parse_args(argv)
    for task in read_tasks(arguments.output):
        folder = arguments.output / task.name
        missing = set(checkpoints(folder)) - set(task.latency)
        if arguments.latency == "again" or arguments.latency == "true" and missing:
            print(f"{task.name}: measuring {', '.join(checkpoints(folder))}", flush=True)
            measure_task(folder, task.seq_length, arguments.device_target)
    image = arguments.image or arguments.page.parent / "images/results.png"
    if arguments.page_cn and arguments.page_cn.resolve() == arguments.page.resolve():
        raise UserError(f"--page and --page_cn are both {arguments.page}; name two files")
    tasks = write_pages(arguments.output, arguments.page, arguments.page_cn, image)
    print(overview(tasks, ENGLISH))
    print(", ".join(map(str, (arguments.page, *filter(None, [arguments.page_cn]), image))))


if __name__ == "__main__":
    run(main)
