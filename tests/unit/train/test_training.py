# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The train step: what moves, what stays, accumulation, clipping, loss scale, learning rate."""

from __future__ import annotations

from dataclasses import replace

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor, nn

from src.checkpoints.checkpoint import parameters_of
from src.config import ModelConfig, StageConfig, load_config
from src.device import Device
from src.distill.cell import DistillationCell, make_projection
from src.distill.layer_map import resolve_layer_map
from src.distill.objectives import objective_of
from src.models.dropout import keep_mask, make_dropout_stateless
from src.models.heads import build_model
from src.train.optim import WarmUpDecay, make_optimizer
from src.train.stage import best_line
from src.train.step import TrainStep
from tests import tiny
from tests.tiny import CPU, HEAD, random_batch

pytestmark = pytest.mark.medium
TEACHER, STUDENT = replace(tiny.TEACHER, num_hidden_layers=2), replace(tiny.STUDENT, num_hidden_layers=1)
PAIRS = resolve_layer_map("uniform", STUDENT.num_hidden_layers, TEACHER.num_hidden_layers)


def make_step(dropout: float = 0.1, device: Device = CPU, seed: int = 1, **stage):
    """A step cell of general distillation, with random teacher and student."""
    ms.set_seed(seed)
    model = ModelConfig(replace(STUDENT, hidden_dropout_prob=dropout, attention_probs_dropout_prob=dropout), HEAD)
    teacher = build_model(ModelConfig(TEACHER, HEAD), device.compute_type)
    student = build_model(model, device.compute_type)
    make_dropout_stateless(student, 5)
    settings = replace(load_config().general_distill, **{"learning_rate": 1e-3, "warmup_proportion": 0.0, **stage})
    terms = objective_of(settings, HEAD, PAIRS)
    network = DistillationCell(student, terms, teacher, make_projection(terms, STUDENT, TEACHER, "shared"))
    step = TrainStep(network, make_optimizer(settings, network.trainable_params(), 20), settings, device)
    step.set_train()
    return step


def run(step: TrainStep, batches: list, first: int = 0) -> list[tuple]:
    """Run micro-steps; return (total, terms, skipped, scale, rate) of each as Python numbers."""
    results = []
    for number, batch in enumerate(batches, first):
        total, terms, skipped, scale, rate = step(Tensor(number, ms.int32), *map(Tensor, batch))
        results.append((float(total), [float(t) for t in terms], bool(skipped), float(scale), float(rate)))
    return results


def test_projection_learns_and_the_teacher_stays():
    step = make_step()
    teacher = parameters_of(step, "teacher.")
    projection = parameters_of(step, "projection.")
    run(step, [random_batch()] * 3)
    after = parameters_of(step, "teacher.")
    assert all(np.array_equal(teacher[name], after[name]) for name in teacher)
    assert set(projection) == {"layers.0.weight", "layers.0.bias"}
    assert not any(np.array_equal(projection[name], parameters_of(step, "projection.")[name]) for name in projection)
    assert not any(name.startswith("teacher.") for name in (p.name for p in step.update.optimizer.parameters))


def test_the_teacher_has_no_dropout_in_a_training_cell():
    step = make_step()
    network = step.gradients.network
    batch = dict(zip(network.columns, map(Tensor, (0, *random_batch())), strict=False))
    first, second = (network.targets(batch)["hidden"][1].asnumpy() for _ in range(2))
    assert np.array_equal(first, second)


def test_phase_without_logits_leaves_pooler_and_head_alone():
    step = make_step(weight_decay=0.1)
    before = parameters_of(step, "student.")
    run(step, [random_batch()] * 2)
    after = parameters_of(step, "student.")
    for name in ("encoder.pooler.weight", "head.classifier.weight"):
        assert np.array_equal(before[name], after[name])


def test_accumulation_equals_a_larger_batch():
    whole = random_batch(rows=8, padding=0)
    halves = [tuple(column[part] for column in whole) for part in (slice(0, 4), slice(4, 8))]
    one = make_step(dropout=0.0, batch_size=8)
    two = make_step(dropout=0.0, batch_size=4, gradient_accumulation_steps=2)
    ones = [loss for loss, *_ in run(one, [whole] * 3)]
    twos = [loss for loss, *_ in run(two, halves * 3)]
    assert np.allclose(np.reshape(twos, (3, 2)).mean(1), ones, rtol=1e-5)
    student = parameters_of(one, "student.")
    other = parameters_of(two, "student.")
    # Adam divides by the root of tiny second moments, so rounding shows more in parameters than in losses.
    assert max(np.abs(student[name] - other[name]).max() for name in student) < 2e-5


def test_dropout_is_a_function_of_seed_and_step():
    batch = random_batch()
    step = make_step(learning_rate=1e-9, end_learning_rate=0.0)
    first, second = (loss for loss, *_ in run(step, [batch, batch]))
    again = [loss for loss, *_ in run(step, [batch, batch])]
    assert first != second  # another step, another mask
    assert again == pytest.approx([first, second], rel=1e-6)


def test_keep_mask():
    mask = keep_mask(1, 2, 3, (200, 300), 0.1)
    assert mask.dtype == np.float32
    assert set(np.unique(mask)) == {np.float32(0), mask.max()}
    assert (mask == 0).mean() == pytest.approx(0.1, abs=0.004)  # three standard errors
    assert mask.mean() == pytest.approx(1.0, abs=0.005)
    assert np.array_equal(mask, keep_mask(1, 2, 3, (200, 300), 0.1))
    for other in ((2, 2, 3), (1, 3, 3), (1, 2, 4)):
        assert (mask != keep_mask(*other, (200, 300), 0.1)).mean() > 0.1


@pytest.mark.parametrize("clip", ["per_tensor", "global"])
def test_clipping(clip):
    """With a tiny limit on the norm, Adam's first moment after one step shows the clipped gradient."""
    limit = 1e-3
    step = make_step(dropout=0.0, clip=clip, max_grad_norm=limit)
    run(step, [random_batch()])
    moments = {name: value / 0.1 for name, value in parameters_of(step, "adam_m.").items()}  # (1 - beta1) * gradient
    norms = {name: float(np.linalg.norm(value)) for name, value in moments.items()}
    if clip == "global":
        assert np.sqrt(sum(norm ** 2 for norm in norms.values())) == pytest.approx(limit, rel=1e-4)
    else:
        assert max(norms.values()) == pytest.approx(limit, rel=1e-4)
        assert sum(norm > 0.99 * limit for norm in norms.values()) > 5


def test_a_step_that_is_not_finite_is_skipped():
    step = make_step(dropout=0.0)
    weight = step.gradients.network.student.encoder.layers[0].output.bias
    weight.set_data(Tensor(np.full(weight.shape, np.nan, np.float32)))
    before = parameters_of(step, "student.")
    ((_, _, skipped, *_),) = run(step, [random_batch()])
    after = parameters_of(step, "student.")
    assert skipped
    assert all(np.array_equal(before[name], after[name], equal_nan=True) for name in before)


def test_float16_overflow_halves_the_loss_scale():
    step = make_step(dropout=0.0, device=Device("CPU", ms.float16, sink=False), loss_scale_value=2.0 ** 40,
                     scale_window=2)
    results = run(step, [random_batch()] * 3)
    assert [skipped for _, _, skipped, *_ in results] == [True] * 3
    assert [scale for *_, scale, _ in results] == [2.0 ** 40, 2.0 ** 39, 2.0 ** 38]


def test_float16_trains_near_float32():
    batch = random_batch()
    half = run(make_step(dropout=0.0, device=Device("CPU", ms.float16, sink=False), loss_scale_value=256), [batch] * 4)
    full = run(make_step(dropout=0.0), [batch] * 4)
    assert [loss for loss, *_ in half] == pytest.approx([loss for loss, *_ in full], rel=5e-3)


def test_one_graph_equals_two():
    batch = random_batch()
    two = run(make_step(), [batch] * 2)
    one = run(make_step(device=Device("CPU", ms.float32, sink=True)), [batch] * 2)
    assert [loss for loss, *_ in one] == pytest.approx([loss for loss, *_ in two], rel=1e-6)


def test_learning_rate():
    stage = replace(load_config().general_distill, learning_rate=1.0, end_learning_rate=0.1, warmup_proportion=0.2,
                    power=2.0)
    schedule = WarmUpDecay(stage, 10)
    rates = [float(schedule(Tensor(step, ms.int32))) for step in range(11)]
    expected = [0.5, 1.0] + [0.1 + 0.9 * (1 - (step - 2) / 8) ** 2 for step in range(2, 11)]
    assert rates == pytest.approx(expected, rel=1e-5)
    constant = WarmUpDecay(replace(stage, lr_schedule="constant", warmup_proportion=0.0), 10)
    assert [float(constant(Tensor(step, ms.int32))) for step in (0, 5, 9)] == [1.0, 1.0, 1.0]


def test_only_weights_are_decayed():
    step = make_step()
    optimizer = step.update.optimizer
    decayed = {p.name for p, decay in zip(optimizer.parameters, optimizer.decays, strict=True) if decay}
    assert decayed
    assert not any(name.endswith((".bias", ".gamma", ".beta")) for name in decayed)
    assert {p.name for p in optimizer.parameters} - decayed == {
        p.name for p in optimizer.parameters if p.name.endswith((".bias", ".gamma", ".beta"))}


def adam(settings: StageConfig, steps: int = 20) -> tuple[dict, list[dict], dict, nn.Optimizer]:
    """Start, gradients and end of some steps; small gradients, where the place of eps in the formula shows."""
    generator = np.random.default_rng(0)
    start = {"x.weight": generator.normal(size=(7, 5)), "x.bias": generator.normal(size=5)}
    parameters = [ms.Parameter(Tensor(value, ms.float32), name=name) for name, value in start.items()]
    optimizer, gradients = make_optimizer(settings, parameters, steps), []
    for _ in range(steps):
        gradients.append({name: generator.normal(size=value.shape) * 1e-5 for name, value in start.items()})
        optimizer(tuple(Tensor(gradients[-1][parameter.name], ms.float32) for parameter in optimizer.parameters))
    return start, gradients, {parameter.name: parameter.asnumpy() for parameter in parameters}, optimizer


DECAYED = {"learning_rate": 1e-2, "weight_decay": 0.1, "warmup_proportion": 0.3}


def test_adamw_is_that_of_pytorch():
    torch = pytest.importorskip("torch")
    settings = replace(load_config().token_distill, **DECAYED)
    start, gradients, found, optimizer = adam(settings)
    theirs = {name: torch.nn.Parameter(torch.tensor(value, dtype=torch.float32)) for name, value in start.items()}
    reference = torch.optim.AdamW([{"params": [theirs["x.weight"]], "weight_decay": 0.1},
                                   {"params": [theirs["x.bias"]], "weight_decay": 0.0}], betas=(0.9, 0.98), eps=1e-6)
    schedule = WarmUpDecay(settings, 20)
    for step, of_step in enumerate(gradients):
        for group in reference.param_groups:
            group["lr"] = float(schedule(Tensor(step, ms.int32)))
        for name, gradient in of_step.items():
            theirs[name].grad = torch.tensor(gradient, dtype=torch.float32)
        reference.step()
    for name, value in found.items():
        assert np.abs(value - theirs[name].detach().numpy()).max() < 1e-6
    assert int(optimizer.global_step.asnumpy()[0]) == 20


def test_adam_without_correction_is_that_of_bert():
    """Equations of the original code (optimization.py), in double precision; as nn.AdamWeightDecay."""
    settings = replace(load_config().general_distill, **DECAYED)
    assert settings.optimizer == "adam_weight_decay"
    start, gradients, found, optimizer = adam(settings)
    schedule = WarmUpDecay(settings, 20)
    for name, value in start.items():
        m, v = np.zeros_like(value), np.zeros_like(value)
        for step, of_step in enumerate(gradients):
            m = settings.beta1 * m + (1 - settings.beta1) * of_step[name]
            v = settings.beta2 * v + (1 - settings.beta2) * of_step[name] ** 2
            update = m / (np.sqrt(v) + settings.eps) + 0.1 * value * name.endswith("weight")
            value = value - float(schedule(Tensor(step, ms.int32))) * update
        assert np.abs(found[name] - value).max() < 3e-6  # 20 roundings of float32
    assert not {"beta1_power", "beta2_power"} & {parameter.name for parameter in optimizer.get_parameters()}


def test_the_best_value_is_told_as_the_reference_tells_it():
    assert best_line("accuracy", 0.8) == "The best acc is 0.800000"
    assert best_line("f1", 0.8) == "The best acc is 0.800000 (f1)"
