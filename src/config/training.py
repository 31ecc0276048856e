# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Settings of the stages that train. What all of them have stands once, in StageConfig, which is section `training`;
a stage repeats what it sets otherwise, and inherits the rest."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from src.common.typed import require, setting
from src.config.model import Dropout

EvalInterval = int | Literal["epoch", "end"]
"""Optimiser steps between two evaluations, or once an epoch, or at the end only."""

UNLABELLED_ROWS = "records of rows without labels, or a file of them, distilled beside the training rows; empty: none"
_TERMS = "weights of other loss terms: NAME=WEIGHT,... (see the end of --help)"


@dataclass(frozen=True)
class StageConfig:
    """One training stage: how long, which optimiser, which loss scale."""

    epoch_size: int = setting(3, "passes over the data", least=1)
    train_steps: int = setting(0, "stop after this many optimiser steps; 0 = all epochs", least=0)
    batch_size: int = setting(16, "rows a device and micro-step", least=1)
    gradient_accumulation_steps: int = setting(1, "micro-steps an optimiser step", least=1)
    learning_rate: float = setting(5e-5, "peak learning rate", above=0)
    end_learning_rate: float = setting(0.0, "learning rate at the last step", least=0)
    power: float = setting(1.0, "power of the polynomial decay", least=0)
    warmup_proportion: float = setting(0.1, "share of the steps with rising learning rate", least=0, below=1)
    lr_schedule: Literal["polynomial", "constant"] = setting(
        "polynomial", "polynomial | constant (after the warm-up)")
    optimizer: Literal["adam_weight_decay", "adamw"] = setting(
        "adamw", "adamw | adam_weight_decay (BERT's: no bias correction; may fail on few rows)")
    weight_decay: float = setting(0.01, "decoupled decay of all but biases and LayerNorm", least=0)
    beta1: float = setting(0.9, "decay of the first moment", least=0, below=1)
    beta2: float = setting(0.999, "decay of the second moment", least=0, below=1)
    eps: float = setting(1e-6, "added to the denominator", above=0)
    clip: Literal["per_tensor", "global"] = setting("global", "per_tensor | global: norm that is clipped")
    max_grad_norm: float = setting(1.0, "norm that gradients are clipped to", above=0)
    loss_scale_value: float = setting(65536, "first loss scale of float16 (float32 uses none)", least=1)
    scale_factor: int = setting(2, "factor by which the loss scale rises and falls", above=1)
    scale_window: int = setting(1000, "steps without overflow before the loss scale rises", least=1)
    max_skipped_steps: int = setting(
        100, "steps in a row whose float16 gradients may overflow; then max_rewinds applies", least=1)

    def __post_init__(self) -> None:
        require(self.end_learning_rate <= self.learning_rate,
                f"end_learning_rate is {self.end_learning_rate}; it must lie between 0 and learning_rate")

    def describe_batch(self, devices: int, target: str) -> str:
        """Return how many rows an optimiser step takes on so many devices, and why."""
        rows = self.batch_size * devices * self.gradient_accumulation_steps
        return (f"{rows:,} rows a step = {self.batch_size} x {devices} {target} device{'s' * (devices > 1)} x "
                f"{self.gradient_accumulation_steps} accumulated")


@dataclass(frozen=True)
class EvaluatedStageConfig(StageConfig):
    """A stage that is evaluated on dev between its steps; the best student is what it leaves."""

    eval_interval: EvalInterval = setting("epoch", "steps between two evaluations on dev | epoch | end", least=1)
    early_stopping: int = setting(0, "stop after this many evaluations without a better one; 0 = never", least=0)
    metric: str = setting("", "metric that chooses the best model; empty: the task's first one")


@dataclass(frozen=True)
class FinetuneConfig(EvaluatedStageConfig):
    load_ckpt_path: str = setting(
        "", "checkpoint directory of the pretrained model; a BiLSTM may go without", is_path=True)
    matryoshka_dims: tuple[int, ...] = setting(
        (), "sts, pairs, triplets: 384,256,128,...: the loss is that of the first numbers of each vector, summed over "
            "these widths; []: of the whole vector", least=1)
    batch_size: int = 32
    learning_rate: float = 3e-5


def require_weights(stage: Any, *names: str) -> None:
    """Check the weights of a stage's loss terms: those of settings of their own, and those of `terms`."""
    weights = {name: getattr(stage, name) for name in names} | stage.terms
    require(min(weights.values()) >= 0 and max(weights.values()) > 0,
            f"the weights of the loss terms are {weights}; none may be negative, and one must be above 0")


@dataclass(frozen=True)
class LayerDistillConfig(StageConfig):
    """A stage whose objective matches attention scores and hidden states, or relations (arXiv:2012.15828)."""

    reduction: Literal["masked", "reference"] = setting(
        "masked", "of attention_mse, hidden_mse: masked: mean over real tokens | reference: the authors' mean over all")
    projection: Literal["shared", "per_layer"] = setting("shared", "shared | per_layer: student width to teacher width")
    attention_weight: float = setting(1.0, "weight of attention_mse")
    hidden_weight: float = setting(1.0, "weight of hidden_mse")
    relation_weight: float = setting(0.0, "weight of query_relations, key_relations, value_relations, each (MiniLMv2)")
    relation_heads: int = setting(
        48, "heads that relations are computed in, whatever heads the models have; must divide both widths", least=1)
    relation_layer: int | Literal["last"] = setting(
        "last", "layer of the teacher whose relations the student's last one learns: last | number, from 1", least=1)
    terms: dict[str, float] = setting({}, _TERMS)
    optimizer: Literal["adam_weight_decay", "adamw"] = "adam_weight_decay"
    weight_decay: float = 1e-4
    clip: Literal["per_tensor", "global"] = "per_tensor"

    def __post_init__(self) -> None:
        super().__post_init__()
        require_weights(self, "attention_weight", "hidden_weight", "relation_weight")


@dataclass(frozen=True)
class GeneralDistillConfig(LayerDistillConfig):
    cache_embeddings: Literal["auto", "true", "false"] = setting(
        "auto", "auto (when rows are seen again) | true | false: run the teacher once and store its embeddings")
    reduce_embeddings: bool = setting(
        False, "a narrower student learns the first principal components of the teacher's embeddings; false: a dense "
               "layer to the teacher's width stays in it")
    translations: bool = setting(
        False, "data_dir holds records of the task pairs, texts and their translations: student_pretrained_weights "
               "learns the teacher's embedding of the text for both")
    epoch_size: int = 1
    end_learning_rate: float = 1e-14


_DROPOUT = "dropout of the student (a transformer): student: its own | number; it stays so in its config.json"


@dataclass(frozen=True)
class TaskLayerDistillConfig(LayerDistillConfig):
    """Phase 1 of task distillation: the same on records of a task."""

    student_dropout: Dropout = setting("student", _DROPOUT, least=0, below=1)
    train_data_dir: str = setting("", "training records of this phase; empty: data.train_data_dir", is_path=True)
    aug_train: bool = setting(False, "train on the augmented rows: the records train_aug beside train")
    epoch_size: int = 10
    loss_scale_value: float = 256
    scale_window: int = 50


@dataclass(frozen=True)
class PredictionDistillConfig(EvaluatedStageConfig):
    """Phase 2 of task distillation: a stage whose objective matches the teacher's predictions."""

    student_dropout: Dropout = setting("student", _DROPOUT, least=0, below=1)
    train_data_dir: str = setting("", "training records of this phase; empty: data.train_data_dir", is_path=True)
    aug_train: bool = setting(False, "train on the augmented rows: the records train_aug beside train")
    cache_teacher_logits: Literal["auto", "true", "false"] = setting(
        "auto", "auto (when rows are seen again) | true | false: run the teacher once and store its logits")
    reduction: Literal["masked", "reference"] = setting(
        "masked", "masked: sum over classes x T^2 | reference: the authors' mean over classes")
    temperature: float = setting(1.0, "both logits are divided by this", above=0)
    regression_target: Literal["teacher", "label"] = setting(
        "teacher", "teacher: its score (paper) | label (the authors' code; of lists of documents the file's scores)")
    alpha_ce: float = setting(
        1.0, "weight of the divergence from the teacher's softened distribution (regression: of its target)")
    alpha_logits_mse: float = setting(
        0.0, "weight of logits_mse, the squared difference of the logits, mean over the classes (Tang et al.)")
    alpha_label: float = setting(0.0, "weight of the cross-entropy to the labels")
    terms: dict[str, float] = setting({}, _TERMS)
    quantize: Literal["none", "int8"] = setting(
        "none", "none | int8: the student is trained and evaluated as export.py --quantize int8 makes it compute")
    learning_rate: float = 2e-5
    optimizer: Literal["adam_weight_decay", "adamw"] = "adam_weight_decay"
    weight_decay: float = 1e-4
    clip: Literal["per_tensor", "global"] = "per_tensor"
    scale_window: int = 50

    def __post_init__(self) -> None:
        super().__post_init__()
        require_weights(self, "alpha_ce", "alpha_logits_mse", "alpha_label")

    @property
    def in_int8(self) -> bool:
        """Whether the student is trained, and evaluated, as it computes in int8."""
        return self.quantize != "none"


@dataclass(frozen=True)
class LanguageModelConfig(StageConfig):
    """A stage on text: which tokens are predicted, and how often the model is evaluated."""

    mlm_mask_prop: float = setting(0.15, "share of the tokens that is predicted", above=0, below=1)
    word_mask: float = setting(0.8, "of these: share replaced by [MASK]", least=0)
    word_keep: float = setting(0.1, "share left as it is", least=0)
    word_rand: float = setting(0.1, "share replaced by a random token", least=0)
    mlm_smoothing: float = setting(
        0.0, "tokens are masked in proportion to count^-mlm_smoothing; 0 = all alike", least=0)
    group_by_size: bool = setting(True, "batches of rows of similar length")
    eval_interval: EvalInterval = setting("end", "steps between two evaluations | epoch | end", least=1)
    eval_rows: int = setting(0, "rows of an evaluation between the steps; 0 = all (as at the end)", least=0)
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        shares = (self.word_mask, self.word_keep, self.word_rand)
        require(abs(sum(shares) - 1) < 1e-6,
                f"word_mask, word_keep and word_rand are {shares}; they must be shares that add up to 1")


@dataclass(frozen=True)
class TokenDistillConfig(LanguageModelConfig):
    """The Distil* objective (Sanh et al., arXiv:1910.01108), and what the reference says of teacher and student."""

    teacher_type: str = setting("", "family, of those at the end of this list; empty: that of the checkpoint")
    student_type: str = setting("", "the same; empty: that of the student's sizes")
    student_config: str = setting(
        "", "config.json of the student, in place of the sizes in section student", is_path=True)
    token_counts: str = setting("", "token_counts.json; empty: the one beside the records", is_path=True)
    mlm: Literal["auto", "true", "false"] = setting("auto", "auto (the teacher's) | true: masked LM | false: causal")
    temperature: float = setting(2.0, "both logits are divided by this", above=0)
    alpha_ce: float = setting(
        0.5, "weight of ce, the divergence from the teacher's softened distribution, times T^2")
    alpha_mlm: float = setting(0.0, "weight of mlm, the cross-entropy of masked tokens")
    alpha_clm: float = setting(0.5, "weight of clm, the cross-entropy of the next token")
    alpha_mse: float = setting(0.0, "weight of mse, the squared difference of the logits, summed over the vocabulary")
    alpha_cos: float = setting(0.0, "weight of cos, 1 - cosine of the last hidden states")
    terms: dict[str, float] = setting({}, _TERMS)
    restrict_ce_to_mask: bool = setting(False, "ce and mse on masked tokens only")
    freeze_pos_embs: bool = setting(False, "position embeddings are not trained")
    freeze_token_type_embds: bool = setting(False, "token-type embeddings are not trained")
    mlm_smoothing: float = 0.7
    batch_size: int = 5
    gradient_accumulation_steps: int = 50
    learning_rate: float = 5e-4
    warmup_proportion: float = 0.05
    beta2: float = 0.98
    max_grad_norm: float = 5.0

    def __post_init__(self) -> None:
        super().__post_init__()
        require_weights(self, *self.alphas)

    @property
    def alphas(self) -> dict[str, float]:
        """Weight of each term."""
        return {f"alpha_{name}": getattr(self, f"alpha_{name}") for name in ("ce", "mlm", "clm", "mse", "cos")}


@dataclass(frozen=True)
class MaskedLmConfig(LanguageModelConfig):
    """Training of a masked language model on text."""

    load_ckpt_path: str = setting("", "checkpoint directory of the model to train", is_path=True)
    train_file: tuple[str, ...] = setting((), "text files: one sequence a line", is_path=True)
    validation_file: tuple[str, ...] = setting(
        (), "held-out text; []: validation_split_percentage of the lines of train_file", is_path=True)
    validation_split_percentage: int = setting(
        5, "share of the training text that is held out where there is no validation_file", least=1, most=50)
    line_by_line: bool = setting(False, "each line a sequence of its own; false: lines are packed into full rows")
    num_workers: int = setting(2, "worker processes that tokenise", least=1)
    do_train: bool = setting(True, "train the model")
    do_eval: bool = setting(True, "evaluate at the end: perplexity and accuracy of masked tokens")
    freeze_encoder: bool = setting(False, "train the masked-LM head alone")
    batch_size: int = 8
    warmup_proportion: float = 0.0
    eps: float = 1e-8


@dataclass(frozen=True)
class TaskDistillConfig:
    do_train: bool = setting(True, "run the two phases")
    do_eval: bool = setting(True, "evaluate the student on eval_data_dir")
    load_gd_ckpt_path: str = setting(
        "", "checkpoint directory, or run, of the general student; without phase 1: as the next", is_path=True)
    load_td1_ckpt_path: str = setting(
        "", "checkpoint directory, or run, of phase 1, which is then not run", is_path=True)
    phases: Literal["both", "1", "2"] = setting(
        "both", "both | 1 | 2 (--pred_distill): the phases that are run; a BiLSTM has phase 2 only")
    unlabelled_data_dir: str = setting("", UNLABELLED_ROWS, is_path=True)
    phase1: TaskLayerDistillConfig = field(default_factory=TaskLayerDistillConfig)
    phase2: PredictionDistillConfig = field(default_factory=PredictionDistillConfig)
