# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Rows per second of a BiLSTM and of its teacher, in one process and turn by turn, so that both meet the same machine.

python benchmarks/bilstm_throughput.py [--teacher DIR | --layers 6 --hidden 384] [--student DIR] [--batch_size 32]
    [--lengths 32,64,128] [--onnx] [--repeats 5]

Without checkpoints both are random, which takes the same time: a BERT with a head of width 64 and 30522 tokens, and the
BiLSTM of section `bilstm` in default_config.yaml with embeddings of the teacher's width. Rows have no padding. float32.
--onnx measures the exported graphs in ONNX Runtime too.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from common import arguments, encoder, in_turn, seconds_of

HEAD_WIDTH = 64


def main() -> None:
    """Print the table."""
    import mindspore as ms

    options = arguments(__doc__, teacher="", student="", layers=6, hidden=384, batch_size=32, lengths="32,64,128",
                        onnx=False, repeats=5)
    ms.set_context(mode=ms.GRAPH_MODE)
    runs = runners(options)
    print(f"{'':<12} {'length':>6} {'teacher, rows/s':>16} {'BiLSTM, rows/s':>15} {'ratio':>6}")
    for length in map(int, options.lengths.split(",")):
        ids = np.random.default_rng(0).integers(5, 10000, (options.batch_size, length)).astype(np.int32)
        for name, models in runs.items():
            timed = {place: partial(seconds_of, partial(model, ids)) for place, model in enumerate(models)}
            in_turn(timed, 1)  # compile
            its, own = (options.batch_size / min(seconds) for seconds in in_turn(timed, options.repeats).values())
            print(f"{name:<12} {length:>6} {its:>16.0f} {own:>15.0f} {own / its:>6.1f}", flush=True)


def runners(options: argparse.Namespace) -> dict[str, tuple[Callable, Callable]]:
    """Return what runs a batch through teacher and student, for each way of running them."""
    from src.checkpoints.checkpoint import LoadedModel, cell_of, load_model, parameters_of
    from src.config import HeadConfig, ModelConfig, load_config
    from src.models.heads import build_model

    def loaded(directory: str, config: ModelConfig) -> LoadedModel:
        if directory:
            return load_model(directory)
        return LoadedModel(Path("random"), config, parameters_of(build_model(config)), None)

    head = HeadConfig("classification", ("0", "1"))
    made = encoder(options.layers, options.hidden, heads=options.hidden // HEAD_WIDTH)
    teacher = loaded(options.teacher, ModelConfig(made, head))
    settings = load_config(bilstm__embedding_size=teacher.config.encoder.hidden_size).bilstm
    student = loaded(options.student, ModelConfig(settings.encoder(teacher.config.encoder.vocab_size), head))
    models = (teacher, student)
    runs: dict[str, Any] = {"MindSpore": tuple(graph_runner(cell_of(model)) for model in models)}
    if options.onnx:
        runs["ONNX Runtime"] = tuple(onnx_runner(model) for model in models)
    return runs


def graph_runner(cell: Callable) -> Callable[[np.ndarray], np.ndarray]:
    """Run ids (B, S) through a compiled cell."""
    from mindspore import Tensor

    def run(ids: np.ndarray) -> np.ndarray:
        mask = Tensor(np.ones_like(ids))
        return cell(Tensor(ids), mask, Tensor(np.zeros_like(ids))).asnumpy()

    return run


def onnx_runner(model: Any) -> Callable[[np.ndarray], np.ndarray]:
    """Run ids (B, S) through the exported graph."""
    import onnxruntime

    from src.export.onnx_graph import build_onnx

    session = onnxruntime.InferenceSession(build_onnx(model.config, model.parameters).SerializeToString(),
                                           providers=["CPUExecutionProvider"])

    def run(ids: np.ndarray) -> np.ndarray:
        values = {"input_ids": ids, "input_mask": np.ones_like(ids), "segment_ids": np.zeros_like(ids)}
        return session.run(None, {name: value.astype(np.int64) for name, value in values.items()})[0]

    return run


if __name__ == "__main__":
    main()
