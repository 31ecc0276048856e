# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Every family and head against transformers: the same outputs, and the same tensors on the way back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor

from src.convert.directories import write_huggingface
from src.convert.huggingface import FAMILIES, read_directory
from src.convert.options import Converted, ReadOptions
from src.models.heads import build_model
from src.train.checkpoint import LoadedModel, load_parameters

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

TOLERANCE = 1e-4
BERT = {"vocab_size": 41, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48,
        "max_position_embeddings": 20}
TINY: dict[str, tuple[str, dict[str, Any]]] = {
    "Bert": ("BertConfig", BERT | {"hidden_act": "gelu_new", "layer_norm_eps": 1e-7}),
    "DistilBert": ("DistilBertConfig", {"vocab_size": 41, "dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 48,
                                        "max_position_embeddings": 20}),
    "Roberta": ("RobertaConfig", BERT | {"type_vocab_size": 1, "layer_norm_eps": 1e-5}),
    "GPT2": ("GPT2Config", {"vocab_size": 41, "n_embd": 32, "n_layer": 3, "n_head": 4, "n_positions": 20,
                            "bos_token_id": 40, "eos_token_id": 40, "pad_token_id": 0}),
}
LABELS = {"id2label": {0: "no", 1: "maybe", 2: "yes"}, "label2id": {"no": 0, "maybe": 1, "yes": 2}}
HEADS: dict[str, dict[str, Any]] = {
    "Model": {}, "ForMaskedLM": {}, "LMHeadModel": {}, "ForPreTraining": {}, "ForQuestionAnswering": {},
    "ForTokenClassification": LABELS,
    "ForSequenceClassification": LABELS | {"problem_type": "single_label_classification"},
}
CASES = [
    *(("Bert", head) for head in ("ForMaskedLM", "ForPreTraining", "ForTokenClassification", "ForQuestionAnswering")),
    *((family, head) for family in ("DistilBert", "Roberta")
      for head in ("Model", "ForMaskedLM", "ForSequenceClassification", "ForTokenClassification",
                   "ForQuestionAnswering")),
    *(("GPT2", head) for head in ("Model", "LMHeadModel", "ForSequenceClassification", "ForTokenClassification",
                                  "ForQuestionAnswering")),
]


@pytest.fixture(autouse=True)
def pynative_mode() -> Iterator[None]:
    """Nothing is run twice, so that compiling would take most of the time."""
    mode = ms.get_context("mode")
    ms.set_context(mode=ms.PYNATIVE_MODE)
    yield
    ms.set_context(mode=mode)


def make_reference(family: str, head: str, **changes: Any) -> Any:
    """A tiny model of transformers, every weight, bias and LayerNorm of it away from its initial value."""
    torch.manual_seed(7)
    name, values = TINY[family]
    config = getattr(transformers, name)(**values, **HEADS[head], **changes, attn_implementation="eager")
    model = getattr(transformers, family + head)(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    return model


def make_batch(pad: int) -> tuple[np.ndarray, np.ndarray]:
    """Ids and mask (4, 15): a full row, shorter ones, one of a single token; `pad` is at no real token."""
    mask = (np.arange(15) < np.array([15, 11, 4, 1])[:, None]).astype(np.int64)
    ids = np.random.default_rng(3).integers(2, 40, mask.shape)
    return np.where(mask == 1, ids, pad), mask


def run_reference(model: Any, ids: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
    """Logits (or the last hidden state) and hidden states, in double precision."""
    with torch.no_grad():
        outputs = model.double()(input_ids=torch.from_numpy(ids), attention_mask=torch.from_numpy(mask),
                                 output_hidden_states=True)
    if "start_logits" in outputs:
        first = torch.stack((outputs.start_logits, outputs.end_logits), dim=-1)
    else:
        first = next(outputs[name] for name in ("logits", "prediction_logits", "pooler_output", "last_hidden_state")
                     if outputs.get(name) is not None)
    return first.numpy(), [state.numpy() for state in outputs.hidden_states]


def run_ours(converted: Converted, ids: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
    model = build_model(converted.config)
    load_parameters(model, converted.parameters)
    batch = (ids, mask, np.zeros_like(ids))
    first, hidden, _ = model.with_layers(*(Tensor(array.astype(np.int32)) for array in batch))
    return first.asnumpy(), [state.asnumpy() for state in hidden]


def largest(ours: np.ndarray, theirs: np.ndarray, mask: np.ndarray) -> float:
    """Maximum absolute difference; of arrays (B, S, ...) at real tokens."""
    assert ours.shape == theirs.shape
    difference = np.abs(ours - theirs)
    return float((difference[mask == 1] if difference.ndim == 3 else difference).max())


@pytest.mark.medium
@pytest.mark.parametrize(("family", "head"), CASES, ids=[family + head for family, head in CASES])
def test_both_ways(tmp_path: Path, family: str, head: str, record_property: Any) -> None:
    reference = make_reference(family, head)
    reference.save_pretrained(tmp_path / "hf")
    state = {name: tensor.clone() for name, tensor in reference.state_dict().items()}
    converted = read_directory(tmp_path / "hf", ReadOptions())
    pad = converted.config.encoder.position_offset - 1 if family == "Roberta" else 0
    ids, mask = make_batch(pad)
    expected, expected_hidden = run_reference(reference, ids, mask)
    first, hidden = run_ours(converted, ids, mask)
    assert len(hidden) == len(expected_hidden)
    differences = [largest(first, expected, mask),
                   *(largest(ours, theirs, mask) for ours, theirs in zip(hidden, expected_hidden, strict=True))]
    record_property("difference", f"{max(differences):.1e}")
    assert max(differences) <= TOLERANCE
    assert min(first.std(), *(layer.std() for layer in hidden)) > 0.05  # what is compared is no constant

    loaded = LoadedModel(tmp_path, converted.config, converted.parameters, None)
    write_huggingface(loaded, tmp_path / "back")
    written = "ForMaskedLM" if head == "ForPreTraining" else head
    model, info = getattr(transformers, family + written).from_pretrained(tmp_path / "back", output_loading_info=True)
    assert not any(info.values()), info
    lost = {name for name in state.keys() - model.state_dict().keys()}
    assert all("pooler" in name or "seq_relationship" in name for name in lost)
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, state[name]), name
    if head in ("ForSequenceClassification", "ForTokenClassification"):
        assert model.config.id2label == reference.config.id2label
    theirs, ours = (json.loads((tmp_path / name / "config.json").read_text()) for name in ("hf", "back"))
    same = {setting.foreign for setting in FAMILIES[theirs["model_type"]].settings} | {"model_type", "n_inner"}
    assert {name: ours.get(name) for name in same} == {name: theirs.get(name) for name in same}
