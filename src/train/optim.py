# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Learning rate and optimiser."""

from __future__ import annotations

import mindspore as ms
from mindspore import Tensor, nn, ops
from mindspore.nn.learning_rate_schedule import LearningRateSchedule

from src.config import StageConfig

RATE_FACTOR = "learning_rate_factor"


def warmup_steps(stage: StageConfig, total_steps: int) -> int:
    """Return in how many steps the learning rate rises."""
    return int(total_steps * stage.warmup_proportion)


class WarmUpDecay(LearningRateSchedule):
    """Linear warm-up, then polynomial decay or a constant.

    With s steps done, w warm-up steps and n steps in all:

        s < w:   learning_rate * (s + 1) / w
        s >= w:  end + (learning_rate - end) * (1 - (s - w) / (n - w))^power      (polynomial)
                 learning_rate                                                    (constant)

    All of it times `factor`, 1 until a return to an earlier step lowers it (src/train/state.py).
    """

    def __init__(self, stage: StageConfig, total_steps: int):
        super().__init__()
        self.peak, self.end, self.power = stage.learning_rate, stage.end_learning_rate, stage.power
        self.set_length(stage, total_steps)
        self.constant = stage.lr_schedule == "constant"
        self.factor = ms.Parameter(Tensor(1.0, ms.float32), name=RATE_FACTOR, requires_grad=False)

    def set_length(self, stage: StageConfig, total_steps: int) -> None:
        """Say how many steps there are in all; before the first one is compiled."""
        self.warmup_steps = float(warmup_steps(stage, total_steps))
        self.decay_steps = float(max(1, total_steps - warmup_steps(stage, total_steps)))

    def construct(self, global_step: Tensor) -> Tensor:
        """Return the float32 learning rate of the step after `global_step` optimiser steps."""
        step = global_step.astype(ms.float32)
        if self.constant:
            later = self.peak * ops.ones_like(step)
        else:
            done = ops.clamp((step - self.warmup_steps) / self.decay_steps, 0.0, 1.0)
            later = self.end + (self.peak - self.end) * (1.0 - done) ** self.power
        if self.warmup_steps > 0:
            later = ops.where(step < self.warmup_steps, self.peak * (step + 1.0) / self.warmup_steps, later)
        return later * self.factor


class Adam(nn.Optimizer):
    """Adam with decoupled weight decay, on MindSpore's fused kernel, several times faster than its optimisers that
    decay so.

    With t steps done:

        p -= rate * weight_decay * p
        p -= rate * m_hat / (sqrt(v_hat) + eps)

    AdamW (Loshchilov & Hutter, arXiv:1711.05101), as in PyTorch, corrects the bias: m_hat = m / (1 - beta1^t),
    v_hat = v / (1 - beta2^t). BERT's own Adam does not: m_hat = m, v_hat = v (as nn.AdamWeightDecay).

    The kernel computes rate * sqrt(1 - beta2^t) / (1 - beta1^t) * m / (sqrt(v) + e), which is the same for
    e = eps * sqrt(1 - beta2^t); powers of zero correct nothing.
    """

    def __init__(self, groups: list[dict], stage: StageConfig, total_steps: int):
        super().__init__(WarmUpDecay(stage, total_steps), groups)
        self.beta1, self.beta2, self.eps = stage.beta1, stage.beta2, stage.eps
        self.corrects_bias = stage.optimizer == "adamw"
        if self.corrects_bias:
            self.beta1_power = ms.Parameter(Tensor(1.0, ms.float32), name="beta1_power", requires_grad=False)
            self.beta2_power = ms.Parameter(Tensor(1.0, ms.float32), name="beta2_power", requires_grad=False)
        self.moments1 = self.parameters.clone(prefix="adam_m", init="zeros")
        self.moments2 = self.parameters.clone(prefix="adam_v", init="zeros")
        decays = [decay for group in groups for decay in [group["weight_decay"]] * len(group["params"])]
        names = [p.name for group in groups for p in group["params"]]
        self.decays = tuple(dict(zip(names, decays, strict=True))[p.name] for p in self.parameters)
        self.kernel = ops.Adam()

    def construct(self, gradients: tuple[Tensor, ...]) -> bool:
        """Update the parameters, in the order of `self.parameters`."""
        rate = self.get_lr()
        ops.assign_add(self.global_step, self.global_step_increase_tensor)
        beta1_power, beta2_power, eps = 0.0, 0.0, self.eps
        if self.corrects_bias:
            beta1_power = self.beta1_power * self.beta1
            beta2_power = self.beta2_power * self.beta2
            ops.assign(self.beta1_power, beta1_power)
            ops.assign(self.beta2_power, beta2_power)
            eps = self.eps * ops.sqrt(1.0 - beta2_power)
        for index in range(len(gradients)):
            parameter = self.parameters[index]
            if self.decays[index] > 0:
                ops.assign(parameter, parameter * (1.0 - rate * self.decays[index]))
            self.kernel(parameter, self.moments1[index], self.moments2[index], beta1_power, beta2_power, rate,
                        self.beta1, self.beta2, eps, gradients[index])
        return True


def make_optimizer(stage: StageConfig, parameters: list[ms.Parameter], total_steps: int) -> Adam:
    """Return the optimiser that `stage.optimizer` names.

    Biases and LayerNorm parameters are not decayed. Gradients must be taken with respect to `optimizer.parameters`,
    whose order differs from that given.
    """
    plain = [p for p in parameters if p.name.endswith((".bias", ".gamma", ".beta"))]
    names = {p.name for p in plain}
    decayed = [p for p in parameters if p.name not in names]
    return Adam([{"params": group, "weight_decay": decay} for group, decay in (
        (decayed, stage.weight_decay), (plain, 0.0)) if group], stage, total_steps)
