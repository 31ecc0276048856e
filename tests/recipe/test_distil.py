# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Recipe distil and masked-LM training, from text to a student: what is computed, resumed, frozen, refused."""

from __future__ import annotations

import json
from dataclasses import replace

import mindspore as ms
import numpy as np
import pytest

import eval as evaluation
import prepare_data
import run_finetune
import run_general_distill
from src.checkpoints.checkpoint import load_model, save_model
from src.common.errors import TrainingError, UserError
from src.config import HeadConfig, ModelConfig
from src.distill.cell import DistillationCell
from tests import tiny
from tests.tiny import (
    ONE_LAYER,
    ONE_LENGTH,
    PLAIN,
    TEACHER,
    VOCABULARY,
    difference,
    killed_after,
    lines,
    losses,
    save_random,
)

pytestmark = [pytest.mark.large, pytest.mark.usefixtures("graph_mode")]

STUDENT_OPTIONS = ("--student.vocab_size", str(len(VOCABULARY)), "--student.hidden_size", "32",
                   "--student.num_hidden_layers", "2", "--student.num_attention_heads", "4",
                   "--student.intermediate_size", "64", "--student.max_position_embeddings", "64",
                   "--student.initializer_range", "0.05", "--student.type_vocab_size", "0", "--student.pooler", "none",
                   "--initialization", "teacher")
NO_DROPOUT = ("--hidden_dropout_prob", "0", "--attention_probs_dropout_prob", "0")
ALPHAS = ("--alpha_ce", "5", "--alpha_mlm", "2", "--alpha_clm", "0", "--alpha_cos", "1")
MASKED = ModelConfig(TEACHER, HeadConfig("masked_lm"))


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Text in which each word foretells the next, its records, and a masked-LM teacher with random weights."""
    folder = tmp_path_factory.mktemp("world")
    tiny.write_vocabulary(folder / "vocab")
    generator = np.random.default_rng(0)
    lines = []
    for _ in range(120):
        start, length = generator.integers(0, len(PLAIN)), generator.integers(5, 14)
        lines.append(" ".join(PLAIN[(start + place) % len(PLAIN)] for place in range(length)))
    (folder / "text.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    prepare_data.main(["corpus", "--objective", "tokens", "--input", str(folder / "text.txt"), "--tokenizer",
                       str(folder / "vocab"), "--output_dir", str(folder / "records"), "--seq_length", "16",
                       "--min_length", "3", "--num_workers", "1"])
    save_random(folder / "teacher", MASKED, folder / "vocab")
    return folder


def distil(world, run, *options, teacher="teacher"):
    run_general_distill.main([
        "--objective", "tokens", "--load_teacher_ckpt_path", str(world / teacher), "--data_dir", str(world / "records"),
        "--save_ckpt_path", str(run), "--batch_size", "8", "--gradient_accumulation_steps", "1", "--learning_rate",
        "1e-3", *ALPHAS, *STUDENT_OPTIONS, *ONE_LENGTH, *options])


@pytest.mark.golden
def test_golden_losses_and_what_is_frozen(world, tmp_path):
    run = tmp_path / "run"
    distil(world, run, "--train_steps", "4", "--freeze_pos_embs", "--buckets", "8,16", "--eval_data_dir",
           str(world / "records"))
    for line in lines(run)[:4]:
        terms = line["terms"]
        assert set(terms) == {"ce", "mlm", "cos"}
        assert line["loss"] == pytest.approx(5 * terms["ce"] + 2 * terms["mlm"] + terms["cos"], rel=1e-5)
    assert losses(run) == pytest.approx(GOLDEN, rel=1e-5)
    assert set(lines(run)[4]["eval"]) == {"perplexity", "accuracy", "tokens"}
    teacher, student = load_model(world / "teacher").parameters, load_model(run / "model").parameters
    positions = "encoder.embeddings.position_embeddings.embedding_table"
    types = teacher["encoder.embeddings.token_type_embeddings.embedding_table"]
    assert np.array_equal(student[positions], teacher[positions] + types[0])
    words = "encoder.embeddings.word_embeddings.embedding_table"
    assert not np.array_equal(student[words], teacher[words])


REFERENCE_STUDENT = {"activation": "gelu", "attention_dropout": 0.1, "dim": 32, "dropout": 0.1, "hidden_dim": 64,
                     "initializer_range": 0.05, "max_position_embeddings": 64, "n_heads": 4, "n_layers": 2,
                     "sinusoidal_pos_embds": True, "tie_weights_": True, "vocab_size": len(VOCABULARY)}
"""A student as the reference's training_configs/ describe one, without its type."""


def reference(world, run, *options):
    """The reference's train.py, but for the pickles and the number of steps."""
    run_general_distill.main([
        "--objective", "tokens", "--student_type", "distilbert", "--student_config", str(run.parent / "student.json"),
        "--teacher_type", "bert", "--teacher_name", str(world / "teacher"), "--alpha_ce", "5.0", "--alpha_mlm", "2.0",
        "--alpha_cos", "1.0", "--alpha_clm", "0.0", "--mlm", "--freeze_pos_embs", "--dump_path", str(run),
        "--data_file", str(world / "records"), "--token_counts", str(world / "records/token_counts.json"), "--force",
        "--batch_size", "8", "--gradient_accumulation_steps", "1", "--learning_rate", "1e-3", "--initialization",
        "teacher", "--train_steps", "2", *ONE_LENGTH, "--buckets", "8,16", *options])


def test_command_of_the_reference(world, tmp_path, capsys):
    file = tmp_path / "student.json"
    file.write_text(json.dumps(REFERENCE_STUDENT))
    reference(world, tmp_path / "run")
    assert losses(tmp_path / "run") == pytest.approx(GOLDEN[:2], rel=1e-4)
    encoder = load_model(tmp_path / "run/model").config.encoder
    assert (encoder.type_vocab_size, encoder.pooler, encoder.num_hidden_layers) == (0, "none", 2)
    assert "note: sinusoidal_pos_embds is true" in capsys.readouterr().out
    for options, match in ((("--teacher_type", "roberta"), "teacher_type is roberta, but the teacher is a bert"),
                           (("--student_type", ""), "student.json names no model_type; say with --student_type"),
                           (("--student_config", "", "--student.vocab_size", str(len(VOCABULARY))),
                            "student_type is distilbert, but the student is a bert")):
        with pytest.raises(UserError, match=match):
            reference(world, tmp_path / "run", *options)
    for changed, match in (({"model_type": "gpt2"}, "is of a gpt2, and student_type is distilbert"),
                           ({"n_layers": None}, "num_hidden_layers"),
                           ({"activation": "swish"}, "activation is 'swish'")):
        file.write_text(json.dumps(REFERENCE_STUDENT | changed))
        with pytest.raises(UserError, match=match):
            reference(world, tmp_path / "run")


def test_accumulation_equals_a_larger_batch(world, tmp_path):
    """The same rows and masks, and means over the whole optimiser step: batch 8 x 1 and 4 x 2, without dropout."""
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    options = ("--train_steps", "3", "--alpha_mse", "0.1", *NO_DROPOUT, *ONE_LAYER)
    distil(world, whole, *options)
    distil(world, parts, *options, "--batch_size", "4", "--gradient_accumulation_steps", "2")
    assert losses(parts) == pytest.approx(losses(whole), rel=1e-5)
    assert difference(whole / "model", parts / "model") < 1e-5


def test_resumed_run_equals_the_straight_one(world, tmp_path):
    """Killed in the middle of an optimiser step, with dropout: same masks, and the same parameters to the bit.

    The logged losses may differ in their last bit: MindSpore's CPU kernels sum the values, which no gradient depends
    on, over a number of threads that they choose while they run.
    """
    straight, broken = tmp_path / "straight", tmp_path / "broken"
    options = ("--batch_size", "4", "--gradient_accumulation_steps", "2", "--n_epoch", "2", "--train_steps", "18",
               "--checkpoint_interval", "3", *ONE_LAYER)
    distil(world, straight, *options)

    with killed_after(15):
        distil(world, broken, *options)
    assert (broken / "checkpoints/latest").read_text().strip() == "step-00000006"
    distil(world, broken, *options)
    assert losses(broken) == pytest.approx(losses(straight), rel=1e-6)
    assert difference(straight / "model", broken / "model") == 0


def test_a_loss_that_is_never_finite_stops_with_the_last_checkpoint(world, tmp_path, monkeypatch, capsys):
    """The second micro-step of the third optimiser step breaks each time that the run has gone back to the second."""
    run = tmp_path / "run"
    options = ("--batch_size", "4", "--gradient_accumulation_steps", "2", "--train_steps", "4", "--alpha_mse", "0.1",
               "--checkpoint_interval", "2", "--max_rewinds", "2", *ONE_LAYER)
    targets = DistillationCell.targets

    def broken(self, batch):
        outputs = targets(self, batch)
        return {"logits": outputs["logits"] + self.poison, "hidden": outputs["hidden"]}

    from src.train.step import TrainStep
    step = TrainStep.construct

    def poisoned(self, number, *columns):
        network = self.gradients.network
        value = np.inf if int(number.asnumpy()) == 5 else 0.0
        network.poison.set_data(ms.Tensor(value, ms.float32))
        return step(self, number, *columns)

    made = DistillationCell.__init__

    def with_poison(self, *args, **kwargs):
        made(self, *args, **kwargs)
        self.poison = ms.Parameter(ms.Tensor(0.0, ms.float32), name="poison", requires_grad=False)

    with monkeypatch.context() as patch:
        patch.setattr(DistillationCell, "__init__", with_poison)
        patch.setattr(DistillationCell, "targets", broken)
        patch.setattr(TrainStep, "construct", poisoned)
        with pytest.raises(TrainingError, match=r"distil: the loss of step 3 is not finite: .*mse is (inf|nan).*2 ret"):
            distil(world, run, *options)
    assert capsys.readouterr().out.count("going back to step 2") == 2
    assert (run / "checkpoints/latest").read_text().strip() == "step-00000002"
    state = load_model(run / "checkpoints/step-00000002")
    assert all(np.isfinite(value).all() for value in state.parameters.values())


def test_only_masked_places_are_compared_with_restrict_ce_to_mask(world, tmp_path):
    everywhere, masked = tmp_path / "everywhere", tmp_path / "masked"
    distil(world, everywhere, "--train_steps", "1", *NO_DROPOUT, *ONE_LAYER)
    distil(world, masked, "--train_steps", "1", "--restrict_ce_to_mask", *NO_DROPOUT, *ONE_LAYER)
    first, second = lines(everywhere)[0]["terms"], lines(masked)[0]["terms"]
    assert first["ce"] != pytest.approx(second["ce"], rel=1e-3)
    # The cosines are near 1: the last bit of one, which follows the number of threads, is 1e-5 of this term.
    assert (first["mlm"], first["cos"]) == pytest.approx((second["mlm"], second["cos"]), rel=1e-5, abs=1e-6)


def test_masked_lm_training_on_a_text_file(world, tmp_path, capsys):
    run = tmp_path / "mlm"
    save_random(tmp_path / "plain", ModelConfig(TEACHER), world / "vocab")
    run_finetune.main([
        "--task", "mlm", "--load_ckpt_path", str(tmp_path / "plain"), "--train_file", str(world / "text.txt"),
        "--do_train", "--do_eval", "--line_by_line", "--output_dir", str(run), "--overwrite_output_dir",
        "--max_seq_length", "16", "--per_device_train_batch_size", "16", "--num_train_epochs", "30", "--learning_rate",
        "5e-3", "--validation_split_percentage", "20", "--num_workers", "1", *ONE_LENGTH])
    output = capsys.readouterr().out
    assert "has no masked-LM head; a random one was drawn" in output
    logged = losses(run)
    assert len(logged) == 30 * (96 // 16)
    assert np.mean(logged[-10:]) < 0.8 * logged[0]
    assert sum("eval" in line for line in lines(run)) == 1  # at the end only
    assert (run / "loss.png").stat().st_size > 5000
    assert len((run / "loss.txt").read_text().splitlines()) == len(logged)
    stated = lines(run)[-1]["eval"]
    model = str(run / "model")
    evaluation.main(["--checkpoint", model, "--task", "mlm", "--data_dir", str(run / "records/text/validation.txt"),
                     "--seq_length", "16", "--batch_size", "5", "--buckets", "16", "--device_target", "CPU",
                     "--metrics_path", str(tmp_path / "m.json")])
    metrics = json.loads((tmp_path / "m.json").read_text())["metrics"]
    assert metrics == pytest.approx(stated, rel=1e-5)
    assert metrics["perplexity"] < len(VOCABULARY) / 2


def test_rows_of_an_evaluation_between_the_steps(world, tmp_path, capsys):
    """The one at the end, which is what the run comes to, counts all; so does one without training, here of the head
    that was drawn at random."""
    save_random(tmp_path / "plain", ModelConfig(TEACHER), world / "vocab")
    options = ("--task", "mlm", "--load_ckpt_path", str(tmp_path / "plain"), "--train_file", str(world / "text.txt"),
               "--line_by_line", "--output_dir", str(tmp_path / "mlm"), "--max_seq_length", "16", "--num_workers", "1",
               "--validation_split_percentage", "20", "--eval_rows", "3", *ONE_LENGTH)
    run_finetune.main([*options, "--max_steps", "2", "--eval_interval", "1"])
    few, every = (line["eval"]["tokens"] for line in lines(tmp_path / "mlm") if "eval" in line)
    assert 3 <= few < every / 3
    capsys.readouterr()
    run_finetune.main([*options, "--do_train", "false"])
    assert f"tokens: {every:.6f}" in capsys.readouterr().out


def causal(world, folder):
    encoder = replace(TEACHER, type_vocab_size=0, pooler="none", causal=True, pre_norm=True)
    save_random(folder, ModelConfig(encoder, HeadConfig("causal_lm")), world / "vocab")


CAUSAL_STUDENT = ("--student.causal", "true", "--student.pre_norm", "true")


def test_a_causal_student(world, tmp_path):
    causal(world, tmp_path / "teacher")
    run = tmp_path / "run"
    distil(world, run, "--train_steps", "12", "--alpha_mlm", "0", "--alpha_clm", "2", *CAUSAL_STUDENT, *NO_DROPOUT,
           *ONE_LAYER, "--learning_rate", "5e-3", teacher=tmp_path / "teacher")
    assert set(lines(run)[0]["terms"]) == {"ce", "clm", "cos"}
    assert lines(run)[-1]["terms"]["clm"] < 0.9 * lines(run)[0]["terms"]["clm"]
    assert load_model(run / "model").config.head.kind == "causal_lm"


def refused(world, tmp_path, match, *options, teacher="teacher"):
    with pytest.raises(UserError, match=match) as caught:
        distil(world, tmp_path / "run", *options, teacher=teacher)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(("options", "match"), [
    (("--student.vocab_size", "60"), "vocabulary has 53 tokens, the student's 60"),
    (("--student.hidden_size", "16", "--initialization", "random"), "cos compares .*hidden_size.*alpha_cos"),
    (("--student.hidden_size", "16"), "hidden_size"),
    (("--student.max_position_embeddings", "8", "--initialization", "random"), "knows 8 positions"),
    (("--student.max_position_embeddings", "128"), "max_position_embeddings"),
    (("--alpha_clm", "0.5"), "alpha_clm is 0.5, but clm is not for .*masked_lm"),
    (("--alpha_ce", "0", "--alpha_mlm", "0", "--alpha_cos", "0"), "one must be above 0"),
    (("--mlm", "false"), "mlm is false"),
    (("--student_init", "0,4"), "layers? .*4"),
    (("--student_init", "0,1,2"), "3 .*2|2 .*3"),
    (("--temperature", "0"), "temperature is 0"),
    (("--freeze_token_type_embds",), "nothing to freeze"),
    (("--gradient_accumulation_steps", "50"), "fewer than the 400 of an optimiser step"),
    (("--student.causal", "true"), "student a causal one"),
    (("--token_counts", "nowhere.json"), "nowhere.json"),
])
def test_what_cannot_be_distilled_is_refused(world, tmp_path, options, match):
    refused(world, tmp_path, match, *options)


def test_teacher_without_a_language_model_head_is_refused(world, tmp_path):
    save_random(tmp_path / "plain", ModelConfig(TEACHER), world / "vocab")
    refused(world, tmp_path, "teacher has no head", teacher=tmp_path / "plain")


def test_alpha_mlm_of_a_causal_model_is_refused(world, tmp_path):
    causal(world, tmp_path / "teacher")
    refused(world, tmp_path, "alpha_mlm is 2.0, but mlm is not for .*causal_lm", *CAUSAL_STUDENT,
            teacher=tmp_path / "teacher")


def test_token_counts_of_another_vocabulary_are_refused(world, tmp_path):
    counts = json.loads((world / "records/token_counts.json").read_text())
    other = tmp_path / "token_counts.json"
    other.write_text(json.dumps({**counts, "vocab_hash": "0" * 64}))
    refused(world, tmp_path, "vocabulary", "--token_counts", str(other))
    other.write_text(json.dumps({**counts, "vocab_size": 99, "counts": [1] * 99}))
    refused(world, tmp_path, "vocabulary|99", "--token_counts", str(other))


def test_records_of_another_tokenizer_are_refused(world, tmp_path):
    good = load_model(world / "teacher")
    tiny.write_vocabulary(tmp_path / "vocab", (*VOCABULARY[:-1], "other"))
    save_model(tmp_path / "teacher", good.config, good.parameters, tmp_path / "vocab")
    refused(world, tmp_path, "another vocabulary", teacher=tmp_path / "teacher")


GOLDEN = [8.09014, 8.1638, 8.05074, 7.80411]
