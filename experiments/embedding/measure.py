# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""What embedding models are worth beside their teacher, and what their ONNX files weigh and take.

    python -m experiments.embedding.measure --model teacher CHECKPOINT FILE.onnx INT8.onnx --model student ... \
        --text held_out.txt --output measured.json [--sts_dir STS-B]

The first model is the teacher; `-` stands for a file that there is not. On the lines of the text, of which equal ones
count once: Spearman's correlation between a model's cosines and the teacher's of 20,000 random pairs, and how often the
teacher's nearest neighbour of a text is the model's too (recall@1). With --sts_dir: Spearman's correlation of the
cosines with the scores of STS-B, of its test split, and of its dev split. ONNX files are called in turn, on one thread:
the median of a call with one text, without tokenizer; and texts a second in batches of 32, sorted by length, with it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from src.common.arguments import OneLineParser, add_device_target
from src.common.errors import UserError, run
from src.common.files import read_text, write_json

PAIRS, TEXTS, BATCH = 20_000, 500, 32


def compare(own: np.ndarray, teacher: np.ndarray, seed: int) -> tuple[float, float]:
    """Return Spearman's correlation of cosines of random pairs of texts, and recall@1 of nearest neighbours.

    Args:
        own, teacher: embeddings of the same texts, (N, any width), N at least 3.
    """
    from src.evaluate.embeddings import cosines
    from src.tasks.metrics import spearman

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


def measure_files(files: dict[str, Path], loaded: dict[str, Any], texts: Sequence[str]) -> dict[str, dict[str, float]]:
    """Return size, latency and throughput of ONNX files, by name, called in turn."""
    from serving.rows import padded, text_row
    from src.export.artefacts import run_onnx

    inner = 0.0  # seconds of the last call of a session

    def caller(name: str) -> Callable[[Sequence[str]], None]:
        model, session = loaded[name], run_onnx(files[name], loaded[name].config, threads=1)
        tokenizer = model.tokenizer()

        def call(chosen: Sequence[str]) -> None:
            nonlocal inner
            rows = [text_row(ids, None, model.config.max_length, tokenizer.cls_id, tokenizer.sep_id)
                    for ids in tokenizer.encode_batch(list(chosen))]
            rows.sort(key=lambda row: len(row.ids))
            for begin in range(0, len(rows), BATCH):
                batch = padded(rows[begin: begin + BATCH], tokenizer.pad_id)._asdict()
                began = time.thread_time()
                session(batch)
                inner = time.thread_time() - began

        return call

    callers = {name: caller(name) for name in files}
    alone: dict[str, list[float]] = {name: [] for name in files}
    whole = dict.fromkeys(files, 0.0)
    for call in callers.values():
        call(texts[:BATCH])
    for begin in range(0, len(texts), 8 * BATCH):
        for name, call in callers.items():
            began = time.thread_time()
            call(texts[begin: begin + 8 * BATCH])
            whole[name] += time.thread_time() - began
    for text in texts:
        for name, call in callers.items():
            call([text])
            alone[name].append(inner)
    return {name: {"file_mb": round(path.stat().st_size / 1e6, 3),
                   "onnx_latency_ms": round(1e3 * float(np.median(alone[name])), 4),
                   "texts_per_second": round(len(texts) / whole[name], 1)} for name, path in files.items()}


def similarity(loaded: Any, sts_dir: Path, split: str, device_target: str) -> float | None:
    """Return Spearman's correlation on a split of STS-B; None where it has no scores."""
    from src.config import load_config
    from src.device import set_up_device
    from src.evaluate.embeddings import pair_similarities
    from src.evaluate.tasks import decode_options
    from src.records.columns import LABEL

    config = load_config(device__device_target=device_target, evaluate__data_dir=str(sts_dir), evaluate__split=split,
                         evaluate__similarity="cosine", task__task_name="STS-B")
    task, outputs = pair_similarities(loaded, config, set_up_device(config.device, config.seed))
    return task.score(outputs, decode_options(config.task))["spearman"] if LABEL in outputs.values else None


def measure(models: Sequence[tuple[str, str, str, str]], text: Path, sts_dir: str, seed: int, device_target: str
            ) -> dict[str, Any]:
    """Return what goes into the JSON file; see the head of this file."""
    from src.checkpoints.checkpoint import load_model
    from src.config import load_config
    from src.device import set_up_device
    from src.evaluate.embeddings import Embedder
    from src.export.quantization import int8_instructions, processor_name

    texts = list(dict.fromkeys(line for line in map(str.strip, read_text(text).split("\n")) if line))
    if len(texts) < 3:
        raise UserError(f"--text {text} has {len(texts)} different lines; expected 3 or more")
    config = load_config(device__device_target=device_target)
    device = set_up_device(config.device, config.seed)
    loaded = {name: load_model(checkpoint, name) for name, checkpoint, _, _ in models}
    found: list[dict[str, Any]] = []
    teacher = np.zeros(0)
    for name, model in loaded.items():
        length = min(config.data.seq_length, model.config.max_length)
        embeddings = Embedder(model, device, length, BATCH, config.data.buckets)(texts)
        teacher = embeddings if not found else teacher
        correlation, recall = compare(embeddings, teacher, seed)
        scores = {f"sts_{split}_spearman": similarity(model, Path(sts_dir), split, device_target) if sts_dir else None
                  for split in ("test", "dev")}
        found.append({"name": name, "spearman_to_teacher": correlation, "recall_at_1": recall, **scores})
    for kind, place in (("", 2), ("int8_", 3)):
        files = {each[0]: Path(each[place]) for each in models if each[place] != "-"}
        figures = measure_files(files, loaded, texts[:TEXTS]) if files else {}
        for each in found:
            each |= {kind + what: value for what, value in figures.get(each["name"], {}).items()}
    return {"texts": len(texts), "processor": processor_name(int8_instructions()), "models": found}


def main(argv: list[str]) -> None:
    """Command line: measure and write JSON."""
    parser = OneLineParser("experiments.embedding.measure", __doc__.splitlines()[0])
    parser.add_argument("--model", action="append", required=True, nargs=4,
                        metavar=("NAME", "CHECKPOINT", "ONNX", "INT8"), help="a model; repeatable, the teacher first")
    parser.add_argument("--text", type=Path, required=True, help="held-out text, one sentence a line")
    parser.add_argument("--sts_dir", default="", help="folder of STS-B")
    parser.add_argument("--seed", type=int, default=42, help="seed of the pairs (default: %(default)s)")
    parser.add_argument("--output", type=Path, required=True, help="JSON file to write")
    add_device_target(parser)
    arguments = parser.parse_args(argv)
    write_json(arguments.output, measure(arguments.model, arguments.text, arguments.sts_dir, arguments.seed,
                                         arguments.device_target))


if __name__ == "__main__":
    run(main)
