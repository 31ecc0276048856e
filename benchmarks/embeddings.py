# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""What each embedding model weighs, takes and is worth as an ONNX file: teacher, students and static ones.

python benchmarks/embeddings.py --checkpoints TEACHER,STUDENT,... [--text FILE] [--sts_dir DIR --split dev]
    [--files plain,int8] [--texts 2000] [--batch_size 32]

The first checkpoint is the teacher. The texts are the lines of FILE, or else the sentences of STS-B in DIR, of whose
scores Spearman's correlation with the cosines is taken. All files are loaded in one process and called in turn, on one
thread; times are the processor's, so that other work on the machine does not count. ms: the median of a call with one
text, of the model alone, and with its tokenizer. Texts a second: batches sorted by length and padded to their longest
text, tokenizer included, which has seen none of the words before.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from smaller import write_files

from common import arguments, machine
from experiments.embedding.files import File, time_files

os.environ["TOKENIZERS_PARALLELISM"] = "false"

KINDS = ("plain", "int8")


class Named(NamedTuple):
    """A file that is open, with its model's name and size, and the kind of file."""

    name: str
    shape: str
    kind: str
    file: File


def main() -> None:
    """Print the table."""
    options = arguments(__doc__, checkpoints=str, text="", sts_dir="", split="dev", files=",".join(KINDS), texts=2000,
                        batch_size=32)
    wanted = options.files.split(",")
    if not options.checkpoints or not (options.text or options.sts_dir) or set(wanted) - set(KINDS):
        sys.exit("error: give --checkpoints A,B,..., --text or --sts_dir or both, and --files out of plain,int8")
    import onnxruntime

    from src.export.quantization import int8_instructions, processor_name

    pairs, scores = read_sts(options.sts_dir, options.split) if options.sts_dir else ([], np.zeros(0))
    lines = Path(options.text).read_text(encoding="utf-8").split("\n") if options.text else [
        text for pair in pairs for text in pair]
    texts = [line for line in dict.fromkeys(map(str.strip, lines)) if line][:options.texts]
    with tempfile.TemporaryDirectory(prefix="embeddings-") as folder:
        files = [each for number, place in enumerate(options.checkpoints.split(","))
                 for each in open_files(place, Path(folder) / str(number), wanted, options.batch_size)]
        found = time_files([each.file for each in files], texts)
        values = [spearman_of(each.file, pairs, scores) for each in files]
    print(f"{len(texts)} texts of {options.text or options.sts_dir}, batches of {options.batch_size}, STS-B: "
          f"{f'{options.split}, {len(pairs)} pairs' if pairs else 'not given'}; onnxruntime {onnxruntime.__version__}, "
          f"{processor_name(int8_instructions())}, {machine()}\n")
    print("| Model | Size | File | MB | ms, model | ms, with tokenizer | Texts a second | Of the teacher | Spearman |")
    print("| --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    for own, each, value in zip(files, found, values, strict=True):
        print(f"| {own.name} | {own.shape} | {own.kind} | {own.file.size / 1e6:.1f} | "
              f"{each.model:.3f} | {each.whole:.3f} | {each.texts:,.0f} | {each.texts / found[0].texts:.1f} | "
              f"{f'{value:.4f}' if pairs else '-'} |")


def read_sts(folder: str, split: str) -> tuple[list[tuple[str, str]], np.ndarray]:
    """Return the pairs of a split of STS-B, and their scores."""
    from src.tasks import get_task

    task = get_task("STS-B")
    examples = list(task.read(folder, split))
    if not task.is_labelled(examples):
        sys.exit(f"error: the split {split} of {folder} has no scores; give --split dev")
    return [(each.text_a, each.text_b) for each in examples], np.array([float(each.label) for each in examples])


def open_files(place: str, folder: Path, wanted: list[str], batch_size: int) -> list[Named]:
    """Write and open those of the wanted files of a checkpoint."""
    from src.checkpoints.checkpoint import load_model

    loaded = load_model(place, "checkpoints")
    if loaded.config.head.kind != "embedding":
        sys.exit(f"error: {place} has no embedding head")
    return [Named(Path(place).name, loaded.config.encoder.size, kind, File(path, loaded, batch_size))
            for kind, path in write_files(loaded, folder, wanted, []).items()]


def spearman_of(embed: File, pairs: Sequence[tuple[str, str]], scores: np.ndarray) -> float:
    """Spearman's correlation of the cosines with the scores."""
    from src.tasks.metrics import spearman
    from src.tasks.similarity import cosines

    if not pairs:
        return 0.0
    return spearman(cosines(*(embed([pair[side] for pair in pairs]) for side in (0, 1))), scores)


if __name__ == "__main__":
    main()
