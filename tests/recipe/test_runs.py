# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The entry points from records to a student: golden losses, exact resume, best checkpoint, what they refuse."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

import eval as evaluation
import prepare_data
import run_finetune
import run_general_distill
import run_task_distill
from src.checkpoints.checkpoint import load_model, save_model
from src.checkpoints.labels import reordered
from src.common.errors import TrainingError, UserError
from src.common.files import sha256_of
from src.config import HeadConfig, ModelConfig
from src.records.prepare import TaskOptions, prepare_task
from src.tasks import get_task
from src.text.tokenization import load_tokenizer
from tests.refusals import refused
from tests.tiny import (
    ONE_LAYER,
    ONE_LENGTH,
    STUDENT,
    STUDENT_OPTIONS,
    TEACHER,
    difference,
    killed_after,
    lines,
    losses,
    save_random,
    sentence,
)

pytestmark = pytest.mark.large
SMALL = replace(STUDENT, num_hidden_layers=1)


def general(world, run, *options):
    run_general_distill.main([
        "--load_teacher_ckpt_path", str(world / "pretrained"), "--data_dir", str(world / "records/corpus"),
        "--save_ckpt_path", str(run), "--batch_size", "8", "--learning_rate", "1e-3", *STUDENT_OPTIONS, *ONE_LAYER,
        *ONE_LENGTH, *options])


def task(world, run, *options):
    run_task_distill.main([
        "--load_teacher_ckpt_path", str(world / "teacher"), "--task_name", "SST-2", "--save_ckpt_path", str(run),
        "--train_data_dir", str(world / "records/task/train"), "--eval_data_dir", str(world / "records/task/dev"),
        "--td_phase1_epoch_size", "1", "--td_phase2_epoch_size", "1", "--learning_rate", "1e-3",
        *STUDENT_OPTIONS, *ONE_LAYER, *ONE_LENGTH, *options])


def finetune(world, run, *options):
    run_finetune.main([
        "--load_ckpt_path", str(world / "pretrained"), "--task_name", "SST-2", "--save_ckpt_path", str(run),
        "--train_data_dir", str(world / "records/task/train"), "--eval_data_dir", str(world / "records/task/dev"),
        "--batch_size", "16", "--learning_rate", "2e-3", *ONE_LENGTH, *options])


STEPS = ("--train_steps", "4", "--save_checkpoint_step", "2", "--student.num_hidden_layers", "2", "--buckets", "8,16")


@pytest.fixture(scope="module")
def golden_run(world):
    """A general distillation of four steps, compiled, in the middle of an epoch, with dropout."""
    general(world, world / "golden_run", *STEPS)
    return world / "golden_run"


@pytest.mark.golden
@pytest.mark.usefixtures("graph_mode")
def test_general_distillation_has_golden_losses(world, golden_run):
    run = golden_run
    logged = lines(run)
    assert [line["step"] for line in logged] == [1, 2, 3, 4]
    for line in logged:
        assert line["loss"] == pytest.approx(sum(line["terms"].values()), rel=1e-5)
        assert set(line["terms"]) == {"attention_mse", "hidden_mse"}
    assert losses(run) == pytest.approx(GOLDEN_GENERAL, rel=1e-5)
    student = load_model(run / "model")
    assert student.config.encoder.num_hidden_layers == 2
    assert all(name.startswith("encoder.") for name in student.parameters)
    assert (run / "model" / "vocab.txt").read_text() == (world / "vocab" / "vocab.txt").read_text()


@pytest.mark.usefixtures("graph_mode")
def test_resumed_run_equals_the_straight_one(world, golden_run, tmp_path):
    """Killed in the middle of an epoch, with dropout: same losses, same parameters to the bit."""
    broken = tmp_path / "broken"
    with killed_after(3):
        general(world, broken, *STEPS)
    assert (broken / "checkpoints/latest").read_text().strip() == "step-00000002"
    assert [path.name for path in (broken / "checkpoints").glob("step-*")] == ["step-00000002"]  # max_ckpt_num 1
    general(world, broken, *STEPS)
    assert losses(broken) == losses(golden_run)
    assert difference(golden_run / "model", broken / "model") == 0


@pytest.mark.usefixtures("graph_mode")
def test_finetuning_learns_the_rule_and_keeps_the_best(world, tmp_path, capsys):
    run = tmp_path / "run"
    finetune(world, run, "--epoch_size", "12")
    evaluations = [line["eval"]["accuracy"] for line in lines(run) if "eval" in line]
    assert len(evaluations) == 12
    assert max(evaluations) > 0.9
    assert f"The best acc is {max(evaluations):.6f}" in capsys.readouterr().out
    assert load_model(run / "model").config.head.labels == ("0", "1")
    evaluation.main(["--checkpoint", str(run / "model"), "--task_name", "SST-2", "--data_dir", str(world / "tsv"),
                     "--split", "dev", "--seq_length", "16", "--metrics_path", str(tmp_path / "m.json"),
                     "--device_target", "CPU"])
    assert json.loads((tmp_path / "m.json").read_text())["metrics"]["accuracy"] == pytest.approx(max(evaluations))


def test_task_distillation_runs_both_phases(world, tmp_path, capsys):
    run, start = tmp_path / "run", save_random(tmp_path / "general", ModelConfig(SMALL), world / "vocab")
    task(world, run, "--load_gd_ckpt_path", str(start), "--batch_size", "16")
    out = capsys.readouterr().out
    assert out.index("teacher on dev: accuracy") < out.index("task_distill_phase1 epoch: 1, step: 1/6")
    assert "The best acc is" in out
    stages = {line["stage"]: set(line["terms"]) for path in (run / "phase1", run / "phase2") for line in lines(path)
              if "terms" in line}
    assert stages == {"task_distill_phase1": {"attention_mse", "hidden_mse"},
                      "task_distill_phase2": {"soft_cross_entropy"}}
    student = load_model(run / "model").config
    assert (student.head.labels, student.task_name) == (("0", "1"), "SST-2")
    task(world, run, "--load_gd_ckpt_path", str(start), "--batch_size", "16")
    assert "all 6 steps are done already" in capsys.readouterr().out
    run_task_distill.main(["--do_train", "false", "--save_ckpt_path", str(run), "--task_name", "SST-2", *ONE_LENGTH,
                           "--eval_data_dir", str(world / "records/task/dev")])
    assert "The best acc is" in capsys.readouterr().out


def test_student_from_its_teacher_without_general_distillation(world, tmp_path):
    task(world, tmp_path / "run", "--initialization", "teacher", "--student.hidden_size", "32",
         "--student.intermediate_size", "64", "--batch_size", "48", "--td_phase1_epoch_size", "1")
    state = load_model(tmp_path / "run/model").parameters
    assert state["encoder.layers.0.output.weight"].shape == (32, 64)


def test_divergence_stops_with_a_checkpoint(world, tmp_path):
    run = tmp_path / "run"
    good = load_model(world / "pretrained")
    parameters = {**good.parameters, "encoder.layers.1.output.bias": np.full(32, np.nan, np.float32)}
    save_model(tmp_path / "teacher", good.config, parameters, good.tokenizer_path)
    with pytest.raises(TrainingError, match="the loss of step 1 is not finite: .*hidden_mse is nan"):
        general(world, run, "--train_steps", "5", "--load_teacher_ckpt_path", str(tmp_path / "teacher"))
    assert (run / "checkpoints/latest").read_text().strip() == "step-00000000"
    assert not (run / "model").exists()


def test_regression_distils_the_teachers_score(world, tmp_path, capsys):
    generator = np.random.default_rng(0)
    folder = tmp_path / "STS-B"
    folder.mkdir()
    for split, rows in (("train", 48), ("dev", 12)):
        texts = [f"{sentence(generator, 0)}\t{sentence(generator, 1)}\t{generator.uniform(0, 5):.2f}"
                 for _ in range(rows)]
        (folder / f"{split}.tsv").write_text("sentence1\tsentence2\tscore\n" + "\n".join(texts) + "\n")
    records, runs = tmp_path / "records", tmp_path / "runs"
    prepare_task(get_task("STS-B"), folder, load_tokenizer(world / "vocab"), records, TaskOptions(seq_length=32))
    teacher = save_random(runs / "teacher", ModelConfig(TEACHER, HeadConfig("regression"), "STS-B"), world / "vocab")
    run_task_distill.main(["--load_teacher_ckpt_path", str(teacher), "--save_ckpt_path", str(runs / "student"),
                           "--task_name", "STS-B", "--data_dir", str(records), "--batch_size", "16", "--phases", "2",
                           "--student_model", str(save_random(runs / "start", ModelConfig(SMALL), None)),
                           "--td_phase2_epoch_size", "1", *ONE_LENGTH, "--buckets", "[]"])
    assert {name for line in lines(runs / "student/phase2") for name in line.get("terms", {})} == {"logits_mse"}
    metrics = [line["eval"] for line in lines(runs / "student/phase2") if "eval" in line]
    assert list(metrics[0]) == ["spearman", "pearson"] or list(metrics[0]) == ["pearson", "spearman"]
    student = load_model(runs / "student/model").config
    assert (student.head.kind, student.head.num_labels) == ("regression", 1)


def test_records_without_a_manifest(world, tmp_path):
    """As Google BERT's scripts leave them: record files alone, and a schema of the user's."""
    folder = tmp_path / "foreign"
    folder.mkdir()
    for number, path in enumerate(sorted((world / "records/corpus").glob("*.tfrecord"))):
        shutil.copy(path, folder / f"tf_examples.{number}.tf_record")
    schema = tmp_path / "schema.json"
    shutil.copy(world / "records/corpus/schema.json", schema)
    general(world, tmp_path / "foreign_run", "--train_steps", "2", "--data_dir", str(folder), "--schema_dir",
            str(schema))
    general(world, tmp_path / "own_run", "--train_steps", "2")
    assert losses(tmp_path / "foreign_run") == losses(tmp_path / "own_run")


@pytest.mark.parametrize(("options", "message"), [
    (["--load_teacher_ckpt_path", "/does/not/exist"], "does not exist"),
    (["--load_teacher_ckpt_path", ""], "load_teacher_ckpt_path is empty"),
    (["--data_dir", ""], "data_dir is empty"),
    (["--student.num_hidden_layers", "3"], "does not divide"),
    (["--student.num_attention_heads", "2"], "same num_attention_heads"),
    (["--student.vocab_size", "100"], "vocabulary"),
    (["--student.max_position_embeddings", "8"], "8 positions"),
    (["--device_target", "Ascend"], "device_target is Ascend"),
    (["--batch_size", "1000"], "fewer than the 1000 of an optimiser step"),
    (["--dataset_type", "mindrecord"], "set --dataset_type tfrecord"),
    (["--initialization", "teacher"], "student.hidden_size is 16"),
])
def test_refused_before_anything_is_written(world, tmp_path, options, message):
    run = tmp_path / "run"
    refused(message, general, world, run, *options)
    assert not (run / "model").exists()
    assert not (run / "metrics.jsonl").exists()


def learn_predictions(teacher, run, *options):
    run_task_distill.main(["--load_teacher_ckpt_path", str(teacher), "--task_name", "SST-2", "--save_ckpt_path",
                           str(run), "--phases", "2", "--td_phase2_epoch_size", "1", "--learning_rate", "1e-3",
                           "--batch_size", "16", *ONE_LENGTH, *options])


def turned(world, folder):
    """The teacher with its two classes in the other order, rows and names."""
    loaded = load_model(world / "teacher")
    used = reordered(loaded, (1, 0))
    return save_model(folder, used.config, used.parameters, loaded.tokenizer_path)


def test_a_teacher_of_another_order_of_labels_teaches_the_same(world, tmp_path, capsys):
    """In the step, and by logits that are stored before."""
    records = shutil.copytree(world / "records", tmp_path / "records")
    options = ("--student_model", str(save_random(tmp_path / "start", ModelConfig(SMALL), None)), "--data_dir",
               str(records / "task"))
    learn_predictions(world / "teacher", tmp_path / "straight", *options, "--cache_teacher_logits", "false")
    teacher, places = turned(world, tmp_path / "teacher"), (tmp_path / "in the step", tmp_path / "stored")
    for run, stored in zip(places, ("false", "true"), strict=True):
        assert not list((records / "task/train").glob("teacher_logits/[!.]*"))
        capsys.readouterr()
        learn_predictions(teacher, run, *options, "--cache_teacher_logits", stored)
        (said,) = (line for line in capsys.readouterr().out.splitlines() if "labels reordered" in line)
        assert f"{teacher} has 1, 0; " in said and said.endswith("the task, 0, 1")
        assert load_model(run / "model").config.head.labels == ("0", "1")
    assert len(list((records / "task/train").glob("teacher_logits/[!.]*"))) == 1
    assert losses(places[0] / "phase2") == losses(tmp_path / "straight/phase2")
    assert difference(places[0] / "model", tmp_path / "straight/model") == 0
    assert losses(places[1] / "phase2") == pytest.approx(losses(tmp_path / "straight/phase2"), abs=1e-5)


def test_records_of_files_take_the_labels_of_the_teacher(world, tmp_path, capsys):
    """And the student has them: what it is evaluated on, or trained on again, is matched by name."""
    teacher = turned(world, tmp_path / "teacher")
    learn_predictions(teacher, tmp_path / "run", "--data_dir", str(world / "tsv"), "--seq_length", "16",
                      "--student_model", str(save_random(tmp_path / "start", ModelConfig(SMALL), None)))
    assert f"labels in the order of the model {teacher}: 1, 0" in capsys.readouterr().out
    student = load_model(tmp_path / "run/model")
    assert student.config.head.labels == ("1", "0")
    best = json.loads((tmp_path / "run/result.json").read_text())["metrics"]["accuracy"]
    written = tmp_path / "predictions.jsonl"
    for data, is_turned in ((world / "records/task", True), (tmp_path / "run/records", False)):
        evaluation.main(["--checkpoint", str(student.directory), "--data_dir", str(data), "--split", "dev",
                         "--predictions_path", str(written), "--metrics_path", str(tmp_path / "m.json"),
                         "--device_target", "CPU", "--buckets", "8,16"])
        assert ("labels reordered" in capsys.readouterr().out) == is_turned
        accuracy = json.loads((tmp_path / "m.json").read_text())["metrics"]["accuracy"]
        assert accuracy == pytest.approx(best)
        rows = [json.loads(line) for line in written.read_text().splitlines()]
        labels = [line.rpartition("\t")[2] for line in (world / "tsv/dev.tsv").read_text().splitlines()[1:]]
        assert [row["label"] for row in rows] == labels
        assert np.mean([row["label"] == row["prediction"] for row in rows]) == pytest.approx(accuracy)


def test_labels_that_do_not_fit_are_refused(world, tmp_path):
    values = load_model(world / "teacher")
    for labels, message in ((("no", "yes"), "predicts no, yes; the task's labels are 0, 1; only the task has 0, 1"),
                            (("LABEL_0", "LABEL_1"), "--labels 0,1")):
        config = replace(values.config, head=HeadConfig("classification", labels))
        teacher = save_model(tmp_path / labels[0], config, values.parameters, values.tokenizer_path)
        refused(message, task, world, tmp_path / "run", "--load_teacher_ckpt_path", str(teacher))
    prepare_data.main(["task", "--task_name", "SST-2", "--data_dir", str(world / "tsv"), "--tokenizer",
                       str(world / "vocab"), "--output_dir", str(tmp_path / "turned"), "--seq_length", "16",
                       "--labels_of", str(turned(world, tmp_path / "order"))])
    dev = ("--eval_data_dir", str(tmp_path / "turned/dev"))
    for command in (task, finetune):
        refused("eval_data_dir .* have the labels 1, 0, those that are trained on 0, 1 in another order", command,
                world, tmp_path / "run", *dev)
    assert not (tmp_path / "run").exists()


def test_records_of_another_vocabulary_are_refused(world, tmp_path):
    teacher = tmp_path / "teacher"
    shutil.copytree(world / "pretrained", teacher)
    words = (teacher / "vocab.txt").read_text().splitlines()
    words[-1], words[-2] = words[-2], words[-1]
    (teacher / "vocab.txt").write_text("\n".join(words) + "\n")
    for name in ("tokenizer.json", "manifest.json"):
        (teacher / name).unlink(missing_ok=True)
    (teacher / "manifest.json").write_text(json.dumps({"files": {p.name: sha256_of(p) for p in teacher.iterdir()}}))
    refused("another vocabulary", general, world, tmp_path / "run", "--load_teacher_ckpt_path", str(teacher))


def test_another_runs_folder_is_refused(world, tmp_path):
    run = tmp_path / "run"
    general(world, run, "--train_steps", "1")
    with pytest.raises(UserError, match=r"general_distill.learning_rate: 0.001 there, 0.002 here"):
        general(world, run, "--train_steps", "1", "--learning_rate", "2e-3")
    general(world, run, "--train_steps", "1", "--learning_rate", "2e-3", "--resume", "false")
    assert len(losses(run)) == 1


def test_a_student_without_a_pooler_is_finetuned_with_a_new_one(world, tmp_path, capsys):
    encoder = replace(TEACHER, type_vocab_size=0, pooler="none")
    save_random(tmp_path / "distilbert", ModelConfig(encoder, HeadConfig("masked_lm")), world / "vocab")
    finetune(world, tmp_path / "run", "--load_ckpt_path", str(tmp_path / "distilbert"), "--train_steps", "2")
    assert "has no pooler; a random one was drawn" in capsys.readouterr().out
    assert load_model(tmp_path / "run/model").config.encoder.pooler == "relu"


# Seed 42, float32, MindSpore 2.10 on CPU.
GOLDEN_GENERAL = [3.1237910, 2.9816856, 2.8696401, 2.7695994]


def test_all_that_does_not_fit_is_told_before_the_teacher_is_evaluated(world, tmp_path, capsys):
    """And what is proposed runs."""
    wrong = ("--student.vocab_size", "100", "--student.num_attention_heads", "2", "--student.num_hidden_layers", "3",
             "--student.max_position_embeddings", "8")
    messages = ("things do not fit: .*vocabulary has 53 tokens, the student's 100", "num_hidden_layers 3 does not",
                "num_attention_heads, but the teacher has 4 and the student 2", "8 positions")
    for command in (general, task):
        for message in messages:
            refused(message, command, world, tmp_path / "run", *wrong)
    refused("lower batch_size", task, world, tmp_path / "run", *wrong, "--batch_size", "1000")
    refused("start from its teacher: .*student.hidden_size is 16, the teacher's 32; student.intermediate_size is 32",
            task, world, tmp_path / "run", "--initialization", "teacher")
    assert "teacher on dev" not in capsys.readouterr().out and not (tmp_path / "run").exists()
    with pytest.raises(UserError) as raised:
        task(world, tmp_path / "run", *wrong)
    proposed = str(raised.value).partition("the usual student of this teacher: ")[2].partition(",")[0].split()
    assert proposed[:4] == ["--initialization", "teacher", "--num_hidden_layers", "2"]
    run_general_distill.main(["--load_teacher_ckpt_path", str(world / "pretrained"), "--data_dir",
                              str(world / "records/corpus"), "--save_ckpt_path", str(tmp_path / "run"), "--train_steps",
                              "1", *ONE_LENGTH, *proposed])
    encoder = load_model(tmp_path / "run/model").config.encoder
    assert encoder == replace(TEACHER, num_hidden_layers=2, initializer_range=0.02)
    assert "vocab_size: 53" in (tmp_path / "run/config.yaml").read_text()


CONSTANT = ("--lr_schedule", "constant", "--warmup_proportion", "0", "--epoch_size", "5")


@pytest.fixture(scope="module")
def nine_steps(world):
    general(world, world / "nine_steps", *CONSTANT, "--train_steps", "9")
    return world / "nine_steps"


@pytest.mark.parametrize("interrupted", [False, True])
def test_a_run_that_goes_on_is_one_that_was_that_long_from_the_start(world, nine_steps, tmp_path, capsys, interrupted):
    straight, extended = nine_steps, tmp_path / "extended"
    refused("holds no run that could be made longer", general, world, extended, "--extend", "continue")
    if interrupted:
        with killed_after(3):
            general(world, extended, *CONSTANT, "--train_steps", "5", "--save_checkpoint_step", "2")
    else:
        general(world, extended, *CONSTANT, "--train_steps", "5")
    before = {path: path.read_bytes() for path in extended.rglob("*") if path.is_file()}
    refused(r"another length \(general_distill.train_steps 5 there, 9 here\); .*--extend continue .* or restart",
            general, world, extended, *CONSTANT, "--train_steps", "9")
    assert before == {path: path.read_bytes() for path in extended.rglob("*") if path.is_file()}
    general(world, extended, *CONSTANT, "--train_steps", "9", "--extend", "continue")
    assert "extended to 9 steps: optimiser kept" in capsys.readouterr().out
    assert losses(extended) == losses(straight)
    assert difference(straight / "model", extended / "model") == 0
    # It has that length now.
    general(world, extended, *CONSTANT, "--train_steps", "9")
    assert "all 9 steps are done already" in capsys.readouterr().out
    refused("has done 9 steps, and the settings ask for 7", general, world, extended, *CONSTANT, "--train_steps", "7",
            "--extend", "continue")
    refused("other settings", general, world, extended, *CONSTANT, "--train_steps", "10", "--learning_rate", "1e-4",
            "--extend", "continue")


@pytest.mark.parametrize("how, later", [("continue", [1, 5 / 6, 4 / 6, 3 / 6, 2 / 6, 1 / 6]),
                                        ("restart", [0.5, 1, 1, 0.75, 0.5, 0.25])])
def test_the_schedule_of_an_extended_run(world, tmp_path, how, later):
    """Warm-up over 40 % of the steps, then down to 0: of all ten steps, or of the six that were added."""
    run, options = tmp_path / "run", ("--warmup_proportion", "0.4", "--epoch_size", "5")
    general(world, run, *options, "--train_steps", "4")
    if how == "continue":
        general(world, run, *options, "--train_steps", "10", "--extend", how)
    else:
        with killed_after(7):
            general(world, run, *options, "--train_steps", "10", "--extend", how, "--save_checkpoint_step", "6")
        general(world, run, *options, "--train_steps", "10")  # the same command without the option goes on
    rates = [line["learning_rate"] * 1000 for line in lines(run) if "loss" in line]
    assert rates == pytest.approx([1, 1, 2 / 3, 1 / 3, *later], rel=1e-4)


def test_a_run_that_early_stopping_has_ended_is_extended(world, tmp_path, capsys):
    run, options = tmp_path / "run", ("--eval_interval", "1", "--early_stopping", "1", "--learning_rate", "1e-9")
    finetune(world, run, *options, "--train_steps", "5")
    assert "early stopping after step 2 of 5" in capsys.readouterr().out
    finetune(world, run, *options, "--train_steps", "6", "--extend", "restart")
    assert "over the 4 steps from the student after step 2" in capsys.readouterr().out


def test_phases_are_extended_by_themselves(world, tmp_path, capsys):
    run = tmp_path / "run"
    task(world, run, "--do_eval", "false", "--batch_size", "32")
    refused("phase1 holds a run of another length .*phase2 was trained: only that one", task, world, run,
            "--do_eval", "false", "--batch_size", "32", "--td_phase1_epoch_size", "2", "--extend", "continue")
    task(world, run, "--do_eval", "false", "--batch_size", "32", "--td_phase2_epoch_size", "2", "--extend", "continue")
    assert "task_distill_phase2: extended to 6 steps" in capsys.readouterr().out
    assert len([line for line in lines(run / "phase2") if "loss" in line]) == 6
