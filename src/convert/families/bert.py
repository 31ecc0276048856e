# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""BERT (Devlin et al., arXiv:1810.04805), and the checkpoints of TinyBERT's authors."""

from __future__ import annotations

from src.convert.families.family import NOT_BUILT, REQUIRED, Family, Form, Setting
from src.convert.name_map import PYTORCH, Rule, Tie

MODULES = {
    "embeddings.word_embeddings": "encoder.embeddings.word_embeddings",
    "embeddings.position_embeddings": "encoder.embeddings.position_embeddings",
    "embeddings.token_type_embeddings": "encoder.embeddings.token_type_embeddings",
    "embeddings.LayerNorm": "encoder.embeddings.norm",
    "encoder.layer.{}.attention.self.query": "encoder.layers.{}.attention.query",
    "encoder.layer.{}.attention.self.key": "encoder.layers.{}.attention.key",
    "encoder.layer.{}.attention.self.value": "encoder.layers.{}.attention.value",
    "encoder.layer.{}.attention.output.dense": "encoder.layers.{}.attention.output",
    "encoder.layer.{}.attention.output.LayerNorm": "encoder.layers.{}.attention_norm",
    "encoder.layer.{}.intermediate.dense": "encoder.layers.{}.intermediate",
    "encoder.layer.{}.output.dense": "encoder.layers.{}.output",
    "encoder.layer.{}.output.LayerNorm": "encoder.layers.{}.output_norm",
}
POOLER = {"pooler.dense": "encoder.pooler"}
TRANSFORM = {"cls.predictions.transform.dense": "head.transform", "cls.predictions.transform.LayerNorm": "head.norm"}
CLASSIFIER = PYTORCH.rules({"classifier": "head.classifier"})
ANSWER = PYTORCH.rules({"qa_outputs": "head.classifier"})
MASKED_LM = (*PYTORCH.rules(TRANSFORM), Rule("cls.predictions.bias", "head.bias"))
SETTINGS = (
    *(Setting(name, name, REQUIRED) for name in ("vocab_size", "hidden_size", "num_hidden_layers",
                                                 "num_attention_heads", "intermediate_size")),
    Setting("hidden_dropout_prob", "hidden_dropout_prob", 0.1),
    Setting("attention_probs_dropout_prob", "attention_probs_dropout_prob", 0.1),
    Setting("max_position_embeddings", "max_position_embeddings", 512),
    Setting("type_vocab_size", "type_vocab_size", 2),
    Setting("initializer_range", "initializer_range", 0.02),
    Setting("layer_norm_eps", "layer_norm_eps", 1e-12),
)

BERT = Family(
    model_type="bert",
    prefix="bert.",
    encoder=PYTORCH.rules(MODULES),
    pooler=PYTORCH.rules(POOLER),
    forms={
        "none": Form("BertModel", pooler="tanh"),
        "classification": Form("BertForSequenceClassification", CLASSIFIER, pooler="tanh", sign="classifier.weight"),
        "tagging": Form("BertForTokenClassification", CLASSIFIER),
        "span": Form("BertForQuestionAnswering", ANSWER, sign="qa_outputs.weight"),
        "masked_lm": Form(
            "BertForMaskedLM", MASKED_LM, sign="cls.predictions.bias",
            ties=(Tie("cls.predictions.decoder.weight", "embeddings.word_embeddings.weight"),
                  Tie("cls.predictions.decoder.bias", "cls.predictions.bias"))),
    },
    settings=SETTINGS,
    also={"BertForPreTraining": "masked_lm", "BertForNextSentencePrediction": "none", "TinyBertForPreTraining": "none",
          "TinyBertForSequenceClassification": "classification"},
    dropped=(
        "embeddings.position_ids",  # 0, 1, 2, ...: a constant that older releases stored
        "cls.*",                    # heads of pre-training: next sentence, and masked tokens where they are not wanted
        "fit_dense.*",              # TinyBERT's projection to the teacher's width, used in distillation only
        "fit_denses.*",
    ),
    heads=("cls.*", "classifier.*", "qa_outputs.*"),
    fixed={"position_offset": 0, "causal": False, "pre_norm": False, "embedding_size": 0, "share_layers": False,
           "layer_class": "bert"},
    only=NOT_BUILT | {"position_embedding_type": ("absolute", None), "is_decoder": (False, None)},
    constants={"position_embedding_type": "absolute", "classifier_dropout": None},
    head_dropouts={"classifier_dropout": None},
    # Checkpoints that were converted from TensorFlow.
    spellings=((r"LayerNorm\.gamma$", "LayerNorm.weight"), (r"LayerNorm\.beta$", "LayerNorm.bias")),
    relu_sign="fit_dense",
)
