# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""DistilBERT (Sanh et al., arXiv:1910.01108): no token types, no pooler, LayerNorm with a fixed epsilon."""

from __future__ import annotations

from src.convert.families import bert
from src.convert.families.family import NOT_BUILT, Family, Form, Setting
from src.convert.name_map import Rule, Tie

ENCODER = (
    Rule("embeddings.word_embeddings.weight", "encoder.embeddings.word_embeddings.embedding_table"),
    Rule("embeddings.position_embeddings.weight", "encoder.embeddings.position_embeddings.embedding_table"),
    Rule("embeddings.LayerNorm.weight", "encoder.embeddings.norm.gamma"),
    Rule("embeddings.LayerNorm.bias", "encoder.embeddings.norm.beta"),
    Rule("transformer.layer.{}.attention.q_lin.weight", "encoder.layers.{}.attention.query.weight"),
    Rule("transformer.layer.{}.attention.q_lin.bias", "encoder.layers.{}.attention.query.bias"),
    Rule("transformer.layer.{}.attention.k_lin.weight", "encoder.layers.{}.attention.key.weight"),
    Rule("transformer.layer.{}.attention.k_lin.bias", "encoder.layers.{}.attention.key.bias"),
    Rule("transformer.layer.{}.attention.v_lin.weight", "encoder.layers.{}.attention.value.weight"),
    Rule("transformer.layer.{}.attention.v_lin.bias", "encoder.layers.{}.attention.value.bias"),
    Rule("transformer.layer.{}.attention.out_lin.weight", "encoder.layers.{}.attention.output.weight"),
    Rule("transformer.layer.{}.attention.out_lin.bias", "encoder.layers.{}.attention.output.bias"),
    Rule("transformer.layer.{}.sa_layer_norm.weight", "encoder.layers.{}.attention_norm.gamma"),
    Rule("transformer.layer.{}.sa_layer_norm.bias", "encoder.layers.{}.attention_norm.beta"),
    Rule("transformer.layer.{}.ffn.lin1.weight", "encoder.layers.{}.intermediate.weight"),
    Rule("transformer.layer.{}.ffn.lin1.bias", "encoder.layers.{}.intermediate.bias"),
    Rule("transformer.layer.{}.ffn.lin2.weight", "encoder.layers.{}.output.weight"),
    Rule("transformer.layer.{}.ffn.lin2.bias", "encoder.layers.{}.output.bias"),
    Rule("transformer.layer.{}.output_layer_norm.weight", "encoder.layers.{}.output_norm.gamma"),
    Rule("transformer.layer.{}.output_layer_norm.bias", "encoder.layers.{}.output_norm.beta"),
)
CLASSIFIER = (Rule("pre_classifier.weight", "encoder.pooler.weight"),
              Rule("pre_classifier.bias", "encoder.pooler.bias"), *bert.CLASSIFIER)
MASKED_LM = (
    Rule("vocab_transform.weight", "head.transform.weight"),
    Rule("vocab_transform.bias", "head.transform.bias"),
    Rule("vocab_layer_norm.weight", "head.norm.gamma"),
    Rule("vocab_layer_norm.bias", "head.norm.beta"),
    Rule("vocab_projector.bias", "head.bias"),
)

DISTILBERT = Family(
    model_type="distilbert",
    prefix="distilbert.",
    encoder=ENCODER,
    forms={
        "none": Form("DistilBertModel"),
        "classification": Form("DistilBertForSequenceClassification", CLASSIFIER, pooler="relu",
                               sign="pre_classifier.weight"),
        "regression": Form("DistilBertForSequenceClassification", CLASSIFIER, pooler="relu"),
        "tagging": Form("DistilBertForTokenClassification", bert.CLASSIFIER, sign="classifier.weight"),
        "span": Form("DistilBertForQuestionAnswering", bert.ANSWER, sign="qa_outputs.weight"),
        "masked_lm": Form("DistilBertForMaskedLM", MASKED_LM, sign="vocab_projector.bias",
                          ties=(Tie("vocab_projector.weight", "embeddings.word_embeddings.weight"),)),
    },
    settings=(
        Setting("vocab_size", "vocab_size"),
        Setting("hidden_size", "dim"),
        Setting("num_hidden_layers", "n_layers"),
        Setting("num_attention_heads", "n_heads"),
        Setting("intermediate_size", "hidden_dim"),
        Setting("hidden_dropout_prob", "dropout", 0.1),
        Setting("attention_probs_dropout_prob", "attention_dropout", 0.1),
        Setting("max_position_embeddings", "max_position_embeddings", 512),
        Setting("initializer_range", "initializer_range", 0.02),
    ),
    activation=("activation", "gelu"),
    dropped=("embeddings.position_ids",),
    heads=("vocab_*", "pre_classifier.*", "classifier.*", "qa_outputs.*"),
    # transformers has no setting for the epsilon.
    fixed={"type_vocab_size": 0, "layer_norm_eps": 1e-12, "position_offset": 0, "causal": False, "pre_norm": False},
    only=NOT_BUILT | {"is_decoder": (False, None)},
    # The table is stored, whatever it was made from.
    constants={"sinusoidal_pos_embds": False},
    dropouts={"seq_classif_dropout": 0.2, "qa_dropout": 0.1},
)
