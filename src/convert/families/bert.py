# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""BERT (Devlin et al., arXiv:1810.04805), and the checkpoints of TinyBERT's authors."""

from __future__ import annotations

from src.convert.families.family import NOT_BUILT, REQUIRED, Family, Form, Setting
from src.convert.name_map import Rule, Tie

ENCODER = (
    Rule("embeddings.word_embeddings.weight", "encoder.embeddings.word_embeddings.embedding_table"),
    Rule("embeddings.position_embeddings.weight", "encoder.embeddings.position_embeddings.embedding_table"),
    Rule("embeddings.token_type_embeddings.weight", "encoder.embeddings.token_type_embeddings.embedding_table"),
    Rule("embeddings.LayerNorm.weight", "encoder.embeddings.norm.gamma"),
    Rule("embeddings.LayerNorm.bias", "encoder.embeddings.norm.beta"),
    Rule("encoder.layer.{}.attention.self.query.weight", "encoder.layers.{}.attention.query.weight"),
    Rule("encoder.layer.{}.attention.self.query.bias", "encoder.layers.{}.attention.query.bias"),
    Rule("encoder.layer.{}.attention.self.key.weight", "encoder.layers.{}.attention.key.weight"),
    Rule("encoder.layer.{}.attention.self.key.bias", "encoder.layers.{}.attention.key.bias"),
    Rule("encoder.layer.{}.attention.self.value.weight", "encoder.layers.{}.attention.value.weight"),
    Rule("encoder.layer.{}.attention.self.value.bias", "encoder.layers.{}.attention.value.bias"),
    Rule("encoder.layer.{}.attention.output.dense.weight", "encoder.layers.{}.attention.output.weight"),
    Rule("encoder.layer.{}.attention.output.dense.bias", "encoder.layers.{}.attention.output.bias"),
    Rule("encoder.layer.{}.attention.output.LayerNorm.weight", "encoder.layers.{}.attention_norm.gamma"),
    Rule("encoder.layer.{}.attention.output.LayerNorm.bias", "encoder.layers.{}.attention_norm.beta"),
    Rule("encoder.layer.{}.intermediate.dense.weight", "encoder.layers.{}.intermediate.weight"),
    Rule("encoder.layer.{}.intermediate.dense.bias", "encoder.layers.{}.intermediate.bias"),
    Rule("encoder.layer.{}.output.dense.weight", "encoder.layers.{}.output.weight"),
    Rule("encoder.layer.{}.output.dense.bias", "encoder.layers.{}.output.bias"),
    Rule("encoder.layer.{}.output.LayerNorm.weight", "encoder.layers.{}.output_norm.gamma"),
    Rule("encoder.layer.{}.output.LayerNorm.bias", "encoder.layers.{}.output_norm.beta"),
)
POOLER = (Rule("pooler.dense.weight", "encoder.pooler.weight"), Rule("pooler.dense.bias", "encoder.pooler.bias"))
CLASSIFIER = (Rule("classifier.weight", "head.classifier.weight"), Rule("classifier.bias", "head.classifier.bias"))
ANSWER = (Rule("qa_outputs.weight", "head.classifier.weight"), Rule("qa_outputs.bias", "head.classifier.bias"))
MASKED_LM = (
    Rule("cls.predictions.transform.dense.weight", "head.transform.weight"),
    Rule("cls.predictions.transform.dense.bias", "head.transform.bias"),
    Rule("cls.predictions.transform.LayerNorm.weight", "head.norm.gamma"),
    Rule("cls.predictions.transform.LayerNorm.bias", "head.norm.beta"),
    Rule("cls.predictions.bias", "head.bias"),
)
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
ONLY = NOT_BUILT | {"position_embedding_type": ("absolute", None), "is_decoder": (False, None)}
# Checkpoints that were converted from TensorFlow.
SPELLINGS = ((r"LayerNorm\.gamma$", "LayerNorm.weight"), (r"LayerNorm\.beta$", "LayerNorm.bias"))

BERT = Family(
    model_type="bert",
    prefix="bert.",
    encoder=ENCODER,
    pooler=POOLER,
    forms={
        "none": Form("BertModel", pooler="tanh"),
        "classification": Form("BertForSequenceClassification", CLASSIFIER, pooler="tanh", sign="classifier.weight"),
        "regression": Form("BertForSequenceClassification", CLASSIFIER, pooler="tanh"),
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
    fixed={"position_offset": 0, "causal": False, "pre_norm": False},
    only=ONLY,
    constants={"position_embedding_type": "absolute", "classifier_dropout": None},
    dropouts={"classifier_dropout": None},
    spellings=SPELLINGS,
)
