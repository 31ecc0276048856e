# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""GPT-2: causal, LayerNorm before each sublayer, dense kernels stored as (in, out), query, key and value as one."""

from __future__ import annotations

from dataclasses import replace

from src.convert.families import bert
from src.convert.families.family import NOT_BUILT, Family, Form, Setting
from src.convert.name_map import PYTORCH, Rule, Tie

MODULES = {
    "wte": "encoder.embeddings.word_embeddings",
    "wpe": "encoder.embeddings.position_embeddings",
    "h.{}.ln_1": "encoder.layers.{}.attention_norm",
    "h.{}.attn.c_attn": tuple(f"encoder.layers.{{}}.attention.{part}" for part in ("query", "key", "value")),
    "h.{}.attn.c_proj": "encoder.layers.{}.attention.output",
    "h.{}.ln_2": "encoder.layers.{}.output_norm",
    "h.{}.mlp.c_fc": "encoder.layers.{}.intermediate",
    "h.{}.mlp.c_proj": "encoder.layers.{}.output",
    "ln_f": "encoder.norm",
}
SCORE = (Rule("score.weight", "head.classifier.weight"),)

GPT2 = Family(
    model_type="gpt2",
    prefix="transformer.",
    encoder=replace(PYTORCH, transpose=True).rules(MODULES),
    forms={
        "none": Form("GPT2Model"),
        "classification": Form("GPT2ForSequenceClassification", SCORE, sign="score.weight"),
        "tagging": Form("GPT2ForTokenClassification", bert.CLASSIFIER, sign="classifier.weight"),
        "span": Form("GPT2ForQuestionAnswering", bert.ANSWER, sign="qa_outputs.weight"),
        "causal_lm": Form("GPT2LMHeadModel", sign="lm_head.weight", ties=(Tie("lm_head.weight", "wte.weight"),)),
    },
    settings=(
        Setting("vocab_size", "vocab_size"),
        Setting("hidden_size", "n_embd"),
        Setting("num_hidden_layers", "n_layer"),
        Setting("num_attention_heads", "n_head"),
        Setting("intermediate_size", "n_inner", None, times_width=4),
        Setting("hidden_dropout_prob", "resid_pdrop", 0.1),
        Setting("attention_probs_dropout_prob", "attn_pdrop", 0.1),
        Setting("max_position_embeddings", "n_positions", 1024),
        Setting("initializer_range", "initializer_range", 0.02),
        Setting("layer_norm_eps", "layer_norm_epsilon", 1e-5),
    ),
    activation=("activation_function", "gelu_new"),
    written_activations={"gelu": "gelu", "gelu_tanh": "gelu_new", "relu": "relu"},
    dropped=("h.{}.attn.bias", "h.{}.attn.masked_bias"),  # the causal mask, a constant
    heads=("lm_head.*", "score.*", "classifier.*", "qa_outputs.*", "multiple_choice_head.*"),
    fixed={"type_vocab_size": 0, "position_offset": 0, "causal": True, "pre_norm": True, "pooler": "none",
           "embedding_size": 0, "share_layers": False, "layer_class": "bert"},
    # reorder_and_upcast_attn changes the rounding of half precision only.
    only=NOT_BUILT | {"scale_attn_weights": (True,), "scale_attn_by_inverse_layer_idx": (False, None)},
    dropouts={"embd_pdrop": 0.1},
    names_ends=True,
)
