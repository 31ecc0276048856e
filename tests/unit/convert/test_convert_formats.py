# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Conversion from the .ckpt files of MindSpore's model zoo."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path

import mindspore as ms
import numpy as np
import pytest

from convert_checkpoint import main
from src.checkpoints.checkpoint import load_model
from src.common.errors import UserError
from src.config import EncoderConfig, HeadConfig, ModelConfig
from src.convert import model_zoo
from src.convert.options import ReadOptions
from src.convert.parameters import parameter_shapes
from tests.refusals import refused

CONFIG = {"attention_probs_dropout_prob": 0.1, "hidden_act": "gelu", "hidden_dropout_prob": 0.1, "hidden_size": 8,
          "initializer_range": 0.02, "intermediate_size": 6, "max_position_embeddings": 10, "num_attention_heads": 2,
          "num_hidden_layers": 2, "type_vocab_size": 2, "vocab_size": 12}
ENCODER = EncoderConfig(12, 8, 2, 2, 6, "gelu", 0.1, 0.1, 10, 2, 0.02, 1e-12)
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefg"]


def draw(head: HeadConfig = HeadConfig()) -> dict[str, np.ndarray]:  # noqa: B008 - a frozen value
    generator = np.random.default_rng(3)
    return {name: generator.normal(size=shape).astype(np.float32)
            for name, shape in parameter_shapes(ModelConfig(ENCODER, head)).items()}


def rename(own: Mapping[str, np.ndarray], words: tuple[tuple[str, str], ...]) -> dict[str, np.ndarray]:
    """Rename by regular expressions, which stand here as a second, independent account of the foreign names."""
    renamed = {}
    for name, array in own.items():
        for pattern, replacement in words:
            name = re.sub(pattern, replacement, name)
        renamed[name] = array
    assert len(renamed) == len(own)
    return renamed


def equal(a: Mapping[str, np.ndarray], b: Mapping[str, np.ndarray]) -> bool:
    return a.keys() == b.keys() and all(a[name].tobytes() == b[name].tobytes() for name in a)


ZOO = (
    (r"^encoder\.pooler", "dense"), (r"^head\.classifier", "dense_1"), (r"^encoder\.layers", "bert_encoder.layers"),
    (r"^encoder\.embeddings\.word_embeddings", "bert_embedding_lookup"),
    (r"^encoder\.embeddings\.position_embeddings", "bert_embedding_postprocessor.full_position_embedding"),
    (r"^encoder\.embeddings\.token_type_embeddings", "bert_embedding_postprocessor.token_type_embedding"),
    (r"^encoder\.embeddings\.norm", "bert_embedding_postprocessor.layernorm"),
    (r"\.attention\.(query|key|value)\.", r".attention.attention.\1_layer."), (r"\.output\.", ".output.dense."),
    (r"\.attention_norm\.", ".attention.output.layernorm."), (r"\.output_norm\.", ".output.layernorm."),
)
FIRST_RELEASES = (
    (r"postprocessor\.token_type_embedding\.embedding_table", "postprocessor.embedding_table"),
    (r"postprocessor\.full_position_embedding\.embedding_table", "postprocessor.full_position_embeddings"),
)


@pytest.fixture
def zoo(tmp_path: Path) -> Callable[..., Path]:
    """A function that writes a .ckpt file with its config, and a vocabulary, beside it."""

    def write(own: Mapping[str, np.ndarray], words: tuple[tuple[str, str], ...] = (),
              extra: tuple[str, ...] = ()) -> Path:
        tensors = rename(own, ZOO + words) | {name: np.zeros(3, np.float32) for name in extra}
        path = tmp_path / "zoo" / "tinybert.ckpt"
        path.parent.mkdir()
        ms.save_checkpoint([{"name": name, "data": ms.Tensor(array)} for name, array in tensors.items()], str(path))
        (path.parent / "bert_config.json").write_text(json.dumps(CONFIG))
        (path.parent / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n")
        return path

    return write


@pytest.mark.parametrize("words", [
    (("^", "bert.bert."),), (("^", "bert."),), ((r"^bert_", "bert.tinybert_"),), (("^", "teacher."),), FIRST_RELEASES,
    (("^", "network.bert."),), (("^", "network.network.bert.bert."),), (("^", "_backbone.bert."),),
], ids=["pretraining", "fine-tuned", "student", "teacher", "first releases", "of a training",
        "of a step with loss scale", "of a wrapper"])
def test_zoo_checkpoint(zoo: Callable[..., Path], words: tuple[tuple[str, str], ...]) -> None:
    own = draw()
    extra = ("fit_dense.weight", "bert.cls1.output_bias", "adam_m.bert.dense.weight", "global_step")
    if "network" in words[0][1]:
        extra += ("accum_grads.bert.dense.weight", "network.cls2.dense.weight", "moments.bert.dense.bias", "loss_scale",
                  "moment2.network.bert.dense.weight", "accumulation_step")
    path = zoo(own, words, extra)
    read = model_zoo.read_checkpoint(path, ReadOptions())
    assert equal(read.parameters, own)
    # What nn.Dense(activation="gelu") and nn.LayerNorm compute there.
    assert (read.config.encoder.hidden_act, read.config.encoder.layer_norm_eps) == ("gelu_tanh", 1e-7)
    assert any("left out on purpose: acc" in note or "adam_m.bert.dense.weight, bert.cls1.output_bias, fit_dense.weight"
               in note for note in read.notes)


@pytest.mark.medium
def test_zoo_classifier_wants_its_activation_named(zoo: Callable[..., Path], tmp_path: Path) -> None:
    head = HeadConfig("classification", ("no", "yes"), "relu")
    path = zoo(draw(head), (("^", "bert."),))
    command = ["--from", "zoo", "--to", "mindspore", str(path), str(tmp_path / "own"), "--labels", "no,yes"]
    refused("--pooled_activation relu or none", main, command)
    main([*command, "--pooled_activation", "relu"])
    loaded = load_model(tmp_path / "own")
    assert loaded.config.head == head
    assert equal(loaded.parameters, draw(head))
    assert loaded.tokenizer_path is not None


def test_zoo_checkpoints_that_are_refused(zoo: Callable[..., Path], tmp_path: Path) -> None:
    path = zoo(draw(), extra=("bert.relative_positions",))
    refused(r"1 tensor\(s\).*bert.relative_positions", model_zoo.read_checkpoint, path, ReadOptions())
    config = path.parent / "bert_config.json"
    config.rename(tmp_path / "elsewhere.json")
    refused("holds parameters only.*--config FILE", model_zoo.read_checkpoint, path, ReadOptions())
    with pytest.raises(UserError, match=r"1 tensor\(s\)"):
        model_zoo.read_checkpoint(path, ReadOptions(config=tmp_path / "elsewhere.json"))
    config.write_text(json.dumps({**CONFIG, "use_relative_positions": True}))
    refused("use_relative_positions is true", model_zoo.read_checkpoint, path, ReadOptions())
    path.chmod(0o600)
    path.write_bytes(path.read_bytes()[:50])
    refused("cannot be read as a MindSpore checkpoint", model_zoo.read_checkpoint, path, ReadOptions())
    refused("is no file", model_zoo.read_checkpoint, tmp_path, ReadOptions())


def test_config_is_not_taken_in_silence_where_it_is_not_used() -> None:
    with pytest.raises(UserError, match="--config does not apply to --from hf"):
        main(["--from", "hf", "--to", "mindspore", "a", "b", "--config", "c.json"])
    with pytest.raises(UserError, match="--config does not apply to --from mindspore --to hf, only --force"):
        main(["--from", "mindspore", "--to", "hf", "a", "b", "--config", "c.json"])
