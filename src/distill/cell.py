# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The cell that is trained: a student, maybe a frozen teacher, and an objective."""

from __future__ import annotations

from typing import Any

import mindspore as ms
from mindspore import Tensor, nn, ops

from src.common.errors import UserError
from src.config import AnyEncoderConfig, EncoderConfig
from src.distill.batch import columns_of
from src.distill.layer_map import Pairs
from src.distill.objectives import Objective
from src.distill.terms import LOGITS, OUTPUTS, TEACHER
from src.models.dropout import Dropout
from src.models.encoder import linear
from src.models.heads import Model


class Projection(nn.Cell):
    """Student width to teacher width, with bias (TinyBERT's fit_dense), shared by the layers or one for each."""

    def __init__(self, pairs: Pairs, student: EncoderConfig, teacher: EncoderConfig, kind: str):
        super().__init__()
        count = 1 if kind == "shared" else len(pairs)
        self.layers = nn.CellList([
            linear(student.hidden_size, teacher.hidden_size, student.initializer_range) for _ in range(count)])
        chosen = {own: 0 if kind == "shared" else place for place, (own, _) in enumerate(pairs)}
        self.of_hidden = tuple(chosen.get(layer, -1) for layer in range(student.num_hidden_layers + 1))

    def construct(self, hidden: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Project the hidden states 0..L that the objective uses, (B, S, student) -> (B, S, teacher)."""
        projected = ()
        for layer in range(len(self.of_hidden)):
            if self.of_hidden[layer] < 0:
                projected += (hidden[layer],)
            else:
                projected += (self.layers[self.of_hidden[layer]](hidden[layer].astype(ms.float32)),)
        return projected


def make_projection(objective: Objective, student: AnyEncoderConfig, teacher: AnyEncoderConfig, kind: str
                    ) -> Projection | None:
    """Return the projection that an objective needs: none where the widths agree or no hidden states are compared."""
    if student.hidden_size == teacher.hidden_size or not objective.hidden_pairs:
        return None
    return Projection(objective.hidden_pairs, student, teacher, kind)


class InTurn(nn.Cell):
    """Returns logits and a loss as they are: what reads these logits is computed after the loss, and the gradient of
    the loss after that of the logits. So what one term makes of a vocabulary has left the memory before the next.
    """

    def construct(self, logits: Tensor, loss: Tensor) -> tuple[Tensor, Tensor]:
        return ops.depend(logits, loss), loss

    def bprop(self, logits: Tensor, loss: Tensor, out: tuple[Tensor, Tensor], dout: tuple[Tensor, Tensor]
              ) -> tuple[Tensor, Tensor]:
        return dout[0], ops.depend(dout[1], dout[0])


def freeze(teacher: Model) -> None:
    """Make a model a teacher: no parameter is trained, and dropout is off for good.

    A parent's `set_train(True)` reaches every cell below it, so evaluation mode alone would not last.
    """
    for parameter in teacher.get_parameters():
        parameter.requires_grad = False
    for _, cell in teacher.cells_and_names():
        if isinstance(cell, Dropout):
            cell.probability = 0.0


def freeze_parameters(model: Model, prefix: str) -> None:
    """Keep the parameters whose names begin with `prefix` as they are.

    Raises:
        UserError: the model has none.
    """
    chosen = [parameter for parameter in model.get_parameters() if parameter.name.startswith(prefix)]
    if not chosen:
        raise UserError(f"nothing to freeze: the model has no {prefix}*; leave the setting that freezes it out")
    for parameter in chosen:
        parameter.requires_grad = False


class DistillationCell(nn.Cell):
    """Student, teacher and objective in one cell. Without a teacher it is fine-tuning.

    The teacher is frozen and runs outside of the differentiated function (`targets`), so no gradient graph is built
    for it. Each term is given the outputs that it declares, and no others.

    Args:
        teacher: what the student learns from; None when the objective needs none.
        projection: projects hidden states; None when widths agree.
        cached: there is no teacher here: its logits, computed before, are a column of the batch.
        partly_labelled: some rows have no label; what each weighs in the losses of labels is a column of the batch.
    """

    def __init__(self, student: Model, objective: Objective, teacher: Model | None = None,
                 projection: Projection | None = None, cached: bool = False, partly_labelled: bool = False):
        super().__init__()
        self.student, self.objective = student, objective
        self._freeze_unreached(objective)
        self.cached = cached
        self.has_teacher = teacher is not None
        if teacher is not None:
            self.teacher = teacher
            freeze(teacher)
        self.has_projection = projection is not None
        if projection is not None:
            self.projection = projection
        self.predicts_tokens = objective.head.is_language_model
        self.in_turn = InTurn()
        self.columns = columns_of(self.predicts_tokens, cached, partly_labelled)
        self.term_names, self.learns = objective.names, objective.described
        self.functions = tuple(term.function for term in objective.terms)
        self.weights = tuple(float(weight) for weight in objective.weights)
        self.options = dict(objective.options)
        self.reads = tuple(tuple(name for name in OUTPUTS if name in term.needs) for term in objective.terms)
        self.compares = tuple(reads if TEACHER in term.needs else ()
                              for reads, term in zip(self.reads, objective.terms, strict=True))
        self.teacher_outputs, self.related = objective.teacher_outputs, objective.related
        self.reads_logits_only = objective.reads_logits_only
        self.runs_for_logits = student.can_train_first_only and all(reads == (LOGITS,) for reads in self.reads)
        self.update_parameters_name("")

    def _freeze_unreached(self, objective: Objective) -> None:
        """Leave out of the training what gets no gradient; weight decay would move it all the same."""
        unreached = []
        if self.student.has_pooler and not (objective.need(LOGITS) and self.student.is_pooled):
            unreached.append(self.student.encoder.pooler)
        if self.student.has_head and not objective.need(LOGITS):
            unreached.append(self.student.head)
        if objective.related and not objective.reads_last_hidden(self.student.encoder.depth):
            unreached.extend(self.student.encoder.behind_last(objective.related))
        for parameter in (p for cell in unreached for p in cell.get_parameters()):
            parameter.requires_grad = False

    def targets(self, batch: dict[str, Tensor]) -> dict[str, Any]:
        """Return the teacher's outputs that the terms read, by name; none without a teacher."""
        if self.cached:
            return {"logits": batch["teacher_logits"]}
        if not self.has_teacher:
            return {}
        outputs = self._run(self.teacher, batch, None, self.reads_logits_only)
        # Of what is handed to the gradient as a tuple, the compiler would keep every layer.
        for name in self.related:
            outputs[name] = outputs[name][self.options["relation_layer"] - 1]  # 0: the last
        return {name: ops.stop_gradient(outputs[name]) for name in self.teacher_outputs}

    def construct(self, batch: dict[str, Tensor], targets: dict[str, Any]) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Return the total loss and its terms before weighting, float32 scalars.

        Args:
            batch: the columns of src/distill/batch.py by name; COUNTS may be left out.
            targets: what `targets` returned.
        """
        outputs = self._run(self.student, batch, batch["step"], self.runs_for_logits)
        if self.has_projection:
            outputs["hidden"] = self.projection(outputs["hidden"])
        for name in self.related:
            outputs[name] = outputs[name][-1]
        total, parts = 0.0, ()
        for place in range(len(self.functions)):
            if self.predicts_tokens and place > 0:
                outputs["logits"], total = self.in_turn(outputs["logits"], total)
            student = {name: outputs[name] for name in self.reads[place]}
            teacher = {name: targets[name] for name in self.compares[place]}
            part = self.functions[place](student, teacher, batch, self.options)
            total = total + self.weights[place] * part
            parts += (part,)
        return total, parts

    def _run(self, model: Model, batch: dict[str, Tensor], step: Tensor | None, logits_only: bool) -> dict[str, Any]:
        positions = batch["positions"] if self.predicts_tokens else None
        inputs = (batch["input_ids"], batch["input_mask"], batch["segment_ids"], step, positions)
        return {"logits": model(*inputs)} if logits_only else model.with_layers(*inputs)
