# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""A logistic regression as the classification head of a frozen encoder."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from experiments.quickstart.regression import class_ids, fit_on_dev, read_rows
from src.common.errors import UserError

if TYPE_CHECKING:
    from sklearn.linear_model import LogisticRegression


def batches_by_length(lengths: Sequence[int], tokens: int) -> Iterable[np.ndarray]:
    """Yield row indices, shortest rows first, so that each batch padded to its longest row has at most `tokens`."""
    order = np.argsort(np.asarray(lengths), kind="stable")
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


def encode(texts: Sequence[str], tokenizer_path: Path, seq_length: int) -> tuple[list[list[int]], int]:
    """Return [CLS] tokens [SEP] of each text, cut to `seq_length` tokens, and the padding id."""
    from src.text.tokenization import load_tokenizer

    tokenizer = load_tokenizer(tokenizer_path)
    rows = [[tokenizer.cls_id, *ids[:seq_length - 2], tokenizer.sep_id] for ids in tokenizer.encode_batch(list(texts))]
    return rows, tokenizer.pad_id


def pad(rows: Sequence[Sequence[int]], length: int, pad_id: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return input_ids, input_mask and segment_ids, int32 (len(rows), length)."""
    input_ids = np.full((len(rows), length), pad_id, dtype=np.int32)
    input_mask = np.zeros_like(input_ids)
    for i, row in enumerate(rows):
        input_ids[i, :len(row)] = row
        input_mask[i, :len(row)] = 1
    return input_ids, input_mask, np.zeros_like(input_ids)


def pooled_features(checkpoint: Path, texts: Sequence[str], seq_length: int, device_target: str) -> np.ndarray:
    """Return the frozen encoder's pooled output (tanh of a dense layer on [CLS]), (len(texts), H) float32."""
    import mindspore as ms

    from src.checkpoints.checkpoint import load_model, load_parameters
    from src.config import load_config
    from src.device import set_up_device
    from src.models.heads import build_model

    loaded = load_model(checkpoint)
    if loaded.tokenizer_path is None:
        raise UserError(f"checkpoint {checkpoint} has no tokenizer.json or vocab.txt; copy the teacher's into it")
    device = set_up_device(load_config(device__device_target=device_target))
    headless = replace(loaded.config, head=type(loaded.config.head)())
    model = build_model(headless, device.compute_type)
    load_parameters(model, {name: value for name, value in loaded.parameters.items() if name.startswith("encoder.")},
                    checkpoint)
    # One compilation for all lengths.
    model.set_inputs(*(ms.Tensor(shape=[None, None], dtype=ms.int32) for _ in range(3)))
    rows, pad_id = encode(texts, loaded.tokenizer_path, seq_length)
    lengths = [len(row) for row in rows]
    features = np.zeros((len(rows), loaded.config.encoder.hidden_size), dtype=np.float32)
    for batch in batches_by_length(lengths, tokens=64 * seq_length):
        arrays = pad([rows[i] for i in batch], lengths[batch[-1]], pad_id)
        _, pooled = model(*(ms.Tensor(array) for array in arrays))
        features[batch] = pooled.asnumpy()
    return features


def probe(checkpoint: Path, data_dir: Path, output: Path, seq_length: int, seed: int, device_target: str) -> float:
    """Fit the head on the frozen encoder of `checkpoint` and write the checkpoint directory `output`.

    Returns:
        accuracy on dev.
    """
    from src.checkpoints.checkpoint import load_model, save_model

    train, dev = read_rows(data_dir, "train"), read_rows(data_dir, "dev")
    labels = tuple(sorted(set(train.labels)))
    features = pooled_features(checkpoint, [*train.texts, *dev.texts], seq_length, device_target)
    mean, scale = features[:len(train.texts)].mean(axis=0), features[:len(train.texts)].std(axis=0) + 1e-6
    standardised = (features - mean) / scale
    model, accuracy = fit_on_dev(standardised[:len(train.texts)], class_ids(train, labels),
                                 standardised[len(train.texts):], class_ids(dev, labels), seed)
    loaded = load_model(checkpoint)
    head = replace(loaded.config.head, kind="classification", labels=labels, pooled_activation="none")
    weight, bias = head_weights(model, mean, scale)
    parameters = {name: value for name, value in loaded.parameters.items() if name.startswith("encoder.")}
    parameters |= {"head.classifier.weight": weight, "head.classifier.bias": bias}
    save_model(output, replace(loaded.config, head=head, task_name="tsv"), parameters, loaded.tokenizer_path)
    return accuracy
