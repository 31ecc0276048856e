# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""A share of a task's training rows with their labels, and the others without.

    python -m experiments.unlabelled.split --data_dir output/unlabelled/data/task --share 0.1 --seed 42 --output_dir DIR

Writes train.tsv, unlabelled.tsv, and dev.tsv and test.tsv as they are. Of each class the share is kept, equal texts
together; which rows these are follows from texts and seed.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from src.common.arguments import OneLineParser
from src.common.errors import UserError, run
from src.common.files import atomic_folder
from src.tasks import UNLABELLED_SPLIT, get_task
from src.tasks.holding_out import held_out


def split(data_dir: Path, share: float, seed: int, output_dir: Path) -> tuple[int, int]:
    """Write the folder of a share; return how many training rows keep their label, and how many do not.

    Raises:
        UserError: the share is not above 0 and at most 1, or the task cannot be read.
    """
    if not 0 < share <= 1:
        raise UserError(f"--share is {share:g}; expected a number above 0, at most 1, such as 0.1")
    file = data_dir / "train.tsv"
    examples = list(get_task("tsv").resolve(data_dir).read(data_dir, "train"))
    rows = [(example.label, example.text_a, example.text_b) for example in examples]
    kept = held_out(rows, share, seed) if share < 1 else frozenset(range(len(rows)))
    lines = file.read_text(encoding="utf-8").split("\n")
    header = lines[0].split("\t")
    assert header == ["text", "label"], "as experiments.quickstart.data writes it"
    with atomic_folder(output_dir, replace=True) as folder:
        for name in ("dev.tsv", "test.tsv"):
            shutil.copy(data_dir / name, folder / name)
        labelled = [lines[example.line - 1] for number, example in enumerate(examples) if number in kept]
        others = [lines[example.line - 1].split("\t")[0] for number, example in enumerate(examples)
                  if number not in kept]
        for name, chosen in (("train", ["\t".join(header), *labelled]), (UNLABELLED_SPLIT, [header[0], *others])):
            if len(chosen) > 1:
                (folder / f"{name}.tsv").write_text("\n".join(chosen) + "\n", encoding="utf-8")
    return len(labelled), len(others)


def main(argv: list[str]) -> None:
    """Command line: write the folder of a share."""
    parser = OneLineParser("experiments.unlabelled.split", __doc__.splitlines()[0])
    parser.add_argument("--data_dir", type=Path, required=True, help="folder of train.tsv, dev.tsv, test.tsv")
    parser.add_argument("--share", type=float, required=True, help="of the training rows that keep their labels")
    parser.add_argument("--seed", type=int, default=42, help="which rows these are (default: %(default)s)")
    parser.add_argument("--output_dir", type=Path, required=True, help="folder to write")
    given = parser.parse_args(argv)
    labelled, others = split(given.data_dir, given.share, given.seed, given.output_dir)
    print(f"{given.output_dir}: {labelled} labelled rows, {others} unlabelled")


if __name__ == "__main__":
    run(main)
