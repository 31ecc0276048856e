# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Importance of heads, units and layers against gradients that PyTorch takes of transformers' model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from src.checkpoints.checkpoint import load_model
from src.config import DataConfig, ModelConfig
from src.convert.huggingface import write_huggingface
from src.dataset import TrainingBatches, open_records
from src.pruning.importance import Sample, measure
from tests.lazy import Lazy
from tests.tiny import CPU, HEAD, TEACHER, make_world, save_random

torch = Lazy("torch")
transformers = Lazy("transformers")

pytestmark = pytest.mark.medium


def reference(folder: Path, batches: list[tuple[np.ndarray, ...]], soft: list[Any]) -> list[np.ndarray]:
    """|sum of activation x gradient|, mean over batches: of each layer, of the heads and of the units of each."""
    model = transformers.AutoModelForSequenceClassification.from_pretrained(folder).eval()
    totals: list[np.ndarray] = []
    for (_, ids, mask, segments, *_), target in zip(batches, soft, strict=True):
        seen: dict[str, Any] = {}

        def keep(name: str, value: Any, seen: dict[str, Any] = seen) -> None:
            value.retain_grad()
            seen[name] = value

        hooks = []
        for index, layer in enumerate(model.bert.encoder.layer):
            hooks += [
                layer.attention.output.dense.register_forward_pre_hook(
                    lambda _, given, index=index: keep(f"heads {index}", given[0])),
                layer.output.dense.register_forward_pre_hook(
                    lambda _, given, index=index: keep(f"units {index}", given[0])),
                layer.register_forward_pre_hook(lambda _, given, index=index: keep(f"into {index}", given[0])),
                layer.register_forward_hook(
                    lambda _, given, out, index=index: keep(f"layer {index}",
                                                            out[0] if isinstance(out, tuple) else out))]
        inputs = {"input_ids": ids, "attention_mask": mask, "token_type_ids": segments}
        logits = model(**{name: torch.tensor(value).long() for name, value in inputs.items()}).logits
        torch.nn.functional.cross_entropy(logits, target).backward()
        for hook in hooks:
            hook.remove()
        depth = len(model.bert.encoder.layer)
        found = [((seen[f"layer {i}"] - seen[f"into {i}"]) * seen[f"layer {i}"].grad).sum().reshape(1)
                 for i in range(depth)]
        for part, count in (("heads", TEACHER.num_attention_heads), ("units", TEACHER.intermediate_size)):
            for index in range(depth):
                value = seen[f"{part} {index}"]
                found.append((value * value.grad).sum((0, 1)).reshape(count, -1).sum(1))
        values = [each.detach().abs().numpy() / len(batches) for each in found]
        totals = [one + other for one, other in zip(totals, values, strict=True)] if totals else values
    return totals


def test_importance_is_that_of_pytorch(tmp_path: Path) -> None:
    world = make_world(tmp_path)
    model, teacher = load_model(world / "teacher"), load_model(
        save_random(tmp_path / "other", ModelConfig(TEACHER, HEAD, "SST-2"), world / "vocab", seed=5))
    rows = open_records(str(world / "records/task"), DataConfig(), "records", "task", "train")
    found = measure(model, rows, teacher, CPU, Sample(3, 8)).importances

    write_huggingface(model, tmp_path / "hf")
    write_huggingface(teacher, tmp_path / "teacher-hf")
    batches = list(TrainingBatches(rows, 8, 3, (16,), seed=0))
    its = transformers.AutoModelForSequenceClassification.from_pretrained(tmp_path / "teacher-hf").eval()
    with torch.no_grad():
        soft = [its(*(torch.tensor(column).long() for column in batch[1:4])).logits.softmax(-1) for batch in batches]
    expected = reference(tmp_path / "hf", batches, soft)
    for one, other in zip((*(found.layers[index: index + 1] for index in range(4)), *found.heads, *found.units),
                          expected, strict=True):
        assert np.abs(one - other).max() <= 1e-4 * np.abs(other).max() + 1e-7
