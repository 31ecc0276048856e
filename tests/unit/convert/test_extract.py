# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""`convert_checkpoint.py extract`: a student out of its teacher, in each format."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from convert_checkpoint import main
from src.checkpoints.checkpoint import LoadedModel, load_model
from src.common.errors import UserError
from src.config import EncoderConfig, HeadConfig, ModelConfig
from tests.tiny import HEAD, TEACHER, save_random, write_vocabulary

MLM = HeadConfig("masked_lm")
ROBERTA = replace(TEACHER, type_vocab_size=1, pooler="none", position_offset=2)
GPT2 = replace(TEACHER, type_vocab_size=0, pooler="none", causal=True, pre_norm=True, hidden_act="gelu_tanh")
WORDS, POSITIONS, TYPES = (f"encoder.embeddings.{name}_embeddings.embedding_table"
                           for name in ("word", "position", "token_type"))


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """A function that returns a teacher's checkpoint directory."""
    folder = tmp_path_factory.mktemp("teachers")
    write_vocabulary(folder / "vocab")

    def write(encoder: EncoderConfig = TEACHER, head: HeadConfig = MLM, task_name: str = "") -> Path:
        path = folder / (f"{encoder.causal}{encoder.position_offset}{encoder.type_vocab_size}{encoder.share_layers}"
                         f"{head.kind}")
        return path if path.is_dir() else save_random(path, ModelConfig(encoder, head, task_name), folder / "vocab")

    return write


def cut(source: Path, target: Path, *options: str) -> LoadedModel:
    main(["extract", str(source), str(target), *options])
    return load_model(target)


def taken(student: LoadedModel, source: Path) -> list[int]:
    """The teacher's layer that each of the student's is."""
    parameters, name = load_model(source).parameters, "encoder.layers.{}.attention.key.weight"
    return [next(its for its in range(4) if np.array_equal(student.parameters[name.format(own)],
                                                           parameters[name.format(its)]))
            for own in range(student.config.encoder.num_hidden_layers)]


def test_distilbert_out_of_bert(teacher: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    source = teacher()
    student, whole = cut(source, tmp_path / "student"), load_model(source)
    assert student.config == ModelConfig(replace(TEACHER, num_hidden_layers=2, type_vocab_size=0, pooler="none"), MLM)
    assert taken(student, source) == [0, 3]
    assert student.vocab_hash == whole.vocab_hash
    assert np.array_equal(student.parameters[POSITIONS], whole.parameters[POSITIONS] + whole.parameters[TYPES][0])
    assert np.array_equal(student.parameters["head.transform.weight"], whole.parameters["head.transform.weight"])
    printed = capsys.readouterr().out
    assert "layers are the teacher's 0, 3" in printed and "type 0 is added" in printed
    assert printed.rstrip().endswith("2 layers x 32, masked-LM head")


def test_options(teacher: Callable[..., Path], tmp_path: Path) -> None:
    source = teacher()
    whole = load_model(source)
    plain = cut(source, tmp_path / "a", "--layers", "3,1,0", "--fold_token_types", "false", "--vocab_transform",
                "false")
    assert taken(plain, source) == [3, 1, 0]
    assert np.array_equal(plain.parameters[POSITIONS], whole.parameters[POSITIONS])
    assert not np.array_equal(plain.parameters["head.transform.weight"], whole.parameters["head.transform.weight"])
    assert np.array_equal(plain.parameters["head.bias"], whole.parameters["head.bias"])
    same = cut(source, tmp_path / "b", "--family", "same", "--num_layers", "3", "--head", "drop")
    assert same.config == ModelConfig(replace(TEACHER, num_hidden_layers=3))
    assert taken(same, source) == [0, 2, 3]
    assert np.array_equal(same.parameters["encoder.pooler.weight"], whole.parameters["encoder.pooler.weight"])


@pytest.mark.medium
def test_chinese_student_of_two_layers_and_eight_types(teacher: Callable[..., Path], tmp_path: Path) -> None:
    pytest.importorskip("tensorflow")
    options = ("--num_layers", "2", "--type_vocab_size", "8", "--family", "same")
    student = cut(teacher(), tmp_path / "own", *options)
    assert np.array_equal(student.parameters[TYPES][:2], load_model(teacher()).parameters[TYPES])
    assert student.parameters[TYPES].shape == (8, 32) and student.parameters[TYPES][2:].all()
    again = cut(teacher(), tmp_path / "again", *options)
    other = cut(teacher(), tmp_path / "other", *options, "--seed", "1")
    assert np.array_equal(student.parameters[TYPES], again.parameters[TYPES])
    assert not np.array_equal(student.parameters[TYPES], other.parameters[TYPES])
    main(["--from", "mindspore", "--to", "tf", str(tmp_path / "own"), str(tmp_path / "tf")])
    settings = json.loads((tmp_path / "tf" / "bert_config.json").read_text())
    assert (settings["type_vocab_size"], settings["num_hidden_layers"]) == (8, 2)
    main(["extract", str(teacher()), str(tmp_path / "tf2"), *options, "--to", "tf"])
    assert json.loads((tmp_path / "tf2" / "bert_config.json").read_text()) == settings


def test_a_shared_layer_is_run_less_often(teacher: Callable[..., Path], tmp_path: Path) -> None:
    encoder = replace(TEACHER, share_layers=True, embedding_size=16)
    source = teacher(encoder, MLM)
    student = cut(source, tmp_path / "student", "--num_layers", "3")
    assert student.config == ModelConfig(replace(encoder, num_hidden_layers=3), MLM)
    assert all(np.array_equal(value, load_model(source).parameters[name]) for name, value in student.parameters.items())


@pytest.mark.parametrize(("encoder", "head"), [(ROBERTA, MLM), (GPT2, HeadConfig("causal_lm"))])
def test_other_families_stay_what_they_are(teacher: Callable[..., Path], tmp_path: Path, encoder: EncoderConfig,
                                           head: HeadConfig) -> None:
    source = teacher(encoder, head)
    student = cut(source, tmp_path / "student")
    assert student.config == ModelConfig(replace(encoder, num_hidden_layers=2), head)
    assert taken(student, source) == [0, 3]
    assert np.array_equal(student.parameters[WORDS], load_model(source).parameters[WORDS])


def test_fine_tuned_teacher(teacher: Callable[..., Path], tmp_path: Path) -> None:
    source = teacher(head=HEAD, task_name="SST-2")
    with pytest.raises(UserError, match="classification head reads its pooler.*--head drop, or --family same"):
        cut(source, tmp_path / "student")
    assert cut(source, tmp_path / "same", "--family", "same").config == ModelConfig(
        replace(TEACHER, num_hidden_layers=2), HEAD, "SST-2")
    assert cut(source, tmp_path / "dropped", "--head", "drop").config.head == HeadConfig()


@pytest.mark.medium
def test_in_the_form_of_transformers(teacher: Callable[..., Path], tmp_path: Path) -> None:
    own = cut(teacher(), tmp_path / "own")
    main(["extract", str(teacher()), str(tmp_path / "hf"), "--to", "hf"])
    assert json.loads((tmp_path / "hf" / "config.json").read_text())["model_type"] == "distilbert"
    main(["--from", "hf", "--to", "mindspore", str(tmp_path / "hf"), str(tmp_path / "back")])
    back = load_model(tmp_path / "back")
    assert back.parameters.keys() == own.parameters.keys()
    assert all(np.array_equal(back.parameters[name], own.parameters[name]) for name in own.parameters)


def test_command_line_of_the_reference(teacher: Callable[..., Path], tmp_path: Path) -> None:
    main(["extract", "--model_type", "bert", "--model_name", str(teacher()), "--dump_checkpoint",
          str(tmp_path / "student"), "--vocab_transform"])
    assert taken(load_model(tmp_path / "student"), teacher()) == [0, 3]


@pytest.mark.parametrize(("options", "message"), [
    (("--layers", "0,4"), "--layers names layer 4; the teacher's layers count from 0 to 3"),
    (("--layers", "0,x"), "'0,x' is no list of layers"),
    (("--layers", "0,1", "--num_layers", "3"), "leave one of them out"),
    (("--num_layers", "5"), "5 layers, its teacher 4"),
    (("--num_layers", "-1"), "--num_layers is -1"),
    (("--type_vocab_size", "1"), "type_vocab_size is 1, the teacher has 2"),
    (("--type_vocab_size", "-1"), "type_vocab_size is -1"),
    (("--model_type", "gpt2"), "--model_type is gpt2, but the teacher is a bert"),
    (("--fold_token_types", "maybe"), "neither true nor false"),
    (("--bogus",), "unrecognized arguments: --bogus .python convert_checkpoint.py extract --help shows all"),
])
def test_refused(teacher: Callable[..., Path], tmp_path: Path, options: tuple[str, ...], message: str) -> None:
    with pytest.raises(UserError, match=message):
        cut(teacher(), tmp_path / "student", *options)
    assert not (tmp_path / "student").exists()


def test_teachers_and_folders_that_are_refused(teacher: Callable[..., Path], tmp_path: Path) -> None:
    def refused(message: str, *arguments: Any) -> None:
        with pytest.raises(UserError, match=message):
            main(["extract", *map(str, arguments)])

    (tmp_path / "hf").mkdir()
    (tmp_path / "hf" / "config.json").write_text("{}")
    refused("looks like a Hugging Face directory; convert it first: python convert_checkpoint.py --from hf",
            tmp_path / "hf", tmp_path / "out")
    refused("bert-base-chinese does not exist.*--from hf --to mindspore bert-base-chinese", "bert-base-chinese",
            tmp_path / "out")
    refused("is not empty", teacher(), tmp_path / "hf")
    refused("output is missing", teacher())
    refused("distilbert is cut out of a bert or distilbert, and the teacher is a roberta", teacher(ROBERTA, MLM),
            tmp_path / "out", "--family", "distilbert")
    refused("a gpt2 has no token types", teacher(GPT2, HeadConfig("causal_lm")), tmp_path / "out",
            "--type_vocab_size", "2")
    assert not (tmp_path / "out").exists()
