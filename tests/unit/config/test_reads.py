# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""What is typed for a command and changes nothing is refused; every documented command is accepted."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from src.config import ENTRY_POINTS, parse
from src.config.described import settings
from src.config.reads import IDLE, READS, readers_of
from tests.refusals import refused

REPOSITORY = Path(__file__).resolve().parents[3]
GD, TD, FT = "run_general_distill.py", "run_task_distill.py", "run_finetune.py"
CORPUS, AUGMENT = "prepare_data.py corpus", "prepare_data.py augment"


@pytest.mark.parametrize(("entry", "options", "message"), [
    (TD, "--recipe distil", "--recipe has no effect in run_task_distill.py: objective is read by prepare_data.py"),
    (TD, "--objective tokens", "--objective has no effect .*run_general_distill.py"),
    (TD, "--general_distill.batch_size 4", "general_distill.batch_size is read by run_general_distill.py;"),
    (TD, "--finetune.epoch_size 4", "is read by run_finetune.py;"),
    (TD, "--mlm_mask_prop 0.2", "--mlm_mask_prop is read by .*--task mlm.*, not by run_task_distill.py"),
    (TD, "--token_counts c", "--token_counts is read by run_general_distill.py --objective tokens"),
    (TD, "--mlm_probability 0.2", "--mlm_probability is read by"),
    (TD, "--phases 2 --td_phase1_epoch_size 4", "--td_phase1_epoch_size has no effect .*phase 1 is not run"),
    (TD, "--pred_distill --student_model s --attention_weight 2", "phase 1 is not run"),
    (TD, "--phases 1 --alpha_ce 2", "phase 2 is not run"),
    (TD, "--architecture bilstm --hidden_size 120", "--hidden_size has no effect .*--bilstm.hidden_size"),
    (TD, "--bilstm.hidden_size 100", "give --architecture bilstm too"),
    (TD, "--student_model s --initialization teacher", "--initialization has no effect .*load_gd_ckpt_path"),
    (TD, "--architecture bilstm --glove_path g", "with --embeddings glove"),
    (FT, "--hidden_size 100", "give --architecture bilstm too"),
    (FT, "--student.hidden_size 120", "student.hidden_size is read by run_general_distill.py"),
    (FT, "--load_teacher_ckpt_path t", "fine-tuning has no teacher"),
    (FT, "--task mlm --data_dir x", "data.data_dir is read by"),
    (FT, "--task_name SST-2 --mlm.batch_size 4", "mlm.batch_size is read by run_finetune.py --task mlm"),
    (GD, "--train_data_dir x", "data.train_data_dir is read by run_finetune.py, run_task_distill.py, run_compress.py;"),
    (GD, "--eval_data_dir x", "data.eval_data_dir is read by .*--objective tokens"),
    (GD, "--architecture bilstm", "student.architecture is read by run_finetune.py"),
    (GD, "--token_distill.batch_size 3", "is read by run_general_distill.py --objective tokens"),
    (GD, "--relation_heads 16", "give --relation_weight 1 too"),
    (TD, "--attention_weight 0 --hidden_weight 0 --terms key_relations=1 --layer_map last", "of relation_layer"),
    (GD, "--objective tokens --layer_map last", "student.layer_map is read by"),
    (GD, "--objective tokens --student_config c --num_hidden_layers 3", "student_config describes"),
    ("eval.py", "--do_shuffle false", "data.do_shuffle is read by"),
    ("eval.py", "--data.data_dir x", "data.data_dir is read by"),
    ("eval.py", "--objective tokens", "objective is read by"),
    ("export.py", "--task_name SST-2", "it is read with --quantize"),
    ("export.py", "--task_name SST-2 --file_format BUNDLE", "it is read with --quantize: the task"),
    ("export.py", "--file_format ONNX --max_drop 0.1", "--max_drop has no effect .* with --quantize"),
    ("export.py", "--quantize int8 --calibration_data_dir x", "with --quantize int8-static"),
    (TD, "--do_eval false --early_stopping 3", "do_eval is false"),
    (TD, "--temperature 2 --alpha_ce 0 --alpha_label 1", "whose weight alpha_ce is 0"),
    (GD, "--shuffle_buffer_size 3 --do_shuffle false", "do_shuffle is false"),
    (FT, "--task mlm --validation_file v --validation_split_percentage 3", "validation_file is the held-out text"),
    ("export.py", "--file_format ONNX --batch_size 4", "than AIR take any"),
    ("export.py", "--file_format ONNX --batches 4", "of --file_format ASCEND"),
    ("export.py", "--file_format BUNDLE --compute_type float16", "float16 is of --file_format MINDIR, AIR and ASCEND"),
    ("export.py", "--file_format ONNX --buckets 4", "of --file_format ASCEND"),
    (CORPUS, "--input_format text --min_document_length 3", "one a line"),
    (CORPUS, "--scheduler tcp://a:1 --num_workers 3", "those of the scheduler"),
    (CORPUS, "--min_length 4", "with --objective tokens"),
    (CORPUS, "--whole_word_mask", "give --masked_lm_prob too"),
    (CORPUS, "--buckets 4", "data.buckets is read by"),
    (CORPUS, "--batch_size 4", "--batch_size is read by .*run_finetune.py"),
    ("prepare_data.py task", "--pooled_activation relu", "task.pooled_activation is read by"),
    ("prepare_data.py vocab", "--seeds 1", "seeds is read by"),
    (AUGMENT, "--method rules --glove_path x", "with --method tinybert"),
    (AUGMENT, "--mask_probability 0.2", "with --method rules"),
    ("run_compress.py", "--train_steps 9", "--minutes, or --rung_steps, says how many"),
])
def test_what_changes_nothing_is_refused(entry: str, options: str, message: str) -> None:
    refused(message, parse, entry, options.split())


@pytest.mark.parametrize(("entry", "options"), [
    (TD, "--batch_size 4 --phases 2"), (TD, "--phases 2 --student_model s --max_seq_length 16 --seed 3"),
    (TD, "--num_hidden_layers 3 --load_gd_ckpt_path s --layer_map last"), (TD, "--training.beta1 0.8"),
    (TD, "--prepare_task.num_workers 1 --per_device_eval_batch_size 3"),
    (FT, "--architecture bilstm --embeddings teacher --load_teacher_ckpt_path t"),
    (GD, "--objective tokens --eval_data_dir x --evaluate.batch_size 3 --mlm.mlm_mask_prop 0.2"),
    ("export.py", "--quantize int8 --eval_data_dir x --text_column t --mlm.mlm_mask_prop 0.2"),
    (CORPUS, "--masked_lm_prob 0.1 --whole_word_mask --logging.progress false"), (CORPUS, "--progress false"),
    ("prepare_data.py task", "--progress false"),
    (AUGMENT, "--method rules --mask_probability 0.2 --load_ckpt_path x"),
])
def test_what_is_read_is_accepted(entry: str, options: str) -> None:
    parse(entry, options.split())


@pytest.mark.medium
def test_a_recipe_may_hold_settings_of_all_stages(tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("objective: tokens\nmlm: {batch_size: 3}\nexport: {output: x}\ntask_distill: {phases: '2', "
                      "phase1: {batch_size: 3}}\nbilstm: {hidden_size: 3}\ndata: {train_data_dir: x}\n")
    for file in (recipe, REPOSITORY / "default_config.yaml", *(REPOSITORY / "configs").glob("*.yaml")):
        for entry in ENTRY_POINTS:
            parse(entry, ["--config_path", str(file)])


def test_every_setting_is_read_by_a_command() -> None:
    assert [path for path in settings() if not readers_of(path)] == []
    for idle in IDLE:
        assert all(command in READS for command in idle.commands)
        assert all(any(READS[command].has(path) for command in idle.commands for path in settings()
                       if path == name or path.startswith(f"{name}.")) for name in idle.names), idle.names


def _documented() -> list[tuple[str, list[str]]]:
    """Commands of the pages, recipes and docstrings, with their options."""
    commands = set()
    for pattern in ("README.md", "docs/*.md", "configs/*.yaml", "*.py"):
        for path in sorted(REPOSITORY.glob(pattern)):
            text = re.sub(r"\\\\?\n(#)?", " ", path.read_text(encoding="utf-8"))
            commands |= set(re.findall(r"python ((?:run_\w+|prepare_data|eval|export)\.py [^\n`#|]*)", text))
    found = []
    for command in sorted(command for command in commands if "..." not in command):
        word = shlex.split(command.split(" (")[0].rstrip(" .,;:"))
        entry = " ".join(word[:2]) if word[0] == "prepare_data.py" else word[0]
        options = word[len(entry.split()):]
        if entry in ENTRY_POINTS and options and "--help" not in options and all(
                option.startswith("--") for option in options[:1]):
            found.append((entry, options))
    return found


@pytest.mark.medium
def test_documented_commands_are_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPOSITORY)
    commands = _documented()
    assert len(commands) > 60 and {entry for entry, _ in commands} == set(ENTRY_POINTS)
    for entry, options in commands:
        parse(entry, options)
