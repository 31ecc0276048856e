# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Rows per second of a BiLSTM and of its teacher, in one process and turn by turn, so that both meet the same machine.

    python benchmarks/bilstm_throughput.py [--repeats 5]

Both have random weights, which take the same time as others: a BERT of 6 x 384 with heads of width 64 and 30522 tokens,
and the BiLSTM of section `bilstm` in default_config.yaml with embeddings of the teacher's width. Batches of 32 rows
without padding, float32.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from common import VOCABULARY, arguments, encoder, in_turn, seconds_of

ROWS, WIDTH = 32, 384


def main() -> None:
    """Print the table."""
    import mindspore as ms
    from mindspore import Tensor

    from src.config import HeadConfig, ModelConfig, load_config
    from src.models.heads import build_model

    options = arguments(__doc__, repeats=5)
    ms.set_context(mode=ms.GRAPH_MODE)
    student = load_config(bilstm__embedding_size=WIDTH).bilstm.encoder(VOCABULARY)
    models = [build_model(ModelConfig(made, HeadConfig("classification", ("0", "1"))))
              for made in (encoder(6, WIDTH, heads=WIDTH // 64), student)]

    def run(model: ms.nn.Cell, ids: np.ndarray) -> np.ndarray:
        return model(Tensor(ids), Tensor(np.ones_like(ids)), Tensor(np.zeros_like(ids))).asnumpy()

    print(f"{'length':>6} {'teacher, rows/s':>16} {'BiLSTM, rows/s':>15} {'ratio':>6}")
    for length in (32, 64, 128):
        ids = np.random.default_rng(0).integers(5, 10000, (ROWS, length)).astype(np.int32)
        timed = {place: partial(seconds_of, partial(run, model, ids)) for place, model in enumerate(models)}
        in_turn(timed, 1)  # compile
        its, own = (ROWS / min(seconds) for seconds in in_turn(timed, options.repeats).values())
        print(f"{length:>6} {its:>16.0f} {own:>15.0f} {own / its:>6.1f}", flush=True)


if __name__ == "__main__":
    main()
