# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Settings: where they come from, what they refuse, and the model zoo's own options."""

from __future__ import annotations

import dataclasses

import pytest
import yaml

from src import config as configuration
from src.config import ENTRY_POINTS, ModelConfig, help_text, load_config, parse
from src.errors import UserError
from src.typed import fingerprint

GD, TD = "run_general_distill.py", "run_task_distill.py"


def test_each_setting_stands_in_the_default_file_with_a_description():
    described = {path: comment for path, _, comment in configuration._described_defaults()}
    assert set(described) == set(configuration._paths(configuration.Config))
    assert [path for path, comment in described.items() if len(comment) < 10] == []


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
    (["--config_path", "does/not/exist.yaml"], "cannot read the config file"),
])
def test_refused_on_the_command_line(options, message):
    with pytest.raises(UserError, match=message):
        parse(TD, options)


@pytest.mark.parametrize(("text", "message"), [
    ("student: {num_hidden_layer: 3}", "did you mean 'student.num_hidden_layers'"),
    ("task_distill: {do_train: 'true'}", "without quotes"),
    ("student: 3", "is a section"),
    ("studnet: {hidden_size: 3}", "unknown setting studnet"),
    ("- a\n- b", "expected sections"),
    ("a: [", "not valid YAML"),
])
def test_refused_in_a_recipe(tmp_path, text, message):
    path = tmp_path / "recipe.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=message):
        parse(TD, ["--config_path", str(path)])


def test_the_command_line_has_the_last_word(tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump({"general_distill": {"batch_size": 4, "learning_rate": 1e-3}}))
    config = parse(GD, ["--batch_size", "6", "--config_path", str(path)])
    assert (config.general_distill.batch_size, config.general_distill.learning_rate) == (6, 1e-3)


def test_numbers_without_a_dot_are_numbers(tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text("general_distill: {learning_rate: 1e-4}")  # YAML reads text here
    assert parse(GD, ["--config_path", str(path)]).general_distill.learning_rate == 1e-4


@pytest.mark.parametrize("entry", ENTRY_POINTS)
def test_help_lists_what_the_entry_point_takes(entry):
    text = help_text(entry)
    for name in ("--seed", "--seq_length"):
        assert name in text
    assert parse(entry, []).seed == load_config().seed


def test_recipes_in_configs_are_valid(repository):
    recipes = sorted((repository / "configs").glob("*.yaml"))
    assert recipes
    for recipe in recipes:
        load_config(recipe)


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
