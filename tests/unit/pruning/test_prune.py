# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""`convert_checkpoint.py prune`, and what is done with a pruned model afterwards."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from convert_checkpoint import main
from src.checkpoints.checkpoint import load_model
from src.common.files import read_json
from src.config import BiLstmConfig, HeadConfig, ModelConfig, StudentConfig
from src.config.training import GeneralDistillConfig
from src.distill.objectives import check_models, objective_of
from src.runs.fit import usual_student
from src.runs.student import new_student
from tests.refusals import refused
from tests.tiny import CPU, HEAD, TEACHER, VOCABULARY, make_world, save_random

pytestmark = pytest.mark.medium


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_world(tmp_path_factory.mktemp("prune"))
    save_random(folder / "other", ModelConfig(TEACHER, HEAD, "SST-2"), folder / "vocab", seed=9)
    save_random(folder / "qnli", ModelConfig(TEACHER, HEAD, "QNLI"), folder / "vocab", seed=9)
    save_random(folder / "mlm", ModelConfig(replace(TEACHER, pooler="none"), HeadConfig("masked_lm")), folder / "vocab")
    save_random(folder / "wide", ModelConfig(replace(TEACHER, hidden_size=64)), folder / "vocab")
    lstm = BiLstmConfig(len(VOCABULARY), 8, 8, 8, 1, "last", 0.0)
    save_random(folder / "lstm", ModelConfig(lstm, HEAD, "SST-2"), folder / "vocab")
    return folder


def prune(world: Path, source: str, target: str, *options: object) -> Path:
    main(["prune", str(world / source), str(world / target), *map(str, options)])
    return world / target


def test_layers_that_differ(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    task = world / "records/task"
    pruned = load_model(prune(world, "other", "uneven", "--layers", 3, "--heads", 2, "--ffn", 16, "--across_layers",
                              "--records", task, "--teacher", world / "teacher", "--batch_size", 8))
    encoder = pruned.config.encoder
    assert encoder.head_dim == 8 and sum(encoder.units_of(layer) for layer in range(3)) == 48
    assert sum(encoder.heads_of(layer) for layer in range(3)) == 6
    printed = capsys.readouterr().out
    for part in ("Soft cross-entropy with the teacher", "12 batches of 8 rows", "padded to 16 tokens", "of 64",
                 "parameters: 39,170 before", "all else masked differs by at most", "3 layers x 32, labels 0, 1"):
        assert part in printed

    # Cut once more, and by names of layers, it keeps what each of them has.
    main(["extract", str(world / "uneven"), str(world / "two"), "--layers", "0,2", "--family", "same"])
    assert load_model(world / "two").config.encoder == encoder.with_layers((0, 2))
    for target in ("hf", "tf"):
        refused("pruned heads,? or layers that differ", main, ["--from", "mindspore", "--to", target,
                                                               str(world / "uneven"), str(world / "never")])

    # A student starts from it, as its layers or as a checkpoint, where its settings say the same.
    its = encoder.with_layers((0, 2))
    same = {"initializer_range": 0.05, "layer_map": ((0, 0), (1, 1), (2, 3)), **{name: getattr(its, name) for name in (
        "num_hidden_layers", "hidden_size", "vocab_size", "max_position_embeddings", "num_attention_heads",
        "intermediate_size", "head_size", "layer_heads", "layer_units")}}
    for start in ({"initialization": "teacher", "student_init": (0, 2)},
                  {"student_pretrained_weights": str(world / "two")}):
        settings = StudentConfig(**same, **start)
        assert settings.encoder() == its
        student = new_student(ModelConfig(its), settings, pruned, None, CPU)
        assert (student.encoder.layers[1].output.weight.asnumpy()
                == pruned.parameters["encoder.layers.2.output.weight"]).all()
        plain = StudentConfig(**same | {"layer_units": ()}, **start)
        refused("layer_units", new_student, ModelConfig(plain.encoder()), plain, pruned, None, CPU)
    assert "--head_size 8" in usual_student(pruned.config)

    layers = objective_of(GeneralDistillConfig(), HeadConfig(), ((0, 0), (1, 1)))
    uneven = replace(its, layer_heads=(1, 2), num_attention_heads=2)
    refused("those of the student have 1, 2; leave out attention_mse", check_models, layers, ModelConfig(TEACHER),
            ModelConfig(uneven))


def test_equal_layers_go_to_transformers(world: Path) -> None:
    prune(world, "mlm", "hf", "--ffn", 16, "--layers", "2,", "--records", world / "records/corpus", "--batches", 2,
          "--to", "hf")
    assert read_json(world / "hf/config.json").items() >= {"intermediate_size": 16, "num_hidden_layers": 1}.items()


RECORDS = ("--records", "records/task")
REFUSED = [
    ("lstm is a BiLSTM; pruning needs a transformer", "lstm", ("--heads", "1")),
    ("nothing would be cut; say what to keep", "teacher", ()),
    ("nothing would be cut", "teacher", ("--layers", "4", "--heads", "4")),
    ("--heads is 5; the layers have 4 attention heads", "teacher", ("--heads", "5", *RECORDS)),
    ("'0' is no whole number of at least 1", "teacher", ("--ffn", "0", *RECORDS)),
    ("--layers is 9; the model has 4 layers", "teacher", ("--layers", "9", *RECORDS)),
    ("--layers names 1, 4; expected layers of the model, 0 to 3", "teacher", ("--layers", "1,4")),
    ("neither a number of layers, such as 2, nor a list", "teacher", ("--layers", "first")),
    ("--records is not set", "teacher", ("--layers", "2")),
    ("--records is for measuring importance", "teacher", ("--layers", "0,3", *RECORDS)),
    ("--across_layers ranks heads or units", "teacher", ("--layers", "2", "--across_layers", *RECORDS)),
    ("no records at", "teacher", ("--heads", "1", "--records", "records/none")),
    ("holds corpus records; expected task records", "teacher", ("--heads", "1", "--records", "records/corpus")),
    ("holds task records; expected sequences", "mlm", ("--heads", "1", *RECORDS)),
    ("is a model of the task QNLI, but .* holds records of SST-2", "qnli", ("--heads", "1", *RECORDS)),
    ("--teacher .* is a model of the task QNLI", "teacher", ("--heads", "1", *RECORDS, "--teacher", "qnli")),
    ("--teacher .* is IN_DIR itself", "teacher", ("--heads", "1", *RECORDS, "--teacher", "teacher")),
    ("has a masked_lm head, but the task needs", "teacher", ("--heads", "1", *RECORDS, "--teacher", "mlm")),
    ("has no head and thus no loss", "pretrained", ("--heads", "1", "--records", "records/corpus")),
    ("hidden states of 32 numbers are compared with the teacher's of 64", "pretrained",
     ("--heads", "1", "--records", "records/corpus", "--teacher", "wide")),
    ("holds 96 rows, and --batch_size is 500", "teacher", ("--heads", "1", *RECORDS, "--batch_size", "500")),
    ("--to hf writes a Hugging Face folder, which has no settings", "teacher",
     ("--heads", "1", *RECORDS, "--to", "hf")),
]


@pytest.mark.parametrize(("match", "source", "options"), REFUSED, ids=[row[0][:40] for row in REFUSED])
def test_refused(match: str, source: str, options: tuple[str, ...], world: Path) -> None:
    places = [str(world / option) if option in ("qnli", "teacher", "mlm", "wide") or option.startswith("records/")
              else option for option in options]
    refused(match, prune, world, source, "never", *places)
    assert not (world / "never").exists()
