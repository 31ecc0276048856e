# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""ALBERT (Lan et al., arXiv:1909.11942): one layer that is run again and again, on narrow embeddings that are
projected. The head that tells the order of sentences is left out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from src.common.errors import UserError
from src.convert.families import bert
from src.convert.families.family import REQUIRED, Family, Form, Setting
from src.convert.name_map import PYTORCH, Rule, Tie

_LAYER = "encoder.albert_layer_groups.0.albert_layers.0"
MODULES = {
    **{name: own for name, own in bert.MODULES.items() if name.startswith("embeddings.")},
    "encoder.embedding_hidden_mapping_in": "encoder.embeddings.projection",
    f"{_LAYER}.attention.query": "encoder.layers.0.attention.query",
    f"{_LAYER}.attention.key": "encoder.layers.0.attention.key",
    f"{_LAYER}.attention.value": "encoder.layers.0.attention.value",
    f"{_LAYER}.attention.dense": "encoder.layers.0.attention.output",
    f"{_LAYER}.attention.LayerNorm": "encoder.layers.0.attention_norm",
    f"{_LAYER}.ffn": "encoder.layers.0.intermediate",
    f"{_LAYER}.ffn_output": "encoder.layers.0.output",
    f"{_LAYER}.full_layer_layer_norm": "encoder.layers.0.output_norm",
}
MASKED_LM = (*PYTORCH.rules({"predictions.dense": "head.transform", "predictions.LayerNorm": "head.norm"}),
             Rule("predictions.bias", "head.bias"))
# Its configuration has no dropout unless one is named, and what BERT's leaves out must be named here too.
_OWN = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}


def check_projection(values: Mapping[str, Any], source: Path) -> dict[str, Any]:
    """Refuse embeddings as wide as the encoder, which ALBERT projects all the same."""
    if values.get("embedding_size", 128) == values.get("hidden_size"):
        raise UserError(f"{source}: embedding_size and hidden_size are both {values['hidden_size']}, and ALBERT "
                        "projects the one to the other all the same, which is not built here")
    return {}


ALBERT: Family = replace(
    bert.BERT,
    model_type="albert",
    prefix="albert.",
    encoder=PYTORCH.rules(MODULES),
    pooler=PYTORCH.rules({"pooler": "encoder.pooler"}),
    forms={
        "none": Form("AlbertModel", pooler="tanh"),
        "classification": Form("AlbertForSequenceClassification", bert.CLASSIFIER, pooler="tanh",
                               sign="classifier.weight"),
        "tagging": Form("AlbertForTokenClassification", bert.CLASSIFIER),
        "span": Form("AlbertForQuestionAnswering", bert.ANSWER, sign="qa_outputs.weight"),
        "masked_lm": Form("AlbertForMaskedLM", MASKED_LM, sign="predictions.bias",
                          ties=(Tie("predictions.decoder.weight", "embeddings.word_embeddings.weight"),
                                Tie("predictions.decoder.bias", "predictions.bias"))),
    },
    settings=(*(replace(each, default=_OWN.get(each.own, each.default)) for each in bert.SETTINGS),
              Setting("embedding_size", "embedding_size", REQUIRED)),
    also={"AlbertForPreTraining": "masked_lm"},
    tokenizer_class="BertTokenizer",
    activation=("hidden_act", "gelu_new"),
    written_activations={"gelu": "gelu", "gelu_tanh": "gelu_new", "relu": "relu"},
    dropped=("embeddings.position_ids", "sop_classifier.*"),
    heads=("predictions.*", "sop_classifier.*", "classifier.*", "qa_outputs.*"),
    fixed={"position_offset": 0, "causal": False, "pre_norm": False, "share_layers": True, "layer_class": "bert"},
    read_more=check_projection,
    only=bert.BERT.only | {"num_hidden_groups": (1,), "inner_group_num": (1,)},
    constants={"num_hidden_groups": 1, "inner_group_num": 1},
    head_dropouts={"classifier_dropout_prob": 0.1},
    relu_sign="",
)
