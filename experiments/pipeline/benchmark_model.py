# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Latency and throughput of checkpoints, measured against each other.

    python -m experiments.pipeline.benchmark_model --model teacher=DIR --model student=DIR --text test.tsv \
        --output benchmark.json

All models are loaded in one process in graph mode and called in turn (A, B, A, B, ...), so that a slower moment of the
machine meets all of them; figures are medians over the rounds. A call takes int32 arrays padded to `--seq_length` in
host memory and ends when the logits are back in host memory. Tokenisation is not included.

A `--tfidf DIR` of experiments/quickstart/tfidf.py takes part with calls that start from raw text.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from experiments.quickstart.probe import encode
from experiments.quickstart.tfidf import load_tfidf, read_split
from src.common.arguments import OneLineParser, add_device_target
from src.common.errors import UserError, run
from src.common.files import write_json
from src.report.latency import measure

BATCH_SIZES = (1, 32)
SECONDS = 8.0  # for each batch size
Calls = dict[int, Callable[[], object]]
"""Batch size -> a call that takes as many texts through a model."""


def benchmark(models: dict[str, Calls], seq_length: int, seconds: float, output: Path) -> dict[str, dict[str, Any]]:
    """Measure models and write JSON; returns what stands under "models" there, by name.

    Latency is in milliseconds at batch 1, throughput in sentences per second at batch 32; with quartiles and rounds.
    """
    times = {}
    for size in BATCH_SIZES:
        print(f"batch {size}, sequence {seq_length}: compiling, then about {seconds:.0f} s", flush=True)
        times[size] = measure({name: calls[size] for name, calls in models.items()}, seconds)
    summary: dict[str, dict[str, Any]] = {}
    for name in models:
        low, latency, high = (float(value) * 1e3 for value in np.percentile(times[1][name], (25, 50, 75)))
        fast, middle, slow = (float(32 / value) for value in np.percentile(times[32][name], (25, 50, 75)))
        summary[name] = {
            "latency_ms_batch1": latency, "latency_ms_batch1_quartiles": [low, high],
            "sentences_per_second_batch32": middle, "sentences_per_second_batch32_quartiles": [slow, fast],
            "rounds_batch1": len(times[1][name]), "rounds_batch32": len(times[32][name])}
        print(f"{name:<36} {latency:9.2f} ms at batch 1   {middle:10.1f} sentences/s at batch 32")
    write_json(output, {"seq_length": seq_length, "batch_sizes": list(BATCH_SIZES), "models": summary})
    return summary


def model_calls(checkpoint: Path, texts: Sequence[str], seq_length: int, device_target: str) -> Calls:
    """Load a checkpoint and return its calls on the first texts."""
    import mindspore as ms

    from src.checkpoints.checkpoint import cell_of, load_model
    from src.config import load_config
    from src.device import set_up_device

    settings = load_config(device__device_target=device_target)
    device = set_up_device(settings.device, settings.seed)
    loaded = load_model(checkpoint)
    if loaded.config.head.kind == "none":
        raise UserError(f"checkpoint {checkpoint} has no head; expected a fine-tuned or distilled model")
    loaded.check_length(seq_length)
    model = cell_of(loaded, device.compute_type)
    arrays = encode(texts[:max(BATCH_SIZES)], loaded.tokenizer(), seq_length)

    def call(batch_size: int) -> np.ndarray:
        logits: np.ndarray = model(*(ms.Tensor(array[:batch_size]) for array in arrays)).asnumpy()
        return logits

    return {batch_size: partial(call, batch_size) for batch_size in BATCH_SIZES}


def main(argv: list[str]) -> None:
    """Command line: measure and write JSON."""
    parser = OneLineParser("experiments.pipeline.benchmark_model", __doc__.splitlines()[0])
    parser.add_argument("--model", action="append", required=True, metavar="NAME=DIR", help="a checkpoint; repeatable")
    parser.add_argument("--tfidf", type=Path, metavar="DIR", help="model written by experiments/quickstart/tfidf.py")
    parser.add_argument("--text", type=Path, required=True, help="TSV with a text column: what the models read")
    parser.add_argument("--seq_length", type=int, default=64, help="length that sentences are padded to")
    parser.add_argument("--output", type=Path, required=True, help="JSON file to write")
    add_device_target(parser)
    arguments = parser.parse_args(argv)
    texts = read_split(arguments.text.parent, arguments.text.stem)[0]
    if len(texts) < max(BATCH_SIZES):
        raise UserError(f"{arguments.text} has {len(texts)} rows; {max(BATCH_SIZES)} are needed for a batch")
    calls: dict[str, Calls] = {}
    for item in arguments.model:
        name, equals, directory = item.partition("=")
        if not (name and equals and directory) or name in calls:
            raise UserError(f"--model {item}: expected NAME=DIR with a new name")
        calls[name] = model_calls(Path(directory), texts, arguments.seq_length, arguments.device_target)
    if arguments.tfidf is not None:
        predict = load_tfidf(arguments.tfidf).predict
        calls["tfidf_logistic_regression"] = {size: partial(predict, texts[:size]) for size in BATCH_SIZES}
    benchmark(calls, arguments.seq_length, SECONDS, arguments.output)


if __name__ == "__main__":
    run(main)
