# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The one train-step cell: gradient, loss scale, accumulation, clipping, update."""

from __future__ import annotations

import mindspore as ms
from mindspore import Parameter, Tensor, nn, ops

from src.config import StageConfig
from src.distill.cell import DistillationCell
from src.train.device import Device


class TrainStep(nn.Cell):
    """One micro-step; every `gradient_accumulation_steps`-th one updates the parameters.

    Gradients are averaged over the micro-steps, unscaled, checked (a step with a gradient that is not finite is
    skipped), clipped and applied. With float16 the loss scale moves as in Micikevicius et al. (arXiv:1710.03740);
    with float32 there is none.

    Args:
        network: what is trained.
        optimizer: see src/train/optim.py.
        stage: settings.
        device: compute type and ranks.
    """

    def __init__(self, network: DistillationCell, optimizer: nn.Optimizer, stage: StageConfig, device: Device):
        super().__init__(auto_prefix=False)
        self.network = network
        self.optimizer = optimizer
        self.variables = optimizer.parameters
        self.scaling = device.compute_type == ms.float16
        self.loss_scale = Parameter(Tensor(stage.loss_scale_value if self.scaling else 1.0, ms.float32),
                                    name="loss_scale", requires_grad=False)
        if self.scaling:
            self.adjust_scale = nn.DynamicLossScaleUpdateCell(stage.loss_scale_value, stage.scale_factor,
                                                              stage.scale_window)
        self.accumulation = stage.gradient_accumulation_steps
        if self.accumulation > 1:
            self.sums = self.variables.clone(prefix="gradient_sum", init="zeros")
        self.per_tensor = stage.clip == "per_tensor"
        self.max_grad_norm = stage.max_grad_norm
        self.reducer = nn.DistributedGradReducer(self.variables) if device.ranks > 1 else nn.Identity()
        self.distributed = device.ranks > 1
        self.gradients = ms.value_and_grad(self._scaled_loss, None, self.variables, has_aux=True)

    def _scaled_loss(self, input_ids, input_mask, segment_ids, label_ids, step, targets, scale):
        total, parts = self.network(input_ids, input_mask, segment_ids, label_ids, step, targets)
        return total * scale, total, parts

    def construct(self, input_ids: Tensor, input_mask: Tensor, segment_ids: Tensor, label_ids: Tensor,
                  step: Tensor) -> tuple:
        """Run one micro-step.

        Args:
            input_ids, input_mask, segment_ids: int32 (B, S).
            label_ids: int32 or float32 (B, 1); zeros where the data has none.
            step: int32 scalar, counts micro-steps from 0.

        Returns:
            total loss, terms (a tuple of scalars), whether the update was skipped (bool), loss scale, learning rate.
        """
        targets = self.network.targets(input_ids, input_mask, segment_ids)
        (_, total, parts), grads = self.gradients(input_ids, input_mask, segment_ids, label_ids, step, targets,
                                                  self.loss_scale)
        rate = self.optimizer.learning_rate(self.optimizer.global_step)
        skipped = ops.zeros((), ms.bool_)
        if self.accumulation == 1:
            skipped = self._update(grads)
        else:
            for place in range(len(self.sums)):
                ops.assign_add(self.sums[place], grads[place])
            if (step + 1) % self.accumulation == 0:
                skipped = self._update(self.sums)
                for place in range(len(self.sums)):
                    ops.assign(self.sums[place], ops.zeros_like(self.sums[place]))
        return total, parts, skipped, self.loss_scale.value(), rate

    def _update(self, grads: tuple[Tensor, ...]) -> Tensor:
        """Apply the gradients unless one is not finite; return whether the step was skipped."""
        if self.distributed:
            grads = self.reducer(grads)
        unscale = 1.0 / (self.loss_scale * self.accumulation)
        finite = ms.amp.all_finite(grads)
        overflow = ops.logical_not(finite)
        if self.scaling:
            self.adjust_scale(self.loss_scale, overflow)
        if finite:
            self.optimizer(self._clip(grads, unscale))
        return overflow

    def _clip(self, grads: tuple[Tensor, ...], unscale: Tensor) -> tuple[Tensor, ...]:
        clipped = ()
        if self.per_tensor:
            for grad in grads:
                norm = ops.sqrt((grad * grad).sum()) * unscale
                clipped += (grad * (unscale * self._factor(norm)),)
            return clipped
        square = 0.0
        for grad in grads:
            square = square + (grad * grad).sum()
        factor = unscale * self._factor(ops.sqrt(square) * unscale)
        for grad in grads:
            clipped += (grad * factor,)
        return clipped

    def _factor(self, norm: Tensor) -> Tensor:
        return self.max_grad_norm / ops.maximum(norm, self.max_grad_norm)
