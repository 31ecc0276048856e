# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""All Chinese text of the data sets, for pretraining: one title, sentence or paragraph a line.

    python -m experiments.results.chinese_text --data_dir DATA --output text.txt

Text is that of the training rows of the Chinese tasks of experiments/results/table.py, of CMRC2018's paragraphs, and of
the lines of zh_wiki_text/*.txt. What stands in dev or test rows of these tasks is left out, as are repetitions.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from experiments.pipeline.stages import REPOSITORY
from experiments.results.table import TASKS, TaskEntry
from src.common.arguments import OneLineParser
from src.common.errors import UserError, run
from src.common.files import write_text
from src.config import load_config
from src.task_files.problems import Problems
from src.tasks import task_of
from src.tasks.vocabulary import texts_of_split

WIKIPEDIA = "zh_wiki_text/*.txt"
CHINESE = tuple(entry for entry in TASKS if entry.base == "chinese")


def task_texts(data_dir: Path, entry: TaskEntry, split: str) -> Iterator[str]:
    """Yield the texts of a split of a task as its recipe reads them, each on one line."""
    path = data_dir / entry.folder / (entry.train_file if split == "train" else entry.dev_file)
    settings = load_config(REPOSITORY / entry.config).task
    task = task_of(settings, name=entry.task_name or entry.name)
    for text in texts_of_split(task, path, split, Problems(settings.bad_rows)):
        yield " ".join(text.split())


def lines_of(data_dir: Path) -> Iterator[str]:
    """Yield the text, and leave out what stands in dev and test rows.

    Raises:
        UserError: a file is missing or is not what its task reads.
    """
    held_out = {text for entry in CHINESE for text in task_texts(data_dir, entry, "dev")}
    files = sorted(data_dir.glob(WIKIPEDIA))
    if not files:
        raise UserError(f"there is no {data_dir / WIKIPEDIA}; expected Chinese text, one sentence a line")
    pages = (" ".join(line.split()) for path in files for line in path.read_text(encoding="utf-8").split("\n"))
    sources: list[Iterable[str]] = [*(task_texts(data_dir, entry, "train") for entry in CHINESE), pages]
    seen = held_out | {""}
    for source in sources:
        for line in source:
            if line not in seen:
                seen.add(line)
                yield line


def main(argv: list[str]) -> None:
    """Write the text, and say how much it is."""
    parser = OneLineParser("experiments.results.chinese_text", __doc__.splitlines()[0])
    parser.add_argument("--data_dir", type=Path, required=True, help="the data sets: tnews/train.tsv and so on")
    parser.add_argument("--output", type=Path, required=True, help="text file to write")
    arguments = parser.parse_args(argv)
    lines = list(lines_of(arguments.data_dir))
    write_text(arguments.output, "".join(f"{line}\n" for line in lines))
    print(f"{arguments.output}: {len(lines):,} lines, {sum(map(len, lines)):,} characters")


if __name__ == "__main__":
    run(main)
