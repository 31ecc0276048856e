# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Results of the task runs as a page with a picture, from their folders alone.

    python -m experiments.results.page OUT [--page docs/RESULTS.md] [--page_cn docs/RESULTS_CN.md]
        [--figures docs/RESULTS.json] [--image docs/images/results.png] [--latency false]

OUT is what `experiments.results.run --output` wrote. Its tasks take the place of theirs in the file of figures, and the
page shows all that this one holds then: tasks may be run on different days, each with its machine and versions. Latency
and throughput of each task's models are measured where OUT/TASK/latency.json is missing; `--latency false` leaves them
out then, `--latency again` measures anew.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from experiments.pipeline.report import conditions_lines
from experiments.results.figures import LATENCY, Score, compare, merged, read_tasks, write_figures
from experiments.results.table import AUGMENTED, BILSTM, COMPRESSED, PAIRS, PLAIN, VARIANTS
from src.common.arguments import OneLineParser, add_device_target
from src.common.errors import UserError, run
from src.common.files import write_text
from src.report.tables import markdown

SECONDS = 4.0  # for each batch size of a task
Task = Mapping[str, Any]
"""What figures.read_task returns."""


# --- headings and names in the tables; the text around them is a template ---------------------------------------------


MODELS = ("teacher", *(name for name in VARIANTS if name != COMPRESSED))

# Columns of the tables: in that of models the metrics follow the first one. `students` name what a pair of variants
# trains, without and with a teacher; `pretrained` and `here`, with a shape, what teacher and student start from.
ENGLISH = SimpleNamespace(
    template="template.md",
    overview=("Task", "Student", "Metric", "Teacher", "Labels alone", "Distilled", "Difference", "Standard error",
              "Distillation"),
    data=("Task", "Training", "Dev", "Tokens a row", "Batch", "Steps", "Passes", "Start"),
    compressed=("Task", "Metric", "Teacher", "MB", "ms", "Student, layers x heads x units", "Score", "MB", "ms",
                "Times smaller", "Times faster"),
    models=("Model", "Layers x width", "Parameters", "ms a row, batch 1", "Rows/s, batch 32", "Steps", "Minutes"),
    titles=dict(zip(MODELS, ("Teacher", "Student, labels alone", "**Student, distilled**",
                             "Student, labels alone, augmented rows", "Student, distilled, augmented rows",
                             "BiLSTM, labels alone", "BiLSTM, distilled"), strict=True)),
    students={PLAIN: "layers of the model", AUGMENTED: "the same, augmented rows", BILSTM: "BiLSTM"},
    verdicts={"helps": "helps", "hurts": "**does not help**: worse", "open": "**no difference shown**",
              "single": "one run"},
    pretrained="pretrained", here="pretrained here, {}", of="{} of {}",
    conditions=("Machine", "Versions", "cores", "Seeds"), name="English")

CHINESE = SimpleNamespace(
    template="template_cn.md",
    overview=("任务", "学生", "指标", "教师", "只用标签", "蒸馏", "差", "标准误", "蒸馏的作用"),
    data=("任务", "训练样本", "验证样本", "每行词元", "批大小", "步数", "遍数", "起点"),
    compressed=("任务", "指标", "教师", "MB", "毫秒", "学生，层 x 头 x 单元", "分数", "MB", "毫秒", "缩小倍数",
                "加速倍数"),
    models=("模型", "层数 x 宽度", "参数量", "每行毫秒，批 1", "行/秒，批 32", "步数", "分钟"),
    titles=dict(zip(MODELS, ("教师", "学生，只用标签", "**学生，蒸馏**", "学生，只用标签，增广数据",
                             "学生，蒸馏，增广数据", "BiLSTM，只用标签", "BiLSTM，蒸馏"), strict=True)),
    students={PLAIN: "模型的若干层", AUGMENTED: "同上，增广数据", BILSTM: "BiLSTM"},
    verdicts={"helps": "有益", "hurts": "**无益**：更差", "open": "**看不出差别**", "single": "只有一次运行"},
    pretrained="预训练", here="在此预训练，{}", of="{} / {}",
    conditions=("机器", "版本", "核", "种子"), name="简体中文")


# --- latency ----------------------------------------------------------------------------------------------------------


def checkpoints(folder: Path) -> dict[str, Path]:
    """Return the models of a task that are measured: one of each architecture."""
    found = {"teacher": folder / "teacher/model"}
    for title, variants in (("student", PLAIN), ("bilstm", BILSTM)):
        models = [path for name in variants for path in sorted((folder / name).glob("seed-*/model"))]
        found |= {title: models[0]} if models else {}
    return found


def measure_task(folder: Path, seq_length: int, device_target: str) -> None:
    """Write TASK/latency.json: latency and throughput of a task's models, called in turn."""
    from experiments.pipeline.benchmark_model import BATCH_SIZES, benchmark, model_calls

    # Lines of the dev file fill rows of a fixed length; their content does not matter for the time.
    text = next(path for path in sorted((folder / "data").glob("dev.*"))).read_text(encoding="utf-8-sig")
    lines = [" ".join(line.split()) for line in text.split("\n") if line.strip()]
    texts = (lines * max(BATCH_SIZES))[:max(BATCH_SIZES)]
    models = {name: model_calls(path, texts, seq_length, device_target) for name, path in checkpoints(folder).items()}
    benchmark(models, seq_length, SECONDS, folder / LATENCY)


# --- the tables -------------------------------------------------------------------------------------------------------


def pairs_of(task: Task) -> list[tuple[str, str]]:
    """Return the comparisons to show: the plain one, and those of which something was run."""
    return [pair for pair in PAIRS if pair == PLAIN or any(name in task["models"] for name in pair)]


def score_of(task: Task, name: str, metric: str = "") -> Score | None:
    """Return a metric of a model, by default the task's first; None where it is missing."""
    model = task["models"].get(name, {"metrics": {}})
    score: Score | None = model["metrics"].get(metric or task["metric"])
    return score


def cell(score: Score | None) -> str:
    """Return mean ± deviation, or a dash."""
    if score is None:
        return "-"
    return f"{score['mean']:.4f}" + ("" if score["std"] is None else f" ± {score['std']:.4f}")


def overview(tasks: Sequence[Task], language: SimpleNamespace) -> str:
    """Return the table with a row a comparison: the task's first metric, and what the difference says."""
    rows = []
    for task in tasks:
        for pair in pairs_of(task):
            without, with_teacher = (score_of(task, name) for name in pair)
            found = ["-"] * 3
            if without and with_teacher:
                difference, error, verdict = compare(without, with_teacher)
                found = [f"{difference:+.4f}", "-" if error is None else f"{error:.4f}", language.verdicts[verdict]]
            rows.append((task["name"], language.students[pair], task["metric"],
                         *map(cell, (score_of(task, "teacher"), without, with_teacher)), *found))
    return markdown(language.overview, rows)


def data(tasks: Sequence[Task], language: SimpleNamespace) -> str:
    """Return the table of what was trained on."""
    rows = []
    for task in tasks:
        parts = [task["subset"][split] for split in ("train", "dev")]
        steps = sum(next(task["models"][name] for name in (*PLAIN, "teacher") if name in task["models"])["steps"])
        rows.append((task["name"], *(language.of.format(f"{part['examples']:,}", f"{part['of']:,}") for part in parts),
                     str(task["seq_length"]), str(task["batch_size"]), f"{steps:,}",
                     f"{steps * task['batch_size'] / parts[0]['examples']:.1f}",
                     language.here.format(task["pretrained_here"]) if task["pretrained_here"]
                     else language.pretrained))
    return markdown(language.data, rows)


def compressed(tasks: Sequence[Task], language: SimpleNamespace) -> str:
    """Return the table of the files that run_compress.py made, each beside its teacher's."""
    rows = []
    for task in tasks:
        if found := task["compressed"]:
            cells = [(f"{file['score']:.4f}", f"{file['file_mb']:.1f}", f"{file['onnx_latency_ms']:.2f}")
                     for file in (found["teacher"], found["winner"])]
            ratios = [f"{found['teacher'][key] / found['winner'][key]:.1f} ×" for key in ("file_mb", "onnx_latency_ms")]
            rows.append((task["name"], found["metric"], *cells[0], f"`{found['name']}`", *cells[1], *ratios))
    return markdown(language.compressed, rows)


def models(task: Task, language: SimpleNamespace) -> str:
    """Return a task's table: all metrics, sizes, speed and cost of the teacher and of each student."""
    metrics = list(task["models"]["teacher"]["metrics"])
    rows = []
    for name in ("teacher", *(name for pair in pairs_of(task) for name in pair)):
        model = task["models"].get(name)
        cells = ["-"] * 6
        if model is not None:
            speed = "teacher" if name == "teacher" else "bilstm" if name in BILSTM else "student"
            cells = [model["shape"], f"{model['parameters'] / 1e6:.2f} M", *speed_cells(task["latency"], speed),
                     " + ".join(f"{steps:,}" for steps in model["steps"]), f"{model['seconds'] / 60:.1f}"]
        rows.append((language.titles[name], *(cell(score_of(task, name, metric)) for metric in metrics), *cells))
    return markdown((language.models[0], *metrics, *language.models[1:]), rows)


def speed_cells(latency: Mapping[str, Any], name: str) -> list[str]:
    """Return latency and throughput, each with its ratio to the teacher's."""
    if name not in latency or "teacher" not in latency:
        return ["-", "-"]
    forms = {"latency_ms_batch1": "{:.1f}", "sentences_per_second_batch32": "{:,.0f}"}
    return [form.format(latency[name][key]) + (
        "" if name == "teacher" else f" ({latency[name][key] / latency['teacher'][key]:.2f} ×)")
        for key, form in forms.items()]


def conditions(tasks: Sequence[Task], language: SimpleNamespace) -> str:
    """Return machine, seeds and versions; of tasks that were run under different ones each with its tasks."""
    named: dict[str, list[str]] = {}
    for task in tasks:
        machine, versions = conditions_lines(task["conditions"], language.conditions[:3])
        seeds = f"- {language.conditions[3]}: {', '.join(map(str, task['conditions']['seeds']))}"
        named.setdefault("\n".join([machine, seeds, versions]), []).append(task["name"])
    if len(named) == 1:
        return next(iter(named))
    return "\n\n".join(f"{', '.join(names)}:\n\n{lines}" for lines, names in named.items())


def page_text(tasks: Sequence[Task], language: SimpleNamespace, image: str, other_page: str) -> str:
    """Return the page; `image` is a path relative to it, `other_page` a link to it in the other language, or ""."""
    template = Path(__file__).with_name(language.template).read_text(encoding="utf-8")
    commands = ["\n".join([f"<details><summary>{task['name']}</summary>", "", "```bash", *task["commands"], "```", "",
                           "</details>"]) for task in tasks]
    return template.format(
        other_page=other_page, image=f"({image})", conditions=conditions(tasks, language),
        tasks=",".join(task["name"] for task in tasks), overview=overview(tasks, language),
        compressed=compressed(tasks, language), data=data(tasks, language), data_seed=tasks[0]["subset"]["seed"],
        models="\n\n".join(f"### {task['name']}\n\n{models(task, language)}" for task in tasks),
        commands="\n\n".join(commands)).replace("\n\n\n", "\n\n")


# --- the picture ------------------------------------------------------------------------------------------------------


def draw(tasks: Sequence[Task], path: Path) -> None:
    """Draw a group of bars a task: teacher, student without and with distillation, with deviations over the seeds."""
    from matplotlib.figure import Figure

    from src.report.curves import save_figure

    figure = Figure(figsize=(max(5.0, 1.5 + 1.25 * len(tasks)), 3.8), dpi=130, layout="constrained")
    axis = figure.subplots()
    bars = {"teacher": ("Teacher", "#9a9a9a"), PLAIN[0]: ("Student, labels alone", "#b4520c"),
            PLAIN[1]: ("Student, distilled", "#1f4e8c")}
    for place, (name, (label, colour)) in enumerate(bars.items()):
        known = [(index, score) for index, task in enumerate(tasks) if (score := score_of(task, name))]
        deviations = [math.nan if score["std"] is None else score["std"] for _, score in known]
        axis.bar([index + (place - 1) * 0.26 for index, _ in known], [score["mean"] for _, score in known], 0.24,
                 yerr=deviations, capsize=3, color=colour, label=label, error_kw={"linewidth": 1.0})
    axis.set_xticks(range(len(tasks)), [f"{task['name']}\n{task['metric'].replace('_', ' ')}" for task in tasks],
                    fontsize=8)
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


def relative(path: Path, page: Path) -> str:
    """Return a path as a page links to it."""
    return Path(os.path.relpath(path, page.parent)).as_posix()


def main(argv: list[str]) -> None:
    """Measure what is not measured, write the pages, print the overview."""
    parser = OneLineParser("experiments.results.page", __doc__.splitlines()[0])
    parser.add_argument("output", type=Path, metavar="OUT", help="folder of the task runs")
    parser.add_argument("--page", type=Path, default=Path("docs/RESULTS.md"), help="(default: %(default)s)")
    parser.add_argument("--page_cn", type=Path, default=None, help="the same in Chinese, such as docs/RESULTS_CN.md")
    parser.add_argument("--figures", type=Path, default=None,
                        help="file of figures of all tasks (default: beside the page, of its name with .json)")
    parser.add_argument("--image", type=Path, default=None,
                        help="picture to write (default: images/results.png beside the page)")
    parser.add_argument("--latency", choices=("true", "false", "again"), default="true",
                        help="measure latency where it was not measured yet, not at all, or anew (default: true)")
    add_device_target(parser)
    arguments = parser.parse_args(argv)
    output, page, page_cn = arguments.output, arguments.page, arguments.page_cn
    if page_cn and page_cn.resolve() == page.resolve():
        raise UserError(f"--page and --page_cn are both {page}; name two files")
    for task in read_tasks(output):
        measured = checkpoints(output / task["name"])
        if arguments.latency == "again" or arguments.latency == "true" and set(measured) - set(task["latency"]):
            print(f"{task['name']}: measuring {', '.join(measured)}", flush=True)
            measure_task(output / task["name"], task["seq_length"], arguments.device_target)
    figures = arguments.figures or page.with_suffix(".json")
    tasks = merged(figures, read_tasks(output))
    image = arguments.image or page.parent / "images/results.png"
    write_figures(figures, tasks)
    draw(tasks, image)
    for path, language, other, name in ((page, ENGLISH, page_cn, CHINESE.name), (page_cn, CHINESE, page, ENGLISH.name)):
        if path:
            link = f"[{name}]({relative(other, path)})" if other else ""
            write_text(path, page_text(tasks, language, relative(image, path), link))
    print(overview(tasks, ENGLISH))
    print(", ".join(map(str, (page, *filter(None, [page_cn]), figures, image))))


if __name__ == "__main__":
    run(main)
