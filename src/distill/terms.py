# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The loss terms: a function and a row of TERMS each. Whoever has to know something about a term reads its row.

A function takes `student` and `teacher`, what the row needs of each by name (the student's hidden states projected to
the teacher's width where layers are compared); `batch`, the columns of src/distill/batch.py by name; and `options`, the
settings of the stage by name (see Objective). It is compiled into the graph of the step.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import mindspore as ms
from mindspore import Tensor

from src.common.errors import UserError
from src.config import EncoderConfig
from src.config.model import LEARNT_PAIRS, POSITIVE_PAIRS, SCORED_PAIRS
from src.distill.embedding_losses import (
    cosine_mse,
    embedding_cosine,
    embedding_mse,
    multiple_negatives,
    similarity_divergence,
)
from src.distill.losses import (
    attention_mse,
    cross_entropy,
    hidden_mse,
    label_mse,
    logits_mse,
    soft_cross_entropy,
    span_cross_entropy,
    span_divergence,
    span_logits_mse,
    tag_cross_entropy,
    tag_logits_mse,
    tag_soft_cross_entropy,
)
from src.distill.ranking_losses import list_divergence, margin_mse, relevance_cross_entropy, score_mse
from src.distill.relations import relation_divergence, relation_misfit
from src.distill.vocabulary_losses import cosine_distance, kl_divergence, token_cross_entropy, token_logits_mse

LOGITS, HIDDEN, SCORES, *_ = OUTPUTS = ("logits", "hidden", "scores", "queries", "keys", "values")
"""Outputs of a model: logits; hidden states 0..L; attention scores, queries, keys, values 1..L. See
src/models/heads.py."""
RELATED = ("queries", "keys", "values")
"""What relations are of. A term is given those of one layer: the student's last, the teacher's relation_layer."""
TEACHER, LAYERS = "teacher", "layers"
RANKING = "ranking"
"""Stands for the kind of a regression head whose rows are lists of documents, of options["list_size"] each."""
NEEDS = (*OUTPUTS, TEACHER, LAYERS)

Named = dict[str, Any]


@dataclass(frozen=True)
class Term:
    """One term of an objective.

    Attributes:
        name: as it appears in logs, metrics and settings; terms of one name serve different heads.
        title: of its curve, and its line of `--help`.
        function: `function(student, teacher, batch, options)` returns a float32 scalar.
        needs: of OUTPUTS, those that it reads; what no term reads is not trained. `teacher`: it reads them of the
            teacher too. `layers`: it compares pairs of layers, options["pairs"].
        heads: kinds of head of the student that it is for, RANKING, or LEARNT_PAIRS of an embedding; () for all.
        settings: settings of a stage that are its weight, added up; () for a term that is named in `terms`, or that is
            all of a fine-tuning on pairs.
        agree: settings of the encoder in which teacher and student must agree.
        causal: whether it means something for causal models.
        misfit: `misfit(options, teacher, student)` returns why it cannot compare these encoders otherwise, "" where it
            can.
    """

    name: str
    title: str
    function: Callable[[Named, Named, Named, Named], Tensor]
    needs: tuple[str, ...]
    heads: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    agree: tuple[str, ...] = ()
    causal: bool = True
    misfit: Callable[[Named, EncoderConfig, EncoderConfig], str] = lambda *_: ""

    def __post_init__(self) -> None:
        unknown = set(self.needs) - set(NEEDS)
        if unknown:
            raise UserError(f"term {self.name} needs {sorted(unknown)}; what a term can need is {', '.join(NEEDS)}")

    @property
    def described(self) -> str:
        """What it is called wherever a person reads it: its title, and its name in brackets."""
        return f"{self.title} [{self.name}]"

    def serves(self, head: str) -> bool:
        """Whether it is for a student with this kind of head."""
        return not self.heads or head in self.heads


def terms_help() -> str:
    """Return what `--help` says about the terms: title and name, and the settings that are its weight."""
    lines = {term.name: f"  {term.described:<64} {', '.join(term.settings) or 'terms'}" for term in TERMS
             if not set(term.heads) & set(LEARNT_PAIRS)}
    return "\n".join(["", "Loss terms, and the settings that are their weights; terms takes others, NAME=WEIGHT,...:",
                      *lines.values()])


def _taking(loss: Callable[..., Tensor], *places: str) -> Callable[[Named, Named, Named, Named], Tensor]:
    """Return the function of a term that is a loss of the values at these places; a count may be absent."""
    takes = tuple(tuple(place.split(".")) for place in places)

    def function(student: Named, teacher: Named, batch: Named, options: Named) -> Tensor:
        given = {"student": student, "teacher": teacher, "batch": batch, "options": options}
        arguments = ()
        for source, name in takes:
            arguments += (given[source][name] if name in given[source] else None,)
        return loss(*arguments)

    return function


def _of_first_numbers(loss: Callable[..., Tensor], *places: str) -> Callable[[Named, Named, Named, Named], Tensor]:
    """Return the function of a term on embeddings, summed over the widths options["matryoshka_dims"], of each vector's
    first numbers (Kusupati et al., arXiv:2205.13147); without any it is that of the whole vectors."""
    whole = _taking(loss, *places)

    def function(student: Named, teacher: Named, batch: Named, options: Named) -> Tensor:
        if not options["matryoshka_dims"]:
            return whole(student, teacher, batch, options)
        total = 0.0
        for width in options["matryoshka_dims"]:
            total = total + whole({"logits": student["logits"][:, :width]}, teacher, batch, options)
        return total

    return function


def _attention(student: Named, teacher: Named, batch: Named, options: Named) -> Tensor:
    total, count = 0.0, batch["pair_count"] if "pair_count" in batch else None
    for own, its in options["pairs"]:
        if own > 0:  # 0: the embeddings
            total = total + attention_mse(student["scores"][own - 1], teacher["scores"][its - 1], batch["input_mask"],
                                          options["reduction"], count)
    return total


def _hidden(student: Named, teacher: Named, batch: Named, options: Named) -> Tensor:
    total, count = 0.0, batch["token_count"] if "token_count" in batch else None
    for own, its in options["pairs"]:
        total = total + hidden_mse(student["hidden"][own], teacher["hidden"][its], batch["input_mask"],
                                   options["reduction"], count)
    return total


def _last_hidden(student: Named, teacher: Named, batch: Named, options: Named) -> Tensor:
    return cosine_distance(student["hidden"][-1], teacher["hidden"][-1], batch["token_weights"])


def _last_hidden_of_rows(student: Named, teacher: Named, batch: Named, options: Named) -> Tensor:
    mask = batch["input_mask"].astype(ms.float32)
    count = batch["token_count"] if "token_count" in batch else mask.sum()
    return cosine_distance(student["hidden"][-1], teacher["hidden"][-1], mask / count)


def _relations(name: str) -> Term:
    """Return the term that compares the relations of one kind of RELATED."""

    def function(student: Named, teacher: Named, batch: Named, options: Named) -> Tensor:
        return relation_divergence(student[name], teacher[name], batch["input_mask"], options["relation_heads"],
                                   batch["token_count"] if "token_count" in batch else None)

    one = {"queries": "query"}.get(name, name.removesuffix("s"))
    return Term(f"{one}_relations", f"Relations of {name}, divergence from the teacher's", function, (TEACHER, name),
                ("none", "embedding"), ("relation_weight",), misfit=relation_misfit)


_SOFT, _LABELS = "Soft cross-entropy with the teacher", "Cross-entropy with the labels"
_SQUARES, _COSINE = "Logits, mean squared error", "Last hidden states, 1 - cosine"
_BOTH = (TEACHER, LOGITS)
_OWN, _ITS, _LABEL, _MASK = "student.logits", "teacher.logits", "batch.label_ids", "batch.input_mask"
_WEIGHTS = "batch.row_weights"
_TEMPERATURE, _REDUCTION = "options.temperature", "options.reduction"
_LANGUAGE = ("masked_lm", "causal_lm")

# Their order is that of the sum and of the logs.
TERMS: list[Term] = [
    Term("attention_mse", "Attention scores, mean squared error", _attention, (TEACHER, SCORES, LAYERS),
         settings=("attention_weight",), agree=("num_attention_heads",), causal=False),
    Term("hidden_mse", "Hidden states, mean squared error", _hidden, (TEACHER, HIDDEN, LAYERS),
         settings=("hidden_weight",)),
    *map(_relations, RELATED),
    Term("soft_cross_entropy", _SOFT, _taking(soft_cross_entropy, _OWN, _ITS, _TEMPERATURE, _REDUCTION), _BOTH,
         ("classification",), ("alpha_ce",)),
    Term("soft_cross_entropy", _SOFT, _taking(tag_soft_cross_entropy, _OWN, _ITS, _LABEL, _TEMPERATURE, _REDUCTION,
                                              "batch.label_count"), _BOTH, ("tagging",), ("alpha_ce",)),
    Term("kl_divergence", "Divergence from the teacher's start and end",
         _taking(span_divergence, _OWN, _ITS, _MASK, _TEMPERATURE), _BOTH, ("span",), ("alpha_ce",)),
    Term("logits_mse", _SQUARES, _taking(logits_mse, _OWN, _ITS), _BOTH, ("classification",), ("alpha_logits_mse",)),
    Term("logits_mse", _SQUARES, _taking(logits_mse, _OWN, _ITS), _BOTH, ("regression",),
         ("alpha_ce", "alpha_logits_mse")),
    Term("logits_mse", _SQUARES, _taking(tag_logits_mse, _OWN, _ITS, _LABEL, "batch.label_count"), _BOTH, ("tagging",),
         ("alpha_logits_mse",)),
    Term("logits_mse", _SQUARES, _taking(span_logits_mse, _OWN, _ITS, _MASK, "batch.token_count"), _BOTH, ("span",),
         ("alpha_logits_mse",)),
    Term("cross_entropy", _LABELS, _taking(cross_entropy, _OWN, _LABEL, _WEIGHTS), (LOGITS,), ("classification",),
         ("alpha_label",)),
    Term("label_mse", "Labels, mean squared error", _taking(label_mse, _OWN, _LABEL, _WEIGHTS), (LOGITS,),
         ("regression",), ("alpha_label",)),
    Term("cross_entropy", _LABELS, _taking(tag_cross_entropy, _OWN, _LABEL, "batch.label_count", _WEIGHTS), (LOGITS,),
         ("tagging",), ("alpha_label",)),
    Term("cross_entropy", _LABELS, _taking(span_cross_entropy, _OWN, _LABEL, _MASK, _WEIGHTS), (LOGITS,), ("span",),
         ("alpha_label",)),
    Term("list_kl", "Divergence from the teacher's distribution over the documents",
         _taking(list_divergence, _OWN, _ITS, _MASK, _TEMPERATURE, "options.list_size"), _BOTH, (RANKING,),
         ("alpha_ce",)),
    Term("score_mse", "Scores of documents, mean squared error",
         _taking(score_mse, _OWN, _ITS, _MASK, "batch.label_count"), _BOTH, (RANKING,), ("alpha_logits_mse",)),
    Term("margin_mse", "Margins between documents, mean squared error",
         _taking(margin_mse, _OWN, _ITS, _LABEL, _MASK, "options.list_size"), _BOTH, (RANKING,)),
    Term("cross_entropy", _LABELS, _taking(relevance_cross_entropy, _OWN, _LABEL, _MASK, "batch.label_count"),
         (LOGITS,), (RANKING,), ("alpha_label",)),
    Term("ce", "Divergence from the teacher's softened distribution",
         _taking(kl_divergence, _OWN, _ITS, "batch.distill_weights", _TEMPERATURE), _BOTH, _LANGUAGE, ("alpha_ce",)),
    Term("mlm", "Cross-entropy of masked tokens", _taking(token_cross_entropy, _OWN, _LABEL, "batch.label_weights"),
         (LOGITS,), ("masked_lm",), ("alpha_mlm",)),
    Term("clm", "Cross-entropy of the next token", _taking(token_cross_entropy, _OWN, _LABEL, "batch.label_weights"),
         (LOGITS,), ("causal_lm",), ("alpha_clm",)),
    Term("mse", "Logits, squared difference", _taking(token_logits_mse, _OWN, _ITS, "batch.distill_weights"), _BOTH,
         _LANGUAGE, ("alpha_mse",)),
    Term("cos", _COSINE, _last_hidden_of_rows, (TEACHER, HIDDEN),
         ("classification", "tagging", "span", "regression", RANKING),
         agree=("hidden_size",)),
    Term("cos", _COSINE, _last_hidden, (TEACHER, HIDDEN), _LANGUAGE, ("alpha_cos",), agree=("hidden_size",)),
    Term("embedding_mse", "Embeddings, mean squared error", _taking(embedding_mse, _OWN, _ITS, _MASK), _BOTH,
         ("embedding",)),
    Term("embedding_cos", "Embeddings, 1 - cosine", _taking(embedding_cosine, _OWN, _ITS, _MASK), _BOTH,
         ("embedding",)),
    Term("similarity_kl", "Similarities within a batch, divergence from the teacher's",
         _taking(similarity_divergence, _OWN, _ITS, _MASK), _BOTH, ("embedding",)),
    Term("cosine_mse", "Cosines of pairs, squared difference from their scores",
         _of_first_numbers(cosine_mse, _OWN, _LABEL, "options.list_size"), (LOGITS,), (SCORED_PAIRS,)),
    Term("multiple_negatives", "Right texts among those of the batch, cross-entropy",
         _of_first_numbers(multiple_negatives, _OWN, "options.list_size"), (LOGITS,), (POSITIVE_PAIRS,)),
]
