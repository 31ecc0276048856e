# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Relations against the definition in NumPy, row by row and in float64; what is computed of the models; misfits."""

from __future__ import annotations

import re
from dataclasses import replace

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor

from src.config import BiLstmConfig, HeadConfig, ModelConfig, load_config
from src.distill.cell import DistillationCell
from src.distill.objectives import Objective, check_models, objective_of
from src.distill.relations import relation_divergence
from src.models.heads import build_model
from src.train.step import Gradients
from tests.kept_places import compiled_graphs
from tests.refusals import refused
from tests.tiny import STUDENT, TEACHER, random_batch

GENERATOR = np.random.default_rng(5)
MASK = np.array([[1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 0, 0], [1, 1, 0, 0, 0, 0]], np.int32)
HEADS = 6
OWN, ITS = (GENERATOR.standard_normal((3, 6, width)).astype(np.float32) for width in (24, 48))
NOISE = 50.0 * (1 - MASK[:, :, None])


def relations(x: np.ndarray) -> np.ndarray:
    """Of the real tokens (n, H) of one row: (A, n, n)."""
    found = []
    for part in np.split(x.astype(np.float64), HEADS, axis=1):
        scores = part @ part.T / np.sqrt(part.shape[1])
        e = np.exp(scores - scores.max(1, keepdims=True))
        found.append(e / e.sum(1, keepdims=True))
    return np.stack(found)


def expected(student: np.ndarray, teacher: np.ndarray, count: float | None = None) -> float:
    total = 0.0
    for own, its, n in zip(student, teacher, MASK.sum(1), strict=True):
        r_own, r_its = relations(own[:n]), relations(its[:n])
        total += (r_its * np.log(r_its / r_own)).sum()
    return total / HEADS / (MASK.sum() if count is None else count)


def divergence(student: np.ndarray, teacher: np.ndarray, count: float | None = None) -> Tensor:
    given = () if count is None else (Tensor(count, ms.float32),)
    return relation_divergence(Tensor(student), Tensor(teacher), Tensor(MASK), HEADS, *given)


@pytest.mark.parametrize("count", [None, 5.0])
def test_value_is_that_of_the_definition(count):
    assert abs(float(divergence(OWN, ITS, count)) - expected(OWN, ITS, count)) <= 1e-6
    assert abs(float(divergence(OWN + NOISE, ITS - NOISE, count)) - expected(OWN, ITS, count)) <= 1e-6
    assert abs(float(divergence(ITS[:, :, ::-1].copy(), ITS[:, :, ::-1].copy(), count))) <= 1e-6


@pytest.mark.medium
@pytest.mark.parametrize(("mode", "at_once"), [(ms.GRAPH_MODE, 1), (ms.PYNATIVE_MODE, 1 << 22)])
def test_gradient_is_the_slope(mode, at_once, graph_mode, monkeypatch):
    monkeypatch.setattr("src.distill.relations._AT_ONCE", at_once)  # 1: in nine parts
    ms.set_context(mode=mode)

    def tripled(x: Tensor) -> Tensor:
        return 3.0 * relation_divergence(x, Tensor(ITS), Tensor(MASK), HEADS)

    value, gradient = ms.value_and_grad(tripled)(Tensor((OWN + NOISE).astype(np.float32)))
    assert abs(float(value) - 3 * expected(OWN, ITS)) <= 3e-6
    gradient = gradient.asnumpy()
    assert not gradient[MASK == 0].any()
    for place in ((0, 1, 0), (0, 5, 23), (1, 0, 9), (1, 3, 4), (2, 1, 13)):
        step = np.zeros(OWN.shape)
        step[place] = 1e-5
        slope = 3 * (expected(OWN + step, ITS) - expected(OWN - step, ITS)) / 2e-5
        assert abs(gradient[place] - slope) <= 1e-6


def cell_of(layer: int | str, **weights: float) -> DistillationCell:
    """A student of 2 layers x 16 and 2 heads, and a teacher of 3 x 32 and 4 heads."""
    stage = replace(load_config().general_distill, **{
        "attention_weight": 0.0, "hidden_weight": 0.0, "relation_weight": 1.0, "relation_heads": 8,
        "relation_layer": layer, **weights})
    objective = objective_of(stage, HeadConfig(), ((1, 2),))
    ms.set_seed(3)
    student, teacher = (build_model(ModelConfig(replace(each, hidden_dropout_prob=0.0))) for each in (
        replace(STUDENT, num_attention_heads=2), replace(TEACHER, num_hidden_layers=3)))
    return DistillationCell(student, objective, teacher)


def batch(rows: slice = slice(None)) -> dict[str, Tensor]:
    columns = ("input_ids", "input_mask", "segment_ids")
    return {"step": Tensor(0, ms.int32), **dict(zip(columns, (Tensor(each[rows]) for each in random_batch()[:3]),
                                                    strict=True))}


@pytest.mark.medium
def test_parts_of_a_step_are_the_step():
    cell, whole = cell_of("last"), batch()
    rows = whole["input_ids"].shape[0]
    _, parts = cell(whole, cell.targets(whole))
    count = Tensor(float(whole["input_mask"].asnumpy().sum()) / 2, ms.float32)
    halves = [batch(half) | {"token_count": count} for half in (slice(rows // 2), slice(rows // 2, None))]
    means = np.mean([[float(part) for part in cell(half, cell.targets(half))[1]] for half in halves], axis=0)
    assert np.abs(means - [float(part) for part in parts]).max() <= 1e-6


@pytest.mark.medium
@pytest.mark.parametrize("layer", [2, "last"])
def test_nothing_above_what_is_read_is_computed_or_trained(layer, graph_mode, tmp_path):
    cell = cell_of(layer)
    trained = {parameter.name for parameter in cell.trainable_params()}
    last = {name.split("layers.1.")[1] for name in trained if "layers.1." in name}
    assert last == {f"attention.{name}.{kind}" for name in ("query", "key", "value") for kind in ("weight", "bias")}
    step = Gradients(cell, ms.ParameterTuple(cell.trainable_params()))
    graphs = compiled_graphs(tmp_path, lambda: step(Tensor(1.0), *batch().values()))
    attended = sum(len(re.findall(r" = PrimFunc_Softmax\(", graph)) for graph in graphs)
    normed = sum(len(re.findall(r" = PrimFunc_LayerNorm\(", graph)) for graph in graphs)
    below = (3 if layer == "last" else layer) - 1 + 1  # layers of teacher and student
    assert (attended, normed) == (below, 2 * below + 2)


def test_other_terms_train_what_they_read():
    def trained(cell: DistillationCell) -> bool:
        return any("layers.1.output" in parameter.name for parameter in cell.trainable_params())

    assert not trained(cell_of("last", hidden_weight=1.0))  # which compares layer 1 of the student
    deep = cell_of("last")
    options = {**deep.objective.options, "pairs": ((2, 4),)}
    hidden = objective_of(load_config().general_distill, HeadConfig(), ((2, 4),)).terms[1:2]
    assert trained(DistillationCell(build_model(ModelConfig(STUDENT)), Objective(
        HeadConfig(), (*deep.objective.terms, *hidden), (1.0,) * 4, options), build_model(ModelConfig(TEACHER))))


@pytest.mark.parametrize(("settings", "student", "message"), [
    ({"relation_heads": 48}, STUDENT, "^relation_heads 48 does not divide the teacher's width 32 and the "
     "student's width 16; what divides both widths is 1, 2, 4, 8, 16: set relation_heads to one of these$"),
    ({"relation_heads": 16}, replace(STUDENT, hidden_size=24), "16 does not .*student.s width 24;.*4, 8:"),
    ({"relation_layer": 5}, STUDENT, "^relation_layer is 5, but the teacher has 4 layers; set it to one of 1 to 4, or"),
    ({}, BiLstmConfig(9, 8, 8, 8, 1, "max", 0.1), "compares layers, which a BiLSTM has not; leave out")])
def test_misfits_are_refused(settings, student, message):
    weights = {"attention_weight": 0.0, "hidden_weight": 0.0, "relation_weight": 1.0, "relation_heads": 8}
    objective = objective_of(replace(load_config().general_distill, **weights | settings), HeadConfig())
    refused(message, check_models, objective, ModelConfig(TEACHER), ModelConfig(student))
