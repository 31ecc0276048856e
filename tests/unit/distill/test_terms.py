# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Each row of the registry of loss terms: it moves the student by itself, and its declarations are what holds."""

from __future__ import annotations

from dataclasses import replace

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor

from src.common.errors import UserError
from src.config import HeadConfig, ModelConfig, load_config
from src.config.model import IGNORED, LEARNT_PAIRS, POSITIVE_PAIRS, SCORED_PAIRS
from src.dataset import Batch, LanguageModelTargets
from src.distill.cell import DistillationCell
from src.distill.objectives import DEFAULTS, Objective, check_models, label_objective, objective_of
from src.distill.terms import LAYERS, LOGITS, RANKING, TEACHER, TERMS, Term, terms_help
from src.models.heads import build_model
from src.report.curves import title_of
from src.train.step import Gradients
from tests.refusals import refused
from tests.tiny import HEAD, STUDENT, VOCABULARY, random_batch
from tests.tiny import TEACHER as TEACHER_ENCODER

HEADS = {"none": HeadConfig(), "classification": HEAD, "regression": HeadConfig("regression"),
         "tagging": HeadConfig("tagging", ("O", "B-x", "I-x")), "span": HeadConfig("span"),
         "masked_lm": HeadConfig("masked_lm"), "causal_lm": HeadConfig("causal_lm"), RANKING: HeadConfig("regression"),
         **dict.fromkeys(("embedding", *LEARNT_PAIRS), HeadConfig("embedding", dense_size=7, normalize=True))}
OPTIONS = {**DEFAULTS, "pairs": ((0, 0), (1, 2), (2, 4)), "relation_heads": 8, "list_size": 4,
           "matryoshka_dims": (7, 4)}
PAIRS = OPTIONS["pairs"]


def models(kind: str) -> tuple[ModelConfig, ModelConfig]:
    """Teacher and student of one width."""
    teacher = replace(TEACHER_ENCODER, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    if HEADS[kind].kind == "embedding":
        teacher = replace(teacher, pooler="none")
    if kind == "causal_lm":
        teacher = replace(teacher, type_vocab_size=0, pooler="none", causal=True, pre_norm=True)
    return ModelConfig(teacher, HEADS[kind]), ModelConfig(replace(teacher, num_hidden_layers=2), HEADS[kind])


def batch_of(cell: DistillationCell, kind: str) -> dict[str, Tensor]:
    """The columns of one batch by name, without counts."""
    generator = np.random.default_rng(0)
    ids, mask, segments, labels = random_batch()
    if cell.predicts_tokens:
        targets = LanguageModelTargets(vocab_size=len(VOCABULARY), special_ids=(0, 1, 2, 3, 4), mask_id=4,
                                       causal=kind == "causal_lm", only_predicted=False)
        made = targets.of_step(Batch(ids, mask, segments, labels), 0, 1)
        columns = (made.input_ids, mask, np.zeros_like(segments), *targets.places(made, ids.size), made.token_weights)
    else:
        tags = np.where(generator.random(mask.shape) < 0.5, generator.integers(0, 3, mask.shape), IGNORED)
        given = {"regression": labels.astype(np.float32), RANKING: np.tile(labels, 2).astype(np.float32),
                 "tagging": tags.astype(np.int32),
                 "span": np.tile(np.array([[1, 3]], np.int32), (len(ids), 1))}
        columns = (ids, mask, segments, given.get(kind, labels))
    return dict(zip(cell.columns, (Tensor(0, ms.int32), *map(Tensor, columns)), strict=False))


@pytest.mark.medium
@pytest.mark.parametrize(("term", "kind"), [(term, (term.heads or ("none",))[0]) for term in TERMS],
                         ids=lambda value: getattr(value, "name", value))
def test_each_term_alone_moves_the_student(term: Term, kind: str) -> None:
    ms.set_seed(3)
    teacher, student = (build_model(model) for model in models(kind))
    objective = Objective(HEADS[kind], (term,), (1.0,), OPTIONS)
    cell = DistillationCell(student, objective, teacher if TEACHER in term.needs else None)
    batch = batch_of(cell, kind)
    targets, parameters = cell.targets(batch), cell.trainable_params()
    assert tuple(targets) == objective.teacher_outputs
    (total, _), gradients = ms.value_and_grad(cell, None, parameters, has_aux=True)(batch, targets)
    moved = {p.name for p, g in zip(parameters, gradients, strict=True) if np.abs(g.asnumpy()).max() > 0}
    assert float(total) > 0
    assert {p.name for p in parameters if "attention.query.weight" in p.name} <= moved
    assert all(name.startswith("student.") for name in moved)
    assert any(name.startswith("student.head.") for name in moved) == (student.has_head and LOGITS in term.needs)
    is_read = student.has_pooler and student.is_pooled and LOGITS in term.needs
    assert any("pooler" in parameter.name for parameter in parameters) == is_read


@pytest.mark.medium
@pytest.mark.parametrize("kind", HEADS)
def test_a_graph_computes_what_its_operators_do(kind: str) -> None:
    """Of all terms for a kind of head at once: the losses and the gradients of a step."""
    ms.set_seed(3)
    teacher, student = (build_model(replace(model, encoder=replace(model.encoder, num_hidden_layers=1)))
                        for model in models(kind))
    terms = tuple(term for term in TERMS if kind in (term.heads or ("none",)))
    cell = DistillationCell(student, Objective(HEADS[kind], terms, (1.0,) * len(terms), OPTIONS | {
        "pairs": ((0, 0), (1, 1))}), teacher)
    step = Gradients(cell, ms.ParameterTuple(cell.trainable_params()))
    found = []
    for mode in (ms.PYNATIVE_MODE, ms.GRAPH_MODE):
        ms.set_context(mode=mode)
        total, parts, gradients = step(Tensor(1.0), *batch_of(cell, kind).values())
        found.append([value.asnumpy() for value in (total, *parts, *gradients)])
    assert len(parts) == len(terms) and min(float(part) for part in parts) > 0
    # Where cosines are multiplied, so are gradients, and their rounding.
    assert all(np.abs(one - other).max() < 1e-5 * max(1.0, np.abs(one).max()) for one, other in zip(
        *found, strict=True))


@pytest.mark.medium
def test_without_dropout_the_last_layer_is_computed_for_the_first_token_and_all_gradients_stay() -> None:
    model, objective = ModelConfig(STUDENT, HEAD), label_objective(HEAD)
    assert not DistillationCell(build_model(model), objective).runs_for_logits
    encoder = replace(STUDENT, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    cell = DistillationCell(build_model(replace(model, encoder=encoder)), objective)
    assert cell.runs_for_logits
    found = []
    for short in (True, False):
        cell.runs_for_logits = short
        step = Gradients(cell, ms.ParameterTuple(cell.trainable_params()))  # a compiled graph would stay
        total, _, gradients = step(Tensor(1.0), *batch_of(cell, "classification").values())
        found.append([value.asnumpy() for value in (total, *gradients)])
    assert all(np.abs(one - other).max() < 1e-6 for one, other in zip(*found, strict=True))
    last = f"layers.{STUDENT.num_hidden_layers - 1}.intermediate.weight"
    moved = {parameter.name: np.abs(gradient).max() for parameter, gradient in zip(
        cell.trainable_params(), found[0][1:], strict=True)}
    assert moved[f"student.encoder.{last}"] > 1e-4


def test_fine_tuning_has_one_term_for_every_kind():
    labelled = {kind: head for kind, head in HEADS.items() if kind not in ("none", "embedding")}
    assert {kind: label_objective(head, 4 * (kind == RANKING), kind if kind in LEARNT_PAIRS else "").names
            for kind, head in labelled.items()} == {
        "classification": ("cross_entropy",), "regression": ("logits_mse",), "tagging": ("cross_entropy",),
        "span": ("cross_entropy",), "masked_lm": ("mlm",), "causal_lm": ("clm",),
        RANKING: ("cross_entropy",), SCORED_PAIRS: ("cosine_mse",), POSITIVE_PAIRS: ("multiple_negatives",)}
    assert not any(label_objective(head).need(TEACHER) for kind, head in labelled.items() if kind not in LEARNT_PAIRS)


@pytest.mark.parametrize(("kind", "weights", "expected"), [
    ("classification", (1.0, 0.5, 0.25), {"soft_cross_entropy": 1.0, "logits_mse": 0.5, "cross_entropy": 0.25}),
    ("tagging", (1.0, 0.0, 0.25), {"soft_cross_entropy": 1.0, "cross_entropy": 0.25}),
    ("span", (0.5, 0.0, 0.5), {"kl_divergence": 0.5, "cross_entropy": 0.5}),
    ("regression", (1.0, 0.5, 0.25), {"logits_mse": 1.5, "label_mse": 0.25})])
def test_weights_are_those_of_the_settings(kind, weights, expected):
    settings = ("alpha_ce", "alpha_logits_mse", "alpha_label")
    stage = replace(load_config().task_distill.phase2, **dict(zip(settings, weights, strict=True)))
    objective = objective_of(stage, HEADS[kind])
    assert dict(zip(objective.names, objective.weights, strict=True)) == expected
    if kind == "regression":  # the authors' code
        objective = objective_of(replace(stage, regression_target="label"), HEADS[kind])
        assert objective.names == tuple(expected) and not objective.need(TEACHER)


@pytest.mark.parametrize("learnt", LEARNT_PAIRS)
def test_the_first_numbers_of_a_vector_learn_too(learnt: str) -> None:
    """The sum over the widths is what vectors of these widths have each."""
    generator = np.random.default_rng(0)
    vectors = Tensor(generator.normal(size=(8, 6)).astype(np.float32))
    batch = {"label_ids": Tensor(generator.random((8, 1)).astype(np.float32))}

    def loss(given: Tensor, *widths: int) -> float:
        objective = label_objective(HEADS["embedding"], 2, learnt, widths)
        return float(objective.terms[0].function({"logits": given}, {}, batch, objective.options))

    assert loss(vectors, 6) == loss(vectors) != loss(vectors, 3)
    assert loss(vectors, 6, 3, 2) == pytest.approx(sum(loss(vectors[:, :width]) for width in (6, 3, 2)), rel=1e-6)


def test_terms_adds_terms_by_name():
    config = load_config()
    stage = replace(config.general_distill, hidden_weight=0.0, terms={"hidden_mse": 2.0})
    objective = objective_of(stage, HEADS["none"], PAIRS)
    assert dict(zip(objective.names, objective.weights, strict=True)) == {"attention_mse": 1.0, "hidden_mse": 2.0}
    assert objective.hidden_pairs == PAIRS and objective.teacher_outputs == ("hidden", "scores")
    for weights, head, message in (
            ({"hidden_msee": 1.0}, "none", "terms names hidden_msee.*hidden_mse"),
            ({"mlm": 1.0}, "none", "mlm, which is no loss term for a student without a head")):
        refused(message, objective_of, replace(stage, terms=weights), HEADS[head], PAIRS)
    with pytest.raises(UserError, match="hidden_mse compares layer by layer"):
        objective_of(replace(config.task_distill.phase2, terms={"hidden_mse": 1.0}), HEAD)
    refused("needs .*states.*logits, hidden", Term, "new", "New", lambda *_: 0.0, ("states",))


@pytest.mark.parametrize(("changes", "message"), [
    ({"num_attention_heads": 2}, "attention_mse compares models of the same num_attention_heads.*student 2"),
    ({"causal": True, "pooler": "none"}, "attention_mse compares all pairs of tokens.*causal")])
def test_models_that_a_term_cannot_compare_are_refused(changes, message):
    objective = objective_of(load_config().general_distill, HEADS["none"], PAIRS)
    student = ModelConfig(replace(STUDENT, **changes))
    refused(message, check_models, objective, ModelConfig(TEACHER_ENCODER), student)
    weighted = Objective(HEADS["none"], objective.terms[1:], (1.0,), objective.options)
    check_models(weighted, ModelConfig(TEACHER_ENCODER), student)


def test_every_term_can_be_told_and_given_a_weight():
    help_text, known = terms_help(), load_config()
    stages = (known.general_distill, known.task_distill.phase1, known.task_distill.phase2, known.token_distill)
    for term in TERMS:
        assert (term.described in help_text) is (term.heads[:1] not in [(kind,) for kind in LEARNT_PAIRS])
        assert title_of(term.name) == term.described
        assert all(any(hasattr(stage, name) for stage in stages) for name in term.settings)
        assert (TEACHER in term.needs) or LAYERS not in term.needs
    assert len({(term.name, head) for term in TERMS for head in term.heads or ("",)}) == sum(
        len(term.heads) or 1 for term in TERMS)
