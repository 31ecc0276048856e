# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Where each entry point looks up its flat options, and the other names under which they are known."""

from __future__ import annotations

from typing import Any

from src.config.other_encoders import BiLstmConfig

COMMON = ("", "device", "data", "logging")
RUN = ("checkpoint", *COMMON)
# Where phases and teacher have records of their own, `--train_data_dir` is what they share.
_REST = tuple(section for section in RUN if section != "data")

Sections = tuple[str | tuple[str, ...], ...]

ENTRY_POINTS: dict[str, Sections] = {
    "prepare_data.py corpus": ("corpus", "data", "logging", ""),
    "prepare_data.py task": ("prepare_task", "task", "data", "logging", ""),
    "prepare_data.py augment": ("augment", "task", "data", "logging", "device", ""),
    "prepare_data.py vocab": ("vocabulary", "task", ""),
    "prepare_data.py lists": ("lists", ""),
    "run_finetune.py": ("finetune", "task", BiLstmConfig.kind, *RUN, "teacher"),
    "run_general_distill.py": ("general_distill", "data", "teacher", "student", *_REST),
    "run_task_distill.py": ("task_distill", "data", ("task_distill.phase1", "task_distill.phase2"), "task", "teacher",
                            "student", BiLstmConfig.kind, *_REST),
    "run_compress.py": ("compress", "data", "compress.distill", "task", "teacher", *_REST),
    "eval.py": ("evaluate", "task", *COMMON),
    "export.py": ("export", "task", *COMMON),
}
"""Where each entry point looks up a flat `--name`: sections in order; a tuple of sections is set together."""

VARIANTS: dict[str, tuple[str, str, Sections]] = {
    "run_general_distill.py": ("objective", "tokens", ("token_distill", "data", "teacher", "student", *_REST)),
    "run_finetune.py": ("task.task_name", "mlm", ("mlm", "task", *RUN)),
}
"""Entry points that train something else when a setting has a value: setting, value, and the sections then."""

ALIASES: dict[str, str] = {
    "config": "config_path",
    # The model zoo's documents.
    "save_ckpt_step": "save_checkpoint_step",
    "td_phase1_epoch_size": "task_distill.phase1.epoch_size",
    "td_phase2_epoch_size": "task_distill.phase2.epoch_size",
    # train.py, binarized_data.py and token_counts.py of the Distil* family.
    "n_epoch": "epoch_size",
    "warmup_prop": "warmup_proportion",
    "adam_epsilon": "eps",
    "checkpoint_interval": "save_checkpoint_step",
    "dump_path": "save_ckpt_path",
    "data_file": "data_dir",
    "teacher_name": "load_teacher_ckpt_path",
    "file_path": "input",
    "tokenizer_name": "tokenizer",
    "dump_file": "output_dir",
    # task_distill.py of TinyBERT.
    "teacher_model": "load_teacher_ckpt_path",
    "student_model": "load_gd_ckpt_path",
    "train_batch_size": "batch_size",
    "eval_step": "eval_interval",
    "do_lower_case": "prepare_task.lower_case",
    # A student of another kind, in entry points that know no other setting of it.
    "architecture": "student.architecture",
    # run_squad_w_distillation.py of the Distil* family.
    "alpha_squad": "task_distill.phase2.alpha_label",
    # The masked-LM trainer of transformers.
    "task": "task.task_name",
    "model_name_or_path": "load_ckpt_path",
    "output_dir": "save_ckpt_path",
    "max_seq_length": "seq_length",
    "per_device_train_batch_size": "batch_size",
    "per_device_eval_batch_size": "evaluate.batch_size",
    "num_train_epochs": "epoch_size",
    "max_steps": "train_steps",
    "warmup_ratio": "warmup_proportion",
    "mlm_probability": "mlm_mask_prop",
    "logging_steps": "log_interval",
    "save_steps": "save_checkpoint_step",
    "eval_steps": "eval_interval",
    "preprocessing_num_workers": "num_workers",
}
"""Other names that the documents of the reference systems use for a setting; a setting of that name comes first."""

LEFT_OUT = dict.fromkeys(("n_gpu", "gpus", "local_rank"),
                         "several processes are started by scripts/run_distributed_*.sh")
"""Options of the reference systems that have no setting here, and what stands for them."""

FLAGS: dict[str, tuple[str, str]] = {"force": ("resume", "false"), "overwrite_output_dir": ("resume", "false"),
                                     "pred_distill": ("task_distill.phases", "2")}
"""Flags of the reference systems that are a value of a setting here."""

RENAMED: dict[str, str] = {"recipe": "objective", "distil": "token_distill",
                           "task_distill.phase2.alpha_mse": "task_distill.phase2.alpha_logits_mse"}
"""Settings and sections that had another name in version 0.1."""

_OLD_VALUES: dict[str, dict[Any, str]] = {
    "objective": {"tinybert": "layers", "distil": "tokens"},
    # 0 was once an epoch here, and at the end there.
    "finetune.eval_interval": {0: "epoch"},
    "task_distill.phase2.eval_interval": {0: "epoch"},
    "mlm.eval_interval": {0: "end"},
    "token_distill.eval_interval": {0: "end"},
}


def renamed(path: str) -> str:
    """Return today's full name of a setting or section."""
    for old, new in RENAMED.items():
        if path == old or path.startswith(f"{old}."):
            return new + path[len(old):]
    return path


def current(path: str, value: Any) -> tuple[str, Any]:
    """Return today's name and value of a setting that a recipe, a command or a run of version 0.1 may hold."""
    path = renamed(path)
    return path, _OLD_VALUES.get(path, {}).get(value, value) if type(value) in (str, int) else value


def together(group: str | tuple[str, ...]) -> tuple[str, ...]:
    """Return the sections of a group, which may be a single one."""
    return (group,) if isinstance(group, str) else group


def option_of(setting: str) -> str:
    """Return the option that the documents give a setting by."""
    return next((f"--{alias}" for alias, name in ALIASES.items() if name == setting), f"--{setting}")
