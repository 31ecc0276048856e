# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""What embedding models are worth beside their teacher, and what their ONNX files weigh and take.

    python -m experiments.embedding.measure --model teacher CHECKPOINT FILE.onnx --model student ... \
        --text held_out.txt --output measured.json [--sts_dir STS-B]

The first model is the teacher. `-` stands for a file that there is not: one is made, and not timed. On the lines of the
text, of which equal ones count once: Spearman's correlation between a model's cosines and the teacher's of 20,000
random pairs, and how often the teacher's nearest neighbour of a text is the model's too (recall@1). With --sts_dir:
Spearman's correlation of the cosines with the scores of STS-B, of its test split where that has scores, else of its dev
split. ONNX files, and what is made of them in int8, are called in turn, on one thread: the median of a call with one
text, without tokenizer; and texts a second in batches of 32, sorted by length, with it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.embedding.files import File, time_files
from src.common.arguments import OneLineParser
from src.common.errors import UserError, run
from src.common.files import read_text, write_json

if TYPE_CHECKING:
    from src.checkpoints.checkpoint import LoadedModel

PAIRS, TEXTS = 20_000, 500


def compare(own: np.ndarray, teacher: np.ndarray, seed: int) -> tuple[float, float]:
    """Return Spearman's correlation of cosines of random pairs of texts, and recall@1 of nearest neighbours.

    Args:
        own, teacher: embeddings of the same texts, (N, any width), N at least 3.
    """
    from src.tasks.metrics import spearman
    from src.tasks.similarity import cosines

    generator = np.random.default_rng(seed)
    first = generator.integers(0, len(own), PAIRS)
    second = (first + generator.integers(1, len(own), PAIRS)) % len(own)
    correlation = spearman(*(cosines(each[first], each[second]) for each in (own, teacher)))
    return correlation, float(np.mean(nearest(own) == nearest(teacher)))


def nearest(embeddings: np.ndarray) -> np.ndarray:
    """Return the place of the other text with the largest cosine, int (N,)."""
    unit = embeddings / np.maximum(np.linalg.norm(embeddings, axis=1, keepdims=True), 1e-12)
    found = np.zeros(len(unit), np.int64)
    for begin in range(0, len(unit), 1024):
        similar = unit[begin: begin + 1024] @ unit.T
        similar[np.arange(len(similar)), np.arange(begin, begin + len(similar))] = -2.0
        found[begin: begin + 1024] = similar.argmax(1)
    return found


def measure_files(files: dict[str, File], texts: Sequence[str]) -> dict[str, dict[str, float]]:
    """Return size, latency and throughput of open files, by name, called in turn."""
    return {name: {"file_mb": round(file.size / 1e6, 3), "onnx_latency_ms": round(own.model, 4),
                   "texts_per_second": round(own.texts, 1)}
            for (name, file), own in zip(files.items(), time_files(list(files.values()), texts), strict=True)}


def in_int8(path: Path, folder: Path) -> Path:
    """Make a file in int8, as `export.py --quantize int8` does, in a folder; return its path."""
    from src.export.quantization import int8_instructions, quantize_file

    quantize_file(path, folder / path.name, reduce_range=not int8_instructions())
    return folder / path.name


def scored_split(sts_dir: str) -> tuple[str, int]:
    """Return the split of STS-B that has scores, test before dev, and the number of its pairs.

    Raises:
        UserError: neither has.
    """
    from src.tasks import get_task

    task = get_task("STS-B")
    for split in ("test", "dev"):
        if split in task.splits_in(sts_dir):
            examples = list(task.read(sts_dir, split))
            if task.is_labelled(examples):
                return split, len(examples)
    raise UserError(f"--sts_dir {sts_dir} has no test or dev split with scores")


def similarity(embed: File, loaded: LoadedModel, sts_dir: str, split: str) -> float:
    """Return Spearman's correlation of a model's cosines with the scores of a split of STS-B."""
    from src.config import load_config
    from src.evaluate.embeddings import pair_outputs, read_pairs
    from src.evaluate.tasks import decode_options

    config = load_config(task__task_name="STS-B")
    task, pairs = read_pairs(loaded, sts_dir, "sts_dir", split, config)
    first, second = embed([each.text_a for each in pairs]), embed([each.text_b or "" for each in pairs])
    return task.score(pair_outputs(task, pairs, first, second), decode_options(config.task))["spearman"]


def measure(models: Sequence[tuple[str, str, str]], text: Path, sts_dir: str, seed: int) -> dict[str, Any]:
    """Return what goes into the JSON file; see the head of this file."""
    from src.checkpoints.checkpoint import load_model
    from src.export.artefacts import Compiled, write_onnx
    from src.export.quantization import int8_instructions, processor_name

    texts = list(dict.fromkeys(line for line in map(str.strip, read_text(text).split("\n")) if line))
    if len(texts) < 3:
        raise UserError(f"--text {text} has {len(texts)} different lines; expected 3 or more")
    split, pairs = scored_split(sts_dir) if sts_dir else ("", 0)
    found: dict[str, dict[str, Any]] = {}
    plain: dict[str, File] = {}
    int8: dict[str, File] = {}
    teacher = np.zeros(0)
    with tempfile.TemporaryDirectory(prefix="embedding-") as folder:
        for name, checkpoint, given in models:
            print(f"measuring {name}", flush=True)
            loaded, path = load_model(checkpoint, name), Path(given)
            if given == "-":
                path = Path(folder) / f"{name}.onnx"
                write_onnx(loaded, path, Compiled())
            embed = File(path, loaded)
            embeddings = embed(texts)
            teacher = teacher if found else embeddings
            correlation, recall = compare(embeddings, teacher, seed)
            found[name] = {"name": name, "spearman_to_teacher": correlation, "recall_at_1": recall,
                           "sts_test_spearman": None, "sts_dev_spearman": None}
            if split:
                found[name][f"sts_{split}_spearman"] = similarity(embed, loaded, sts_dir, split)
            if given != "-":
                plain[name], int8[name] = embed, File(in_int8(path, Path(folder)), loaded)
                found[name]["int8_spearman_to_teacher"] = compare(int8[name](texts), teacher, seed)[0]
        for prefix, files in (("", plain), ("int8_", int8)):
            for name, figures in measure_files(files, texts[:TEXTS]).items():
                found[name] |= {prefix + what: value for what, value in figures.items()}
    return {"texts": len(texts), "sts_split": split, "sts_pairs": pairs,
            "processor": processor_name(int8_instructions()), "models": list(found.values())}


def main(argv: list[str]) -> None:
    """Command line: measure and write JSON."""
    parser = OneLineParser("experiments.embedding.measure", __doc__.splitlines()[0])
    parser.add_argument("--model", action="append", required=True, nargs=3,
                        metavar=("NAME", "CHECKPOINT", "ONNX"), help="a model; repeatable, the teacher first")
    parser.add_argument("--text", type=Path, required=True, help="held-out text, one sentence a line")
    parser.add_argument("--sts_dir", default="", help="folder of STS-B")
    parser.add_argument("--seed", type=int, default=42, help="seed of the pairs (default: %(default)s)")
    parser.add_argument("--output", type=Path, required=True, help="JSON file to write")
    arguments = parser.parse_args(argv)
    write_json(arguments.output, measure(arguments.model, arguments.text, arguments.sts_dir, arguments.seed))


if __name__ == "__main__":
    run(main)
