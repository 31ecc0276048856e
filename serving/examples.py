# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Find the texts on which bundles differ, for the page of `python -m serving --examples FILE`.

    python -m serving.examples STUDENT TEACHER --file test.tsv --output examples.json [--text_column text]
        [--text_b_column COLUMN] [--label_column label] [--count 20]

The file is a table with a header (.tsv or .csv), or a JSON object a line (.jsonl). All texts are asked; it prints how
many there are and on how many the answers differ, and writes the first --count of these. Scores differ where they round
to another tenth.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import sys
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from serving import Predictor, ServingError
from serving.__main__ import Parser, check_comparable, named, run, whole_number

_AT_ONCE = 1024


def rows_of(path: Path) -> Iterator[dict[str, Any]]:
    """Read a table or JSON lines: one dictionary a row.

    Raises:
        ServingError: it cannot be read, or is neither.
    """
    form = path.suffix.lower()
    if form not in (".tsv", ".csv", ".jsonl"):
        raise ServingError(f"--file {path} is no .tsv, .csv or .jsonl file")
    try:
        with open(path, encoding="utf-8-sig", newline="") as stream:
            if form == ".jsonl":
                yield from (json.loads(line) for line in stream if line.strip())
            else:
                is_plain = form == ".tsv"
                yield from csv.DictReader(stream, delimiter="\t" if is_plain else ",",
                                          quoting=csv.QUOTE_NONE if is_plain else csv.QUOTE_MINIMAL)
    except (OSError, ValueError, csv.Error) as error:
        raise ServingError(f"--file {path} cannot be read ({error})") from None


def essence(answer: dict[str, Any]) -> str:
    """What an answer comes to, in one line: two that agree have the same."""
    if "entities" in answer:
        found = (f"{entity['text']} ({entity['type']}, {entity['begin']})" for entity in answer["entities"])
        return ", ".join(found) or "-"
    if "label" in answer:
        return str(answer["label"])
    return str(answer["answer"] or "-") if "answer" in answer else f"{answer['score']:.1f}"


def differing(predictors: dict[str, Predictor], rows: Iterator[dict[str, Any]], columns: Sequence[str], label: str,
              count: int) -> tuple[list[dict[str, Any]], int, int]:
    """Return the first `count` examples, the number of texts on which the models differ, and that of all texts.

    Raises:
        ServingError: a row lacks a text.
    """
    found: list[dict[str, Any]] = []
    total = apart = 0
    while part := list(islice(rows, _AT_ONCE)):
        for place, row in enumerate(part, total + 1):
            missing = [name for name in columns if not (isinstance(row, dict) and isinstance(row.get(name), str))]
            if missing:
                there = f"it has {', '.join(map(str, row))}" if isinstance(row, dict) else "it is no object"
                raise ServingError(f"row {place} has no text {missing[0]!r} ({there}); name the columns with "
                                   "--text_column and --text_b_column")
        texts = [[row[name] for name in columns] for row in part]
        asked = [each[0] if len(each) == 1 else (each[0], each[1]) for each in texts]
        answers = {name: [essence(answer) for answer in one.predict(asked)] for name, one in predictors.items()}
        for place, (row, own) in enumerate(zip(part, texts, strict=True)):
            said = {name: of_all[place] for name, of_all in answers.items()}
            if len(set(said.values())) > 1:
                apart += 1
                if len(found) < count:
                    right = row.get(label)
                    found.append({"texts": own, "label": "" if right is None else str(right), "answers": said})
        total += len(part)
    return found, apart, total


def main(arguments: Sequence[str]) -> None:
    """Write the file."""
    parser = Parser(prog="python -m serving.examples", description=__doc__,
                    formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundles", nargs="+", metavar="BUNDLE", help="NAME=FOLDER names it otherwise than its folder")
    parser.add_argument("--file", type=Path, required=True, help="texts: .tsv, .csv or .jsonl")
    parser.add_argument("--output", type=Path, required=True, help="file to write")
    parser.add_argument("--text_column", default="text", help="default: %(default)s")
    parser.add_argument("--text_b_column", default="", help="the second text of a pair")
    parser.add_argument("--label_column", default="label", help="right answer, shown where there is one")
    parser.add_argument("--count", type=whole_number(1), default=20, help="most examples (default: %(default)s)")
    asked = parser.parse_args(arguments)
    if len(asked.bundles) < 2:
        raise ServingError("one model differs from none; give two bundles or more")
    threads = len(os.sched_getaffinity(0))
    predictors = {name: Predictor(folder, threads) for name, folder in named(asked.bundles).items()}
    check_comparable(predictors)
    columns = [name for name in (asked.text_column, asked.text_b_column) if name]
    found, apart, total = differing(predictors, rows_of(asked.file), columns, asked.label_column, asked.count)
    try:
        asked.output.write_text(json.dumps(found, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise ServingError(f"--output {asked.output} cannot be written ({error.strerror})") from None
    print(f"{', '.join(predictors)}: other answers for {apart} of {total} texts of {asked.file}; {len(found)} of them "
          f"are in {asked.output}")


if __name__ == "__main__":
    run(main, sys.argv[1:])
