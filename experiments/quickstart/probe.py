# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""A logistic regression as the classification head of a frozen encoder: the student before task distillation.

    python -m experiments.quickstart.probe --checkpoint GENERAL_STUDENT --data_dir TASK --output DIR

A general-distilled student has no classifier, and a randomly initialised one says nothing; so a logistic regression is
fitted on its frozen pooled [CLS] output for the training rows, with the regularisation chosen on dev. It is stored as
the head of a checkpoint directory, which eval.py, export.py and the benchmark treat like any other model.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from experiments.quickstart.tfidf import fit_on_dev, read_split
from src.common.arguments import OneLineParser, add_device_target
from src.common.errors import run
from src.config import HeadConfig, load_config
from src.config.model import INPUTS

if TYPE_CHECKING:
    from sklearn.linear_model import LogisticRegression

    from src.checkpoints.checkpoint import LoadedModel
    from src.text.tokenization import Tokenizer


def batches_by_length(lengths: np.ndarray, tokens: int) -> Iterable[np.ndarray]:
    """Yield row indices, shortest rows first, so that each batch padded to its longest row has at most `tokens`."""
    order = np.argsort(lengths, kind="stable")
    start = 0
    while start < len(order):
        end = start + 1
        while end < len(order) and (end + 1 - start) * lengths[order[end]] <= tokens:
            end += 1
        yield order[start:end]
        start = end


def head_weights(model: LogisticRegression, mean: np.ndarray, scale: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return (weight (classes, H), bias (classes,)) float32 that act on features which are not standardised.

    scikit-learn keeps one row for two classes, the score of the second; it is shared out to ±1/2, which leaves the
    difference of the two logits, and so the probabilities, as they are.
    """
    weight, bias = model.coef_, model.intercept_
    if len(weight) == 1:
        weight, bias = np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
    weight = weight / scale
    return weight.astype(np.float32), (bias - weight @ mean).astype(np.float32)


def encode(texts: Sequence[str], tokenizer: Tokenizer, seq_length: int) -> list[np.ndarray]:
    """Return input_ids, input_mask and segment_ids of [CLS] text [SEP], int32 (len(texts), seq_length) each."""
    from src.tasks.text_encoding import encode_texts
    from src.tasks.texts import TextExample

    examples = [TextExample(text, None, None, line) for line, text in enumerate(texts)]
    features = encode_texts(examples, tokenizer, seq_length)
    return [features.values[name].astype(np.int32) for name in INPUTS]


def pooled_features(encoder: LoadedModel, texts: Sequence[str], seq_length: int, device_target: str) -> np.ndarray:
    """Return the pooled output (tanh of a dense layer on [CLS]) of a frozen encoder, (len(texts), H) float32."""
    import mindspore as ms

    from src.checkpoints.checkpoint import cell_of
    from src.device import set_up_device

    settings = load_config(device__device_target=device_target)
    model = cell_of(encoder, set_up_device(settings.device, settings.seed).compute_type)
    # One compilation for all lengths.
    model.set_inputs(*(ms.Tensor(shape=[None, None], dtype=ms.int32) for _ in range(3)))
    arrays = encode(texts, encoder.tokenizer(), seq_length)
    lengths = arrays[1].sum(axis=1)
    features = np.zeros((len(lengths), encoder.config.encoder.hidden_size), dtype=np.float32)
    for batch in batches_by_length(lengths, tokens=64 * seq_length):
        _, pooled = model(*(ms.Tensor(array[batch, :lengths[batch[-1]]]) for array in arrays))
        features[batch] = pooled.asnumpy()
    return features


def probe(checkpoint: Path, data_dir: Path, output: Path, seq_length: int, seed: int, device_target: str) -> float:
    """Fit the head on the frozen encoder of `checkpoint`, write the checkpoint `output`; returns accuracy on dev."""
    from src.checkpoints.checkpoint import load_model, save_model

    texts, targets, labels = read_split(data_dir, "train")
    dev_texts, dev_targets, _ = read_split(data_dir, "dev")
    loaded = load_model(checkpoint)
    parameters = {name: value for name, value in loaded.parameters.items() if name.startswith("encoder.")}
    encoder = replace(loaded, config=replace(loaded.config, head=HeadConfig()), parameters=parameters)
    features = pooled_features(encoder, [*texts, *dev_texts], seq_length, device_target)
    number = len(texts)
    mean, scale = features[:number].mean(axis=0), features[:number].std(axis=0) + 1e-6
    features = (features - mean) / scale
    model, accuracy = fit_on_dev(features[:number], targets, features[number:], dev_targets, seed)
    head = replace(loaded.config.head, kind="classification", labels=labels, pooled_activation="none")
    weight, bias = head_weights(model, mean, scale)
    save_model(output, replace(loaded.config, head=head, task_name="tsv"),
               parameters | {"head.classifier.weight": weight, "head.classifier.bias": bias}, loaded.tokenizer_path)
    return accuracy


def main(argv: list[str]) -> None:
    """Command line."""
    parser = OneLineParser("experiments.quickstart.probe", __doc__.splitlines()[0])
    parser.add_argument("--checkpoint", type=Path, required=True, help="checkpoint directory of the encoder")
    parser.add_argument("--data_dir", type=Path, required=True, help="folder with train.tsv and dev.tsv")
    parser.add_argument("--output", type=Path, required=True, help="checkpoint directory to write")
    parser.add_argument("--seq_length", type=int, default=64, help="longest sequence in tokens")
    parser.add_argument("--seed", type=int, default=42)
    add_device_target(parser)
    arguments = parser.parse_args(argv)
    accuracy = probe(arguments.checkpoint, arguments.data_dir, arguments.output, arguments.seq_length, arguments.seed,
                     arguments.device_target)
    print(f"logistic regression on the frozen pooled output: dev accuracy {accuracy:.4f}")


if __name__ == "__main__":
    run(main)
