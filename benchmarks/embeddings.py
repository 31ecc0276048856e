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
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from smaller import write_files

from common import arguments, machine

os.environ["TOKENIZERS_PARALLELISM"] = "false"

KINDS = ("plain", "int8")
WARM_UP = 3


class File(NamedTuple):
    """An ONNX file that is open: its model and tokenizer, and how it is called."""

    name: str
    kind: str
    loaded: Any
    tokenizer: Any
    megabytes: float
    run: Any

    def rows(self, texts: Sequence[str]) -> list:
        """The rows of texts, cut to what the model takes."""
        from serving.rows import text_row

        length, begin, end = self.loaded.config.max_length, self.tokenizer.cls_id, self.tokenizer.sep_id
        return [text_row(ids, None, length, begin, end) for ids in self.tokenizer.encode_batch(texts)]

    def call(self, rows: Sequence) -> np.ndarray:
        """Embeddings of rows, float32 (rows, width)."""
        from serving.rows import padded

        return self.run(padded(rows, self.tokenizer.pad_id)._asdict())[0]


class Found(NamedTuple):
    """What a file took: milliseconds of a text by the model alone and with the tokenizer, and texts a second."""

    model: float
    whole: float
    texts: float


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
                 for each in open_files(place, Path(folder) / str(number), wanted)]
        found = measure(files, texts, options.batch_size)
        values = [spearman_of(each, pairs, scores, options.batch_size) for each in files]
    print(f"{len(texts)} texts of {options.text or options.sts_dir}, batches of {options.batch_size}, STS-B: "
          f"{f'{options.split}, {len(pairs)} pairs' if pairs else 'not given'}; onnxruntime {onnxruntime.__version__}, "
          f"{processor_name(int8_instructions())}, {machine()}\n")
    print("| Model | Size | File | MB | ms, model | ms, with tokenizer | Texts a second | Of the teacher | Spearman |")
    print("| --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    for file, each, value in zip(files, found, values, strict=True):
        print(f"| {file.name} | {file.loaded.config.encoder.size} | {file.kind} | {file.megabytes:.1f} | "
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


def open_files(place: str, folder: Path, wanted: list[str]) -> list[File]:
    """Write and open those of the wanted files of a checkpoint."""
    from src.checkpoints.checkpoint import load_model
    from src.export.artefacts import run_onnx

    loaded = load_model(place, "checkpoints")
    if loaded.config.head.kind != "embedding":
        sys.exit(f"error: {place} has no embedding head")
    return [File(Path(place).name, kind, loaded, loaded.tokenizer(), path.stat().st_size / 1e6,
                 run_onnx(path, loaded.config, threads=1))
            for kind, path in write_files(loaded, folder, wanted, []).items()]


def measure(files: Sequence[File], texts: Sequence[str], size: int) -> list[Found]:
    """Call all files in turn with each batch, then with each text."""
    alone: list[list[tuple[float, float]]] = [[] for _ in files]
    seconds = np.zeros(len(files))
    for file in files:
        embed(file, texts[:WARM_UP], size)
    for batch in batches(texts, size):
        for at, file in enumerate(files):
            began = time.thread_time()
            embed(file, batch, size)
            seconds[at] += time.thread_time() - began
    for text in texts:
        for own, file in zip(alone, files, strict=True):
            began = time.thread_time()
            rows = file.rows([text])
            middle = time.thread_time()
            file.call(rows)
            ended = time.thread_time()
            own.append((ended - middle, ended - began))
    medians = [1e3 * np.median(own, axis=0) for own in alone]
    return [Found(own[0], own[1], len(texts) / taken) for own, taken in zip(medians, seconds, strict=True)]


def batches(texts: Sequence[str], size: int) -> list[Sequence[str]]:
    """The texts, so many batches of them at a time that sorting by length is worth it."""
    return [texts[at:at + 8 * size] for at in range(0, len(texts), 8 * size)]


def embed(file: File, texts: Sequence[str], size: int) -> np.ndarray:
    """Embeddings of texts, in batches of texts of about the same length."""
    rows = file.rows(texts)
    order = sorted(range(len(rows)), key=lambda at: len(rows[at].ids))
    embeddings = np.zeros((len(rows), file.loaded.config.output_size), np.float32)
    for at in range(0, len(order), size):
        own = order[at:at + size]
        embeddings[own] = file.call([rows[each] for each in own])
    return embeddings


def spearman_of(file: File, pairs: Sequence[tuple[str, str]], scores: np.ndarray, size: int) -> float:
    """Spearman's correlation of the cosines with the scores."""
    from src.evaluate.embeddings import cosines
    from src.tasks.metrics import spearman

    if not pairs:
        return 0.0
    return spearman(cosines(*(embed(file, [pair[side] for pair in pairs], size) for side in (0, 1))), scores)


if __name__ == "__main__":
    main()
