# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""What describes a run: one frozen dataclass a section; field by field documented in default_config.yaml."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from typing import Any, Literal

from src.common.typed import require, require_above_zero, require_at_least, require_share
from src.config.bilstm import BiLstmConfig
from src.config.model import EncoderConfig

PrecisionMode = Literal["", "force_fp16", "allow_fp32_to_fp16", "allow_mix_precision", "must_keep_origin_dtype",
                        "force_fp32", "allow_mix_precision_fp16"]
"""How Ascend may choose other types for operators than the graph says; bfloat16 is left out, as compute_type is."""

LayerMap = str | tuple[tuple[int, ...], ...]
"""`uniform`, `first`, `last`, or pairs ((student, teacher), ...)."""


@dataclass(frozen=True)
class DeviceConfig:
    device_target: Literal["auto", "Ascend", "GPU", "CPU"]
    device_id: int
    device_num: int
    distribute: bool
    compute_type: Literal["auto", "float16", "float32"]
    jit_level: Literal["", "O0", "O1", "O2"]
    compile_cache: bool
    max_device_memory: str
    memory_optimize_level: Literal["", "O0", "O1"]
    precision_mode: PrecisionMode
    hccl_connect_timeout: int

    def __post_init__(self) -> None:
        require_at_least(self, 0, "device_id")
        require_at_least(self, 1, "device_num")
        require(self.distribute or self.device_num == 1,
                 f"device_num is {self.device_num} but distribute is false; set --distribute true")
        require(re.fullmatch(r"|([1-9]\d*(\.\d+)?|0\.\d*[1-9]\d*)GB", self.max_device_memory, re.ASCII) is not None,
                f"max_device_memory is {self.max_device_memory!r}; write it as 30GB or 3.5GB, or leave it empty")
        require(self.hccl_connect_timeout == 0 or 120 <= self.hccl_connect_timeout <= 7200,
                f"hccl_connect_timeout is {self.hccl_connect_timeout}; HCCL takes 120 to 7200 seconds, and 0 leaves it "
                "to HCCL")
        if self.device_target != "auto":
            self.require_supported(self.device_target)

    def require_supported(self, target: str) -> None:
        """Raise `UserError` where a setting has a value that the device does not know."""
        neither_cpu, ascend = ("Ascend", "GPU"), ("Ascend",)
        known_by = {"max_device_memory": neither_cpu, "memory_optimize_level": neither_cpu, "precision_mode": ascend,
                    "hccl_connect_timeout": ascend, "jit_level": ascend if self.jit_level == "O2" else ()}
        for name, devices in known_by.items():
            value = getattr(self, name)
            require(not value or not devices or target in devices, f"{name} is {value}, which {' and '.join(devices)} "
                    f"can take, and the device is {target}; leave {name} empty, or choose another device_target")


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
        require_at_least(self, 1, "shuffle_buffer_size", "bucket_window", "data_sink_steps", section="data.")


@dataclass(frozen=True)
class CheckpointConfig:
    save_ckpt_path: str
    save_checkpoint_step: int
    max_ckpt_num: int
    resume: bool
    max_rewinds: int
    rewind_factor: float

    def __post_init__(self) -> None:
        require(self.max_rewinds >= 0, f"max_rewinds is {self.max_rewinds}; 0 stops at once when a loss is not finite")
        require(0 < self.rewind_factor <= 1, f"rewind_factor is {self.rewind_factor}; it must lie above 0 and up to 1")
        require_at_least(self, 1, "save_checkpoint_step", "max_ckpt_num")


@dataclass(frozen=True)
class LoggingConfig:
    log_interval: int
    tensorboard: bool
    progress: bool

    def __post_init__(self) -> None:
        require_at_least(self, 1, "log_interval")


@dataclass(frozen=True)
class TaskConfig:
    task_name: str
    pooled_activation: Literal["none", "relu"]
    doc_stride: int
    max_query_length: int
    bad_rows: Literal["fail", "skip"]
    n_best_size: int
    max_answer_length: int
    null_score_threshold: float

    def __post_init__(self) -> None:
        require_at_least(self, 1, "doc_stride", "max_query_length", "n_best_size", "max_answer_length", section="task.")


@dataclass(frozen=True)
class TeacherConfig:
    load_teacher_ckpt_path: str
    train_data_dir: str
    eval_data_dir: str


@dataclass(frozen=True, kw_only=True)
class StudentConfig(EncoderConfig):
    architecture: Literal["transformer", "bilstm"]
    initialization: Literal["random", "teacher"]
    student_init: tuple[int, ...]
    student_pretrained_weights: str
    fold_token_types: bool
    layer_map: LayerMap

    def __post_init__(self) -> None:
        super().__post_init__()
        require(all(layer >= 0 for layer in self.student_init),
                f"student.student_init is {list(self.student_init)}; layers are counted from 0")

    def encoder(self) -> EncoderConfig:
        """The architecture alone."""
        return EncoderConfig(**{f.name: getattr(self, f.name) for f in dataclasses.fields(EncoderConfig)})


@dataclass(frozen=True)
class BiLstmStudentConfig:
    """A BiLSTM student: its architecture, but for the vocabulary, which is the records', and its embeddings."""

    embeddings: Literal["random", "teacher", "glove"]
    glove_path: str
    freeze_embeddings: bool
    embedding_size: int
    hidden_size: int
    dense_size: int
    num_layers: int
    pooling: Literal["last", "max"]
    dropout: float

    def __post_init__(self) -> None:
        require(self.embeddings != "glove" or self.glove_path,
                "bilstm.embeddings is glove, but bilstm.glove_path is empty; give a text file of word vectors")
        self.encoder(1)

    def encoder(self, vocab_size: int) -> BiLstmConfig:
        """The architecture with a vocabulary."""
        names = [f.name for f in dataclasses.fields(BiLstmConfig) if f.name != "vocab_size"]
        return BiLstmConfig(vocab_size, **{name: getattr(self, name) for name in names})


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
        require_at_least(self, 1, "epoch_size", "batch_size", "gradient_accumulation_steps", "scale_window",
                         "max_skipped_steps", "loss_scale_value")
        require(self.train_steps >= 0, f"train_steps is {self.train_steps}; 0 means all the epochs")
        require_above_zero(self, "learning_rate", "eps", "max_grad_norm")
        require(0 <= self.end_learning_rate <= self.learning_rate,
                 f"end_learning_rate is {self.end_learning_rate}; it must lie between 0 and learning_rate")
        require_share(self, "warmup_proportion", "beta1", "beta2")
        require_at_least(self, 0, "power", "weight_decay")
        require(self.scale_factor > 1, f"scale_factor is {self.scale_factor}; it must be above 1")


@dataclass(frozen=True)
class EvaluatedStageConfig(StageConfig):
    """A stage that is evaluated on dev between its steps; the best student is what it leaves."""

    eval_interval: int
    early_stopping: int
    metric: str

    def __post_init__(self) -> None:
        super().__post_init__()
        require_at_least(self, 0, "eval_interval", "early_stopping")


@dataclass(frozen=True)
class FinetuneConfig(EvaluatedStageConfig):
    load_ckpt_path: str


def require_weights(stage: Any, *names: str) -> None:
    """Check the weights of a stage's loss terms: those of settings of their own, and those of `terms`."""
    weights = {name: getattr(stage, name) for name in names} | stage.terms
    require(min(weights.values()) >= 0 and max(weights.values()) > 0,
            f"the weights of the loss terms are {weights}; none may be negative, and one must be above 0")


@dataclass(frozen=True)
class LayerDistillConfig(StageConfig):
    """A stage whose objective matches attention scores and hidden states."""

    reduction: Literal["masked", "reference"]
    projection: Literal["shared", "per_layer"]
    attention_weight: float
    hidden_weight: float
    terms: dict[str, float]

    def __post_init__(self) -> None:
        super().__post_init__()
        require_weights(self, "attention_weight", "hidden_weight")


@dataclass(frozen=True)
class TaskLayerDistillConfig(LayerDistillConfig):
    """Phase 1 of task distillation: the same on records of a task."""

    train_data_dir: str
    aug_train: bool


@dataclass(frozen=True)
class PredictionDistillConfig(EvaluatedStageConfig):
    """Phase 2 of task distillation: a stage whose objective matches the teacher's predictions."""

    train_data_dir: str
    aug_train: bool
    cache_teacher_logits: Literal["auto", "true", "false"]
    reduction: Literal["masked", "reference"]
    temperature: float
    regression_target: Literal["teacher", "label"]
    alpha_ce: float
    alpha_mse: float
    alpha_label: float
    terms: dict[str, float]

    def __post_init__(self) -> None:
        super().__post_init__()
        require_above_zero(self, "temperature")
        require_weights(self, "alpha_ce", "alpha_mse", "alpha_label")


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
        require_at_least(self, 0, "mlm_smoothing", "eval_interval", "eval_rows")


@dataclass(frozen=True)
class DistilConfig(LanguageModelConfig):
    """The Distil* objective (Sanh et al., arXiv:1910.01108), and what the reference says of teacher and student."""

    teacher_type: str
    student_type: str
    student_config: str
    token_counts: str
    mlm: Literal["auto", "true", "false"]
    temperature: float
    alpha_ce: float
    alpha_mlm: float
    alpha_clm: float
    alpha_mse: float
    alpha_cos: float
    terms: dict[str, float]
    restrict_ce_to_mask: bool
    freeze_pos_embs: bool
    freeze_token_type_embds: bool

    def __post_init__(self) -> None:
        super().__post_init__()
        require_above_zero(self, "temperature")
        require_weights(self, *self.alphas)

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

    def __post_init__(self) -> None:
        super().__post_init__()
        require(1 <= self.validation_split_percentage <= 50, "mlm.validation_split_percentage is "
                f"{self.validation_split_percentage}; it must be from 1 to 50")
        require_at_least(self, 1, "num_workers", section="mlm.")


@dataclass(frozen=True)
class TaskDistillConfig:
    do_train: bool
    do_eval: bool
    load_gd_ckpt_path: str
    load_td1_ckpt_path: str
    phases: Literal["both", "1", "2"]
    phase1: TaskLayerDistillConfig
    phase2: PredictionDistillConfig


@dataclass(frozen=True)
class EvaluateConfig:
    checkpoint: str
    data_dir: str
    split: str
    batch_size: int
    predictions_path: str
    metrics_path: str
    submit: str

    def __post_init__(self) -> None:
        require_at_least(self, 1, "batch_size", section="evaluate.")


@dataclass(frozen=True)
class CorpusConfig:
    input: tuple[str, ...]
    input_format: Literal["auto", "text", "wiki", "wikiextractor", "jsonl"]
    text_field: str
    language: str
    split_sentences: Literal["auto", "true", "false"]
    simplify_chinese: bool
    min_document_length: int
    tokenizer: str
    tokenizer_type: Literal["", "bert", "roberta", "gpt2"]
    lower_case: Literal["auto", "true", "false"]
    output_dir: str
    num_shards: int
    num_workers: int
    scheduler: str
    deduplicate: Literal["none", "documents"]
    masked_lm_prob: float
    max_predictions_per_seq: int
    whole_word_mask: bool
    dupe_factor: int
    min_length: int
    max_unknown: float
    force: bool

    def __post_init__(self) -> None:
        require_at_least(self, 0, "min_document_length", section="corpus.")
        require_at_least(self, 1, "num_shards", "num_workers", "max_predictions_per_seq", "dupe_factor",
                         section="corpus.")
        require_at_least(self, 3, "min_length", section="corpus.")
        require_share(self, "masked_lm_prob", section="corpus.")
        require_above_zero(self, "max_unknown", section="corpus.")


@dataclass(frozen=True)
class PrepareTaskConfig:
    data_dir: str
    tokenizer: str
    lower_case: Literal["auto", "true", "false"]
    output_dir: str
    num_shards: int
    num_workers: int
    max_unknown: float
    force: bool

    def __post_init__(self) -> None:
        require_at_least(self, 1, "num_shards", "num_workers", section="prepare_task.")
        require(0 < self.max_unknown <= 1, f"prepare_task.max_unknown is {self.max_unknown}; it must be in (0, 1]")


@dataclass(frozen=True)
class AugmentConfig:
    """Data augmentation of TinyBERT (method tinybert) and of Tang et al. (rules)."""

    method: Literal["tinybert", "rules"]
    data_dir: str
    output_dir: str
    load_ckpt_path: str
    language: Literal["auto", "english", "chinese"]
    copies: int
    candidates: int
    replace_probability: float
    glove_path: str
    glove_words: int
    mask_probability: float
    pos_probability: float
    ngram_probability: float
    words_a_pass: int
    batch_size: int
    num_workers: int
    max_unknown: float
    force: bool

    def __post_init__(self) -> None:
        require_at_least(self, 1, "candidates", "glove_words", "words_a_pass", "batch_size", "num_workers",
                         section="augment.")
        require_at_least(self, 0, "copies", section="augment.")
        require(0 < self.max_unknown <= 1, f"augment.max_unknown is {self.max_unknown}; it must be in (0, 1]")
        require_share(self, "replace_probability", "mask_probability", "pos_probability", "ngram_probability",
                      section="augment.", may_be_all=True)
        require(self.mask_probability + self.pos_probability <= 1,
                "augment.mask_probability and augment.pos_probability add up to more than 1; lower one of them")


@dataclass(frozen=True)
class VocabularyConfig:
    """A word or character vocabulary for students that read other tokens than their teacher."""

    data_dir: str
    output_dir: str
    segment: Literal["words", "characters", "jieba"]
    vocab_size: int
    min_count: int
    lower_case: bool

    def __post_init__(self) -> None:
        require(self.vocab_size > 10, f"vocabulary.vocab_size is {self.vocab_size}; it must be above 10")
        require_at_least(self, 1, "min_count", section="vocabulary.")


@dataclass(frozen=True)
class ExportConfig:
    checkpoint: str
    file_format: str
    output: str
    seq_length: int
    batch_size: int
    max_difference: float

    def __post_init__(self) -> None:
        require(self.seq_length >= 0, f"seq_length is {self.seq_length}; 0 means the longest the model knows")
        require_at_least(self, 1, "batch_size", section="export.")
        require_above_zero(self, "max_difference", section="export.")


@dataclass(frozen=True)
class Config:
    seed: int
    seeds: tuple[int, ...]
    recipe: Literal["tinybert", "distil"]
    device: DeviceConfig
    data: DataConfig
    checkpoint: CheckpointConfig
    logging: LoggingConfig
    task: TaskConfig
    teacher: TeacherConfig
    student: StudentConfig
    bilstm: BiLstmStudentConfig
    finetune: FinetuneConfig
    mlm: MaskedLmConfig
    general_distill: LayerDistillConfig
    distil: DistilConfig
    task_distill: TaskDistillConfig
    evaluate: EvaluateConfig
    corpus: CorpusConfig
    prepare_task: PrepareTaskConfig
    augment: AugmentConfig
    vocabulary: VocabularyConfig
    export: ExportConfig

    def __post_init__(self) -> None:
        for name, seeds in (("seed", (self.seed,)), ("seeds", self.seeds)):
            require(all(0 <= seed < 1 << 32 for seed in seeds),
                    f"{name} is {', '.join(map(str, seeds))}; a seed must be from 0 to {(1 << 32) - 1}")
