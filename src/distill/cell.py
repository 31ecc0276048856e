# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The cell that is trained: a student, maybe a frozen teacher, and an objective."""

from __future__ import annotations

import mindspore as ms
from mindspore import Tensor, nn, ops
from mindspore.common.initializer import TruncatedNormal

from src.common.errors import UserError
from src.config import EncoderConfig
from src.distill.layer_map import Pairs
from src.distill.objectives import Objective
from src.models.dropout import Dropout
from src.models.heads import Model


class Projection(nn.Cell):
    """Student width to teacher width, with bias (TinyBERT's fit_dense), shared by the layers or one for each."""

    def __init__(self, pairs: Pairs, student: EncoderConfig, teacher: EncoderConfig, kind: str):
        super().__init__()
        count = 1 if kind == "shared" else len(pairs)
        self.layers = nn.CellList([
            nn.Dense(student.hidden_size, teacher.hidden_size, weight_init=TruncatedNormal(student.initializer_range),
                     bias_init="zeros") for _ in range(count)])
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


def make_projection(objective: Objective, student: EncoderConfig, teacher: EncoderConfig,
                    kind: str) -> Projection | None:
    """Return the projection that an objective needs: none where the widths agree or no hidden states are compared."""
    if student.hidden_size == teacher.hidden_size or not objective.hidden_pairs:
        return None
    return Projection(objective.hidden_pairs, student, teacher, kind)


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
    for it.

    Args:
        student: what is trained.
        objective: terms.
        teacher: what it learns from; None when the objective uses labels only.
        projection: projects hidden states; None when widths agree.
        cached: there is no teacher here: its logits, computed before, are the last of the labels.
    """

    def __init__(self, student: Model, objective: Objective, teacher: Model | None = None,
                 projection: Projection | None = None, cached: bool = False):
        super().__init__()
        self.student = student
        self._freeze_unreached(objective)
        self.cached = cached
        self.has_teacher = teacher is not None
        if teacher is not None:
            self.teacher = teacher
            freeze(teacher)
        self.has_projection = projection is not None
        if projection is not None:
            self.projection = projection
        self.predicts_tokens = objective.predicts_tokens
        self.term_names = objective.names
        self.functions = tuple(term.function for term in objective.terms)
        self.weights = tuple(float(term.weight) for term in objective.terms)
        self.update_parameters_name("")

    def _freeze_unreached(self, objective: Objective) -> None:
        """Leave out of the training what gets no gradient; weight decay would move it all the same."""
        unreached = []
        if self.student.has_pooler and not (objective.uses_logits and self.student.is_pooled):
            unreached.append(self.student.encoder.pooler)
        if self.student.has_head and not objective.uses_logits:
            unreached.append(self.student.head)
        for parameter in (p for cell in unreached for p in cell.get_parameters()):
            parameter.requires_grad = False

    def targets(self, input_ids: Tensor, input_mask: Tensor, segment_ids: Tensor, labels: tuple) -> tuple:
        """Run the teacher: (logits, hidden states, attention scores), or () without one; with stored logits these
        alone."""
        if self.cached:
            return labels[-1], (), ()
        if not self.has_teacher:
            return ()
        positions = labels[0] if self.predicts_tokens else None
        logits, hidden, scores = self.teacher.with_layers(input_ids, input_mask, segment_ids, None, positions)
        return ops.stop_gradient(logits), ops.stop_gradient(hidden), ops.stop_gradient(scores)

    def construct(self, input_ids: Tensor, input_mask: Tensor, segment_ids: Tensor, labels: tuple[Tensor, ...],
                  step: Tensor, targets: tuple) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Return the total loss and its terms before weighting, float32 scalars.

        Args:
            input_ids, input_mask, segment_ids: int32 (B, S).
            labels: what the rows are labelled with: label_ids (B, 1), int32 or float32, and the counts of the step;
                or the columns of language modelling (see src/dataset/language_model.py), the places that are predicted
                first; with stored logits these too, the last.
            step: int32 scalar, the micro-step, for dropout.
            targets: what `targets` returned.
        """
        positions = labels[0] if self.predicts_tokens else None
        logits, hidden, scores = self.student.with_layers(input_ids, input_mask, segment_ids, step, positions)
        if self.has_projection:
            hidden = self.projection(hidden)
        student, batch = (logits, hidden, scores), (input_mask, labels[:-1] if self.cached else labels)
        total, parts = 0.0, ()
        for place in range(len(self.functions)):
            part = self.functions[place](student, targets, batch)
            total = total + self.weights[place] * part
            parts += (part,)
        return total, parts
