# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Whether teacher, student and records fit each other; all that does not is told at once, before any computation."""

from __future__ import annotations

from collections.abc import Callable

from src.checkpoints.checkpoint import LoadedModel
from src.common.errors import UserError
from src.config import EncoderConfig, HeadConfig, LayerDistillConfig, ModelConfig, StudentConfig
from src.dataset.compatibility import check_vocabulary
from src.distill.initialization import default_layers
from src.distill.layer_map import Pairs, resolve_layer_map
from src.distill.objectives import check_models, objective_of
from src.distill.terms import LAYERS
from src.runs.student import check_new_student


def check_all(*checks: Callable[[], object], advice: str = "") -> None:
    """Run checks, each of which may raise `UserError`; raise one with all of their messages, and the advice."""
    problems: dict[str, None] = {}
    for check in checks:
        try:
            check()
        except UserError as error:
            problems[str(error)] = None
    if not problems:
        return
    said = list(problems)
    if len(said) > 1:
        said = [f"({place}) {problem}" for place, problem in enumerate(said, 1)]
        said[0] = f"{len(said)} things do not fit: {said[0]}"
    raise UserError("; ".join(said) + (f"; {advice}" if advice else ""))


def usual_student(teacher: ModelConfig) -> str:
    """The options of a student that fits its teacher in everything, with half of its layers; "" for a BiLSTM."""
    encoder = teacher.encoder
    if not isinstance(encoder, EncoderConfig):
        return ""
    depth = encoder.num_hidden_layers
    layers = next((number for number in range(depth // 2, 0, -1) if depth % number == 0), 1)
    # Those of the uniform map; a ModernBERT begins with the first one.
    taken = default_layers(layers, depth) if encoder.is_modern else tuple(range(depth // layers - 1, depth,
                                                                                depth // layers))
    encoder = encoder.with_layers(taken)
    options = [f"--{name} {getattr(encoder, name)}" for name in (
        "num_hidden_layers", "hidden_size", "num_attention_heads", "intermediate_size")]
    options += [f"--head_size {encoder.head_size}"] if encoder.head_size else []
    options += [f"--{name} {','.join(map(str, getattr(encoder, name)))}" for name in (
        "layer_heads", "layer_units", "layer_types") if getattr(encoder, name)]
    options += [f"--student_init {','.join(map(str, taken))}"] if encoder.is_modern else []
    options += ["--attention_weight 0"] if encoder.layer_heads else []
    usual = {"hidden_act": "gelu", "layer_norm_eps": 1e-12, "causal": False, "pre_norm": False,
             "layer_class": "bert", "local_attention": 128, "global_rope_theta": 160000.0, "local_rope_theta": 10000.0,
             "classifier_pooling": "cls"}
    options += [f"--{name} {str(value).lower()}" for name, default in usual.items()
                if (value := getattr(encoder, name)) != default]
    return ("the usual student of this teacher: --initialization teacher " + " ".join(options) + ", without other "
            "settings of the student")


def pairs_of(stage: LayerDistillConfig, settings: StudentConfig, student: EncoderConfig, teacher: EncoderConfig,
             is_new: bool = True, head: HeadConfig | None = None) -> Pairs:
    """Return the (student, teacher) layers that a stage compares, and that a student begins as where it `is_new`; ()
    where it does neither: relations are those of one layer of each.

    Raises:
        UserError: the layer map does not fit the depths.
    """
    begins = is_new and settings.initialization == "teacher" and not settings.student_init
    if not (_compares_layers(stage, head or HeadConfig()) or begins):
        return ()
    return resolve_layer_map(settings.layer_map, student.num_hidden_layers, teacher.num_hidden_layers)


def _compares_layers(stage: LayerDistillConfig, head: HeadConfig) -> bool:
    return objective_of(stage, head, ((0, 0),)).need(LAYERS)


def check_layers(stage: LayerDistillConfig, settings: StudentConfig, teacher: LoadedModel, student: ModelConfig,
                 *others: Callable[[], object], is_new: bool = True) -> None:
    """Check that a student without a head, or one that embeds texts, can learn what its stage compares, and begin as
    its settings say where it `is_new`; run the `others` too, and tell all at once."""
    pairs: list[Pairs] = []

    def map_layers() -> None:
        own, its = (model.require_transformer(name, "a comparison of layers")
                    for name, model in (("the student", student), ("the teacher", teacher.config)))
        pairs.append(pairs_of(stage, settings, own, its, is_new, student.head))

    def begin() -> None:
        if is_new:
            check_new_student(student, settings, teacher.config, pairs[0] if pairs else None)

    # Relations set no bounds to a student that the usual one would keep.
    is_bound = settings.initialization == "teacher" or _compares_layers(stage, student.head)
    check_all(
        lambda: check_vocabulary(teacher.config, student), map_layers, begin,
        # Which layers are compared does not matter to the terms.
        lambda: check_models(objective_of(stage, student.head, ((0, 0),)), teacher.config, student),
        *others, advice=usual_student(teacher.config) if is_new and is_bound else "")
