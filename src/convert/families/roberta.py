# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""RoBERTa (Liu et al., arXiv:1907.11692): BERT's encoder under other head names; positions begin after the pad id."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from src.common.errors import UserError
from src.convert.families import bert
from src.convert.families.family import Family, Form
from src.convert.name_map import PYTORCH, Rule, Tie

CLASSIFIER = PYTORCH.rules({"classifier.dense": "encoder.pooler", "classifier.out_proj": "head.classifier"})
MASKED_LM = (*PYTORCH.rules({"lm_head.dense": "head.transform", "lm_head.layer_norm": "head.norm"}),
             Rule("lm_head.bias", "head.bias"))


def position_offset(values: Mapping[str, Any], source: Path) -> dict[str, Any]:
    """Positions are counted from the padding token on."""
    padding = values.get("pad_token_id", 1)
    if isinstance(padding, bool) or not isinstance(padding, int) or padding < 0:
        raise UserError(f"{source}: pad_token_id is {padding!r}; RoBERTa's positions are counted from it, expected a "
                        "token id")
    return {"position_offset": padding + 1}


ROBERTA: Family = replace(
    bert.BERT,
    model_type="roberta",
    prefix="roberta.",
    forms={
        "none": Form("RobertaModel", pooler="tanh"),
        "classification": Form("RobertaForSequenceClassification", CLASSIFIER, pooler="tanh",
                               sign="classifier.out_proj.weight"),
        "tagging": Form("RobertaForTokenClassification", bert.CLASSIFIER, sign="classifier.weight"),
        "span": Form("RobertaForQuestionAnswering", bert.ANSWER, sign="qa_outputs.weight"),
        "masked_lm": Form("RobertaForMaskedLM", MASKED_LM, sign="lm_head.bias", activation="gelu",
                          ties=(Tie("lm_head.decoder.weight", "embeddings.word_embeddings.weight"),
                                Tie("lm_head.decoder.bias", "lm_head.bias"))),
    },
    also={},
    dropped=("embeddings.position_ids",),
    heads=("lm_head.*", "classifier.*", "qa_outputs.*"),
    fixed={"causal": False, "pre_norm": False, "embedding_size": 0, "share_layers": False, "layer_class": "bert"},
    read_more=position_offset,
    names_ends=True,
    relu_sign="",
)
