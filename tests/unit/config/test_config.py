# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Settings: where they come from, what they refuse, and the model zoo's own options."""

from __future__ import annotations

import dataclasses
import typing

import pytest

from src.common.errors import UserError
from src.common.typed import fingerprint
from src.config import ENTRY_POINTS, ModelConfig, help_text, load_config, parse
from src.config.described import default_yaml, settings
from src.config.reading import DEFAULT_CONFIG
from tests.refusals import refused

GD, TD = "run_general_distill.py", "run_task_distill.py"


def test_the_default_file_is_made_of_the_settings():
    assert DEFAULT_CONFIG.read_text(encoding="utf-8") == default_yaml(), "write it with python -m src.config"
    assert [path for path, setting in settings().items() if len(setting.text) < 10] == []


@pytest.mark.parametrize(("entry", "options", "expected"), [
    (GD, [], {"device.device_target": "auto", "device.distribute": False, "general_distill.epoch_size": 1,
              "device.device_id": 0, "device.device_num": 1, "checkpoint.save_ckpt_path": "",
              "checkpoint.max_ckpt_num": 1, "data.do_shuffle": True, "data.enable_data_sink": True,
              "data.data_sink_steps": 1, "checkpoint.save_checkpoint_step": 1000,
              "teacher.load_teacher_ckpt_path": "", "data.data_dir": "", "data.schema_dir": "",
              "data.dataset_type": "tfrecord", "general_distill.batch_size": 16, "data.seq_length": 128}),
    (TD, [], {"task_distill.do_train": True, "task_distill.do_eval": True, "task_distill.phase1.epoch_size": 10,
              "task_distill.phase2.epoch_size": 3, "task_distill.load_gd_ckpt_path": "",
              "task_distill.load_td1_ckpt_path": "", "data.train_data_dir": "", "data.eval_data_dir": "",
              "task.task_name": ""}),
    (GD, ["--distribute", "true", "--device_num", "8", "--epoch_size", "3", "--device_id", "1",
          "--device_target", "GPU", "--do_shuffle", "false", "--enable_data_sink", "true",
          "--data_sink_steps", "100", "--save_ckpt_path", "a",
          "--max_ckpt_num", "2", "--save_checkpoint_step", "7", "--load_teacher_ckpt_path", "t", "--data_dir", "d",
          "--schema_dir", "s", "--dataset_type", "mindrecord", "--train_steps", "5"],
     {"device.distribute": True, "device.device_num": 8, "general_distill.epoch_size": 3, "device.device_target": "GPU",
      "data.do_shuffle": False, "data.data_sink_steps": 100, "checkpoint.save_checkpoint_step": 7,
      "general_distill.train_steps": 5, "data.dataset_type": "mindrecord"}),
    (TD, ["--do_train", "true", "--do_eval", "False", "--td_phase1_epoch_size", "4", "--td_phase2_epoch_size", "5",
          "--save_ckpt_step", "9", "--load_gd_ckpt_path", "g", "--load_td1_ckpt_path", "t1", "--train_data_dir", "x",
          "--eval_data_dir", "y", "--task_name", "QNLI", "--batch_size", "8"],
     {"task_distill.do_eval": False, "task_distill.phase1.epoch_size": 4, "task_distill.phase2.epoch_size": 5,
      "checkpoint.save_checkpoint_step": 9, "task_distill.phase1.batch_size": 8, "task_distill.phase2.batch_size": 8}),
])
def test_options_of_the_model_zoo(entry, options, expected):
    config = parse(entry, options)
    for path, value in expected.items():
        found = config
        for name in path.split("."):
            found = getattr(found, name)
        assert found == value, path


@pytest.mark.parametrize(("options", "message"), [
    (["--bach_size", "3"], "did you mean 'batch_size'"),
    (["--student.num_hiden_layers", "3"], "did you mean 'student.num_hidden_layers'"),
    (["--batch_size", "many"], "expected a whole number"),
    (["--batch_size", "true"], "expected a whole number"),
    (["--do_train", "yes"], "expected true or false"),
    (["--learning_rate", "fast"], "expected a number"),
    (["--learning_rate", "-1"], "above 0"),
    (["--device_target", "TPU"], "expected one of 'auto', 'Ascend'"),
    (["--hidden_act", "gleu"], "did you mean 'gelu'"),
    (["--student.hidden_size", "310"], "not a multiple of num_attention_heads"),
    (["--device_num", "8"], "distribute is false"),
    (["--buckets", "64,32"], "rising order"),
    (["--batch_size"], "needs a value"),
    (["batch_size", "3"], "unexpected argument"),
    (["--config_path", "does/not/exist.yaml"], "cannot read"),
    (["--n_gpu", "2"], "--n_gpu is not needed here: .*run_distributed_.*; leave it out"),
])
def test_refused_on_the_command_line(options, message):
    refused(message, parse, TD, options)


@pytest.mark.parametrize(("entry", "option", "needed"), [
    ("run_finetune.py", "train_file", "--task mlm"), ("run_finetune.py", "mlm_probability", "--task mlm"),
    ("run_general_distill.py", "alpha_ce", "--objective tokens"),
])
def test_a_setting_of_the_variant_says_what_it_needs(entry, option, needed):
    with pytest.raises(UserError, match=f"--{option} is a setting of {needed}; give that too, or leave it out"):
        parse(entry, [f"--{option}", "1"])
    refused("unknown setting --nonsense", parse, entry, ["--nonsense", "1"])


@pytest.mark.parametrize(("text", "message"), [
    ("student: {num_hidden_layer: 3}", "did you mean 'student.num_hidden_layers'"),
    ("task_distill: {do_train: 'true'}", "without quotes"),
    ("student: 3", "is a section"),
    ("studnet: {hidden_size: 3}", "unknown setting studnet"),
    ("- a\n- b", "expected sections"),
    ("a: [", "not valid YAML"),
    ("data:\n  seq_length: 16\n  buckets: [16]\n  seq_length: 32", "'seq_length' stands twice, in the lines 2 and 4"),
])
def test_refused_in_a_recipe(tmp_path, text, message):
    path = tmp_path / "recipe.yaml"
    path.write_text(text)
    refused(message, parse, TD, ["--config_path", str(path)])


def test_the_command_line_has_the_last_word(tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text("general_distill: {batch_size: 4, learning_rate: 1e-4}")  # YAML reads 1e-4 as text
    config = parse(GD, ["--batch_size", "6", "--config_path", str(path)])
    assert (config.general_distill.batch_size, config.general_distill.learning_rate) == (6, 1e-4)


def test_weights_of_other_loss_terms(tmp_path):
    """A mapping with names of its own: the command line has the last word as a whole."""
    file = tmp_path / "recipe.yaml"
    file.write_text("general_distill:\n  attention_weight: 0\n  hidden_weight: 0\n  terms: {one: 1, two: 2.5}\n")
    assert parse("run_general_distill.py", ["--config_path", str(file)]).general_distill.terms == {"one": 1, "two": 2.5}
    options = ("--config_path", str(file), "--terms", "three=1e-1,four=2")
    assert parse("run_general_distill.py", options).general_distill.terms == {"three": 0.1, "four": 2}
    for given in ("three", "three=", "three=-1", "=1"):
        refused("three|=1", parse, "run_general_distill.py", ["--terms", given])


@pytest.mark.parametrize("entry", ENTRY_POINTS)
def test_help_lists_what_the_entry_point_takes(entry):
    text = help_text(entry)
    assert "  --seed " in text and "mlm_probability" not in text
    assert ("  --seq_length " in text) == (entry not in ("prepare_data.py vocab", "prepare_data.py lists"))
    assert ("  --buckets " in text) == ("run_" in entry or entry in ("eval.py", "export.py"))
    assert parse(entry, []).seed == load_config().seed


@pytest.mark.parametrize("words", [["--help", "aliases"], ["--batch_size", "3", "--help", "aliases"]])
def test_other_names_stand_in_a_help_of_their_own(words, capsys):
    with pytest.raises(SystemExit) as left:
        parse(TD, words)
    lines = capsys.readouterr().out.splitlines()
    assert left.value.code == 0
    assert "  --student_model                  --load_gd_ckpt_path" in lines
    assert "  --pred_distill                   --task_distill.phases 2" in lines
    assert not any("--recipe" in line or "--file_path" in line for line in lines)
    assert f"python {TD} --help aliases" in help_text(TD)


NEGATIVE = {"task.null_score_threshold"}  # a difference of two scores, of either sign


@pytest.mark.medium
def test_each_number_has_a_range():
    accepted = set()
    for path, setting in settings().items():
        if not {int, float} & {setting.kind, *typing.get_args(setting.kind)}:
            continue
        wrong = {tuple: [-1], dict: {"a": -1}}.get(typing.get_origin(setting.kind), -1)
        try:
            load_config(**{path.replace(".", "__"): wrong})
        except UserError as error:
            assert path.rpartition(".")[2] in str(error) and "-1" in str(error), path
        else:
            accepted.add(path)
    assert accepted == NEGATIVE


@pytest.mark.parametrize(("setting", "wrong", "message"), [
    ("evaluate__batch_size", 0, "evaluate.batch_size is 0; it must be at least 1"),
    ("data__shuffle_buffer_size", 0, "data.shuffle_buffer_size is 0; it must be at least 1"),
    ("mlm__validation_split_percentage", 0, "percentage is 0; it must be at least 1 and at most 50"),
    ("mlm__validation_split_percentage", 51, "percentage is 51; it must be at least 1 and at most 50"),
    ("finetune__beta1", 1.0, "beta1 is 1.0; it must be at least 0 and below 1"),
    ("finetune__eps", 0.0, "eps is 0.0; it must be above 0"),
    ("finetune__weight_decay", float("nan"), "weight_decay is nan; it must be at least 0"),
    ("student__layer_norm_eps", 0.0, "layer_norm_eps is 0.0; it must be above 0"),
    ("student__initializer_range", 0.0, "initializer_range is 0.0; it must be above 0"),
    ("augment__pos_probability", 1.5, "augment.pos_probability is 1.5; it must be at least 0 and at most 1"),
    ("seed", 1 << 32, "seed is 4294967296; it must be at least 0 and at most 4294967295"),
    ("seeds", [3, -4], r"seeds is \[3, -4\]; it must be at least 0"),
])
def test_ends_of_the_ranges(setting, wrong, message):
    refused(message, load_config, **{setting: wrong})


def test_configs_are_frozen_and_have_fingerprints():
    config = load_config()
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.seed = 1
    assert fingerprint(config) == fingerprint(load_config())
    assert fingerprint(config) != fingerprint(load_config(general_distill__batch_size=17))


def test_model_config_round_trip_is_strict():
    model = ModelConfig(load_config().student.encoder())
    assert ModelConfig.from_dict(model.to_dict()) == model
    with pytest.raises(UserError, match="unknown setting encoder.depth"):
        ModelConfig.from_dict({**model.to_dict(), "encoder": {**model.to_dict()["encoder"], "depth": 3}})


def test_a_stage_inherits_what_it_does_not_set(tmp_path):
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("training: {beta1: 0.8, batch_size: 4}\nmlm: {beta1: 0.7}\n")
    config = parse(GD, ["--config_path", str(recipe), "--training.beta1", "0.6"])
    stages = (config.finetune, config.general_distill, config.task_distill.phase1, config.mlm)
    assert [stage.beta1 for stage in stages] == [0.6, 0.6, 0.6, 0.7]
    assert [stage.batch_size for stage in stages] == [32, 4, 4, 8]


@pytest.mark.parametrize(("earlier", "today"), [
    ("recipe: distil\ndistil: {alpha_ce: 5.0, eval_interval: 0}",
     "objective: tokens\ntoken_distill: {alpha_ce: 5.0, eval_interval: end}"),
    ("recipe: tinybert\nfinetune: {eval_interval: 0}\nmlm: {eval_interval: 0}",
     "objective: layers\nfinetune: {eval_interval: epoch}\nmlm: {eval_interval: end}"),
    ("task_distill: {phase2: {alpha_mse: 1.0, eval_interval: 0}}",
     "task_distill: {phase2: {alpha_logits_mse: 1.0, eval_interval: epoch}}"),
])
def test_names_of_version_0_1_in_recipes(tmp_path, earlier, today):
    for name, text in (("earlier", earlier), ("today", today)):
        (tmp_path / name).write_text(text)
    assert load_config(tmp_path / "earlier") == load_config(tmp_path / "today")
    assert load_config(tmp_path / "earlier", distil__alpha_cos=0.5).token_distill.alpha_cos == 0.5


@pytest.mark.parametrize(("entry", "earlier", "today"), [
    (GD, "--recipe distil --alpha_mse 2 --distil.alpha_cos 1 --eval_interval 0",
     "--objective tokens --token_distill.alpha_mse 2 --alpha_cos 1 --eval_interval end"),
    (GD, "--recipe tinybert --batch_size 3", "--objective layers --general_distill.batch_size 3"),
    (TD, "--alpha_mse 2 --eval_interval 0", "--alpha_logits_mse 2 --eval_interval epoch"),
    (TD, "--task_distill.phase2.alpha_mse 2", "--task_distill.phase2.alpha_logits_mse 2"),
    ("run_finetune.py", "--task mlm --eval_interval 0", "--task mlm --mlm.eval_interval end"),
    ("prepare_data.py corpus", "--recipe distil", "--objective tokens"),
])
def test_names_of_version_0_1_on_the_command_line(entry, earlier, today):
    assert parse(entry, earlier.split()) == parse(entry, today.split())


def test_an_interval_is_a_number_of_steps_or_a_word():
    assert load_config(finetune__eval_interval="end").finetune.eval_interval == "end"
    for wrong in ("never", False, -1, 1.5):
        refused("finetune.eval_interval is", load_config, finetune__eval_interval=wrong)


def test_objective_decides_where_flat_names_are_looked_up(tmp_path):
    plain, distil = parse(GD, ["--batch_size", "7"]), parse(GD, ["--batch_size", "7", "--objective", "tokens"])
    assert (plain.general_distill.batch_size, plain.token_distill.batch_size) == (7, 5)
    assert (distil.general_distill.batch_size, distil.token_distill.batch_size) == (16, 7)
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("objective: tokens\n")
    assert parse(GD, ["--config_path", str(recipe), "--n_epoch", "9"]).token_distill.epoch_size == 9
    assert parse("run_finetune.py", ["--task", "mlm", "--batch_size", "3"]).mlm.batch_size == 3
    assert parse("run_finetune.py", ["--task_name", "SST-2", "--batch_size", "3"]).finetune.batch_size == 3
    refused("--alpha_ce is a setting of --objective tokens", parse, GD, ["--alpha_ce", "1"])


def test_options_of_the_distil_reference():
    config = parse(GD, [
        "--recipe", "distil", "--teacher_name", "t", "--alpha_ce", "5.0", "--alpha_mlm", "2.0", "--alpha_cos", "1.0",
        "--alpha_clm", "0.0", "--mlm", "--freeze_pos_embs", "--freeze_token_type_embds", "--batch_size", "50",
        "--gradient_accumulation_steps", "40", "--dump_path", "d", "--data_file", "r", "--token_counts", "c",
        "--student_pretrained_weights", "w", "--force", "--temperature", "3", "--n_epoch", "2", "--group_by_size",
        "false", "--warmup_prop", "0.1", "--weight_decay", "0.1", "--learning_rate", "1e-4", "--adam_epsilon", "1e-8",
        "--max_grad_norm", "1", "--initializer_range", "0.01", "--seed", "56", "--log_interval", "5",
        "--checkpoint_interval", "40", "--restrict_ce_to_mask", "--mlm_mask_prop", "0.2", "--word_mask", "0.7",
        "--word_keep", "0.2", "--word_rand", "0.1", "--mlm_smoothing", "0.5", "--alpha_mse", "0.5"])
    distil = config.token_distill
    assert distil.alphas == {"alpha_ce": 5, "alpha_mlm": 2, "alpha_clm": 0, "alpha_mse": 0.5, "alpha_cos": 1}
    assert (distil.mlm, distil.batch_size, distil.gradient_accumulation_steps, distil.token_counts) == ("true", 50, 40,
                                                                                                         "c")
    assert distil.freeze_pos_embs and distil.freeze_token_type_embds and distil.restrict_ce_to_mask
    assert (distil.temperature, distil.epoch_size, distil.group_by_size) == (3, 2, False)
    assert (distil.warmup_proportion, distil.weight_decay, distil.eps, distil.max_grad_norm) == (0.1, 0.1, 1e-8, 1)
    assert (distil.mlm_mask_prop, distil.word_mask, distil.mlm_smoothing) == (0.2, 0.7, 0.5)
    assert (config.teacher.load_teacher_ckpt_path, config.data.data_dir) == ("t", "r")
    assert (config.checkpoint.save_ckpt_path, config.checkpoint.resume) == ("d", False)
    assert (config.checkpoint.save_checkpoint_step, config.logging.log_interval, config.seed) == (40, 5, 56)
    assert (config.student.student_pretrained_weights, config.student.initializer_range) == ("w", 0.01)


def test_defaults_of_the_distil_reference():
    distil = load_config().token_distill
    assert (distil.temperature, distil.epoch_size) == (2, 3)
    assert (distil.batch_size, distil.gradient_accumulation_steps) == (5, 50)
    assert distil.alphas == {"alpha_ce": 0.5, "alpha_mlm": 0, "alpha_clm": 0.5, "alpha_mse": 0, "alpha_cos": 0}
    assert (distil.learning_rate, distil.warmup_proportion, distil.weight_decay, distil.eps) == (5e-4, 0.05, 0, 1e-6)
    assert (distil.beta1, distil.beta2, distil.max_grad_norm, distil.clip) == (0.9, 0.98, 5, "global")
    assert (distil.mlm_mask_prop, distil.word_mask, distil.word_keep, distil.word_rand, distil.mlm_smoothing) == (
        0.15, 0.8, 0.1, 0.1, 0.7)
    assert distil.group_by_size and not distil.restrict_ce_to_mask


def test_options_of_the_masked_lm_reference():
    config = parse("run_finetune.py", [
        "--task", "mlm", "--train_file", "a.txt,b.txt", "--do_train", "--do_eval", "--output_dir", "o",
        "--overwrite_output_dir", "--per_device_train_batch_size", "2", "--max_seq_length", "32", "--line_by_line"])
    assert config.mlm.train_file == ("a.txt", "b.txt")
    assert config.mlm.do_train and config.mlm.do_eval and config.mlm.line_by_line
    assert (config.checkpoint.save_ckpt_path, config.checkpoint.resume) == ("o", False)
    assert (config.mlm.batch_size, config.data.seq_length) == (2, 32)


def test_a_flag_takes_no_value_and_force_of_the_records_is_their_own():
    refused("--force is a flag", parse, GD, ["--force", "3"])
    config = parse("prepare_data.py corpus", ["--force", "true", "--file_path", "a", "--dump_file", "b"])
    assert (config.corpus.force, config.corpus.input, config.corpus.output_dir) == (True, ("a",), "b")
    assert config.checkpoint.resume
