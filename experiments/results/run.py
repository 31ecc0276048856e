# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Distillation measured on the tasks of experiments/results/table.py: a teacher, and students with and without it.

    python -m experiments.results.run --data_dir DATA --output OUT [--tasks MRPC,RTE] [--variants finetuned,distilled]
        [--seeds 42,43,44] [--scale 1.0] [--dry_run]

For each task: a stated part of its data, records, a fine-tuned teacher, and the students. `finetuned` and `distilled`
begin as the same layers of the same pretrained model, before it was fine-tuned; `*_aug` train on augmented rows;
`bilstm*` are BiLSTMs. A variant is one command for all seeds. `python -m experiments.results.page OUT` makes the page.

Stages run, are skipped and continue as experiments/pipeline/driver.py says, in groups that know nothing of each
other: a base model, a task's teacher, one variant. What is added or changed in one group leaves the others as they are.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

from experiments.pipeline.driver import drive
from experiments.pipeline.report import conditions
from experiments.pipeline.stages import REPOSITORY, shown
from experiments.results.figures import CONDITIONS
from experiments.results.stages import Group, Plan, base_group, task_groups
from experiments.results.table import TASKS, VARIANTS, TaskEntry
from src.common.arguments import OneLineParser, add_device_target
from src.common.errors import UserError, nearest, run
from src.common.files import write_json

SEEDS = (42, 43, 44)


def plan_groups(plan: Plan, entries: Sequence[TaskEntry], variants: Sequence[str]) -> list[Group]:
    """Return what has to be run, in order: each base model before the first task that starts from it.

    Args:
        variants: those wanted; (): all that the table names for a task.
    """
    groups: list[Group] = []
    bases: set[str] = set()
    for entry in entries:
        if entry.base not in bases:
            bases.add(entry.base)
            groups.append(base_group(plan, entry.base))
        wanted = variants or entry.variants
        groups += task_groups(plan, entry, [name for name in VARIANTS if name in wanted])
    return groups


def print_commands(groups: Sequence[Group]) -> None:
    """Print the command lines, ready to be typed in the repository's folder."""
    for group in groups:
        for stage in group.stages:
            print(f"# {group.name}: {stage.title}")
            for command in stage.commands:
                print(shown(command))


def run_groups(groups: Sequence[Group], output: Path, fresh: bool) -> None:
    """Run what is not finished, one group after the other; a stage that fails ends the process."""
    began = time.monotonic()
    for number, group in enumerate(groups, start=1):
        minutes = (time.monotonic() - began) / 60
        print(f"\n=== {number}/{len(groups)} {group.name} (after {minutes:.1f} min)", flush=True)
        drive(group.stages, output / group.ledger, fresh)
    print(f"\nAll {len(groups)} groups are finished. This call took {(time.monotonic() - began) / 60:.1f} min.\n"
          f"The page: python -m experiments.results.page {output} --page docs/RESULTS.md")


def names_of(text: str, known: Sequence[str], option: str) -> list[str]:
    """Split a list at its commas; capital letters do not matter.

    Raises:
        UserError: a name that is not known.
    """
    by_key = {name.lower(): name for name in known}
    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        if name.lower() not in by_key:
            raise UserError(f"{option}: {name!r} is none of {', '.join(known)}{nearest(name, known)}")
    return list(dict.fromkeys(by_key[name.lower()] for name in names))


def seeds_of(text: str) -> list[int]:
    """Split `42,43,44`.

    Raises:
        UserError: no numbers, or one twice.
    """
    try:
        seeds = [int(part) for part in text.split(",") if part.strip()]
    except ValueError as error:
        raise UserError(f"--seeds {text}: expected whole numbers separated by commas, such as 42,43,44") from error
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
    arguments.tasks = [by_name[name] for name in names_of(arguments.tasks, list(by_name), "--tasks")]
    arguments.variants = names_of(arguments.variants, VARIANTS, "--variants")
    arguments.seeds = seeds_of(arguments.seeds)
    return arguments


def check_data(data_dir: Path, entries: Sequence[TaskEntry]) -> None:
    """Raise UserError unless the files of all tasks are there: nothing is to fail after an hour."""
    for entry in entries:
        for name in () if entry.is_made else (entry.train_file, entry.dev_file):
            path = data_dir / entry.folder / name
            if not (REPOSITORY / path).is_file():
                raise UserError(f"task {entry.name} needs {path}, which is not there; give its folder's parent with "
                                "--data_dir, or leave the task out with --tasks")


def main(argv: list[str]) -> None:
    """Run what is not finished."""
    arguments = parse_arguments(argv)
    plan = Plan(arguments.data_dir, arguments.output, tuple(arguments.seeds), arguments.scale, arguments.device_target)
    groups = plan_groups(plan, arguments.tasks, arguments.variants)
    if arguments.dry_run:
        print_commands(groups)
        return
    check_data(arguments.data_dir, arguments.tasks)
    # The machine and the versions of the runs, and where the data lay, for the page.
    write_json(REPOSITORY / arguments.output / CONDITIONS,
               conditions(seeds=arguments.seeds, data_dir=str(arguments.data_dir)))
    run_groups(groups, arguments.output, arguments.fresh)


if __name__ == "__main__":
    run(main)
