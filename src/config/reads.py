# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Which settings a command reads: one that is typed and would change nothing is refused.

A recipe may hold settings of all stages; what is typed for one command is meant for that command.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from typing import NamedTuple

from src.common.errors import UserError
from src.config.model import EncoderConfig
from src.config.other_encoders import BiLstmConfig
from src.config.settings import Config
from src.config.training import LayerDistillConfig

GENERAL, TASK, FINETUNE = "run_general_distill.py", "run_task_distill.py", "run_finetune.py"
COMPRESS = "run_compress.py"
IN_COMPUTE_TYPE = ("MINDIR", "AIR", "ASCEND")
"""Formats of export.py whose matrix products are in device.compute_type; the others are written in float32."""
CORPUS, AUGMENT = "prepare_data.py corpus", "prepare_data.py augment"


class Reads(NamedTuple):
    """The sections and settings that a command reads, and what it does not read of these sections."""

    names: tuple[str, ...]
    but: tuple[str, ...] = ()

    def has(self, setting: str) -> bool:
        """Whether a setting, by its full name, is read."""
        return _is_of(setting, self.names) and not _is_of(setting, self.but)


def _is_of(setting: str, names: Iterable[str]) -> bool:
    return any(setting == name or setting.startswith(f"{name}.") for name in names)


# A seed is accepted everywhere: scripts give one to all their commands.
_TRAINING = ("seed", "seeds", "device", "checkpoint", "logging", "training", "data")
_OWN_FILES = tuple(f"prepare_task.{name}" for name in ("tokenizer", "lower_case", "num_shards", "num_workers",
                                                       "max_unknown"))
_SPLITS = ("data.train_data_dir", "data.eval_data_dir")
_RECORDS = ("data.dataset_type", "data.schema_dir", "data.verify_records")
_PREPARED = ("seed", "data.seq_length", "data.dataset_type", "logging.progress")
_MASKS = ("mlm.mlm_mask_prop", "mlm.word_mask", "mlm.word_keep", "mlm.word_rand")
_COST = ("device.tflops", "device.check_memory")
_SCORING = ("task.pooled_activation", "task.n_best_size", "task.max_answer_length", "task.null_score_threshold")

READS: dict[str, Reads] = {
    CORPUS: Reads(("corpus", "objective", *_PREPARED)),
    "prepare_data.py task": Reads(("prepare_task", "task", *_PREPARED), _SCORING),
    AUGMENT: Reads(("augment", "task", "device", *_PREPARED), ("data.dataset_type", *_SCORING, *_COST)),
    "prepare_data.py vocab": Reads(("vocabulary", "task", "seed"), _SCORING),
    "prepare_data.py lists": Reads(("lists", "seed")),
    FINETUNE: Reads((*_TRAINING, *_OWN_FILES, "finetune", "task", "student.architecture", BiLstmConfig.kind,
                     "teacher.load_teacher_ckpt_path", "evaluate.batch_size")),
    f"{FINETUNE} --task mlm": Reads((*_TRAINING, "mlm", "task.task_name", "evaluate.batch_size"),
                                    ("data.data_dir", *_SPLITS, "data.dataset_type", "data.schema_dir")),
    GENERAL: Reads((*_TRAINING, "objective", "general_distill", "teacher.load_teacher_ckpt_path",
                    "teacher.train_data_dir", "student", "evaluate.batch_size"),
                   (*_SPLITS, "student.architecture")),
    f"{GENERAL} --objective tokens": Reads(
        (*_TRAINING, *_MASKS, "objective", "token_distill", "teacher.load_teacher_ckpt_path", "student",
         "evaluate.batch_size"),
        ("data.train_data_dir", "student.architecture", "student.layer_map")),
    TASK: Reads((*_TRAINING, *_OWN_FILES, "task_distill", "task", "teacher", "student", BiLstmConfig.kind,
                 "evaluate.batch_size")),
    COMPRESS: Reads(
        ("seed", "device", "checkpoint", "logging", "training", "data", *_OWN_FILES, "compress", "task",
         "teacher.load_teacher_ckpt_path", "evaluate.batch_size"),
        ("device.distribute", "device.device_num", "checkpoint.extend")),
    "eval.py": Reads(("seed", "device", "evaluate", "task", "data.seq_length", "data.buckets", *_RECORDS, *_MASKS),
                     _COST),
    "export.py": Reads(("seed", "device", "export", "task", "data.seq_length", "data.buckets", *_RECORDS, *_MASKS),
                       ("task.pooled_activation", *_COST)),
}
"""By command, as `variant_of` calls it."""


class Idle(NamedTuple):
    """Settings that a command reads and does nothing with while others have certain values."""

    names: tuple[str, ...]
    commands: tuple[str, ...]
    when: Callable[[Config], bool]
    because: str


_SIZES = tuple(f"student.{field.name}" for field in dataclasses.fields(EncoderConfig))
_FIRST_WEIGHTS = tuple(f"student.{name}" for name in ("initialization", "student_init", "student_pretrained_weights",
                                                      "fold_token_types"))


def _is_bilstm(config: Config) -> bool:
    return config.student.architecture == BiLstmConfig.kind


def _is_bundle(config: Config) -> bool:
    return config.export.file_format == "BUNDLE"


def _phase_1_is_left_out(config: Config) -> bool:
    # Not with load_td1_ckpt_path: the model zoo's commands give all their options at once.
    return config.task_distill.phases == "2" or _is_bilstm(config)


def _learns_relations(stage: LayerDistillConfig) -> bool:
    return stage.relation_weight > 0 or any(name.endswith("_relations") for name in stage.terms)


def _maps_layers(stage: LayerDistillConfig, config: Config) -> bool:
    return (stage.attention_weight > 0 or stage.hidden_weight > 0 or config.student.initialization == "teacher"
            or not all(name.endswith("_relations") for name in stage.terms))


_LAYER_STAGES: tuple[tuple[str, str, Callable[[Config], LayerDistillConfig]], ...] = (
    ("general_distill", GENERAL, lambda config: config.general_distill),
    ("task_distill.phase1", TASK, lambda config: config.task_distill.phase1))


IDLE = (
    Idle((BiLstmConfig.kind,), (TASK, FINETUNE), lambda config: not _is_bilstm(config),
         "the student is a transformer; give --architecture bilstm too"),
    Idle((*_SIZES, *_FIRST_WEIGHTS, "student.layer_map"), (TASK,), _is_bilstm,
         "the student is a BiLSTM, which section bilstm describes, such as --bilstm.hidden_size"),
    Idle(("task_distill.phase2.student_dropout",), (TASK,), _is_bilstm,
         "the student is a BiLSTM, whose dropout is --bilstm.dropout"),
    Idle(("bilstm.glove_path",), (TASK, FINETUNE), lambda config: config.bilstm.embeddings != "glove",
         "it is read with --embeddings glove"),
    Idle(("bilstm.embedding_size",), (TASK, FINETUNE), lambda config: config.bilstm.embeddings != "random",
         "embeddings that are taken over have their own width"),
    Idle(("teacher.load_teacher_ckpt_path",), (FINETUNE,),
         lambda config: not _is_bilstm(config) or config.bilstm.embeddings != "teacher",
         "fine-tuning has no teacher; a BiLSTM takes over its embeddings with --embeddings teacher"),
    Idle(("teacher.teacher_outputs",), (TASK,), lambda config: config.task_distill.phases == "1",
         "it holds predictions, which phase 2 learns"),
    Idle(("teacher.unlabelled_outputs",), (TASK,), lambda config: not config.task_distill.unlabelled_data_dir,
         "there are no unlabelled rows; give --unlabelled_data_dir too"),
    Idle(("teacher.missing_outputs",), (TASK,), lambda config: not config.teacher.teacher_outputs,
         "it is read with --teacher_outputs"),
    Idle(("teacher.train_data_dir", "teacher.eval_data_dir"), (TASK,),
         lambda config: bool(config.teacher.teacher_outputs) and not config.teacher.load_teacher_ckpt_path,
         "no teacher reads rows: there is no load_teacher_ckpt_path"),
    Idle(("teacher.unlabelled_data_dir",), (TASK,), lambda config: not config.task_distill.unlabelled_data_dir,
         "the student is given no unlabelled rows: --unlabelled_data_dir DIR"),
    Idle(("task_distill.phase1",), (TASK,), _phase_1_is_left_out, "phase 1 is not run"),
    Idle(("task_distill.phase2",), (TASK,), lambda config: config.task_distill.phases == "1", "phase 2 is not run"),
    Idle((*_FIRST_WEIGHTS, "student.layer_map"), (TASK,), _phase_1_is_left_out,
         "phase 1 is not run: the student is what a checkpoint holds"),
    Idle(_FIRST_WEIGHTS, (TASK,), lambda config: bool(config.task_distill.load_gd_ckpt_path),
         "the student starts from load_gd_ckpt_path"),
    Idle(("teacher.train_data_dir",), (GENERAL,), lambda config: not config.general_distill.translations,
         "teacher and student read the same records; with --translations true they may differ"),
    Idle((*_SIZES, "student.initialization", "student.student_init", "student.fold_token_types", "student.layer_map",
          "general_distill.reduction", "general_distill.projection"), (GENERAL,),
         lambda config: config.general_distill.translations,
         "with --translations true the student is what student_pretrained_weights holds"),
    Idle(_SIZES, (f"{GENERAL} --objective tokens",), lambda config: bool(config.token_distill.student_config),
         "the student is the one that student_config describes"),
    Idle(("task_distill.phase2.early_stopping", "task_distill.phase2.metric"), (TASK,),
         lambda config: not config.task_distill.do_eval and config.task_distill.do_train,
         "the student is not evaluated: do_eval is false"),
    Idle(("task_distill.phase2.temperature",), (TASK,),
         lambda config: not (config.task_distill.phase2.alpha_ce or config.task_distill.phase2.terms),
         "it is of soft_cross_entropy, whose weight alpha_ce is 0"),
    Idle(("token_distill.temperature",), (f"{GENERAL} --objective tokens",),
         lambda config: not (config.token_distill.alpha_ce or config.token_distill.terms),
         "it is of ce, whose weight alpha_ce is 0"),
    *(Idle((f"{stage}.relation_heads", f"{stage}.relation_layer"), (command,),
           lambda config, of=of: not _learns_relations(of(config)), "it is of relations; give --relation_weight 1 too")
      for stage, command, of in _LAYER_STAGES),
    *(Idle(("student.layer_map",), (command,), lambda config, of=of: not _maps_layers(of(config), config),
           "relations are those of the student's last layer and of relation_layer")
      for _, command, of in _LAYER_STAGES),
    Idle(("compress.distill.epoch_size", "compress.distill.train_steps", "training.epoch_size",
          "training.train_steps"), (COMPRESS,), lambda config: True,
         "--minutes, or --rung_steps, says how many steps a candidate does"),
    Idle(("data.shuffle_buffer_size",), (TASK, FINETUNE, COMPRESS, GENERAL, f"{GENERAL} --objective tokens",
                                         f"{FINETUNE} --task mlm"),
         lambda config: not config.data.do_shuffle, "do_shuffle is false"),
    Idle(("mlm.validation_split_percentage",), (f"{FINETUNE} --task mlm",),
         lambda config: bool(config.mlm.validation_file), "validation_file is the held-out text"),
    Idle(("export.batch_size",), ("export.py",), lambda config: config.export.file_format.upper() != "AIR",
         "the other formats than AIR take any number of rows (ASCEND: --batches)"),
    Idle(("export.batches",), ("export.py",), lambda config: config.export.file_format not in ("ASCEND", "TRITON"),
         "it is of --file_format ASCEND and TRITON"),
    Idle(("data.buckets",), ("export.py",), lambda config: config.export.file_format != "ASCEND",
         "it is of --file_format ASCEND"),
    Idle(("export.queue_delay", "export.instances"), ("export.py",),
         lambda config: config.export.file_format != "TRITON", "it is of --file_format TRITON"),
    Idle(("device.compute_type",), ("export.py",), lambda config: config.device.compute_type == "float16"
         and config.export.file_format not in IN_COMPUTE_TYPE,
         "float16 is of --file_format MINDIR, AIR and ASCEND; the others are written in float32"),
    Idle(("export.eval_data_dir", "export.max_drop", "data.seq_length", *_RECORDS, "mlm"), ("export.py",),
         lambda config: config.export.quantize == "none", "it is read with --quantize"),
    Idle(("task",), ("export.py",), lambda config: config.export.quantize == "none" and not _is_bundle(config),
         "it is read with --quantize, or with --file_format BUNDLE"),
    Idle(("task.task_name",), ("export.py",), lambda config: config.export.quantize == "none",
         "it is read with --quantize: the task whose files verify the int8 file"),
    Idle(("export.license", "export.language", "export.push_to_hub"), ("export.py",),
         lambda config: not _is_bundle(config), "it is read with --file_format BUNDLE"),
    Idle(("export.calibration_data_dir",), ("export.py",), lambda config: config.export.quantize != "int8-static",
         "it is read with --quantize int8-static"),
    Idle(("corpus.text_field", "corpus.min_document_length"), (CORPUS,),
         lambda config: config.corpus.input_format == "text", "a file of format text holds sentences, one a line"),
    Idle(("corpus.num_workers",), (CORPUS,), lambda config: bool(config.corpus.scheduler),
         "the workers are those of the scheduler"),
    Idle(("corpus.min_length",), (CORPUS,), lambda config: config.objective != "tokens",
         "it is read with --objective tokens"),
    Idle(("corpus.one_text_a_row",), (CORPUS,), lambda config: config.objective == "tokens",
         "a sequence of --objective tokens is one text anyway"),
    Idle(("corpus.max_predictions_per_seq", "corpus.whole_word_mask"), (CORPUS,),
         lambda config: not config.corpus.masked_lm_prob, "no token is masked; give --masked_lm_prob too"),
    Idle(tuple(f"augment.{name}" for name in ("candidates", "replace_probability", "glove_path", "glove_words",
                                              "words_a_pass", "batch_size", "max_unknown")), (AUGMENT,),
         lambda config: config.augment.method == "rules", "it is read with --method tinybert"),
    Idle(tuple(f"augment.{name}_probability" for name in ("mask", "pos", "ngram")), (AUGMENT,),
         lambda config: config.augment.method == "tinybert", "it is read with --method rules"),
    Idle(("augment.glove_words",), (AUGMENT,), lambda config: not config.augment.glove_path,
         "there is no file of word vectors; give --glove_path too"),
)


def check_read(command: str, typed: Iterable[tuple[str, list[str]]], config: Config) -> None:
    """Check that each option of a command line changes something.

    Args:
        command: a key of READS.
        typed: options with the full names of the settings that they set.

    Raises:
        UserError: none of these is read.
    """
    for option, settings in typed:
        reasons = [_why_idle(command, setting, config) for setting in settings]
        if all(reasons):
            raise UserError(f"{option} has no effect in {command}: {reasons[0]}; leave it out")


def is_read(entry: str, setting: str) -> bool:
    """Whether an entry point, in one of its variants, reads a setting; one that no command lists is not known here."""
    readers = readers_of(setting)
    return not readers or any(command.split(" --")[0] == entry for command in readers)


def readers_of(setting: str) -> list[str]:
    """Return the commands that read a setting, by its full name."""
    return [name for name, reads in READS.items() if reads.has(setting)]


def named(commands: Iterable[str]) -> str:
    """Return a list of commands, one with all its variants named once."""
    found = list(dict.fromkeys(commands))
    return ", ".join(command for command in found if command.split(" --")[0] not in found or " --" not in command)


def _why_idle(command: str, setting: str, config: Config) -> str:
    """Return why a setting changes nothing, or "". One that no command lists is not known here, and so not refused."""
    if not READS[command].has(setting):
        readers = named(readers_of(setting))
        return f"{setting} is read by {readers}" if readers else ""
    return next((idle.because for idle in IDLE if command in idle.commands and _is_of(setting, idle.names)
                 and idle.when(config)), "")
