# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Settings: frozen dataclasses <- default_config.yaml <- a recipe YAML <- the command line.

Every default and its one-line description stand once, in `default_config.yaml`; the dataclasses below give each
setting its type and the checks across settings. An unknown name or a value of the wrong type raises `UserError`
with the nearest right name. Nothing is converted behind the user's back: YAML booleans are booleans, and the
strings "true"/"false" are accepted on the command line only, where everything is a string.
"""

from __future__ import annotations

import dataclasses
import re
import sys
import typing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

from src.errors import UserError, nearest
from src.typed import build, require, to_plain

DEFAULT_CONFIG = Path(__file__).resolve().parent.parent / "default_config.yaml"

LayerMap = str | tuple[tuple[int, ...], ...]
"""`uniform`, `first`, `last`, or pairs ((student, teacher), ...)."""


# ---------------------------------------------------------------------------------------------------------------
# What describes a model. Stored as config.json in each checkpoint directory.


@dataclass(frozen=True)
class EncoderConfig:
    """Architecture of one transformer encoder; teacher and student are two values of this class."""

    vocab_size: int
    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    intermediate_size: int
    hidden_act: Literal["gelu", "gelu_tanh", "relu"]
    hidden_dropout_prob: float
    attention_probs_dropout_prob: float
    max_position_embeddings: int
    type_vocab_size: int
    initializer_range: float
    layer_norm_eps: float
    # What tells the families apart. The values of BERT, which config.json of a checkpoint may leave out.
    pooler: Literal["tanh", "relu", "none"] = "tanh"
    position_offset: int = 0
    causal: bool = False
    pre_norm: bool = False

    def __post_init__(self) -> None:
        for name in ("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size",
                     "max_position_embeddings"):
            require(getattr(self, name) > 0, f"{name} is {getattr(self, name)}; it must be at least 1")
        require(self.type_vocab_size >= 0, f"type_vocab_size is {self.type_vocab_size}; it must be at least 0, which "
                                           "means no token types")
        require(0 <= self.position_offset < self.max_position_embeddings,
                f"position_offset is {self.position_offset}; it must be at least 0 and below max_position_embeddings "
                f"{self.max_position_embeddings}")
        require(not (self.causal and self.pooler != "none"),
                f"pooler is {self.pooler} in a causal model, whose first token sees nothing of the rest; set pooler "
                "none")
        require(self.hidden_size % self.num_attention_heads == 0,
                 f"hidden_size {self.hidden_size} is not a multiple of num_attention_heads {self.num_attention_heads}; "
                 "change one of the two")
        for name in ("hidden_dropout_prob", "attention_probs_dropout_prob"):
            require(0.0 <= getattr(self, name) < 1.0, f"{name} is {getattr(self, name)}; it must be in [0, 1)")

    @property
    def head_dim(self) -> int:
        """Width of one attention head."""
        return self.hidden_size // self.num_attention_heads

    @property
    def max_length(self) -> int:
        """Tokens of the longest sequence; RoBERTa leaves the first rows of its position table unused."""
        return self.max_position_embeddings - self.position_offset

    def for_head(self, head: HeadConfig) -> EncoderConfig:
        """Return the encoder with the pooler that a head reads, where a language model has been trained without one:
        relu in DistilBERT, which knows no token types, tanh elsewhere."""
        if not head.is_pooled or self.causal or self.pooler != "none":
            return self
        return dataclasses.replace(self, pooler="tanh" if self.type_vocab_size else "relu")


@dataclass(frozen=True)
class HeadConfig:
    """What sits on the encoder. `labels` names the classes in the order of the logits.

    classification and regression read the pooled output (the last token of a causal model); tagging (a class for each
    token), span (start and end of an answer), masked_lm and causal_lm read the sequence.
    """

    kind: Literal["none", "classification", "regression", "tagging", "span", "masked_lm", "causal_lm"] = "none"
    labels: tuple[str, ...] = ()
    pooled_activation: Literal["none", "relu"] = "none"

    def __post_init__(self) -> None:
        require(self.kind not in ("classification", "tagging") or len(self.labels) >= 2,
                f"a {self.kind} head needs two labels or more; got {list(self.labels)}")

    @property
    def is_pooled(self) -> bool:
        """Whether the head reads one vector a row."""
        return self.kind in ("classification", "regression")

    @property
    def is_language_model(self) -> bool:
        """Whether the head predicts tokens."""
        return self.kind in ("masked_lm", "causal_lm")

    @property
    def num_labels(self) -> int:
        """Number of logits of a row or token: the classes, 1 for a regression, 2 for a span, else 0 (no head, or the
        vocabulary of a language model)."""
        return {"regression": 1, "span": 2}.get(self.kind, len(self.labels))


@dataclass(frozen=True)
class ModelConfig:
    """An encoder with its head, and the task that the head was trained for ("" when none)."""

    encoder: EncoderConfig
    head: HeadConfig = HeadConfig()
    task_name: str = ""

    def __post_init__(self) -> None:
        encoder, kind = self.encoder, self.head.kind
        require(not self.head.is_pooled or encoder.causal or encoder.pooler != "none",
                f"a {kind} head reads the pooled output, but the encoder has no pooler; set pooler tanh or relu")
        require(kind != "masked_lm" or not encoder.causal,
                "a masked_lm head predicts from both sides, but the encoder is causal; use a causal_lm head")
        require(kind != "causal_lm" or encoder.causal,
                "a causal_lm head predicts the next token, which an encoder that is not causal sees; set causal true")

    def to_dict(self) -> dict[str, Any]:
        """Return plain containers, ready for JSON."""
        return to_plain(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any], source: str = "config") -> ModelConfig:
        """Build from what `to_dict` gave; `source` names the file in error messages."""
        return build(cls, values, "", source)


# ---------------------------------------------------------------------------------------------------------------
# What describes a run. Field by field documented in default_config.yaml.


@dataclass(frozen=True)
class DeviceConfig:
    device_target: Literal["auto", "Ascend", "GPU", "CPU"]
    device_id: int
    device_num: int
    distribute: bool
    compute_type: Literal["auto", "float16", "float32"]
    jit_level: Literal["", "O0", "O1", "O2"]
    compile_cache: bool

    def __post_init__(self) -> None:
        require(self.device_num >= 1, f"device_num is {self.device_num}; it must be at least 1")
        require(self.distribute or self.device_num == 1,
                 f"device_num is {self.device_num} but distribute is false; set --distribute true")


@dataclass(frozen=True)
class DataConfig:
    dataset_type: Literal["tfrecord", "mindrecord"]
    data_dir: str
    train_data_dir: str
    eval_data_dir: str
    schema_dir: str
    seq_length: int
    do_shuffle: bool
    shuffle_buffer_size: int
    buckets: tuple[int, ...]
    bucket_window: int
    enable_data_sink: bool
    data_sink_steps: int
    verify_records: bool

    def __post_init__(self) -> None:
        require(self.seq_length >= 3, f"seq_length is {self.seq_length}; it must be at least 3: [CLS], a token, [SEP]")
        require(all(b > 0 for b in self.buckets), f"data.buckets {list(self.buckets)} must be positive lengths")
        require(list(self.buckets) == sorted(set(self.buckets)),
                 f"data.buckets {list(self.buckets)} must be in rising order without repetition")
        require(self.bucket_window >= 1, f"data.bucket_window is {self.bucket_window}; it must be at least 1")
        require(self.data_sink_steps >= 1, f"data_sink_steps is {self.data_sink_steps}; it must be at least 1")


@dataclass(frozen=True)
class CheckpointConfig:
    save_ckpt_path: str
    save_checkpoint_step: int
    max_ckpt_num: int
    resume: bool

    def __post_init__(self) -> None:
        require(self.save_checkpoint_step >= 1, f"save_checkpoint_step is {self.save_checkpoint_step}; expected >= 1")
        require(self.max_ckpt_num >= 1, f"max_ckpt_num is {self.max_ckpt_num}; it must be at least 1")


@dataclass(frozen=True)
class LoggingConfig:
    log_interval: int
    tensorboard: bool
    progress: bool

    def __post_init__(self) -> None:
        require(self.log_interval >= 1, f"log_interval is {self.log_interval}; it must be at least 1")


@dataclass(frozen=True)
class TaskConfig:
    task_name: str
    pooled_activation: Literal["none", "relu"]


@dataclass(frozen=True)
class TeacherConfig:
    load_teacher_ckpt_path: str


@dataclass(frozen=True, kw_only=True)
class StudentConfig(EncoderConfig):
    initialization: Literal["random", "teacher"]
    student_init: tuple[int, ...]
    student_pretrained_weights: str
    fold_token_types: bool
    layer_map: LayerMap

    def encoder(self) -> EncoderConfig:
        """The architecture alone."""
        return EncoderConfig(**{f.name: getattr(self, f.name) for f in dataclasses.fields(EncoderConfig)})


@dataclass(frozen=True)
class StageConfig:
    """One training stage: how long, which optimiser, which loss scale."""

    epoch_size: int
    train_steps: int
    batch_size: int
    gradient_accumulation_steps: int
    learning_rate: float
    end_learning_rate: float
    power: float
    warmup_proportion: float
    lr_schedule: Literal["polynomial", "constant"]
    optimizer: Literal["adam_weight_decay", "adamw"]
    weight_decay: float
    beta1: float
    beta2: float
    eps: float
    clip: Literal["per_tensor", "global"]
    max_grad_norm: float
    loss_scale_value: float
    scale_factor: int
    scale_window: int
    max_skipped_steps: int

    def __post_init__(self) -> None:
        for name in ("epoch_size", "batch_size", "gradient_accumulation_steps", "scale_window", "max_skipped_steps"):
            require(getattr(self, name) >= 1, f"{name} is {getattr(self, name)}; it must be at least 1")
        require(self.train_steps >= 0, f"train_steps is {self.train_steps}; 0 means all the epochs")
        require(self.learning_rate > 0, f"learning_rate is {self.learning_rate}; it must be above 0")
        require(0 <= self.end_learning_rate <= self.learning_rate,
                 f"end_learning_rate is {self.end_learning_rate}; it must lie between 0 and learning_rate")
        require(0 <= self.warmup_proportion < 1,
                 f"warmup_proportion is {self.warmup_proportion}; it must be in [0, 1)")
        require(self.scale_factor > 1, f"scale_factor is {self.scale_factor}; it must be above 1")
        require(self.loss_scale_value >= 1, f"loss_scale_value is {self.loss_scale_value}; it must be at least 1")
        require(self.max_grad_norm > 0, f"max_grad_norm is {self.max_grad_norm}; it must be above 0")


@dataclass(frozen=True)
class FinetuneConfig(StageConfig):
    load_ckpt_path: str
    eval_interval: int


@dataclass(frozen=True)
class LayerDistillConfig(StageConfig):
    """A stage whose objective matches attention scores and hidden states."""

    reduction: Literal["masked", "reference"]
    projection: Literal["shared", "per_layer"]
    attention_weight: float
    hidden_weight: float

    def __post_init__(self) -> None:
        super().__post_init__()
        weights = (self.attention_weight, self.hidden_weight)
        require(min(weights) >= 0 and max(weights) > 0,
                 f"attention_weight and hidden_weight are {weights}; none may be negative, and one must be above 0")


@dataclass(frozen=True)
class PredictionDistillConfig(StageConfig):
    """A stage whose objective matches the teacher's predictions."""

    reduction: Literal["masked", "reference"]
    temperature: float
    regression_target: Literal["teacher", "label"]
    eval_interval: int

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.temperature > 0, f"temperature is {self.temperature}; it must be above 0")


@dataclass(frozen=True)
class LanguageModelConfig(StageConfig):
    """A stage that predicts tokens: which are predicted, and what stands in their place."""

    mlm_mask_prop: float
    word_mask: float
    word_keep: float
    word_rand: float
    mlm_smoothing: float
    group_by_size: bool
    eval_interval: int
    eval_rows: int

    def __post_init__(self) -> None:
        super().__post_init__()
        require(0 < self.mlm_mask_prop < 1, f"mlm_mask_prop is {self.mlm_mask_prop}; it must be in (0, 1)")
        shares = (self.word_mask, self.word_keep, self.word_rand)
        require(min(shares) >= 0 and abs(sum(shares) - 1) < 1e-6,
                f"word_mask, word_keep and word_rand are {shares}; they must be shares that add up to 1")
        require(self.mlm_smoothing >= 0, f"mlm_smoothing is {self.mlm_smoothing}; it must be at least 0")


@dataclass(frozen=True)
class DistilConfig(LanguageModelConfig):
    """The Distil* objective (Sanh et al., arXiv:1910.01108)."""

    token_counts: str
    mlm: Literal["auto", "true", "false"]
    temperature: float
    alpha_ce: float
    alpha_mlm: float
    alpha_clm: float
    alpha_mse: float
    alpha_cos: float
    restrict_ce_to_mask: bool
    freeze_pos_embs: bool
    freeze_token_type_embds: bool

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.temperature > 0, f"temperature is {self.temperature}; it must be above 0")
        require(min(self.alphas.values()) >= 0 and max(self.alphas.values()) > 0,
                f"the weights of the loss terms are {self.alphas}; none may be negative, and one must be above 0")

    @property
    def alphas(self) -> dict[str, float]:
        """Weight of each term."""
        return {f"alpha_{name}": getattr(self, f"alpha_{name}") for name in ("ce", "mlm", "clm", "mse", "cos")}


@dataclass(frozen=True)
class MaskedLmConfig(LanguageModelConfig):
    """Training of a masked language model on text."""

    load_ckpt_path: str
    train_file: tuple[str, ...]
    validation_file: tuple[str, ...]
    validation_split_percentage: int
    line_by_line: bool
    num_workers: int
    do_train: bool
    do_eval: bool
    freeze_encoder: bool


@dataclass(frozen=True)
class TaskDistillConfig:
    do_train: bool
    do_eval: bool
    load_gd_ckpt_path: str
    load_td1_ckpt_path: str
    phase1: LayerDistillConfig
    phase2: PredictionDistillConfig


@dataclass(frozen=True)
class EvaluateConfig:
    checkpoint: str
    data_dir: str
    split: str
    batch_size: int
    predictions_path: str
    metrics_path: str


@dataclass(frozen=True)
class CorpusConfig:
    input: tuple[str, ...]
    tokenizer: str
    lower_case: Literal["auto", "true", "false"]
    output_dir: str
    num_shards: int
    num_workers: int
    masked_lm_prob: float
    max_predictions_per_seq: int
    whole_word_mask: bool
    dupe_factor: int
    min_length: int
    max_unknown: float
    force: bool


@dataclass(frozen=True)
class PrepareTaskConfig:
    data_dir: str
    tokenizer: str
    lower_case: Literal["auto", "true", "false"]
    output_dir: str
    num_shards: int
    num_workers: int
    force: bool


@dataclass(frozen=True)
class ExportConfig:
    checkpoint: str
    file_format: Literal["MINDIR", "ONNX", "AIR", "HF"]
    output: str
    seq_length: int
    batch_size: int
    max_difference: float

    def __post_init__(self) -> None:
        require(self.seq_length >= 0, f"seq_length is {self.seq_length}; 0 means the longest the model knows")
        require(self.batch_size >= 1, f"batch_size is {self.batch_size}; it must be at least 1")
        require(self.max_difference > 0, f"max_difference is {self.max_difference}; it must be above 0")


@dataclass(frozen=True)
class Config:
    seed: int
    recipe: Literal["tinybert", "distil"]
    device: DeviceConfig
    data: DataConfig
    checkpoint: CheckpointConfig
    logging: LoggingConfig
    task: TaskConfig
    teacher: TeacherConfig
    student: StudentConfig
    finetune: FinetuneConfig
    mlm: MaskedLmConfig
    general_distill: LayerDistillConfig
    distil: DistilConfig
    task_distill: TaskDistillConfig
    evaluate: EvaluateConfig
    corpus: CorpusConfig
    prepare_task: PrepareTaskConfig
    export: ExportConfig


COMMON = ("", "device", "data", "logging")
RUN = ("checkpoint", *COMMON)

Sections = tuple[str | tuple[str, ...], ...]

ENTRY_POINTS: dict[str, Sections] = {
    "prepare_data.py corpus": ("corpus", "data", ""),
    "prepare_data.py task": ("prepare_task", "task", "data", ""),
    "run_finetune.py": ("finetune", "task", *RUN),
    "run_general_distill.py": ("general_distill", "teacher", "student", *RUN),
    "run_task_distill.py": ("task_distill", ("task_distill.phase1", "task_distill.phase2"), "task", "teacher",
                            "student", *RUN),
    "eval.py": ("evaluate", "task", *COMMON),
    "export.py": ("export", "task", *COMMON),
}
"""Where each entry point looks up a flat `--name`: sections in order; a tuple of sections is set together."""

VARIANTS: dict[str, tuple[str, str, Sections]] = {
    "run_general_distill.py": ("recipe", "distil", ("distil", "teacher", "student", *RUN)),
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

FLAGS: dict[str, tuple[str, str]] = {"force": ("resume", "false"), "overwrite_output_dir": ("resume", "false")}
"""Flags of the reference systems that are a value of a setting here."""


# ---------------------------------------------------------------------------------------------------------------
# Reading


def parse(entry: str, argv: list[str]) -> Config:
    """Return the resolved settings of one entry point.

    Args:
        entry: a key of `ENTRY_POINTS`.
        argv: command line without the program's name: `--name value`, `--name=value`, `--section.name value`,
            `--config_path FILE`, and `--help`, which prints every setting with its default and leaves.

    Raises:
        UserError: an unknown name, a value of the wrong type or out of range, an unreadable file.
    """
    if any(word in ("-h", "--help") for word in argv):
        print(help_text(entry))
        sys.exit(0)
    options = _split_arguments(argv)
    tree = read_yaml(DEFAULT_CONFIG)
    for name, value in [(n, v) for n, v in options if ALIASES.get(n, n) == "config_path"]:
        require(value is not None, f"--{name} needs a file")
        _merge(tree, read_yaml(Path(value)), source=str(value))
    options = [(n, v) for n, v in options if ALIASES.get(n, n) != "config_path"]
    sections = _sections(entry, tree, options)
    for name, value in options:
        paths, fixed = _resolve(entry, sections, name)
        require(fixed is None or value in (None, "true"), f"--{name} is a flag; it takes no value, got {value!r}")
        for path in paths:
            _set(tree, path, value if fixed is None else fixed, f"--{name}")
    return build(Config, tree, "", "configuration")


def load_config(path: str | Path | None = None, **overrides: Any) -> Config:
    """Return the defaults, a recipe's changes, and `section__name=value` overrides (for benchmarks and tests)."""
    tree = read_yaml(DEFAULT_CONFIG)
    if path is not None:
        _merge(tree, read_yaml(Path(path)), source=str(path))
    for name, value in overrides.items():
        _merge(tree, _nest(name.split("__"), value), source=name)
    return build(Config, tree, "", "configuration")


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML mapping; an unreadable or malformed file raises `UserError`."""
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"cannot read the config file {path}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not valid YAML: {error}") from error
    require(isinstance(values, dict), f"{path} holds {type(values).__name__}; expected sections with settings")
    return values


def dump_yaml(value: Any) -> str:
    """Return the YAML text of (nested) settings."""
    return yaml.safe_dump(to_plain(value), sort_keys=False, allow_unicode=True)


def help_text(entry: str) -> str:
    """Return the usage of an entry point: each setting with its default and its line from default_config.yaml."""
    described = {path: (default, comment) for path, default, comment in _described_defaults()}
    lines = [f"usage: python {entry} [--config_path FILE] [--name VALUE | --section.name VALUE] ...", "",
             "A name without its section is looked up in the sections below, first to last.", ""]
    sections = list(ENTRY_POINTS[entry])
    if entry in VARIANTS:
        setting, value, others = VARIANTS[entry]
        option = next((f"--{alias}" for alias, name in ALIASES.items() if name == setting), f"--{setting}")
        named = ", ".join(name or "top level" for name in others)
        lines[-1:] = [f"With {option} {value} the sections are: {named}.", ""]
        sections += [section for section in others if section not in sections]
    for section in sections:
        together = section if isinstance(section, tuple) else (section,)
        lines.append(f"[{' + '.join(together)}]" if together != ("",) else "[top level]")
        for path, (default, comment) in described.items():
            parent, _, name = path.rpartition(".")
            if parent == together[0]:
                lines.append(f"  --{name:<30} {comment}  [{default}]")
        lines.append("")
    aliases = [f"--{alias} = --{target}" for alias, target in ALIASES.items()]
    aliases += [f"--{flag} = --{target} {value}" for flag, (target, value) in FLAGS.items()]
    lines.append("Also accepted: " + ", ".join(aliases))
    shown = {section.split(".")[0] for group in sections for section in ((group,) if isinstance(group, str) else group)}
    others = [f.name for f in dataclasses.fields(Config) if f.name not in shown]
    lines.append(f"Settings of other stages are set by their full name: {', '.join(o + '.*' for o in others)}")
    return "\n".join(lines)


def _described_defaults() -> list[tuple[str, str, str]]:
    """Read `(path, default, comment)` of each setting from the text of default_config.yaml."""
    found, parents = [], []
    for line in DEFAULT_CONFIG.read_text(encoding="utf-8").splitlines():
        match = re.match(r"^( *)([a-z_0-9]+):\s*(.*?)\s*(?:#\s*(.*))?$", line)
        if not match:
            continue
        depth = len(match[1]) // 2
        parents = [*parents[:depth], match[2]]
        if match[3]:
            found.append((".".join(parents), match[3], match[4] or ""))
    return found


def _split_arguments(argv: list[str]) -> list[tuple[str, str | None]]:
    options: list[tuple[str, str | None]] = []
    words = list(argv)
    while words:
        word = words.pop(0)
        require(word.startswith("--") and len(word) > 2,
                 f"unexpected argument {word!r}; settings are given as --name value")
        name, equals, value = word[2:].partition("=")
        if not equals:
            value = words.pop(0) if words and not re.match(r"--[A-Za-z]", words[0]) else None
        options.append((name, value))
    return options


def _sections(entry: str, tree: dict[str, Any], options: list[tuple[str, str | None]]) -> Sections:
    """Return where `entry` looks flat names up, which for some depends on a setting."""
    if entry not in VARIANTS:
        return ENTRY_POINTS[entry]
    setting, value, sections = VARIANTS[entry]
    given = tree
    for part in setting.split("."):
        given = given[part]
    names = {setting, setting.rpartition(".")[2], *(alias for alias, target in ALIASES.items() if target == setting)}
    for name, text in options:
        given = text if name in names else given
    return sections if str(given).lower() == value else ENTRY_POINTS[entry]


def _resolve(entry: str, sections: Sections, name: str) -> tuple[list[str], str | None]:
    """Return the full paths that `--name` sets, and the value that it stands for when it is one of `FLAGS`."""
    known = list(_paths(Config))
    if "." in name:
        require(name in known, f"unknown setting --{name}{nearest(name, known)}")
        return [name], None
    flag = FLAGS.get(name, (None, None))
    for candidate, fixed in ((name, None), (ALIASES.get(name), None), flag):
        if candidate is not None and (paths := _find(candidate, sections, known)):
            return paths, fixed
    shown = [section for group in sections for section in ((group,) if isinstance(group, str) else group)]
    visible = [path.rpartition(".")[2] for path in known if path.rpartition(".")[0] in shown]
    raise UserError(f"unknown setting --{name}{nearest(name, [*visible, *ALIASES])} (python {entry} --help lists all)")


def _find(name: str, sections: Sections, known: list[str]) -> list[str]:
    """Return the paths of a flat or full name in the first section, or group of sections, that has it."""
    if "." in name:
        return [name]
    for group in sections:
        together = (group,) if isinstance(group, str) else group
        paths = [path for path in (f"{section}.{name}".lstrip(".") for section in together) if path in known]
        if paths:
            return paths
    return []


def _paths(cls: type, prefix: str = "") -> typing.Iterator[str]:
    for name, kind in typing.get_type_hints(cls).items():
        if dataclasses.is_dataclass(kind):
            yield from _paths(kind, f"{prefix}{name}.")
        else:
            yield prefix + name


def _set(tree: dict[str, Any], path: str, text: str | None, source: str) -> None:
    """Set one leaf from a command-line string. A flag without a value means true."""
    *parents, leaf = path.split(".")
    for parent in parents:
        tree = tree[parent]
    tree[leaf] = _from_text(text, _type_of(path), source)


def _type_of(path: str) -> Any:
    cls: Any = Config
    for name in path.split("."):
        cls = typing.get_type_hints(cls)[name]
    return cls


def _from_text(text: str | None, kind: Any, source: str) -> Any:
    if kind is bool:
        value = {"true": True, "false": False}.get((text or "true").lower())
        require(value is not None, f"{source} {text}: expected true or false")
        return value
    if text is None and typing.get_origin(kind) is Literal and "true" in typing.get_args(kind):
        return "true"
    require(text is not None, f"{source} needs a value")
    if kind is str or typing.get_origin(kind) is Literal:
        return text
    if typing.get_origin(kind) is tuple and typing.get_args(kind)[0] is str:
        return [part for part in text.split(",") if part]
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise UserError(f"{source} {text}: cannot be read as a value") from error
    if typing.get_origin(kind) is tuple and isinstance(value, int | str):
        value = [yaml.safe_load(part) for part in str(text).split(",")]
    return value


def _nest(parts: list[str], value: Any) -> dict[str, Any]:
    return {parts[0]: _nest(parts[1:], value) if len(parts) > 1 else value}


def _merge(base: dict[str, Any], changes: dict[str, Any], source: str, prefix: str = "") -> None:
    for name, value in changes.items():
        path = f"{prefix}{name}"
        if name not in base:
            full = list(_paths(Config))
            raise UserError(f"{source}: unknown setting {path}{nearest(path, [*full, *base])}")
        if isinstance(base[name], dict):
            require(isinstance(value, dict), f"{source}: {path} is a section; it holds {value!r}")
            _merge(base[name], value, source, f"{path}.")
        else:
            base[name] = value
