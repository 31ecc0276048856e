# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""A stated part of a task's data, in the form of the files that it comes from.

    python -m experiments.results.subset --train glue/MRPC/train.tsv --dev glue/MRPC/dev.tsv --rows 2000 \
        --output_dir data

Of the training set the first `--rows` examples after a seeded shuffle are written, in the order of the file, so that
a larger part contains a smaller one. Lines and JSON objects are copied as they stand, byte by byte:

    .tsv              lines, with their header unless `--header false`
    .json, .jsonl     objects one after another, each on one line or on several (CLUENER)
    .json with "data" questions of SQuAD's form: whole articles, until `--rows` questions are reached; where --train and
                      --dev are one file, `--dev_articles` of its articles are dev and the others train

OUTPUT_DIR/subset.json says what was taken of what.
"""

from __future__ import annotations

import json
import random
import re
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

from src.common.arguments import OneLineParser
from src.common.errors import UserError, one_line, run
from src.common.files import atomic_folder, write_json
from src.common.untrusted import parse_json

BESIDE = ("labels.txt", "labels.json")
"""Files that are copied when they lie beside the training file."""


def choose(number: int, wanted: int, seed: int) -> list[int]:
    """Return the places, in rising order, of the first `wanted` of `number` things after a seeded shuffle; 0: all."""
    order = list(range(number))
    random.Random(seed).shuffle(order)
    return sorted(order[:wanted] if wanted else order)


def split_examples(text: str, suffix: str, header: bool) -> tuple[str, list[str]]:
    """Return what stands before the examples of a file (byte order mark, header), and the examples."""
    if suffix == ".tsv":
        mark = "\ufeff" if text.startswith("\ufeff") else ""
        # Only "\n" ends a line: fields may hold the other separators that Python knows.
        lines = [line for line in text.removeprefix(mark).split("\n") if line.strip("\r")]
        return mark + "".join(f"{line}\n" for line in lines[:header]), lines[header:]
    decoder, end, objects = json.JSONDecoder(), 0, []
    while word := re.compile(r"\S").search(text, end):
        _, end = decoder.raw_decode(text, word.start())
        objects.append(text[word.start():end])
    return "", objects


def articles_part(tree: dict[str, Any], rows: int, seed: int, held_out: int, is_dev: bool) -> tuple[str, int, int]:
    """Return whole articles of SQuAD's form, drawn until `rows` questions are reached; 0: all of them.

    Where `held_out` articles are divided off for dev, `is_dev` says which of the two sides is wanted.
    """
    articles = tree["data"]
    sizes = [sum(len(paragraph["qas"]) for paragraph in article["paragraphs"]) for article in articles]
    dev = choose(len(articles), held_out, seed) if held_out else []
    order = [place for place in range(len(articles)) if not held_out or (place in dev) == is_dev]
    random.Random(seed).shuffle(order)
    while rows and sum(sizes[place] for place in order[:-1]) >= rows:
        order.pop()
    chosen = [articles[place] for place in sorted(order)]
    text = json.dumps({**tree, "data": chosen}, ensure_ascii=False, indent=1) + "\n"
    return text, sum(sizes[place] for place in order), sum(sizes)


def part_of(path: Path, rows: int, seed: int, header: bool, held_out: int = 0,
            is_dev: bool = False) -> tuple[str, int, int]:
    """Return the part of a file that is used, the number of examples in it, and the number of those in the file."""
    try:
        text = path.read_bytes().decode("utf-8")
        tree: Any = None
        with suppress(ValueError):  # objects one after another
            tree = parse_json(text) if path.suffix == ".json" else None
        if isinstance(tree, dict) and isinstance(tree.get("data"), list):
            part, taken, of = articles_part(tree, rows, seed, held_out, is_dev)
        else:
            head, examples = split_examples(text, path.suffix, header)
            chosen = choose(len(examples), rows, seed)
            part, taken, of = head + "".join(f"{examples[i]}\n" for i in chosen), len(chosen), len(examples)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path} is not what its name says ({one_line(error)}); expected TSV lines, JSON objects one "
                        "after another, or JSON of SQuAD's form, in UTF-8") from error
    if not taken:
        raise UserError(f"{path} has no examples to take")
    return part, taken, of


def make_subset(train: Path, dev: Path, output: Path, rows: int, dev_rows: int, seed: int, header: bool,
                dev_articles: int) -> dict[str, Any]:
    """Write OUTPUT/train.*, OUTPUT/dev.* and OUTPUT/subset.json; returns what the last one holds."""
    is_one_file = train.resolve() == dev.resolve()
    if is_one_file and not dev_articles:
        raise UserError(f"--train and --dev are both {train}; give --dev_articles, the number of articles of it that "
                        "are held out")
    described: dict[str, Any] = {"seed": seed}
    with atomic_folder(output, replace=True) as folder:
        for split, path, wanted in (("train", train, rows), ("dev", dev, dev_rows)):
            text, taken, of = part_of(path, wanted, seed, header, dev_articles if is_one_file else 0, split == "dev")
            (folder / f"{split}{path.suffix}").write_bytes(text.encode("utf-8"))
            described[split] = {"examples": taken, "of": of, "file": path.name}
        for name in BESIDE:
            if (train.parent / name).is_file():
                shutil.copyfile(train.parent / name, folder / name)
        write_json(folder / "subset.json", described)
    return described


def main(argv: list[str]) -> None:
    """Command line: write the part, print what it is."""
    parser = OneLineParser("experiments.results.subset", __doc__.splitlines()[0])
    parser.add_argument("--train", type=Path, required=True, help="file with the training examples")
    parser.add_argument("--dev", type=Path, required=True, help="file with the dev examples; may be the same (SQuAD)")
    parser.add_argument("--output_dir", type=Path, required=True, help="folder to write; replaced when it is there")
    parser.add_argument("--rows", type=int, default=0, help="training examples; 0: all (default)")
    parser.add_argument("--dev_rows", type=int, default=0, help="dev examples; 0: all (default)")
    parser.add_argument("--dev_articles", type=int, default=0, help="articles held out where one file is divided")
    parser.add_argument("--header", choices=("true", "false"), default="true", help="whether TSV files have a header")
    parser.add_argument("--seed", type=int, default=42, help="seed of the choice (default: %(default)s)")
    arguments = parser.parse_args(argv)
    for name in ("rows", "dev_rows", "dev_articles"):
        if getattr(arguments, name) < 0:
            raise UserError(f"--{name} is {getattr(arguments, name)}; expected 0 (all) or more")
    described = make_subset(arguments.train, arguments.dev, arguments.output_dir, arguments.rows, arguments.dev_rows,
                            arguments.seed, arguments.header == "true", arguments.dev_articles)
    for split in ("train", "dev"):
        print(f"{split}: {described[split]['examples']} of {described[split]['of']} examples of "
              f"{described[split]['file']}")


if __name__ == "__main__":
    run(main)
