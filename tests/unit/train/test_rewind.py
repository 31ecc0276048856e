# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""What a return to a checkpoint lowers, and when there is none any more."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import mindspore as ms
import pytest
from mindspore import Parameter, Tensor

import src.train.state as module
from src.common.errors import TrainingError, UserError
from src.config import load_config
from src.train.stage import Progress
from src.train.state import described, rewind
from tests.tiny import CPU


class Returns:
    """Returns of one stage to checkpoints that say how often it had returned by then, at which factor and scale."""

    def __init__(self, monkeypatch, scaling: bool):
        factor = Parameter(Tensor(1.0, ms.float32), name="factor")
        scale = Parameter(Tensor(1024.0 if scaling else 1.0, ms.float32), name="scale")
        optimizer = SimpleNamespace(learning_rate=SimpleNamespace(factor=factor))
        self.step_cell = SimpleNamespace(update=SimpleNamespace(scaling=scaling, loss_scale=scale, optimizer=optimizer))
        self.saved = (0, 1.0, float(scale.asnumpy()))

        def restore(*_):
            rewinds, *values = self.saved
            for parameter, value in zip((factor, scale), values, strict=True):
                parameter.set_data(Tensor(value, ms.float32))
            return Progress(micro_steps=4, rewinds=rewinds, seconds=1.0), "step-00000004"

        monkeypatch.setattr(module, "restore", restore)
        self.progress = Progress(micro_steps=7, seconds=3.0)

    def back(self, **settings) -> tuple[float, float]:
        """Return once; the learning rate's factor and the loss scale then."""
        self.progress = rewind("the loss is nan", replace(self.progress, micro_steps=7), self.step_cell,
                               SimpleNamespace(newest=lambda: "step-4"),
                               replace(load_config().checkpoint, **settings), CPU)
        assert (self.progress.micro_steps, self.progress.seconds) == (4, 3.0)
        return tuple(described(self.step_cell).values())

    def save(self) -> None:
        """A checkpoint of what is now."""
        self.saved = (self.progress.rewinds, *described(self.step_cell).values())


def test_float32_lowers_the_learning_rate_each_time(monkeypatch):
    returns = Returns(monkeypatch, scaling=False)
    assert returns.back() == (0.5, 1.0)
    assert returns.back() == (0.25, 1.0)  # to the same checkpoint
    returns.save()
    assert returns.back(rewind_factor=0.1) == (pytest.approx(0.025), 1.0)
    assert returns.progress.rewinds == 3
    with pytest.raises(TrainingError, match="the loss is nan .3 returns to a checkpoint did not help.; .*step-4"):
        returns.back()


def test_float16_lowers_the_loss_scale_first(monkeypatch):
    returns = Returns(monkeypatch, scaling=True)
    assert returns.back() == (1.0, 512.0)
    assert returns.back() == (0.5, 256.0)
    returns.save()
    assert returns.back() == (0.25, 128.0)


def test_a_stage_may_be_told_not_to_return(monkeypatch):
    with pytest.raises(TrainingError, match="^the loss is nan; the last good checkpoint is step-4$"):
        Returns(monkeypatch, scaling=False).back(max_rewinds=0)


def test_without_a_good_checkpoint_the_stage_ends(monkeypatch):
    returns = Returns(monkeypatch, scaling=False)
    monkeypatch.setattr(module, "restore", lambda *_: (_ for _ in ()).throw(UserError("all are damaged")))
    with pytest.raises(TrainingError, match="the loss is nan; all are damaged"):
        returns.back()
