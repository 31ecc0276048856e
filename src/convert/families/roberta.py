# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""RoBERTa (Liu et al., arXiv:1907.11692): BERT's encoder under other head names; positions begin after the pad id."""

from __future__ import annotations

from dataclasses import replace

from src.convert.families import bert
from src.convert.families.family import Family, Form
from src.convert.name_map import Rule, Tie

CLASSIFIER = (
    Rule("classifier.dense.weight", "encoder.pooler.weight"),
    Rule("classifier.dense.bias", "encoder.pooler.bias"),
    Rule("classifier.out_proj.weight", "head.classifier.weight"),
    Rule("classifier.out_proj.bias", "head.classifier.bias"),
)
MASKED_LM = (
    Rule("lm_head.dense.weight", "head.transform.weight"),
    Rule("lm_head.dense.bias", "head.transform.bias"),
    Rule("lm_head.layer_norm.weight", "head.norm.gamma"),
    Rule("lm_head.layer_norm.bias", "head.norm.beta"),
    Rule("lm_head.bias", "head.bias"),
)

ROBERTA: Family = replace(
    bert.BERT,
    model_type="roberta",
    prefix="roberta.",
    forms={
        "none": Form("RobertaModel", pooler="tanh"),
        "classification": Form("RobertaForSequenceClassification", CLASSIFIER, pooler="tanh",
                               sign="classifier.out_proj.weight"),
        "regression": Form("RobertaForSequenceClassification", CLASSIFIER, pooler="tanh"),
        "tagging": Form("RobertaForTokenClassification", bert.CLASSIFIER, sign="classifier.weight"),
        "span": Form("RobertaForQuestionAnswering", bert.ANSWER, sign="qa_outputs.weight"),
        "masked_lm": Form("RobertaForMaskedLM", MASKED_LM, sign="lm_head.bias",
                          ties=(Tie("lm_head.decoder.weight", "embeddings.word_embeddings.weight"),
                                Tie("lm_head.decoder.bias", "lm_head.bias"))),
    },
    also={},
    dropped=("embeddings.position_ids",),
    heads=("lm_head.*", "classifier.*", "qa_outputs.*"),
    fixed={"causal": False, "pre_norm": False},
)
