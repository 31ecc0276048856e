# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Objectives: the terms that are active in a stage, with their weights.

    layers          attention_weight attention_mse + hidden_weight hidden_mse (TinyBERT: general distillation, phase 1)
                    + relation_weight (query_relations + key_relations + value_relations) (MiniLMv2: the same)
    classification  alpha_ce soft_cross_entropy + alpha_logits_mse logits_mse + alpha_label cross_entropy
    tagging         the same at each token whose class is read
    span            alpha_ce kl_divergence (of start and end) + alpha_logits_mse logits_mse + alpha_label cross_entropy
    regression      (alpha_ce + alpha_logits_mse) logits_mse + alpha_label label_mse
    ranking         alpha_ce list_kl + alpha_logits_mse score_mse + alpha_label cross_entropy (and the term margin_mse)
    language model  alpha_ce ce + alpha_mlm mlm + alpha_clm clm + alpha_mse mse + alpha_cos cos
    embedding       layers, and of `terms` embedding_mse + embedding_cos + similarity_kl; of pairs cosine_mse, or
                    multiple_negatives

TinyBERT's phase 2 is alpha_ce 1, the BiLSTM of Tang et al. alpha_logits_mse 1, DistilBERT's second step on SQuAD
alpha_ce 0.5 and alpha_label 0.5, and on classes `cos` besides; the last line is the Distil* objective (Sanh et al.,
arXiv:1910.01108, section 2). The setting `terms` adds others, by name.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from mindspore import Tensor

from src.common.errors import UserError, nearest
from src.config import EncoderConfig, HeadConfig, ModelConfig
from src.distill.layer_map import Pairs
from src.distill.terms import HIDDEN, LAYERS, LOGITS, OUTPUTS, RANKING, RELATED, SCORES, TEACHER, TERMS, Named, Term

DEFAULTS: dict[str, Any] = {"temperature": 1.0, "reduction": "masked", "relation_heads": 48, "relation_layer": 0,
                            "pairs": (), "list_size": 0, "matryoshka_dims": ()}
"""What the terms read, as it is where nothing else is known."""


@dataclass(frozen=True)
class Objective:
    """Weighted terms.

    Attributes:
        head: the student's.
        terms: what is added up.
        weights: their factors.
        options: what the terms read: `temperature`, `reduction`, `relation_heads`, `relation_layer` (0: the last), and
            `pairs`, the (student, teacher) layers compared, and `list_size`, rows of a list (0: no lists), and
            `matryoshka_dims`, widths that embeddings learn for.
    """

    head: HeadConfig
    terms: tuple[Term, ...]
    weights: tuple[float, ...]
    options: dict[str, Any] = field(default_factory=DEFAULTS.copy)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the terms, in order."""
        return tuple(term.name for term in self.terms)

    @property
    def described(self) -> str:
        """The terms with their weights, for logs."""
        return ", ".join(f"{weight:g} x {term.described}"
                         for term, weight in zip(self.terms, self.weights, strict=True))

    def need(self, *needs: str) -> bool:
        """Whether a term needs all of these."""
        return any(set(needs) <= set(term.needs) for term in self.terms)

    @property
    def teacher_outputs(self) -> tuple[str, ...]:
        """The outputs of the teacher that are read."""
        return tuple(name for name in OUTPUTS if self.need(TEACHER, name))

    @property
    def reads_logits_only(self) -> bool:
        """Whether the logits are all that is read of the teacher."""
        return self.teacher_outputs == (LOGITS,)

    @property
    def related(self) -> tuple[str, ...]:
        """The outputs that relations are computed of."""
        return tuple(name for name in RELATED if self.need(name))

    def reads_last_hidden(self, depth: int) -> bool:
        """Whether a term reads the last hidden states of a student of so many layers, or what is made of them."""
        if self.need(HIDDEN, LAYERS) and any(own == depth for own, _ in self.options["pairs"]):
            return True
        return any(LOGITS in term.needs or (HIDDEN in term.needs and LAYERS not in term.needs) for term in self.terms)

    @property
    def hidden_pairs(self) -> Pairs:
        """Layer pairs whose hidden states are compared and so may need projecting."""
        return self.options["pairs"] if self.need(HIDDEN, LAYERS) else ()


def kind_of(head: HeadConfig, list_size: int) -> str:
    """Return the kind of head that terms are for: RANKING where rows are lists of documents with scores."""
    return RANKING if list_size and head.kind == "regression" else head.kind


def objective_of(stage: Any, head: HeadConfig, pairs: Pairs = (), list_size: int = 0) -> Objective:
    """Return the objective of a stage that distils: the terms of a weight above 0.

    Args:
        stage: settings of a stage, with weights among them, and `terms`.
        head: the student's.
        pairs: (student, teacher) layers to compare; () in a stage that cannot.
        list_size: documents of a list, where rows are lists of documents; 0: they are not.

    Raises:
        UserError: a weight is given to a term that is not for this head, or not known.
    """
    kind = kind_of(head, list_size)
    served = [term for term in TERMS if term.serves(kind)]
    _check_served(stage, kind, served)
    aims_at_labels = head.kind == "regression" and getattr(stage, "regression_target", "") == "label"
    active, weights = [], []
    for term in served:
        weight = sum(getattr(stage, name, 0.0) for name in term.settings) + stage.terms.get(term.name, 0.0)
        if weight <= 0:
            continue
        if LAYERS in term.needs and not pairs:
            raise UserError(f"{term.name} compares layer by layer, which this stage does not do; leave it out of terms")
        is_of_labels = aims_at_labels and kind in term.heads and {TEACHER, LOGITS} <= set(term.needs)
        active.append(term if not is_of_labels else _of_file(term) if list_size else label_term(kind, term.name))
        weights.append(weight)
    options = {name: getattr(stage, name, default) for name, default in DEFAULTS.items()}
    if options["relation_layer"] == "last":
        options["relation_layer"] = 0
    compares = any(LAYERS in term.needs for term in active)
    options |= {"pairs": pairs if compares else (), "list_size": list_size}
    return Objective(head, tuple(active), tuple(weights), options)


def embeds(stage: Any) -> bool:
    """Whether a stage names a term that is for students that embed texts alone."""
    return any(term.heads == ("embedding",) and stage.terms.get(term.name, 0.0) > 0 for term in TERMS)


def label_objective(head: HeadConfig, list_size: int = 0, learnt: str = "", widths: tuple[int, ...] = ()) -> Objective:
    """Return the objective of training without a teacher: on labels, or on the tokens of the text; of an embedding on
    what is `learnt` of pairs, one of LEARNT_PAIRS, at the `widths`."""
    kind = learnt or kind_of(head, list_size)
    # Logs have always called the term of a score as that of its distillation.
    term = label_term(kind, "logits_mse" if kind == "regression" else "")
    return Objective(head, (term,), (1.0,), DEFAULTS | {"list_size": list_size, "matryoshka_dims": widths})


def label_term(kind: str, name: str = "") -> Term:
    """Return the term for a kind of head that needs no teacher, maybe under another name."""
    term = next(term for term in TERMS if kind in term.heads and TEACHER not in term.needs)
    return replace(term, name=name or term.name)


def _of_file(term: Term) -> Term:
    """Return a term of rerankers that reads the scores of the file, the second of the labels, in place of a
    teacher's."""
    own = term.function

    def function(student: Named, teacher: Named, batch: Named, options: Named) -> Tensor:
        return own(student, {"logits": batch["label_ids"][:, 1:]}, batch, options)

    return replace(term, function=function, needs=(LOGITS,))


def _check_served(stage: Any, head: str, served: list[Term]) -> None:
    """Check that each weight of a stage is that of a term for its head."""
    has = {"none": "a student without a head", RANKING: "a reranker"}.get(head, f"a student with a {head} head")
    for term in TERMS:
        for setting in term.settings:
            value = getattr(stage, setting, 0.0)
            if value > 0 and not any(setting in other.settings for other in served):
                raise UserError(f"{setting} is {value}, but {term.name} is not for {has}; set {setting} 0")
    names = [term.name for term in served]
    for name in stage.terms:
        if name not in names:
            raise UserError(f"terms names {name}, which is no loss term for {has}{nearest(name, names)}; there are "
                            f"{', '.join(dict.fromkeys(names))}")


def check_models(objective: Objective, teacher: ModelConfig, student: ModelConfig) -> None:
    """Check that the terms of an objective can compare these two models.

    Raises:
        UserError: a teacher of another head where logits are compared, a BiLSTM where layers are, a causal model where
            all pairs of tokens are, or encoders that differ in what a term compares; all of it.
    """
    problems: dict[str, None] = {}
    for term in objective.terms:
        compared = [name for name in OUTPUTS if name in term.needs] if TEACHER in term.needs else []
        leave_out = f"leave out {term.name} ({', '.join(term.settings) or 'terms'})"
        if LOGITS in compared and teacher.head.kind != objective.head.kind:
            problems[f"the teacher has {teacher.head.title}, but {term.name} compares its predictions with those of a "
                     f"{objective.head.kind} head; take a teacher that has one, or {leave_out}"] = None
        if not {HIDDEN, SCORES, *RELATED} & set(compared):
            continue
        if not isinstance(student.encoder, EncoderConfig) or not isinstance(teacher.encoder, EncoderConfig):
            problems[f"{term.name} compares layers, which a BiLSTM has not; {leave_out}"] = None
            continue
        if not term.causal and (teacher.encoder.causal or student.encoder.causal):
            problems[f"{term.name} compares all pairs of tokens, of which a causal model uses half; {leave_out}"] = None
        uneven = {name: each.layer_heads for name, each in (("teacher", teacher.encoder), ("student", student.encoder))
                  if each.layer_heads and "num_attention_heads" in term.agree}
        for name, counts in uneven.items():
            problems[f"{term.name} compares layers of one number of heads, but those of the {name} have "
                     f"{', '.join(map(str, counts))}; {leave_out}"] = None
        for name in term.agree if not uneven else ():
            its, own = getattr(teacher.encoder, name), getattr(student.encoder, name)
            if its != own:
                problems[f"{term.name} compares models of the same {name}, but the teacher has {its} and the "
                         f"student {own}; set student.{name} {its}, or {leave_out}"] = None
        if misfit := term.misfit(objective.options, teacher.encoder, student.encoder):
            problems[misfit] = None
    if problems:
        raise UserError("; ".join(problems))
