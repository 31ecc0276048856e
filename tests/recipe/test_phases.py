# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Phases of task distillation with data and rates of their own; a task's own files; early stopping; the best metric."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import yaml

import run_finetune
import run_general_distill
import run_task_distill
import src.runs.task_distill
from src.checkpoints.checkpoint import identity, load_model, parameters_of, save_model
from src.checkpoints.store import CheckpointStore
from src.common.errors import UserError
from src.config import ModelConfig, load_config
from src.dataset import identity_of, open_records
from src.records.prepare import TaskOptions, prepare_task
from src.tasks import get_task
from src.text.tokenization import load_tokenizer
from src.train.stage import Progress
from tests import tiny
from tests.refusals import refused
from tests.tiny import HEAD, RUN_OPTIONS, STUDENT, STUDENT_OPTIONS, killed_after, lines, save_random, write_sst2

pytestmark = pytest.mark.large

SMALL = replace(STUDENT, num_hidden_layers=1)
ONE_LENGTH = (*RUN_OPTIONS, "--buckets", "[]", "--progress", "false")


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """The tiny world, with raw files that have an augmented split, records of two lengths, and augmented records."""
    folder = tiny.make_world(tmp_path_factory.mktemp("world"))
    raw = folder / "raw"
    write_sst2(raw, {"train_aug": 128}, seed=5)
    for split in ("train", "dev"):
        shutil.copy(folder / f"tsv/{split}.tsv", raw)
    prepare_task(get_task("SST-2"), raw, load_tokenizer(folder / "vocab"), folder / "records/short",
                 TaskOptions(seq_length=12))
    return folder


@pytest.fixture
def stages(monkeypatch):
    """What the entry points would train, by name; nothing is trained."""
    found = {}

    def train(stage, settings, device, run):
        found[stage.name] = (stage, run)
        with run.open():
            save_model(run.model, stage.model, parameters_of(stage.network, "student."), stage.tokenizer_path)
        return Progress(micro_steps=7, seconds=1.5, metrics={"accuracy": 0.25}, metrics_step=7)

    monkeypatch.setattr(src.runs.task_distill, "train", train)
    monkeypatch.setattr(run_finetune, "train", train)
    return found


def distil(world, run, *options):
    run_task_distill.main(["--teacher_model", str(world / "teacher"), "--task_name", "SST-2", "--output_dir", str(run),
                           *(() if "bilstm" in options else STUDENT_OPTIONS), *ONE_LENGTH, *options])


def finetune(world, run, *options):
    run_finetune.main(["--load_ckpt_path", str(world / "pretrained"), "--task_name", "SST-2", "--save_ckpt_path",
                       str(run), *ONE_LENGTH, *options])


def inputs(run) -> dict[str, str]:
    return json.loads((run / "run.json").read_text())["inputs"]


def settings(run) -> dict:
    return yaml.safe_load((run / "config.yaml").read_text())


def rows(path, split) -> str:
    return identity_of(open_records(str(path), load_config().data, "data_dir", "task", split))


def test_phase_1_begins_with_the_projection_of_general_distillation(world, stages, tmp_path, capsys):
    general = tmp_path / "general"
    run_general_distill.main(["--load_teacher_ckpt_path", str(world / "pretrained"), "--data_dir",
                              str(world / "records/corpus"), "--save_ckpt_path", str(general), "--train_steps", "2",
                              "--learning_rate", "1e-2", *STUDENT_OPTIONS, *ONE_LENGTH])
    trained = {name: value for name, value in CheckpointStore(general, 1).load()[1].tensors.items()
               if name.startswith("projection.")}
    assert set(trained) == {"projection.layers.0.weight", "projection.layers.0.bias"}

    def begins_with(student, *options) -> bool:
        distil(world, tmp_path / "run", "--data_dir", str(world / "records/task"), "--phases", "1", "--resume", "false",
               "--load_gd_ckpt_path", str(student), *options)
        found = parameters_of(stages["task_distill_phase1"][0].network, "projection.")
        return all(np.array_equal(found.get(name.removeprefix("projection.")), value)
                   for name, value in trained.items())

    assert begins_with(general) and begins_with(general / "model")
    assert begins_with(CheckpointStore(general, 1).newest())
    assert "note: phase 1 begins with the projection that" in capsys.readouterr().out
    # Without the run, for another kind of projection, and for a student that is not of these checkpoints.
    shutil.copytree(general / "model", tmp_path / "alone")
    assert not begins_with(tmp_path / "alone")
    assert not begins_with(general, "--task_distill.phase1.projection", "per_layer")
    shutil.rmtree(general / "model")
    save_random(general / "model", ModelConfig(STUDENT), world / "vocab")
    assert not begins_with(general)


def test_a_student_of_another_dropout_than_it_has(world, stages, tmp_path):
    general = save_random(tmp_path / "general", ModelConfig(STUDENT), world / "vocab")
    data = ("--data_dir", str(world / "records/task"), "--load_gd_ckpt_path", str(general))

    def dropouts(name: str, *options) -> list[float]:
        distil(world, tmp_path / name, *data, *options)
        models = [stages[f"task_distill_phase{phase}"][0].network.student for phase in (1, 2)]
        return [model.encoder.layers[0].output_dropout.probability for model in models]

    assert dropouts("own") == [0.1, 0.1]
    assert dropouts("both", "--student_dropout", "0.25") == [0.25, 0.25]
    assert dropouts("second", "--task_distill.phase2.student_dropout", "0") == [0.1, 0]
    found = load_model(tmp_path / "both/model").config.encoder
    assert (found.hidden_dropout_prob, found.attention_probs_dropout_prob) == (0.25, 0.25)
    for given, message in (("1", "it must be at least 0 and below 1"), ("none", "student_dropout is 'none'")):
        refused(message, distil, world, tmp_path / "other", *data, "--student_dropout", given)
    refused("the student is a BiLSTM, whose dropout is --bilstm.dropout", distil, world, tmp_path / "other",
            "--data_dir", str(world / "records/task"), "--architecture", "bilstm",
            "--task_distill.phase2.student_dropout", "0")


@pytest.mark.usefixtures("graph_mode")
def test_task_distillation_of_a_tasks_own_files_in_two_commands(world, tmp_path, capsys):
    """Both commands of TinyBERT's task_distill.py, but for folders and the number of steps."""
    first, second = tmp_path / "tmp_tinybert", tmp_path / "tinybert"
    teacher = save_random(tmp_path / "tuned", ModelConfig(STUDENT, HEAD, "SST-2"), world / "vocab")
    general = save_random(tmp_path / "general", ModelConfig(SMALL), world / "vocab")
    common = ["--teacher_model", str(teacher), "--data_dir", str(world / "raw"), "--task_name", "SST-2",
              "--aug_train", "--do_lower_case", "--max_seq_length", "16", "--train_batch_size", "32",
              "--train_steps", "2", *ONE_LENGTH]
    # Without evaluation, which the second command has.
    run_task_distill.main(["--student_model", str(general), "--output_dir", str(first), "--num_train_epochs", "10",
                           "--do_eval", "false", *common])
    assert sorted(path.name for path in (first / "records").iterdir()) == ["dev", "train", "train_aug"]
    augmented = rows(first / "records", "train_aug")
    assert inputs(first / "phase1") == {"teacher": identity(teacher), "student": identity(general),
                                        "train": augmented}
    assert inputs(first / "phase2")["train"] == augmented != rows(first / "records", "train")

    capsys.readouterr()
    run_task_distill.main(["--pred_distill", "--student_model", str(first), "--output_dir", str(second),
                           "--learning_rate", "3e-5", "--num_train_epochs", "3", "--eval_step", "1", *common])
    out = capsys.readouterr().out
    assert not (second / "phase1").exists()
    assert inputs(second / "phase2")["student"] == identity(first / "phase1/model")
    phase2 = settings(second / "phase2")["task_distill"]["phase2"]
    assert (phase2["learning_rate"], phase2["epoch_size"], phase2["eval_interval"]) == (3e-5, 3, 1)
    assert out.count("task_distill_phase2 evaluation after step") == 2
    assert load_model(second / "model").config.head.labels == ("0", "1")
    result = json.loads((second / "result.json").read_text())
    assert (result["task"], set(result["metrics"])) == ("SST-2", {"accuracy"})
    assert f"The best acc is {result['metrics']['accuracy']:.6f}" in out
    assert result["step"] in (1, 2) and result["command"][:2] == ["run_task_distill.py", "--pred_distill"]


def test_each_phase_has_its_own_rows_and_rates(world, tmp_path, stages):
    run, records = tmp_path / "run", world / "records"
    distil(world, run, "--do_eval", "false", "--train_data_dir", str(records / "task/train"),
           "--task_distill.phase2.train_data_dir", str(records / "short/train"),
           "--task_distill.phase2.aug_train", "true", "--task_distill.phase1.batch_size", "8",
           "--task_distill.phase2.batch_size", "32", "--task_distill.phase1.learning_rate", "1e-3",
           "--task_distill.phase2.lr_schedule", "constant", "--td_phase1_epoch_size", "2")
    (one, one_run), (two, two_run) = stages["task_distill_phase1"], stages["task_distill_phase2"]
    assert (one.source.rows, one.source.columns["input_ids"].shape) == (96, (16,))
    assert (two.source.rows, two.source.columns["input_ids"].shape) == (128, (12,))
    assert (one.settings.batch_size, two.settings.batch_size) == (8, 32)
    assert (one.settings.learning_rate, two.settings.learning_rate) == (1e-3, 2e-5)
    assert (one.settings.lr_schedule, two.settings.lr_schedule) == ("polynomial", "constant")
    assert (one.settings.epoch_size, two.settings.epoch_size) == (2, 3)
    assert inputs(one_run.path)["train"] == rows(records / "task", "train")
    assert inputs(two_run.path)["train"] == rows(records / "short", "train_aug")


def test_phase_1_alone_then_phase_2_in_the_same_run(world, tmp_path, stages, capsys):
    run, options = tmp_path / "run", ("--data_dir", str(world / "records/task"), "--do_eval", "false")
    distil(world, run, *options, "--phases", "1")
    assert list(stages) == ["task_distill_phase1"]
    assert f"student: {run / 'phase1/model'}" in capsys.readouterr().out
    distil(world, run, *options, "--phases", "2")
    assert inputs(run / "phase2")["student"] == identity(run / "phase1/model")
    assert json.loads((run / "result.json").read_text())["metrics"] == {"accuracy": 0.25}


def test_a_run_stands_for_its_checkpoints(world, tmp_path, stages):
    """Of the teacher and the general student: model/. Of phase 1: phase1/model."""
    run, general, tuned = tmp_path / "run", tmp_path / "general", tmp_path / "tuned"
    save_random(general / "model", ModelConfig(STUDENT), world / "vocab")
    shutil.copytree(world / "teacher", tuned / "model")
    options = ("--data_dir", str(world / "records/task"), "--do_eval", "false", "--teacher_model", str(tuned))
    distil(world, run, *options, "--student_model", str(general))
    assert inputs(run / "phase1")["student"] == identity(general / "model")
    distil(world, tmp_path / "other", *options, "--pred_distill", "--load_td1_ckpt_path", str(run),
           "--student_model", str(general))
    assert inputs(tmp_path / "other/phase2")["student"] == identity(run / "phase1/model")


@pytest.mark.parametrize("command", ["distil", "finetune"])
def test_a_bilstm_needs_no_transformer_student(world, tmp_path, stages, command):
    options = ("--architecture", "bilstm", "--bilstm.hidden_size", "8", "--bilstm.embedding_size", "12",
               "--data_dir", str(world / "raw"), "--seq_length", "16")
    if command == "distil":
        distil(world, tmp_path / "run", *options, "--do_eval", "false")
    else:
        finetune(world, tmp_path / "run", *options, "--load_ckpt_path", "", "--prepare_task.tokenizer",
                 str(world / "vocab"))
    (stage, run), = stages.values()
    assert stage.name in ("task_distill_phase2", "finetune")
    assert stage.model.encoder.kind == "bilstm"
    assert stage.model.encoder.hidden_size == 8
    assert load_model(run.model).tokenizer_path is not None
    assert "bilstm.hidden_size" in json.loads((run.path / "run.json").read_text())["settings"]


class Scripted:
    """Stands for the evaluation on dev: values as they are written here."""

    values: list[tuple[float, float]] = []

    def __init__(self, *_):
        pass

    def __call__(self, parameters):
        accuracy, f1 = self.values.pop(0)
        return {"accuracy": accuracy, "f1": f1}


def test_early_stopping_by_a_chosen_metric_survives_an_interruption(world, tmp_path, monkeypatch, capsys):
    run = tmp_path / "run"
    monkeypatch.setattr(run_finetune, "DevEvaluation", Scripted)
    monkeypatch.setattr(run_finetune, "check_metric", lambda task, name: None)
    # The best f1 is that of evaluation 2; accuracy goes on rising.
    Scripted.values = [(0.1, 0.5), (0.2, 0.8), (0.3, 0.8), (0.4, 0.7), (0.5, 0.75), (0.6, 0.9)]
    small = save_random(tmp_path / "small", ModelConfig(SMALL), world / "vocab")
    options = ("--load_ckpt_path", str(small), "--data_dir", str(world / "records/task"), "--batch_size", "16",
               "--eval_step", "1", "--train_steps", "9", "--epoch_size", "9", "--save_checkpoint_step", "1",
               "--early_stopping", "3", "--metric", "f1")
    with killed_after(4):
        finetune(world, run, *options)
    assert "The best acc is 0.800000 (f1)" in capsys.readouterr().out
    assert not (run / "result.json").exists()
    finetune(world, run, *options)
    out = capsys.readouterr().out
    assert "finetune: early stopping after step 5 of 9: 3 evaluations without a better f1 than 0.800000 (step 2)" in out
    assert "The best acc is 0.800000 (f1)" in out
    assert len(Scripted.values) == 1
    assert [line["eval"]["f1"] for line in lines(run) if "eval" in line] == [0.5, 0.8, 0.8, 0.7, 0.75]
    result = json.loads((run / "result.json").read_text())
    assert (result["metrics"], result["step"]) == ({"accuracy": 0.2, "f1": 0.8}, 2)
    model = identity(run / "model")
    finetune(world, run, *options)
    assert "finetune: 5 steps, up to early stopping, are done already" in capsys.readouterr().out
    assert identity(run / "model") == model
    # What must be the same to continue; the model is the best one on these dev rows.
    inputs = json.loads((run / "run.json").read_text())["inputs"]
    assert inputs == {"pretrained": identity(small), "train": rows(world / "records/task/train", "train"),
                      "dev": rows(world / "records/task/dev", "dev")}


@pytest.mark.parametrize(("options", "message"), [
    (["--metric", "f1"], "metric is 'f1'; task SST-2 has accuracy"),
    (["--train_data_dir", "{task}/train", "--aug_train"], "no augmented records .*prepare_data.py augment"),
    (["--data_dir", "{tsv}", "--aug_train"], "tsv has no train_aug.tsv; make it first: python prepare_data.py augment"),
    (["--data_dir", "{tsv}", "--task_name", ""], "holds no records, and task_name is empty"),
    (["--data_dir", "{world}/vocab"], "no data of task SST-2|has no dev.tsv"),
    (["--data_dir", ""], "eval_data_dir is empty"),
    (["--pred_distill"], "no student is given; .*--student_model"),
    (["--pred_distill", "--student_model", "{world}/nothing"], "load_gd_ckpt_path .*nothing does not exist"),
    (["--architecture", "bilstm", "--phases", "1"], "a BiLSTM has no layers"),
    (["--architecture", "bilstm", "--phases", "2", "--task_distill.phase2.quantize", "int8"],
     "quantize is int8, but a BiLSTM is not trained in int8; .*export.py --quantize int8 quantizes a BiLSTM"),
    (["--phases", "3"], "expected one of 'both', '1', '2'"),
    (["--seeds", "1,2", "--do_train", "false"], "do_train is false"),
    (["--do_train", "false", "--do_eval", "false"], "do_train and do_eval are both false"),
    (["--data_dir", "{tsv}/train.tsv"], "train.tsv is one file, .*the folder that also has dev.tsv"),
    (["--data_dir", "{world}/teacher"], "no data of task SST-2|has no dev.tsv"),
    (["--save_ckpt_path", "{world}/teacher"], "teacher is where load_teacher_ckpt_path .* lies"),
    (["--seeds", "1,1"], "a seed twice"),
    (["--load_gd_ckpt_path", "{world}/pretrained"], "hidden_size is 16, but the student is that of load_gd_ckpt_path"),
    (["--pred_distill", "--student_model", "{world}/pretrained"], "hidden_size is 16, .*pretrained, which has 32"),
    (["--seq_length", "12"], "seq_length is 12, but .*dev.*holds rows of 16 tokens"),
])
def test_refused_before_anything_is_trained(world, tmp_path, options, message):
    run, places = tmp_path / "run", {"world": world, "task": world / "records/task", "tsv": world / "tsv"}
    given = [option.format(**places) for option in options]
    with pytest.raises(UserError, match=message) as caught:
        distil(world, run, "--data_dir", str(world / "records/task"), *given)
    assert "\n" not in str(caught.value)
    assert not (run / "phase1").exists() and not (run / "phase2").exists()


def test_a_transformer_is_no_start_of_a_bilstm(world, tmp_path):
    with pytest.raises(UserError, match="is a transformer, but student.architecture is bilstm"):
        finetune(world, tmp_path / "run", "--architecture", "bilstm", "--data_dir", str(world / "records/task"))
    with pytest.raises(UserError, match="load_gd_ckpt_path .* is a transformer, but student.architecture is bilstm"):
        distil(world, tmp_path / "run", "--architecture", "bilstm", "--data_dir", str(world / "records/task"),
               "--load_gd_ckpt_path", str(world / "pretrained"))
