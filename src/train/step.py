# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The one train step: gradient, loss scale, accumulation, clipping, update."""

from __future__ import annotations

import mindspore as ms
from mindspore import Parameter, Tensor, nn, ops

from src.config import StageConfig
from src.device import Device
from src.distill.batch import PLACES
from src.distill.cell import DistillationCell
from src.models.kernels import MAXIMUM, SquareSum


class Gradients(nn.Cell):
    """Losses and gradients of one micro-batch, with respect to `variables`; compiled once for each length."""

    def __init__(self, network: DistillationCell, variables: ms.ParameterTuple):
        super().__init__(auto_prefix=False)
        self.network, self.columns = network, network.columns
        self.shape = None
        self.gradients = ms.value_and_grad(self._scaled_loss, None, variables, has_aux=True)

    def allow_any_number_of_places(self, scale: Tensor, *columns: Tensor) -> None:
        """Compile for every number K of predicted places, which changes from batch to batch, at once."""
        named = dict(zip(self.network.columns, columns, strict=True))
        shape = named["input_ids"].shape
        if shape == self.shape:
            return
        self.shape = shape
        self.set_inputs(scale, *(Tensor(shape=[None], dtype=column.dtype) if name in PLACES else column
                                 for name, column in named.items()))

    def _scaled_loss(self, batch, targets, scale):
        total, parts = self.network(batch, targets)
        return total * scale, total, parts

    def construct(self, scale: Tensor, *columns: Tensor) -> tuple:
        """Return total loss, its terms, and the gradients of the total times `scale`."""
        # The data pipeline gives tuples, and a graph knows no dict(zip(...)): here they get their names.
        batch = {self.columns[place]: columns[place] for place in range(len(columns))}
        targets = self.network.targets(batch)
        (_, total, parts), gradients = self.gradients(batch, targets, scale)
        return total, parts, gradients


class MeanOverRanks(nn.Cell):
    """The mean of each loss over the processes: what one process with all the rows would have."""

    def __init__(self, ranks: int):
        super().__init__()
        self.share = 1.0 / ranks
        self.all_reduce = ops.AllReduce()

    def construct(self, *losses: Tensor) -> tuple[Tensor, ...]:
        """Return the means of float32 scalars. One that is not finite anywhere is so everywhere."""
        means = self.all_reduce(ops.stack(losses)) * self.share
        result = ()
        for place in range(len(losses)):
            result += (means[place],)
        return result


class Update(nn.Cell):
    """What is done with the gradients; the same graph for every length.

    Gradients are averaged over the micro-steps and ranks, unscaled, checked (a step with a gradient that is not
    finite is skipped), clipped and applied. With float16 the loss scale moves as in Micikevicius et al.
    (arXiv:1710.03740); with float32 there is none. What is checked are the averages, so all ranks skip the same steps.

    The all-reduces of one optimiser step belong to one fusion group, which Ascend and GPU run as one (the attribute
    `fusion` that DistributedGradReducer sets). CPU runs one for each parameter.
    """

    def __init__(self, optimizer: nn.Optimizer, stage: StageConfig, device: Device):
        super().__init__(auto_prefix=False)
        self.optimizer = optimizer
        self.scaling = device.compute_type == ms.float16
        self.loss_scale = Parameter(Tensor(stage.loss_scale_value if self.scaling else 1.0, ms.float32),
                                    name="loss_scale", requires_grad=False)
        if self.scaling:
            self.adjust_scale = nn.DynamicLossScaleUpdateCell(stage.loss_scale_value, stage.scale_factor,
                                                              stage.scale_window)
        self.accumulation = stage.gradient_accumulation_steps
        if self.accumulation > 1:
            self.sums = optimizer.parameters.clone(prefix="gradient_sum", init="zeros")
        self.square_sum = SquareSum()
        self.per_tensor = stage.clip == "per_tensor"
        self.max_grad_norm = stage.max_grad_norm
        self.distributed = device.ranks > 1
        if self.distributed:
            self.reducer = nn.DistributedGradReducer(optimizer.parameters, mean=True, degree=device.ranks)

    def construct(self, step: Tensor, *gradients: Tensor) -> tuple[Tensor, Tensor]:
        """Return whether an update was skipped (bool) and the learning rate (float32)."""
        rate = self.optimizer.learning_rate(self.optimizer.global_step)
        if self.accumulation == 1:
            return self._apply(gradients), rate
        skipped = ops.zeros((), ms.bool_)
        for place in range(len(self.sums)):
            ops.assign_add(self.sums[place], gradients[place])
        if (step + 1) % self.accumulation == 0:
            skipped = self._apply(self.sums)
            for place in range(len(self.sums)):
                ops.assign(self.sums[place], ops.zeros_like(self.sums[place]))
        return skipped, rate

    def _apply(self, gradients: tuple[Tensor, ...]) -> Tensor:
        if self.distributed:
            gradients = self.reducer(gradients)
        unscale = 1.0 / (self.loss_scale * self.accumulation)
        squares = ()
        for gradient in gradients:
            squares += (self.square_sum(gradient),)
        finite = ops.isfinite(ops.stack(squares).sum())  # squares of what is finite add up to what is finite
        overflow = ops.logical_not(finite)
        if self.scaling:
            self.adjust_scale(self.loss_scale, overflow)
        if finite:
            self.optimizer(self._clip(gradients, squares, unscale))
        return overflow

    def _clip(self, gradients: tuple[Tensor, ...], squares: tuple[Tensor, ...], unscale: Tensor) -> tuple[Tensor, ...]:
        clipped = ()
        whole = ops.sqrt(ops.stack(squares).sum()) * unscale
        for place in range(len(gradients)):
            norm = ops.sqrt(squares[place]) * unscale if self.per_tensor else whole
            clipped += (gradients[place] * (unscale * self._factor(norm)),)
        return clipped

    def _factor(self, norm: Tensor) -> Tensor:
        return self.max_grad_norm / MAXIMUM(norm, self.max_grad_norm)


class TrainStep(nn.Cell):
    """One micro-step; every `gradient_accumulation_steps`-th one updates the parameters.

    Where the device sinks batches this is one graph. Elsewhere gradients and update are two graphs, so that the
    update, half of the compilation, is compiled once and not once a length.
    """

    def __init__(self, network: DistillationCell, optimizer: nn.Optimizer, stage: StageConfig, device: Device):
        super().__init__(auto_prefix=False)
        self.gradients = Gradients(network, optimizer.parameters)
        self.update = Update(optimizer, stage, device)
        self.is_one_graph = device.sink
        self.distributed = device.ranks > 1
        if self.distributed:
            self.mean = MeanOverRanks(device.ranks)

    def __call__(self, *columns: Tensor) -> tuple:
        return super().__call__(*columns) if self.is_one_graph else self.construct(*columns)

    def construct(self, step: Tensor, *columns: Tensor) -> tuple:
        """Run one micro-step on the columns of src/distill/batch.py, in their order.

        Returns:
            total loss, terms (a tuple of scalars), both over all ranks, whether an update was skipped (bool), the loss
            scale used, the learning rate.
        """
        scale = self.update.loss_scale.value()
        if not self.is_one_graph and self.gradients.network.predicts_tokens:
            self.gradients.allow_any_number_of_places(scale, step, *columns)
        total, parts, gradients = self.gradients(scale, step, *columns)
        if self.distributed:
            means = self.mean(total, *parts)
            total, parts = means[0], means[1:]
        skipped, rate = self.update(step, *gradients)
        return total, parts, skipped, scale, rate
