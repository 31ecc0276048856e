# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""A student's first weights: which are the teacher's, which are drawn, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import mindspore as ms
import numpy as np
import pytest

from src.checkpoints.checkpoint import LoadedModel, load_model, load_parameters, parameters_of, save_model
from src.common.errors import UserError
from src.config import EncoderConfig, HeadConfig, ModelConfig, StudentConfig, load_config
from src.distill.initialization import default_layers, embeddings_from_teacher, student_from_teacher
from src.distill.layer_map import resolve_layer_map
from src.models.heads import build_model
from src.runs.student import new_student
from tests.refusals import refused
from tests.tiny import CPU, HEAD, TEACHER, random_batch, save_random, write_vocabulary

MLM = HeadConfig("masked_lm")
WORDS, POSITIONS, TYPES = (f"encoder.embeddings.{name}_embeddings.embedding_table"
                           for name in ("word", "position", "token_type"))
GPT2 = replace(TEACHER, type_vocab_size=0, pooler="none", causal=True, pre_norm=True, hidden_act="gelu_tanh")
ROBERTA = replace(TEACHER, type_vocab_size=1, pooler="none", position_offset=2)


def weights(config: ModelConfig, seed: int) -> dict[str, np.ndarray]:
    """Random values for every parameter, the biases and norms too."""
    generator = np.random.default_rng(seed)
    return {p.name: generator.normal(size=p.shape).astype(np.float32) for p in build_model(config).get_parameters()}


def start(teacher: ModelConfig, student: ModelConfig, layers: tuple[int, ...] = (0, 3), **options: Any):
    """Return teacher's weights, the student's random ones, the student's first ones, and notes."""
    its, fresh = weights(teacher, 1), weights(student, 2)
    return its, fresh, *student_from_teacher(teacher, its, student, fresh, layers, **options)


def equal_names(a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> set[str]:
    return {name for name in a.keys() & b.keys() if np.array_equal(a[name], b[name])}


@pytest.mark.parametrize(("student", "teacher", "layers"), [
    (6, 12, (0, 2, 4, 7, 9, 11)), (3, 6, (0, 2, 5)), (1, 6, (0,)), (4, 4, (0, 1, 2, 3)), (2, 12, (0, 11)),
])
def test_default_layers(student: int, teacher: int, layers: tuple[int, ...]) -> None:
    assert default_layers(student, teacher) == layers
    assert all(len(set(default_layers(own, teacher))) == own for own in range(1, teacher + 1))
    refused(f"{teacher + 1} layers, its teacher {teacher}", default_layers, teacher + 1, teacher)


@pytest.mark.parametrize(("encoder", "head"), [
    (TEACHER, HeadConfig()), (TEACHER, MLM), (TEACHER, HEAD), (ROBERTA, MLM), (GPT2, HeadConfig("causal_lm"))])
def test_everything_that_both_have_is_the_teachers(encoder: EncoderConfig, head: HeadConfig) -> None:
    student = ModelConfig(replace(encoder, num_hidden_layers=2), head)
    its, fresh, made, notes = start(ModelConfig(encoder, head), student)
    assert made.keys() == fresh.keys()
    assert not notes
    for name, value in made.items():
        assert np.array_equal(value, its[name.replace("layers.1.", "layers.3.")]), name


def test_distilbert_of_bert() -> None:
    teacher = ModelConfig(TEACHER, MLM)
    student = ModelConfig(replace(TEACHER, num_hidden_layers=2, type_vocab_size=0, pooler="none"), MLM)
    its, _, made, notes = start(teacher, student)
    assert np.array_equal(made[POSITIONS], its[POSITIONS] + its[TYPES][0])
    assert equal_names(its, made) >= {WORDS, "head.transform.weight", "head.norm.gamma", "head.bias"}
    assert any("type 0 is added" in note for note in notes)
    _, _, as_reference, notes = start(teacher, student, fold_token_types=False)
    assert np.array_equal(as_reference[POSITIONS], its[POSITIONS])
    assert any("lost" in note for note in notes)


def test_transform_is_left_out_on_request() -> None:
    config = ModelConfig(TEACHER, MLM)
    its, fresh, made, notes = start(config, config, (0, 1, 2, 3), copy_transform=False)
    transform = {f"head.{name}" for name in ("transform.weight", "transform.bias", "norm.gamma", "norm.beta")}
    assert equal_names(fresh, made) == transform
    assert equal_names(its, made) == its.keys() - transform
    assert notes == ["not taken from the teacher, but drawn at random: head.norm, head.transform"]


def test_what_the_teacher_has_not_is_drawn_and_named() -> None:
    teacher = ModelConfig(replace(TEACHER, type_vocab_size=2, pooler="none"))
    its, fresh, made, notes = start(teacher, ModelConfig(replace(TEACHER, type_vocab_size=8, num_hidden_layers=2), MLM))
    table = made[TYPES]
    assert np.array_equal(table[:2], its[TYPES]) and np.array_equal(table[2:], fresh[TYPES][2:])
    assert notes == [
        "token types 2 to 7 are drawn at random: the teacher has 2",
        "not taken from the teacher, but drawn at random: encoder.pooler, head.bias, head.norm, head.transform"]
    without = ModelConfig(replace(TEACHER, type_vocab_size=0, pooler="none"))
    _, _, made, _ = start(without, ModelConfig(replace(TEACHER, num_hidden_layers=2)))
    assert not made[TYPES][0].any() and made[TYPES][1].any()


def test_another_pooler_is_not_taken_nor_the_head_on_it() -> None:
    relu = ModelConfig(replace(TEACHER, pooler="relu"), HEAD)
    _, _, _, notes = start(ModelConfig(TEACHER, HEAD), relu, (0, 1, 2, 3))
    assert notes == ["not taken from the teacher, but drawn at random: encoder.pooler, head.classifier"]


def test_positions_are_the_first_rows_and_another_epsilon_is_told() -> None:
    short = ModelConfig(replace(TEACHER, num_hidden_layers=2, max_position_embeddings=10, layer_norm_eps=1e-5))
    its, _, made, notes = start(ModelConfig(TEACHER), short)
    assert len(notes) == 1 and "layer_norm_eps is 1e-05" in notes[0]
    assert np.array_equal(made[POSITIONS], its[POSITIONS][:10])


@pytest.mark.parametrize(("changes", "layers", "message"), [
    ({"hidden_size": 16}, (0, 1), "student.hidden_size is 16, the teacher's 32; make them equal"),
    ({"intermediate_size": 32}, (0, 1), "intermediate_size is 32, the teacher's 64"),
    ({"num_attention_heads": 2}, (0, 1), "num_attention_heads is 2"),
    ({"vocab_size": 9}, (0, 1), "vocab_size is 9"),
    ({"position_offset": 2}, (0, 1), "position_offset is 2, the teacher's 0"),
    ({"hidden_act": "relu"}, (0, 1), "hidden_act is relu"),
    ({"pre_norm": True}, (0, 1), "pre_norm is True"),
    ({"max_position_embeddings": 65}, (0, 1), "max_position_embeddings is 65, the teacher has 64"),
    ({"type_vocab_size": 1}, (0, 1), "type_vocab_size is 1, the teacher has 2"),
    ({}, (0, 1, 2), r"student_init names 3 teacher layers, \[0, 1, 2\], for the student's 2"),
    ({}, (0, 4), "student_init names layer 4; the teacher's layers count from 0 to 3"),
    ({}, (-1, 3), "student_init names layer -1"),
])
def test_refused(changes: dict[str, Any], layers: tuple[int, ...], message: str) -> None:
    student = ModelConfig(replace(TEACHER, num_hidden_layers=2, **changes))
    refused(message, start, ModelConfig(TEACHER), student, layers)


@pytest.mark.medium
def test_folding_keeps_the_embeddings_and_the_reference_does_not() -> None:
    """Hidden state 0 of a single segment: the teacher's, up to rounding; far from it where type 0 is dropped."""
    bert = ModelConfig(TEACHER)
    student = ModelConfig(replace(TEACHER, num_hidden_layers=1, type_vocab_size=0, pooler="none"))
    its, fresh = weights(bert, 1), weights(student, 2)
    ids, mask, _, _ = (ms.Tensor(array) for array in random_batch())
    outputs = {}
    for name, config in {"teacher": replace(bert, encoder=replace(TEACHER, num_hidden_layers=1)), "fold": student,
                         "drop": student}.items():
        made, _ = student_from_teacher(bert, its, config, weights(config, 3) if name == "teacher" else fresh, (0,),
                                    fold_token_types=name == "fold")
        model = build_model(config)
        load_parameters(model, made)
        hidden = model.with_layers(ids, mask, ms.ops.zeros_like(ids))["hidden"]
        outputs[name] = [state.asnumpy() for state in hidden]
    with_folding, without = ([np.abs(a - b).max() for a, b in zip(outputs["teacher"], outputs[name], strict=True)]
                             for name in ("fold", "drop"))
    assert max(with_folding) < 5e-5  # the sums are taken in another order
    assert min(without) > 0.1


@pytest.mark.parametrize("types", [2, 0])
def test_embeddings_of_a_narrower_student_are_principal_components(types: int) -> None:
    student = replace(TEACHER, hidden_size=12, max_position_embeddings=20, type_vocab_size=types)
    its, fresh = weights(ModelConfig(TEACHER), 1), weights(ModelConfig(student), 2)
    made, notes = embeddings_from_teacher(TEACHER, its, student, fresh)
    axes = np.linalg.svd(its[WORDS] - its[WORDS].mean(0))[2][:12].T
    positions = its[POSITIONS][:20] + (0 if types else its[TYPES][0])
    expected = [(its[WORDS] - its[WORDS].mean(0)) @ axes, positions @ axes, *([its[TYPES] @ axes] if types else [])]
    names = [WORDS, POSITIONS, TYPES][:len(expected)]
    # Products, which the signs of the axes do not change: tables of one set of axes, or their sums would mean nothing.
    ours, theirs = (np.concatenate(tables) for tables in ([made[name] for name in names], expected))
    assert np.abs(ours @ ours.T - theirs @ theirs.T).max() < 1e-3
    assert equal_names(fresh, made) == fresh.keys() - set(names)
    assert "12 principal components of the teacher's 32 dimensions" in notes[0]
    assert notes[-1].endswith("all but its embeddings")


def test_embeddings_of_a_student_of_the_same_width_stay_as_they_are() -> None:
    its, fresh = weights(ModelConfig(TEACHER), 1), weights(ModelConfig(TEACHER), 2)
    made, notes = embeddings_from_teacher(TEACHER, its, TEACHER, fresh)
    assert equal_names(its, made) == {WORDS, POSITIONS, TYPES} and len(notes) == 1


def test_embeddings_of_a_teacher_without_positions() -> None:
    modern = replace(TEACHER, layer_class="modernbert", type_vocab_size=0, pooler="none")
    its, fresh = weights(ModelConfig(modern), 1), weights(ModelConfig(TEACHER), 2)
    made, notes = embeddings_from_teacher(modern, its, TEACHER, fresh)
    assert np.array_equal(made[POSITIONS], fresh[POSITIONS]) and "all but the embeddings of its tokens" in notes[-1]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A teacher that predicts masked tokens, and a student out of its layers 1 and 2."""
    folder = tmp_path_factory.mktemp("world")
    write_vocabulary(folder / "vocab")
    save_random(folder / "teacher", ModelConfig(TEACHER, MLM), folder / "vocab")
    teacher, student = load_model(folder / "teacher"), ModelConfig(settings().encoder(), MLM)
    parameters, _ = student_from_teacher(teacher.config, teacher.parameters, student, weights(student, 5), (1, 2))
    save_model(folder / "student", student, parameters, folder / "vocab")
    return folder


def settings(**changes: Any) -> StudentConfig:
    values = {**vars(replace(TEACHER, num_hidden_layers=2, type_vocab_size=0, pooler="none")), **changes}
    return load_config(**{f"student__{name}": list(value) if isinstance(value, tuple) else value
                          for name, value in values.items()}).student


def made(world: Path, pairs: Any = None, head: HeadConfig = MLM, **changes: Any) -> dict[str, np.ndarray]:
    student = settings(**changes)
    return parameters_of(new_student(ModelConfig(student.encoder(), head), student, load_model(world / "teacher"),
                                     pairs, CPU))


def layers_taken(student: dict[str, np.ndarray], teacher: LoadedModel) -> list[int]:
    name = "encoder.layers.{}.intermediate.weight"
    return [next(its for its in range(4) if np.array_equal(student[name.format(own)],
                                                           teacher.parameters[name.format(its)])) for own in range(2)]


@pytest.mark.medium
def test_new_student_of_its_teacher(world: Path, capsys: pytest.CaptureFixture) -> None:
    teacher = load_model(world / "teacher")
    assert layers_taken(made(world, initialization="teacher"), teacher) == [0, 3]
    printed = capsys.readouterr().out
    assert "teacher's layers [0, 3]" in printed and "type 0 is added to its positions" in printed
    assert layers_taken(made(world, initialization="teacher", student_init=(2, 1)), teacher) == [2, 1]
    pairs = resolve_layer_map("uniform", 2, 4)
    assert layers_taken(made(world, pairs, initialization="teacher"), teacher) == [1, 3]
    assert layers_taken(made(world, pairs, initialization="teacher", student_init=(0, 2)), teacher) == [0, 2]
    assert not equal_names(made(world), teacher.parameters) - {
        name for name in teacher.parameters if name.endswith(("bias", "gamma", "beta"))}


@pytest.mark.medium
def test_new_student_of_its_teachers_embeddings(world: Path, capsys: pytest.CaptureFixture) -> None:
    narrow = made(world, initialization="embeddings", hidden_size=16, intermediate_size=20, num_attention_heads=2)
    words = load_model(world / "teacher").parameters[WORDS]
    centred = words - words.mean(0)
    share = np.square(narrow[WORDS]).sum() / np.square(centred).sum()
    printed = capsys.readouterr().out
    assert f"with {share:.1%} of the variance of the tokens" in printed and share > 0.5
    assert "type 0 is added to its positions" in printed and "starts from its teacher's embeddings" in printed


@pytest.mark.medium
def test_new_student_of_a_checkpoint(world: Path, capsys: pytest.CaptureFixture) -> None:
    stored = load_model(world / "student").parameters
    path = str(world / "student")
    whole = made(world, student_pretrained_weights=path, hidden_dropout_prob=0.0)
    assert equal_names(whole, stored) == stored.keys() == whole.keys()
    encoder = made(world, head=HeadConfig(), student_pretrained_weights=path)
    assert equal_names(encoder, stored) == encoder.keys()
    capsys.readouterr()
    tagging = made(world, head=HeadConfig("tagging", ("a", "b")), student_pretrained_weights=path)
    assert tagging["head.classifier.weight"].shape == (2, 32)
    assert "has a masked_lm head: the student's tagging head is drawn at random" in capsys.readouterr().out


@pytest.mark.medium
@pytest.mark.parametrize(("changes", "message"), [
    ({"student_init": (0, 1)}, "student_init .* set student.initialization teacher"),
    ({"initialization": "teacher", "student_pretrained_weights": "x"}, "set one of them"),
    ({"initialization": "embeddings", "student_pretrained_weights": "x"}, "initialization embeddings both say"),
    ({"initialization": "embeddings", "hidden_size": 64}, "are 64 wide, the teacher's 32, .*; set hidden_size 32"),
    ({"initialization": "embeddings", "position_offset": 2}, "position_offset is 2, the teacher's 0"),
    ({"initialization": "embeddings", "max_position_embeddings": 65}, "is 65, the teacher has 64 positions"),
    ({"initialization": "teacher", "student_init": (0, 4)}, "student_init names layer 4"),
    ({"initialization": "teacher", "hidden_size": 16}, "hidden_size is 16, the teacher's 32"),
    ({"student_pretrained_weights": "x"}, "student_pretrained_weights x does not exist"),
    ({"student_pretrained_weights": "STUDENT", "num_hidden_layers": 3, "hidden_act": "relu"},
     r"num_hidden_layers 2 \(the student's is 3\), hidden_act gelu \(the student's is relu\); set"),
    ({"student_pretrained_weights": "STUDENT", "hidden_size": 8, "vocab_size": 9, "num_attention_heads": 2,
      "intermediate_size": 9, "hidden_act": "relu"}, "and 1 more; set"),
])
def test_new_student_refuses(world: Path, changes: dict[str, Any], message: str) -> None:
    changes = {name: str(world / "student") if value == "STUDENT" else value for name, value in changes.items()}
    refused(message, made, world, **changes)


@pytest.mark.medium
def test_layer_map_that_leaves_layers_out_and_another_vocabulary(world: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no teacher layer for the student's layers \[1\].*student_init"):
        made(world, ((0, 0), (2, 4)), initialization="teacher")
    words = (world / "vocab/vocab.txt").read_text().splitlines()
    (tmp_path / "vocab.txt").write_text("\n".join([*words[:-1], "other"]) + "\n")
    stored = load_model(world / "student")
    save_model(tmp_path / "other", stored.config, stored.parameters, tmp_path)
    with pytest.raises(UserError, match="another vocabulary than the teacher"):
        made(world, student_pretrained_weights=str(tmp_path / "other"))
