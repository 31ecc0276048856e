# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Operations and parameters counted from a configuration are those that PyTorch counts in `transformers`."""

from __future__ import annotations

from dataclasses import replace

import pytest

from src.config import EncoderConfig, HeadConfig, ModelConfig
from src.distill.objectives import label_objective
from src.models.cost import BatchShape
from src.train.cost import Network, parts_of, work_of

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

pytestmark = pytest.mark.medium

BERT = EncoderConfig(vocab_size=97, hidden_size=24, num_hidden_layers=3, num_attention_heads=4, intermediate_size=56,
                     hidden_act="gelu", hidden_dropout_prob=0.1, attention_probs_dropout_prob=0.1,
                     max_position_embeddings=32, type_vocab_size=2, initializer_range=0.02, layer_norm_eps=1e-12)
ROWS, LENGTH = 5, 12
MODERN = replace(BERT, type_vocab_size=0, pooler="none", layer_class="modernbert", layer_norm_eps=1e-5)
CAUSAL = replace(BERT, type_vocab_size=0, pooler="none", causal=True, pre_norm=True)


def theirs(model: ModelConfig) -> object:
    """The model of `transformers` of the same sizes."""
    own = model.encoder
    common = {"vocab_size": own.vocab_size, "attn_implementation": "eager"}
    if own.causal:
        return transformers.GPT2LMHeadModel(transformers.GPT2Config(
            **common, n_embd=own.hidden_size, n_layer=own.num_hidden_layers, n_head=own.num_attention_heads,
            n_inner=own.intermediate_size, n_positions=own.max_position_embeddings))
    if own.is_modern:
        config = transformers.ModernBertConfig(
            **common, hidden_size=own.hidden_size, num_hidden_layers=own.num_hidden_layers,
            num_attention_heads=own.num_attention_heads, intermediate_size=own.intermediate_size, pad_token_id=0,
            num_labels=model.head.num_labels)
        return {"classification": transformers.ModernBertForSequenceClassification,
                "masked_lm": transformers.ModernBertForMaskedLM}[model.head.kind](config)
    config = transformers.BertConfig(
        **common, hidden_size=own.hidden_size, num_hidden_layers=own.num_hidden_layers,
        num_attention_heads=own.num_attention_heads, intermediate_size=own.intermediate_size,
        max_position_embeddings=own.max_position_embeddings, num_labels=model.head.num_labels)
    return {"classification": transformers.BertForSequenceClassification,
            "tagging": transformers.BertForTokenClassification,
            "masked_lm": transformers.BertForMaskedLM}[model.head.kind](config)


@pytest.mark.parametrize(("encoder", "head", "places"), [
    (BERT, HeadConfig("classification", ("a", "b", "c")), 0), (replace(BERT, pooler="none"),
                                                                HeadConfig("tagging", ("O", "B-X", "I-X")), 0),
    (replace(BERT, pooler="none"), HeadConfig("masked_lm"), ROWS * LENGTH),
    (CAUSAL, HeadConfig("causal_lm"), ROWS * LENGTH), (MODERN, HeadConfig("classification", ("a", "b", "c")), 0),
    (MODERN, HeadConfig("masked_lm"), ROWS * LENGTH),
], ids=["classification", "tagging", "masked_lm", "causal_lm", "modernbert, classification", "modernbert, masked_lm"])
def test_as_many_as_pytorch_counts(encoder: EncoderConfig, head: HeadConfig, places: int) -> None:
    from torch.utils.flop_counter import FlopCounterMode

    model, shape = ModelConfig(encoder, head), BatchShape(ROWS, LENGTH, places)
    reference = theirs(model)
    parts = parts_of(model, shape)
    assert parts.parameters == sum(parameter.numel() for parameter in reference.parameters())
    work = work_of(Network(model, None, label_objective(head), parts.parameters), shape)
    with FlopCounterMode(display=False) as forward:
        logits = reference(torch.ones(ROWS, LENGTH, dtype=torch.long)).logits
    with FlopCounterMode(display=False) as backward:
        logits.sum().backward()
    assert (work.teacher, work.forward, work.backward) == (
        0, forward.get_total_flops(), backward.get_total_flops())
