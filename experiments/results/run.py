# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Distillation measured on the tasks of experiments/results/table.py: a teacher, and students with and without it.

    python -m experiments.results.run --data_dir DATA --output OUT [--tasks MRPC,RTE] [--dry_run]

For each task: a stated part of its data, records, a fine-tuned teacher, and the students. `finetuned` and `distilled`
begin as the same layers of the same pretrained model, before it was fine-tuned; `*_aug` train on augmented rows;
`bilstm*` are BiLSTMs. A variant is one command for all seeds. `python -m experiments.results.page OUT` makes the page.

Stages run, are skipped and continue as experiments/pipeline/driver.py says, in groups that know nothing of each
other: a base model, a task's teacher, one variant. What is added or changed in one group leaves the others as they are.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from experiments.pipeline.driver import drive
from experiments.pipeline.report import conditions
from experiments.pipeline.stages import REPOSITORY, Stage, shown
from experiments.results.figures import CONDITIONS
from experiments.results.stages import Plan, base_stages, task_groups
from experiments.results.table import TASKS, VARIANTS, TaskEntry
from src.common.arguments import OneLineParser, add_device_target
from src.common.errors import UserError, nearest, run
from src.common.files import write_json

SEEDS = (42, 43, 44)


def plan_groups(plan: Plan, entries: Iterable[TaskEntry], variants: Sequence[str]) -> dict[str, list[Stage]]:
    """Return what has to be run, in order: each base model before the first task that starts from it.

    Without `variants` those that the table names for a task are run.
    """
    groups: dict[str, list[Stage]] = {}
    for entry in entries:
        if f"{entry.base}/stages" not in groups:
            groups[f"{entry.base}/stages"] = base_stages(plan, entry.base)
        groups |= task_groups(plan, entry, [name for name in VARIANTS if name in (variants or entry.variants)])
    return groups


def names_of(text: str, known: Iterable[str], option: str) -> list[str]:
    """Split a list at its commas, or raise UserError for a name that is not known; capitals do not matter."""
    by_key = {name.lower(): name for name in known}
    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        if name.lower() not in by_key:
            raise UserError(f"{option}: {name!r} is none of {', '.join(by_key.values())}"
                            f"{nearest(name, by_key.values())}")
    return list(dict.fromkeys(by_key[name.lower()] for name in names))


def seeds_of(text: str) -> tuple[int, ...]:
    """Split `42,43,44`; raises UserError for what is no number, or there twice."""
    try:
        seeds = tuple(int(part) for part in text.split(","))
    except ValueError:
        seeds = ()
    if not seeds or len(set(seeds)) != len(seeds):
        raise UserError(f"--seeds {text}: expected different whole numbers, such as 42,43,44")
    return seeds


def parse_arguments(argv: Sequence[str]) -> argparse.Namespace:
    """Read the driver's options; settings of the stages live in configs/results_*.yaml and table.py."""
    parser = OneLineParser("experiments.results.run", __doc__.splitlines()[0])
    parser.add_argument("--data_dir", type=Path, required=True,
                        help="the data sets: glue/MRPC/train.tsv, chnsenticorp/train.tsv and so on")
    parser.add_argument("--output", type=Path, required=True, help="folder for everything that is written")
    parser.add_argument("--tasks", default=",".join(entry.name for entry in TASKS if entry.by_default), metavar="A,B",
                        help="tasks to run (default: %(default)s)")
    parser.add_argument("--variants", default="", metavar="A,B",
                        help=f"of {', '.join(VARIANTS)} (default: what the table names for each task)")
    parser.add_argument("--seeds", default=",".join(map(str, SEEDS)), help="one run of each student a seed "
                        "(default: %(default)s)")
    parser.add_argument("--scale", type=float, default=1.0, help="multiplies the steps of all trainings (default: 1)")
    add_device_target(parser)
    parser.add_argument("--fresh", action="store_true", help="run the stages again that are finished")
    parser.add_argument("--dry_run", action="store_true", help="print the commands and end")
    arguments = parser.parse_args(argv)
    if not 0 < arguments.scale <= 100:
        raise UserError(f"--scale is {arguments.scale:g}; expected a number above 0, such as 1")
    by_name = {entry.name: entry for entry in TASKS}
    arguments.tasks = [by_name[name] for name in names_of(arguments.tasks, by_name, "--tasks")]
    arguments.variants = names_of(arguments.variants, VARIANTS, "--variants")
    arguments.seeds = seeds_of(arguments.seeds)
    return arguments


def check_data(data_dir: Path, entries: Iterable[TaskEntry]) -> None:
    """Raise UserError unless the files of all tasks are there: nothing is to fail after an hour."""
    for entry in entries:
        for name in () if entry.comes_with_base else (entry.train_file, entry.dev_file):
            path = data_dir / entry.folder / name
            if not (REPOSITORY / path).is_file():
                raise UserError(f"task {entry.name} needs {path}, which is not there; give its folder's parent with "
                                "--data_dir, or leave the task out with --tasks")


def main(argv: list[str]) -> None:
    """Run what is not finished, one group after the other; a stage that fails ends the process."""
    arguments = parse_arguments(argv)
    output, began = arguments.output, time.monotonic()
    plan = Plan(arguments.data_dir, output, arguments.seeds, arguments.scale, arguments.device_target)
    groups = plan_groups(plan, arguments.tasks, arguments.variants)
    if arguments.dry_run:
        for ledger, stages in groups.items():
            for stage in stages:
                print(f"# {ledger}: {stage.title}", *map(shown, stage.commands), sep="\n")
        return
    check_data(arguments.data_dir, arguments.tasks)
    # The machine and the versions of the runs, and where the data lay, for the page.
    write_json(REPOSITORY / output / CONDITIONS, conditions(seeds=arguments.seeds, data_dir=str(arguments.data_dir)))
    for number, (ledger, stages) in enumerate(groups.items(), start=1):
        minutes = (time.monotonic() - began) / 60
        print(f"\n=== {number}/{len(groups)} {ledger} (after {minutes:.1f} min)", flush=True)
        drive(stages, output / ledger, arguments.fresh)
    print(f"\nAll {len(groups)} groups are finished. This call took {(time.monotonic() - began) / 60:.1f} min.\n"
          f"The page: python -m experiments.results.page {output} --page docs/RESULTS.md")


if __name__ == "__main__":
    run(main)
