# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""A model whose classes are put into another order: names and rows of the classifier together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from src.checkpoints.checkpoint import LoadedModel

CLASSIFIER = ("head.classifier.weight", "head.classifier.bias")
"""What has a row for each class; GPT-2's classifier of a whole row has no bias."""


def permuted_rows(parameters: Mapping[str, np.ndarray], order: Sequence[int]) -> dict[str, np.ndarray]:
    """Return parameters whose class n is what was class `order[n]`."""
    return {name: np.ascontiguousarray(value[list(order)]) if name in CLASSIFIER else value
            for name, value in parameters.items()}


def reordered(loaded: LoadedModel, order: Sequence[int]) -> LoadedModel:
    """Return the model whose class n is what was class `order[n]`, to be used so; its folder stays as it is."""
    labels = tuple(loaded.config.head.labels[place] for place in order)
    config = replace(loaded.config, head=replace(loaded.config.head, labels=labels))
    before = loaded.order or range(len(labels))
    return replace(loaded, config=config, parameters=permuted_rows(loaded.parameters, order),
                   order=tuple(before[place] for place in order))
