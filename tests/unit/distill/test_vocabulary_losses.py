# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The terms over a vocabulary and their gradients, against NumPy in float64 and against PyTorch."""

from __future__ import annotations

from collections.abc import Callable

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor

from src.distill import vocabulary_losses as losses
from tests.lazy import Lazy

torch = Lazy("torch")
F = Lazy("torch.nn.functional")

pytestmark = pytest.mark.medium

ROWS, VOCABULARY, BATCH, LENGTH, WIDTH = 30, 203, 3, 10, 24
GENERATOR = np.random.default_rng(3)
STUDENT, TEACHER = (GENERATOR.normal(0, 4, (ROWS, VOCABULARY)).astype(np.float32) for _ in range(2))
LABELS = GENERATOR.integers(0, VOCABULARY, ROWS).astype(np.int32)
WEIGHTS = (GENERATOR.random(ROWS) * (GENERATOR.random(ROWS) < 0.7)).astype(np.float32)
HIDDEN, ITS_HIDDEN = (GENERATOR.normal(0, 1, (BATCH, LENGTH, WIDTH)).astype(np.float32) for _ in range(2))
TOKENS = (np.arange(LENGTH) < np.array([10, 7, 4])[:, None]).astype(np.float32)
TOKEN_WEIGHTS = (TOKENS / TOKENS.sum()).astype(np.float32)


def ours(function: Callable, x: np.ndarray, *others: np.ndarray) -> tuple[float, np.ndarray]:
    """Value and gradient to x of function(x, *others), compiled."""
    value, gradient = ms.jit(ms.value_and_grad(function, 0))(Tensor(x), *(Tensor(other) for other in others))
    assert value.dtype == ms.float32
    return float(value), gradient.asnumpy()


def of_torch(function: Callable, x: np.ndarray) -> tuple[float, np.ndarray]:
    """The same of PyTorch, in float64."""
    x = torch.tensor(x, dtype=torch.float64, requires_grad=True)
    value = function(x)
    value.backward()
    return value.item(), x.grad.numpy()


def assert_same(actual: tuple[float, np.ndarray], expected: tuple[float, np.ndarray], bound: float = 1e-5) -> None:
    """Values and gradients agree, relative to the value and to the gradient's largest entry."""
    assert actual[0] == pytest.approx(expected[0], rel=bound)
    assert np.abs(actual[1] - expected[1]).max() <= bound * np.abs(expected[1]).max()


def log_softmax(x: np.ndarray) -> np.ndarray:
    x = x.astype(np.float64) - x.max(-1, keepdims=True)
    return x - np.log(np.exp(x).sum(-1, keepdims=True))


def torch_kl(student: torch.Tensor, temperature: float) -> torch.Tensor:
    teacher = torch.log_softmax(torch.tensor(TEACHER).double() / temperature, -1)
    rows = F.kl_div(torch.log_softmax(student / temperature, -1), teacher, log_target=True, reduction="none").sum(-1)
    return (torch.tensor(WEIGHTS) * rows).sum() * temperature**2


@pytest.mark.parametrize("temperature", [1.0, 2.0, 3.5])
def test_kl_divergence(temperature):
    def function(student, teacher, weights):
        return losses.kl_divergence(student, teacher, weights, temperature)

    actual = ours(function, STUDENT, TEACHER, WEIGHTS)
    assert_same(actual, of_torch(lambda x: torch_kl(x, temperature), STUDENT))
    own, its = (log_softmax(x / temperature) for x in (STUDENT, TEACHER))
    value = temperature**2 * (WEIGHTS * (np.exp(its) * (its - own)).sum(-1)).sum()
    assert_same(actual, (value, temperature * WEIGHTS[:, None] * (np.exp(own) - np.exp(its))))


def test_token_cross_entropy():
    def theirs(x):
        rows = F.cross_entropy(x, torch.tensor(LABELS).long(), reduction="none")
        return (torch.tensor(WEIGHTS) * rows).sum()

    actual = ours(losses.token_cross_entropy, STUDENT, LABELS, WEIGHTS)
    assert_same(actual, of_torch(theirs, STUDENT))
    own, places = log_softmax(STUDENT), np.arange(ROWS)
    gradient = np.exp(own)
    gradient[places, LABELS] -= 1
    assert_same(actual, (-(WEIGHTS * own[places, LABELS]).sum(), gradient * WEIGHTS[:, None]))


def test_token_logits_mse():
    def theirs(x):
        return (torch.tensor(WEIGHTS) * F.mse_loss(x, torch.tensor(TEACHER).double(), reduction="none").sum(-1)).sum()

    actual = ours(losses.token_logits_mse, STUDENT, TEACHER, WEIGHTS)
    assert_same(actual, of_torch(theirs, STUDENT))
    difference = STUDENT.astype(np.float64) - TEACHER
    value = (WEIGHTS * (difference**2).sum(-1)).sum()
    assert_same(actual, (value, 2 * WEIGHTS[:, None] * difference))


def test_cosine_distance():
    def theirs(x):
        chosen = torch.tensor(TOKENS) > 0
        loss = torch.nn.CosineEmbeddingLoss(reduction="mean")
        return loss(x[chosen], torch.tensor(ITS_HIDDEN).double()[chosen], torch.ones(int(TOKENS.sum())))

    actual = ours(losses.cosine_distance, HIDDEN, ITS_HIDDEN, TOKEN_WEIGHTS)
    assert_same(actual, of_torch(theirs, HIDDEN))
    own, its = HIDDEN.astype(np.float64), ITS_HIDDEN.astype(np.float64)
    norms = np.linalg.norm(own, axis=-1) * np.linalg.norm(its, axis=-1)
    assert actual[0] == pytest.approx((TOKEN_WEIGHTS * (1 - (own * its).sum(-1) / norms)).sum(), rel=1e-5)


def test_cosine_of_a_zero_vector_is_zero():
    hidden = HIDDEN.copy()
    hidden[0, 0] = 0
    value, gradient = ours(losses.cosine_distance, hidden, ITS_HIDDEN, TOKEN_WEIGHTS)
    assert np.isfinite(value)
    assert np.isfinite(gradient).all()


def divergence(student, teacher, weights):
    return losses.kl_divergence(student, teacher, weights, 2.0)


TERMS = {
    "kl": (divergence, TEACHER),
    "cross_entropy": (losses.token_cross_entropy, LABELS),
    "mse": (losses.token_logits_mse, TEACHER),
}


@pytest.mark.parametrize("name", TERMS)
def test_rows_of_weight_zero_add_exactly_nothing(name):
    unused = WEIGHTS == 0
    assert 0 < unused.sum() < ROWS
    function, target = TERMS[name]
    value, gradient = ours(function, STUDENT, target, WEIGHTS)
    student, target = STUDENT.copy(), target.copy()
    student[unused] *= 1e30
    if name != "cross_entropy":
        target[unused] *= -1e29
    changed_value, changed_gradient = ours(function, student, target, WEIGHTS)
    assert changed_value == value
    assert (changed_gradient[unused] == 0).all()
    assert (changed_gradient[~unused] == gradient[~unused]).all()


def test_large_logits():
    student, teacher = STUDENT * 1000, TEACHER * 1000
    own, its = log_softmax(student / 2), log_softmax(teacher / 2)
    value, gradient = ours(divergence, student, teacher, WEIGHTS)
    assert_same((value, gradient), (4 * (WEIGHTS * (np.exp(its) * (its - own)).sum(-1)).sum(),
                                    2 * WEIGHTS[:, None] * (np.exp(own) - np.exp(its))))
    value, gradient = ours(losses.token_cross_entropy, student, LABELS, WEIGHTS)
    assert value == pytest.approx(-(WEIGHTS * log_softmax(student)[np.arange(ROWS), LABELS]).sum(), rel=1e-5)
    assert np.isfinite(gradient).all()


@pytest.mark.parametrize("name", TERMS)
def test_float16_logits_are_computed_in_float32(name):
    function, target = TERMS[name]
    half = STUDENT.astype(np.float16)
    value, gradient = ours(function, half, target, WEIGHTS)
    expected, expected_gradient = ours(function, half.astype(np.float32), target, WEIGHTS)
    assert value == expected
    assert gradient.dtype == np.float16
    assert np.allclose(gradient, expected_gradient, rtol=2e-3, atol=1e-6)


def test_one_graph_serves_every_count_of_rows():
    def total(student, teacher, labels, weights):
        entropy = losses.token_cross_entropy(student, labels, weights)
        square = losses.token_logits_mse(student, teacher, weights)
        return divergence(student, teacher, weights) + entropy + square

    class Dynamic(ms.nn.Cell):
        def __init__(self):
            super().__init__()
            self.gradient = ms.value_and_grad(total, 0)

        def construct(self, student, teacher, labels, weights):
            return self.gradient(student, teacher, labels, weights)

    ms.set_context(mode=ms.GRAPH_MODE)
    cell = Dynamic()
    logits = Tensor(shape=[None, VOCABULARY], dtype=ms.float32)
    cell.set_inputs(logits, logits, Tensor(shape=[None], dtype=ms.int32), Tensor(shape=[None], dtype=ms.float32))
    static = ms.jit(ms.value_and_grad(total, 0))
    for rows in (30, 7, 19):
        columns = [Tensor(x[:rows]) for x in (STUDENT, TEACHER, LABELS, WEIGHTS)]
        for actual, expected in zip(cell(*columns), static(*columns), strict=True):
            assert np.allclose(actual.asnumpy(), expected.asnumpy(), rtol=1e-6, atol=1e-7)


# The objective of the reference, restated: every token mean is taken over a selection.
MASK = TOKENS.astype(bool)
PREDICTED = (GENERATOR.random(MASK.shape) < 0.3) & MASK
PREDICTED[0, 0] = True


def reference(student: torch.Tensor, hidden: torch.Tensor, alphas: dict[str, float], restricted: bool) -> torch.Tensor:
    tokens, predicted = torch.tensor(MASK), torch.tensor(PREDICTED)
    selection = predicted if restricted else tokens
    student = student.view(BATCH, LENGTH, -1)
    labels = torch.tensor(LABELS).long().view(BATCH, LENGTH)
    chosen, teacher = student[selection], torch.tensor(TEACHER).double().view(BATCH, LENGTH, -1)[selection]
    own, its = hidden[tokens], torch.tensor(ITS_HIDDEN).double()[tokens]
    terms = {
        "ce": F.kl_div(F.log_softmax(chosen / 2.0, -1), F.softmax(teacher / 2.0, -1), reduction="batchmean") * 4.0,
        "mlm": F.cross_entropy(student[predicted], labels[predicted]),
        "mse": F.mse_loss(chosen, teacher, reduction="sum") / len(chosen),
        "cos": F.cosine_embedding_loss(own, its, torch.ones(len(own))),
    }
    return sum(weight * terms[name] for name, weight in alphas.items())


@pytest.mark.parametrize("restricted", [False, True])
@pytest.mark.parametrize("alphas", [{"ce": 5.0, "mlm": 2.0, "cos": 1.0}, {"ce": 0.33, "mlm": 0.33, "cos": 0.33},
                                    {"ce": 0.5, "mlm": 0.5, "mse": 1e-3}])
def test_total_is_the_reference_s(alphas, restricted):
    predicted = (PREDICTED / PREDICTED.sum()).astype(np.float32).ravel()
    selected = predicted if restricted else TOKEN_WEIGHTS.ravel()

    def total(student, hidden, teacher, its_hidden, labels, selected, predicted, tokens):
        value = alphas["ce"] * divergence(student, teacher, selected)
        value = value + alphas["mlm"] * losses.token_cross_entropy(student, labels, predicted)
        if "mse" in alphas:
            value = value + alphas["mse"] * losses.token_logits_mse(student, teacher, selected)
        if "cos" in alphas:
            value = value + alphas["cos"] * losses.cosine_distance(hidden, its_hidden, tokens)
        return value

    arrays = (STUDENT, HIDDEN, TEACHER, ITS_HIDDEN, LABELS, selected, predicted, TOKEN_WEIGHTS)
    value, gradients = ms.jit(ms.value_and_grad(total, (0, 1)))(*map(Tensor, arrays))
    student, hidden = (torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in (STUDENT, HIDDEN))
    expected = reference(student, hidden, alphas, restricted)
    expected.backward()
    assert_same((float(value), gradients[0].asnumpy()), (expected.item(), student.grad.numpy()))
    if "cos" in alphas:
        assert_same((float(value), gradients[1].asnumpy()), (expected.item(), hidden.grad.numpy()))
