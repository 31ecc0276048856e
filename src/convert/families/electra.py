# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""ELECTRA (Clark et al., arXiv:2003.10555), discriminator and generator: BERT's encoder without a pooler, on embeddings
that may be narrower and are projected then. The discriminator's head, which tells replaced tokens, is left out."""

from __future__ import annotations

from dataclasses import replace

from src.convert.families import bert
from src.convert.families.family import Family, Form, Setting
from src.convert.name_map import PYTORCH, Rule, Tie

MODULES = bert.MODULES | {"embeddings_project": "encoder.embeddings.projection"}
# Its classifier's first layer and gelu, on the first token, are a pooler.
CLASSIFIER = PYTORCH.rules({"classifier.dense": "encoder.pooler", "classifier.out_proj": "head.classifier"})
MASKED_LM = (*PYTORCH.rules({"generator_predictions.dense": "head.transform",
                             "generator_predictions.LayerNorm": "head.norm"}),
             Rule("generator_lm_head.bias", "head.bias"))

ELECTRA: Family = replace(
    bert.BERT,
    model_type="electra",
    prefix="electra.",
    encoder=PYTORCH.rules(MODULES),
    pooler=(),
    forms={
        "none": Form("ElectraModel"),
        "classification": Form("ElectraForSequenceClassification", CLASSIFIER, pooler="gelu",
                               sign="classifier.out_proj.weight"),
        "tagging": Form("ElectraForTokenClassification", bert.CLASSIFIER, sign="classifier.weight"),
        "span": Form("ElectraForQuestionAnswering", bert.ANSWER, sign="qa_outputs.weight"),
        "masked_lm": Form("ElectraForMaskedLM", MASKED_LM, sign="generator_lm_head.bias", activation="gelu",
                          ties=(Tie("generator_lm_head.weight", "embeddings.word_embeddings.weight"),)),
    },
    settings=(*bert.SETTINGS, Setting("embedding_size", "embedding_size", 128, or_width=True)),
    also={"ElectraForPreTraining": "none"},
    dropped=("embeddings.position_ids", "discriminator_predictions.*"),
    heads=("generator_*", "discriminator_predictions.*", "classifier.*", "qa_outputs.*"),
    fixed={name: value for name, value in bert.BERT.fixed.items() if name != "embedding_size"},
    relu_sign="",
)
