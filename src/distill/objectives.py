# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Objectives: lists of named, weighted terms over the outputs of student and teacher."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from mindspore import Tensor

from src.config import HeadConfig, LayerDistillConfig, PredictionDistillConfig
from src.distill.batch import COLUMNS
from src.distill.layer_map import Pairs
from src.distill.losses import attention_mse, cross_entropy, hidden_mse, logits_mse, soft_cross_entropy
from src.distill.position_losses import (
    span_cross_entropy,
    span_divergence,
    span_logits_mse,
    tag_cross_entropy,
    tag_logits_mse,
    tag_soft_cross_entropy,
)
from src.distill.vocabulary_losses import cosine_distance, kl_divergence, token_cross_entropy, token_logits_mse

Function = Callable[[tuple, tuple, tuple], Tensor]
# Names for places in the tuples of a graph, which knows no other kind of record: outputs of a model; what comes with a
# batch; the labels of a task, and the counts among them; the labels of a language model.
_LOGITS, _HIDDEN, _SCORES = 0, 1, 2
_MASK, _LABELS = 0, 1
_LABEL_IDS, _COUNTS = 0, 1
_TOKENS, _PAIRS, _LABELLED = 0, 1, 2
_, _TOKEN_IDS, _DISTILL_WEIGHTS, _LABEL_WEIGHTS, _TOKEN_WEIGHTS = range(len(COLUMNS))


class Term(NamedTuple):
    """One term of an objective.

    Attributes:
        name: as it appears in logs and metrics.
        function: `function(student, teacher, batch) -> scalar`. Student and teacher are (logits, hidden states 0..L,
            attention scores 1..L), with the student's hidden states projected to the teacher's width for the pairs of
            the objective; batch is (input_mask (B, S), labels), where labels are the columns that a batch ends in:
            (label_ids, counts), where label_ids are of the head's kind and counts, which may be left out, is COUNTS of
            src/dataset/training.py; or those of language modelling (src/dataset/language_model.py). Teacher is an empty
            tuple in fine-tuning.
        weight: factor in the total.
    """

    name: str
    function: Function
    weight: float


@dataclass(frozen=True)
class Objective:
    """A list of terms.

    Attributes:
        terms: what is added up.
        hidden_pairs: layer pairs whose hidden states are compared and so may need projecting.
        uses_logits: whether the head, and the pooler below it, get a gradient; they are not trained otherwise.
        predicts_tokens: whether logits are those of a language model, at the places that the batch names.
    """

    terms: tuple[Term, ...]
    hidden_pairs: Pairs = ()
    uses_logits: bool = True
    predicts_tokens: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the terms, in order."""
        return tuple(term.name for term in self.terms)


def layer_objective(stage: LayerDistillConfig, pairs: Pairs) -> Objective:
    """TinyBERT's general distillation and task phase 1: attention_mse + hidden_mse, each summed over its layers.

    A term of weight 0 is left out. Attention uses the pairs of transformer layers, hidden states all pairs.
    """
    reduction = stage.reduction
    attention_pairs = tuple((student, teacher) for student, teacher in pairs if student > 0)  # 0: the embeddings

    def attention(student, teacher, batch):
        total = 0.0
        for student_layer, teacher_layer in attention_pairs:
            total = total + attention_mse(student[_SCORES][student_layer - 1], teacher[_SCORES][teacher_layer - 1],
                                          batch[_MASK], reduction, _count(batch, _PAIRS))
        return total

    def hidden(student, teacher, batch):
        total = 0.0
        for student_layer, teacher_layer in pairs:
            total = total + hidden_mse(student[_HIDDEN][student_layer], teacher[_HIDDEN][teacher_layer], batch[_MASK],
                                       reduction, _count(batch, _TOKENS))
        return total

    terms = (Term("attention_mse", attention, stage.attention_weight), Term("hidden_mse", hidden, stage.hidden_weight))
    return Objective(tuple(term for term in terms if term.weight > 0), pairs if stage.hidden_weight > 0 else (),
                     uses_logits=False)


def prediction_objective(stage: PredictionDistillConfig, head: HeadConfig) -> Objective:
    """Task phase 2: the teacher's predictions, and the labels if wanted.

        classification  alpha_ce soft_cross_entropy + alpha_mse logits_mse + alpha_label cross_entropy
        tagging         the same at each token whose class is read
        span            alpha_ce kl_divergence (of start and end) + alpha_mse logits_mse + alpha_label cross_entropy
        regression      (alpha_ce + alpha_mse) logits_mse + alpha_label label_mse

    TinyBERT is alpha_ce 1, the BiLSTM of Tang et al. alpha_mse 1, DistilBERT's second step on SQuAD alpha_ce 0.5 and
    alpha_label 0.5. A term of weight 0 is left out.
    """
    soft, mse = _soft_terms(stage, head.kind)
    if head.kind == "regression":
        target = _to_label if stage.regression_target == "label" else _to_logits_of_row
        terms = (Term("logits_mse", target, stage.alpha_ce + stage.alpha_mse),
                 Term("label_mse", _to_label, stage.alpha_label))
    else:
        terms = (Term("kl_divergence" if head.kind == "span" else "soft_cross_entropy", soft, stage.alpha_ce),
                 Term("logits_mse", mse, stage.alpha_mse),
                 Term("cross_entropy", _HARD[head.kind], stage.alpha_label))
    return Objective(tuple(term for term in terms if term.weight > 0))


def _soft_terms(stage: PredictionDistillConfig, kind: str) -> tuple[Function, Function]:
    """Return the comparison of distributions, and that of logits, of a kind of head."""
    temperature, reduction = stage.temperature, stage.reduction
    if kind == "tagging":
        def of_tags(student, teacher, batch):
            return tag_soft_cross_entropy(student[_LOGITS], teacher[_LOGITS], batch[_LABELS][_LABEL_IDS], temperature,
                                          reduction, _count(batch, _LABELLED))

        return of_tags, _to_logits_of_tags
    if kind == "span":
        def of_span(student, teacher, batch):
            return span_divergence(student[_LOGITS], teacher[_LOGITS], batch[_MASK], temperature)

        return of_span, _to_logits_of_span

    # A graph's compiler finds no source of lambdas that share a statement.
    def of_row(student, teacher, batch):
        return soft_cross_entropy(student[_LOGITS], teacher[_LOGITS], temperature, reduction)

    return of_row, _to_logits_of_row


def language_objective(alphas: Mapping[str, float], temperature: float = 1.0) -> Objective:
    """The Distil* objective (Sanh et al., arXiv:1910.01108, section 2), or training of a language model alone.

        alpha_ce ce + alpha_mlm mlm + alpha_clm clm + alpha_mse mse + alpha_cos cos

    ce: divergence from the teacher's softened distribution, times T^2; mlm, clm: cross-entropy of the masked, the
    next token; mse: squared difference of the logits, summed over the vocabulary; cos: 1 - cosine of the last hidden
    states. Each is a mean over its tokens, of the whole optimiser step: the weights in the batch say which.

    Args:
        alphas: weights under the names alpha_ce, ...; a term of weight 0, or without one, is left out.
        temperature: T.
    """
    def ce(student, teacher, batch):
        return kl_divergence(student[_LOGITS], teacher[_LOGITS], batch[_LABELS][_DISTILL_WEIGHTS], temperature)

    functions = {"ce": ce, "mlm": _to_token, "clm": _to_token, "mse": _to_logits, "cos": _to_last_hidden}
    terms = tuple(Term(name, function, alphas[f"alpha_{name}"]) for name, function in functions.items()
                  if alphas.get(f"alpha_{name}", 0) > 0)
    return Objective(terms, uses_logits=any(term.name != "cos" for term in terms), predicts_tokens=True)


def _to_token(student, teacher, batch):
    return token_cross_entropy(student[_LOGITS], batch[_LABELS][_TOKEN_IDS], batch[_LABELS][_LABEL_WEIGHTS])


def _to_logits(student, teacher, batch):
    return token_logits_mse(student[_LOGITS], teacher[_LOGITS], batch[_LABELS][_DISTILL_WEIGHTS])


def _to_last_hidden(student, teacher, batch):
    return cosine_distance(student[_HIDDEN][-1], teacher[_HIDDEN][-1], batch[_LABELS][_TOKEN_WEIGHTS])


def label_objective(head: HeadConfig) -> Objective:
    """Fine-tuning: cross_entropy to the class, the tags, or start and end; logits_mse to the score."""
    name = "logits_mse" if head.kind == "regression" else "cross_entropy"
    return Objective((Term(name, _HARD[head.kind], 1.0),))


def _count(batch, place):
    return batch[_LABELS][_COUNTS][place] if len(batch[_LABELS]) > 1 else None


def _to_class(student, teacher, batch):
    return cross_entropy(student[_LOGITS], batch[_LABELS][_LABEL_IDS])


def _to_label(student, teacher, batch):
    return logits_mse(student[_LOGITS], batch[_LABELS][_LABEL_IDS])


def _to_tags(student, teacher, batch):
    return tag_cross_entropy(student[_LOGITS], batch[_LABELS][_LABEL_IDS], _count(batch, _LABELLED))


def _to_span(student, teacher, batch):
    return span_cross_entropy(student[_LOGITS], batch[_LABELS][_LABEL_IDS], batch[_MASK])


def _to_logits_of_row(student, teacher, batch):
    return logits_mse(student[_LOGITS], teacher[_LOGITS])


def _to_logits_of_tags(student, teacher, batch):
    return tag_logits_mse(student[_LOGITS], teacher[_LOGITS], batch[_LABELS][_LABEL_IDS], _count(batch, _LABELLED))


def _to_logits_of_span(student, teacher, batch):
    return span_logits_mse(student[_LOGITS], teacher[_LOGITS], batch[_MASK], _count(batch, _TOKENS))


_HARD: dict[str, Function] = {"classification": _to_class, "regression": _to_label, "tagging": _to_tags,
                              "span": _to_span}
"""What compares a head's logits with the labels."""
