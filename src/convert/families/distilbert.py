# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""DistilBERT (Sanh et al., arXiv:1910.01108): no token types, no pooler, LayerNorm with a fixed epsilon."""

from __future__ import annotations

from src.convert.families import bert
from src.convert.families.family import NOT_BUILT, Family, Form, Setting
from src.convert.name_map import PYTORCH, Rule, Tie

MODULES = {
    "embeddings.word_embeddings": "encoder.embeddings.word_embeddings",
    "embeddings.position_embeddings": "encoder.embeddings.position_embeddings",
    "embeddings.LayerNorm": "encoder.embeddings.norm",
    "transformer.layer.{}.attention.q_lin": "encoder.layers.{}.attention.query",
    "transformer.layer.{}.attention.k_lin": "encoder.layers.{}.attention.key",
    "transformer.layer.{}.attention.v_lin": "encoder.layers.{}.attention.value",
    "transformer.layer.{}.attention.out_lin": "encoder.layers.{}.attention.output",
    "transformer.layer.{}.sa_layer_norm": "encoder.layers.{}.attention_norm",
    "transformer.layer.{}.ffn.lin1": "encoder.layers.{}.intermediate",
    "transformer.layer.{}.ffn.lin2": "encoder.layers.{}.output",
    "transformer.layer.{}.output_layer_norm": "encoder.layers.{}.output_norm",
}
CLASSIFIER = PYTORCH.rules({"pre_classifier": "encoder.pooler"}) + bert.CLASSIFIER
MASKED_LM = (*PYTORCH.rules({"vocab_transform": "head.transform", "vocab_layer_norm": "head.norm"}),
             Rule("vocab_projector.bias", "head.bias"))

DISTILBERT = Family(
    model_type="distilbert",
    prefix="distilbert.",
    encoder=PYTORCH.rules(MODULES),
    forms={
        "none": Form("DistilBertModel"),
        "classification": Form("DistilBertForSequenceClassification", CLASSIFIER, pooler="relu",
                               sign="pre_classifier.weight"),
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
    fixed={"type_vocab_size": 0, "layer_norm_eps": 1e-12, "position_offset": 0, "causal": False, "pre_norm": False,
           "embedding_size": 0, "share_layers": False, "layer_class": "bert"},
    only=NOT_BUILT | {"is_decoder": (False, None)},
    # The table is stored, whatever it was made from.
    constants={"sinusoidal_pos_embds": False},
    head_dropouts={"seq_classif_dropout": 0.2, "qa_dropout": 0.1},
    notes={"sinusoidal_pos_embds": "sinusoidal_pos_embds is true: the stored table of positions is taken, and trains "
                                   "as any other"},
    tokenizer_class="DistilBertTokenizer",
    cut_from=("bert",),
)
