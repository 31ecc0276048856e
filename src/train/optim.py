# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Learning rate and optimiser."""

from __future__ import annotations

import mindspore as ms
from mindspore import Tensor, nn, ops
from mindspore.nn.learning_rate_schedule import LearningRateSchedule

from src.config import StageConfig


class WarmUpDecay(LearningRateSchedule):
    """Linear warm-up, then polynomial decay or a constant.

    With s steps done, w warm-up steps and n steps in all:

        s < w:   learning_rate * (s + 1) / w
        s >= w:  end + (learning_rate - end) * (1 - (s - w) / (n - w))^power      (polynomial)
                 learning_rate                                                    (constant)
    """

    def __init__(self, stage: StageConfig, total_steps: int):
        super().__init__()
        self.peak, self.end, self.power = stage.learning_rate, stage.end_learning_rate, stage.power
        self.warmup_steps = float(int(total_steps * stage.warmup_proportion))
        self.decay_steps = float(max(1, total_steps - int(total_steps * stage.warmup_proportion)))
        self.constant = stage.lr_schedule == "constant"

    def construct(self, global_step: Tensor) -> Tensor:
        """Return the float32 learning rate of the step after `global_step` optimiser steps."""
        step = global_step.astype(ms.float32)
        if self.constant:
            later = self.peak * ops.ones_like(step)
        else:
            done = ops.clamp((step - self.warmup_steps) / self.decay_steps, 0.0, 1.0)
            later = self.end + (self.peak - self.end) * (1.0 - done) ** self.power
        if self.warmup_steps == 0:
            return later
        return ops.where(step < self.warmup_steps, self.peak * (step + 1.0) / self.warmup_steps, later)


def make_optimizer(stage: StageConfig, parameters: list[ms.Parameter], total_steps: int) -> nn.Optimizer:
    """Return AdamWeightDecay, BERT's Adam: decoupled decay, no bias correction.

    Biases and LayerNorm parameters are not decayed. Gradients must be taken with respect to `optimizer.parameters`,
    whose order differs from that given.
    """
    plain = [p for p in parameters if p.name.endswith((".bias", ".gamma", ".beta"))]
    names = {p.name for p in plain}
    decayed = [p for p in parameters if p.name not in names]
    groups = [{"params": group, "weight_decay": decay} for group, decay in ((decayed, stage.weight_decay), (plain, 0.0))
              if group]
    return nn.AdamWeightDecay(groups, learning_rate=WarmUpDecay(stage, total_steps), beta1=stage.beta1,
                              beta2=stage.beta2, eps=stage.eps)
