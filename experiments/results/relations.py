# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""A student that is narrower than its teacher and has other heads: labels alone, relations, and TinyBERT's terms.

    python -m experiments.results.relations --data_dir DATA --output OUT [--tasks A,B] [--arms A,B] [--dry_run]

Data and teachers (6 layers x 384, 12 heads) are those of experiments/results/run.py, which may have made them in OUT.
All arms begin with the same weights, random ones but for the embeddings, which are the principal components of the
teacher's before it was fine-tuned, and take the same number of optimiser steps. `labels` is fine-tuned;
`relations` learns the relations of the teacher's last layer (MiniLMv2) for half of the steps, then its predictions;
`unlabelled` does so on the sentences of the archive's other tasks too, whose labels nobody reads; `tinybert` learns its
hidden states in the first half, projected, and its attention scores where the heads are as many.
Prints a table: mean and standard error of the task's metric on dev over the seeds, and how far from `labels`.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Sequence
from pathlib import Path

from experiments.pipeline.driver import drive
from experiments.pipeline.stages import REPOSITORY, Stage, script, shown, tool
from experiments.results.figures import compare, read_score
from experiments.results.run import SEEDS, check_data, names_of, seeds_of
from experiments.results.stages import PRETRAINED, Plan, base_stages, task_groups
from experiments.results.table import EVALUATIONS, TASKS, TaskEntry
from src.common.arguments import OneLineParser, add_device_target
from src.common.errors import UserError, run
from src.common.files import read_json
from src.report.tables import markdown

ARMS = ("labels", "relations", "unlabelled", "tinybert")
TEACHER_HEADS, TEACHER_WIDTH = 12, 384
RATE, LAYER_RATE = "2e-4", "1e-3"
"""Of training on labels and on predictions, and on what layers compute, which begins with random weights."""
VERDICTS = {"helps": "better", "hurts": "worse", "open": "no difference shown", "single": "one run"}


def arm_commands(plan: Plan, entry: TaskEntry, size: str, steps: int) -> dict[str, tuple[str, ...]]:
    """Return the command line of each arm, for all seeds."""
    folder, start, half = plan.output / entry.name, plan.output / f"start-{size}", steps // 2
    _, width, heads = map(int, size.split("x"))
    shared = ("--config_path", entry.config, "--task_name", entry.task_name or entry.name, "--seq_length",
              entry.seq_length, "--buckets", ",".join(map(str, entry.buckets)), "--train_data_dir",
              folder / "records/train", "--eval_data_dir", folder / "records/dev", "--seeds",
              ",".join(map(str, plan.seeds)), "--device_target", plan.device_target)

    def distil(name: str, *objective: object) -> tuple[str, ...]:
        return script("run_task_distill.py", *shared, "--load_teacher_ckpt_path", folder / "teacher/model",
                      "--load_gd_ckpt_path", start, *objective, "--task_distill.phase1.train_steps", half,
                      "--task_distill.phase1.learning_rate", LAYER_RATE, "--task_distill.phase2.train_steps",
                      steps - half, "--task_distill.phase2.learning_rate", RATE, "--eval_interval",
                      -(-(steps - half) // EVALUATIONS), "--save_ckpt_path", folder / f"{name}-{size}")

    relation_heads = max(number for number in range(1, 49) if math.gcd(width, TEACHER_WIDTH) % number == 0)
    related = ("--attention_weight", 0, "--hidden_weight", 0, "--relation_weight", 1, "--relation_heads",
               relation_heads)
    commands = {
        "labels": script("run_finetune.py", *shared, "--load_ckpt_path", start, "--train_steps", steps,
                         "--learning_rate", RATE, "--eval_interval", -(-steps // EVALUATIONS), "--save_ckpt_path",
                         folder / f"labels-{size}"),
        "relations": distil("relations", *related),
        "tinybert": distil("tinybert", "--attention_weight", int(heads == TEACHER_HEADS)),
    }
    if entry.comes_with_base:
        others = plan.output / entry.base / f"data/others{entry.folder}.txt"
        commands["unlabelled"] = distil("unlabelled", *related, "--unlabelled_data_dir", others)
    return commands


def plan_groups(plan: Plan, entries: Sequence[TaskEntry], size: str, steps: int, arms: Sequence[str] = ARMS
                ) -> dict[str, list[Stage]]:
    """Return what has to be run, in order: base model and teachers as experiments/results/run.py makes them."""
    start, pretrained = plan.output / f"start-{size}", plan.output / PRETRAINED["english"]
    groups = {"english/stages": base_stages(plan, "english"), f"start-{size}-stages": [
        Stage("start", "Make a student with random weights, and with the teacher's embeddings",
              (tool("results.small_model", "--tokenizer", pretrained, "--embeddings", pretrained, "--output_dir", start,
                    "--size", size),), inputs=(pretrained,), outputs=(start,))]}
    for entry in entries:
        folder = plan.output / entry.name
        groups |= task_groups(plan, entry, ())
        for name, command in arm_commands(plan, entry, size, steps).items():
            if name not in arms:
                continue
            made = folder / f"{name}-{size}"
            inputs = (start, folder / "teacher/model", *(folder / f"records/{split}/manifest.json"
                                                         for split in ("train", "dev")))
            groups[f"{entry.name}/stages/{name}-{size}"] = [Stage(
                name, f"{entry.name}: {name}", (command,), inputs=inputs, outputs=(made,),
                results=(made / "seeds.json",), resumable=True)]
    return groups


def table(output: Path, entries: Sequence[TaskEntry], size: str) -> str:
    """Return the table of what was run, in Markdown."""
    rows = []
    for entry in entries:
        metric, teacher = next(iter(read_json(output / entry.name / "teacher/dev.json")["metrics"].items()))
        found = {name: read_score(read_json(seeds)["metrics"][metric]) for name in ARMS
                 if (seeds := output / entry.name / f"{name}-{size}/seeds.json").is_file()}
        for name, score in found.items():
            error = "-" if score["std"] is None else f"{score['std'] / math.sqrt(score['runs']):.4f}"
            said = ("-",) * 3
            if name != "labels" and "labels" in found:
                difference, of_difference, verdict = compare(found["labels"], score)
                said = (f"{difference:+.4f}", "-" if of_difference is None else f"{of_difference:.4f}",
                        VERDICTS[verdict])
            rows.append((entry.name, metric, f"{teacher:.4f}", name, f"{score['mean']:.4f}", error, *said))
    return markdown(("Task", "Metric", "Teacher", f"Student {size.replace('x', ' x ')}", "Mean", "Standard error",
                     "To labels alone", "Standard error", "Verdict"), rows)


def parse_arguments(argv: Sequence[str]) -> argparse.Namespace:
    """Read the options."""
    parser = OneLineParser("experiments.results.relations", __doc__.splitlines()[0])
    parser.add_argument("--data_dir", type=Path, required=True, help="the data sets: glue/STS-B/train.tsv and so on")
    parser.add_argument("--output", type=Path, required=True, help="folder for everything that is written")
    parser.add_argument("--tasks", default="Reviews,Editorials,Tweets", metavar="A,B",
                        help="English tasks (default: %(default)s)")
    parser.add_argument("--arms", default=",".join(ARMS), metavar="A,B",
                        help="unlabelled only of tasks that come with the archive (default: %(default)s)")
    parser.add_argument("--student", default="3x256x8", help="layers x width x heads (default: %(default)s)")
    parser.add_argument("--steps", type=int, default=600, help="optimiser steps of each student (default: %(default)s)")
    parser.add_argument("--seeds", default=",".join(map(str, SEEDS)), help="default: %(default)s")
    add_device_target(parser)
    parser.add_argument("--dry_run", action="store_true", help="print the commands and end")
    arguments = parser.parse_args(argv)
    by_name = {entry.name: entry for entry in TASKS if entry.base == "english"}
    arguments.tasks = [by_name[name] for name in names_of(arguments.tasks, by_name, "--tasks")]
    arguments.arms = names_of(arguments.arms, ARMS, "--arms")
    arguments.seeds = seeds_of(arguments.seeds)
    if arguments.steps < 2:
        raise UserError(f"--steps is {arguments.steps}; expected 2 or more, half of them for each phase")
    return arguments


def main(argv: list[str]) -> None:
    """Run what is not finished, then print the table."""
    arguments = parse_arguments(argv)
    from experiments.results.small_model import size_of

    size_of(arguments.student)
    output, began = arguments.output, time.monotonic()
    plan = Plan(arguments.data_dir, output, arguments.seeds, device_target=arguments.device_target)
    groups = plan_groups(plan, arguments.tasks, arguments.student, arguments.steps, arguments.arms)
    if arguments.dry_run:
        for stage in (stage for stages in groups.values() for stage in stages):
            print(f"# {stage.title}", *map(shown, stage.commands), sep="\n")
        return
    check_data(arguments.data_dir, arguments.tasks)
    for number, (ledger, stages) in enumerate(groups.items(), start=1):
        print(f"\n=== {number}/{len(groups)} {ledger} (after {(time.monotonic() - began) / 60:.1f} min)", flush=True)
        drive(stages, output / ledger, fresh=False)
    print(f"\nThis call took {(time.monotonic() - began) / 60:.1f} min; {arguments.steps} steps a student, seeds "
          f"{', '.join(map(str, arguments.seeds))}.\n", table(REPOSITORY / output, arguments.tasks, arguments.student),
          sep="\n")


if __name__ == "__main__":
    run(main)
