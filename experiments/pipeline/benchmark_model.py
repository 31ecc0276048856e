# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Latency and throughput of checkpoints, measured against each other.

    python -m experiments.pipeline.benchmark_model --model teacher=DIR --model student=DIR --text test.tsv \
        --output benchmark.json

All models are loaded in one process in graph mode and called in turn (A, B, A, B, ...), so that a slower moment of the
machine meets all of them; figures are medians over the rounds. A call takes int32 arrays padded to `--seq_length` in
host memory and ends when the logits are back in host memory. Tokenisation is not included.

`--tfidf DIR` takes part with a scikit-learn model of experiments/quickstart/tfidf.py, whose calls start from raw text.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from experiments.quickstart.probe import encode, pad
from experiments.quickstart.regression import read_rows
from experiments.quickstart.tfidf import load_tfidf
from src.common.arguments import OneLineParser, add_device_target
from src.common.errors import UserError, run
from src.common.files import write_json

BATCH_SIZES = (1, 32)
Calls = dict[int, Callable[[], object]]
"""Batch size -> a call that takes as many texts through a model."""
WARM_UP_CALLS = 3
MINIMUM_ROUNDS = 5


def measure(calls: dict[str, Callable[[], object]], seconds: float, clock: Callable[[], float] = time.perf_counter,
            ) -> dict[str, list[float]]:
    """Call each of `calls` in turn until `seconds` have passed, at least MINIMUM_ROUNDS times each.

    The order is turned round after each round, so that no call always follows the same other one.

    Returns:
        name -> seconds of each call; as many for each name.
    """
    for call in calls.values():
        for _ in range(WARM_UP_CALLS):
            call()
    times: dict[str, list[float]] = {name: [] for name in calls}
    names, end, rounds = list(calls), clock() + seconds, 0
    while rounds < MINIMUM_ROUNDS or clock() < end:
        for name in names:
            started = clock()
            calls[name]()
            times[name].append(clock() - started)
        names.reverse()
        rounds += 1
    return times


def summarise(times: dict[int, dict[str, list[float]]]) -> dict[str, dict[str, float]]:
    """Return latency in milliseconds at batch 1, sentences per second at batch 32, and quartiles and rounds of both.

    Args:
        times: batch size -> name -> seconds per call.
    """
    summary: dict[str, dict[str, float]] = {}
    for name in times[1]:
        one, many = np.asarray(times[1][name]), np.asarray(times[32][name])
        low, middle, high = np.percentile(many, (25, 50, 75))
        summary[name] = {
            "latency_ms_batch1": float(np.median(one) * 1e3),
            "latency_ms_batch1_quartiles": [float(q) for q in np.percentile(one, (25, 75)) * 1e3],
            "sentences_per_second_batch32": float(32 / middle),
            "sentences_per_second_batch32_quartiles": [float(32 / high), float(32 / low)],
            "rounds_batch1": len(one),
            "rounds_batch32": len(many),
        }
    return summary


def model_calls(checkpoint: Path, texts: Sequence[str], seq_length: int, device_target: str) -> Calls:
    """Load a checkpoint and return its calls on the first texts."""
    import mindspore as ms

    from src.checkpoints.checkpoint import cell_of, load_model
    from src.config import load_config
    from src.device import set_up_device

    device = set_up_device(load_config(device__device_target=device_target))
    loaded = load_model(checkpoint)
    if loaded.config.head.kind == "none" or loaded.tokenizer_path is None:
        raise UserError(f"checkpoint {checkpoint} has no head or no tokenizer; expected a fine-tuned or distilled "
                        "model")
    if seq_length > loaded.config.encoder.max_length:
        raise UserError(f"--seq_length {seq_length} is more than the {loaded.config.encoder.max_length} "
                        f"positions of {checkpoint}")
    model = cell_of(loaded, device.compute_type)
    rows, pad_id = encode(texts, loaded.tokenizer_path, seq_length)

    def call_with(batch_size: int) -> Callable[[], object]:
        arrays = pad(rows[:batch_size], seq_length, pad_id)
        return lambda: model(*(ms.Tensor(array) for array in arrays)).asnumpy()

    return {batch_size: call_with(batch_size) for batch_size in BATCH_SIZES}


def tfidf_calls(directory: Path, texts: Sequence[str]) -> Calls:
    """Load a TF-IDF model and return its calls on the first texts."""
    pipeline, _ = load_tfidf(directory)
    return {batch_size: (lambda batch=list(texts[:batch_size]): pipeline.predict(batch)) for batch_size in BATCH_SIZES}


def main(argv: list[str]) -> None:
    """Command line: measure and write JSON."""
    parser = OneLineParser("experiments.pipeline.benchmark_model", __doc__.splitlines()[0])
    parser.add_argument("--model", action="append", required=True, metavar="NAME=DIR", help="a checkpoint; repeatable")
    parser.add_argument("--tfidf", type=Path, metavar="DIR", help="model written by experiments/quickstart/baseline.py")
    parser.add_argument("--text", type=Path, required=True, help="TSV with a text column: what the models read")
    parser.add_argument("--seq_length", type=int, default=64, help="length that sentences are padded to")
    parser.add_argument("--seconds", type=float, default=15.0, help="time for each batch size")
    parser.add_argument("--output", type=Path, required=True, help="JSON file to write")
    add_device_target(parser)
    arguments = parser.parse_args(argv)
    texts = read_rows(arguments.text.parent, arguments.text.stem).texts
    if len(texts) < max(BATCH_SIZES):
        raise UserError(f"{arguments.text} has {len(texts)} rows; {max(BATCH_SIZES)} are needed for a batch")
    calls: dict[str, Calls] = {}
    for item in arguments.model:
        name, equals, directory = item.partition("=")
        if not (name and equals and directory) or name in calls:
            raise UserError(f"--model {item}: expected NAME=DIR with a new name")
        calls[name] = model_calls(Path(directory), texts, arguments.seq_length, arguments.device_target)
    if arguments.tfidf is not None:
        calls["tfidf_logistic_regression"] = tfidf_calls(arguments.tfidf, texts)
    times = {}
    for batch_size in BATCH_SIZES:
        print(f"batch {batch_size}, sequence {arguments.seq_length}: compiling, then about {arguments.seconds:.0f} s",
              flush=True)
        times[batch_size] = measure({name: by_size[batch_size] for name, by_size in calls.items()}, arguments.seconds)
    summary = summarise(times)
    write_json(arguments.output, {"seq_length": arguments.seq_length, "batch_sizes": list(BATCH_SIZES),
                                  "models": summary})
    for name, figures in summary.items():
        print(f"{name:<36} {figures['latency_ms_batch1']:9.2f} ms at batch 1   "
              f"{figures['sentences_per_second_batch32']:10.1f} sentences/s at batch 32")


if __name__ == "__main__":
    run(main)
