# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Settings: what describes a model, what describes a run, and how both are read."""

from src.config.compress import CompressConfig, CompressDistillConfig
from src.config.described import help_text
from src.config.entry_points import ENTRY_POINTS
from src.config.head import HeadConfig
from src.config.model import AnyEncoderConfig, EncoderConfig, ModelConfig
from src.config.other_encoders import ANY_LENGTH, BiLstmConfig, StaticConfig
from src.config.reading import dump_yaml, load_config, parse, read_yaml
from src.config.settings import (
    AugmentConfig,
    CheckpointConfig,
    Config,
    DataConfig,
    DeviceConfig,
    EvaluateConfig,
    ExportConfig,
    LoggingConfig,
    PrepareTaskConfig,
    TaskConfig,
    TeacherConfig,
    VocabularyConfig,
)
from src.config.student import BiLstmStudentConfig, LayerMap, StudentConfig
from src.config.training import (
    EvalInterval,
    GeneralDistillConfig,
    LanguageModelConfig,
    LayerDistillConfig,
    MaskedLmConfig,
    PredictionDistillConfig,
    StageConfig,
    TaskDistillConfig,
    TaskLayerDistillConfig,
    TokenDistillConfig,
)

__all__ = ["ANY_LENGTH", "AnyEncoderConfig", "AugmentConfig", "BiLstmConfig", "BiLstmStudentConfig", "CheckpointConfig",
           "CompressConfig", "CompressDistillConfig", "Config",
           "DataConfig", "DeviceConfig", "ENTRY_POINTS", "EncoderConfig", "EvalInterval", "EvaluateConfig",
           "ExportConfig", "GeneralDistillConfig", "HeadConfig", "LanguageModelConfig", "LayerDistillConfig",
           "LayerMap", "LoggingConfig", "MaskedLmConfig", "ModelConfig", "PredictionDistillConfig", "PrepareTaskConfig",
           "StageConfig", "StaticConfig", "StudentConfig", "TaskConfig", "TaskDistillConfig", "TaskLayerDistillConfig",
           "TeacherConfig", "TokenDistillConfig", "VocabularyConfig", "dump_yaml", "help_text", "load_config", "parse",
           "read_yaml"]
