# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Conversion from TensorFlow (Google's BERT) and from the .ckpt files of MindSpore's model zoo."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import mindspore as ms
import numpy as np
import pytest

from convert_checkpoint import main
from src.config import EncoderConfig, HeadConfig, ModelConfig
from src.convert import google_bert, model_zoo
from src.convert.options import ReadOptions
from src.convert.parameters import parameter_shapes
from src.errors import UserError
from src.train.checkpoint import load_model

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


# --- TensorFlow ------------------------------------------------------------------------------------------------------

TENSORFLOW = (
    (r"^encoder\.pooler", "bert/pooler/dense"), (r"^encoder\.layers\.(\d+)\.", r"bert/encoder/layer_\1/"),
    (r"^encoder\.embeddings\.norm\.", "bert/embeddings/LayerNorm/"),
    (r"^encoder\.embeddings\.(\w+)\.embedding_table", r"bert/embeddings/\1"),
    (r"/attention\.(query|key|value)\.", r"/attention/self/\1/"), (r"/attention\.output\.", "/attention/output/dense/"),
    (r"/attention_norm\.", "/attention/output/LayerNorm/"), (r"/output_norm\.", "/output/LayerNorm/"),
    (r"/(intermediate|output)\.(weight|bias)", r"/\1/dense/\2"), (r"^head\.classifier\.weight", "output_weights"),
    (r"^head\.classifier\.bias", "output_bias"), (r"\.(weight|bias)$", r"/\1"), (r"/weight$", "/kernel"),
)


@pytest.fixture
def google(tmp_path: Path) -> Callable[..., Path]:
    """A function that writes a folder as Google released them."""
    tf = pytest.importorskip("tensorflow")

    def write(own: Mapping[str, np.ndarray], extra: tuple[str, ...] = (), name: str = "bert_model.ckpt") -> Path:
        folder = tmp_path / "google"
        folder.mkdir(exist_ok=True)
        tensors = {foreign: array.T if foreign.endswith("/kernel") else array
                   for foreign, array in rename(own, TENSORFLOW).items()}
        tensors |= {foreign: np.zeros(3, np.float32) for foreign in extra}
        tf.raw_ops.SaveV2(prefix=str(folder / name), tensor_names=list(tensors), shape_and_slices=[""] * len(tensors),
                          tensors=[tf.constant(array) for array in tensors.values()])
        (folder / "bert_config.json").write_text(json.dumps(CONFIG))
        (folder / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n")
        return folder

    return write


@pytest.mark.medium
def test_tensorflow_checkpoint(google: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    own = draw()
    folder = google(own, extra=("cls/predictions/output_bias", "cls/seq_relationship/output_weights", "global_step",
                                "bert/pooler/dense/kernel/adam_m", "bert/pooler/dense/kernel/adam_v"))
    main(["--from", "tensorflow", "--to", "mindspore", str(folder), str(tmp_path / "own")])
    loaded = load_model(tmp_path / "own")
    assert equal(loaded.parameters, own)
    assert loaded.config == ModelConfig(ENCODER)
    assert loaded.tokenizer_path is not None
    assert "left out on purpose: bert/pooler/dense/kernel/adam_m" in capsys.readouterr().out
    by_prefix = google_bert.read_checkpoint(folder / "bert_model.ckpt", ReadOptions())
    assert equal(by_prefix.parameters, own)


@pytest.mark.medium
def test_tensorflow_classifier(google: Callable[..., Path]) -> None:
    head = HeadConfig("classification", ("x", "y", "z"))
    folder = google(draw(head))
    read = google_bert.read_checkpoint(folder, ReadOptions(labels=("x", "y", "z"), task_name="MNLI"))
    assert read.config == ModelConfig(ENCODER, head, "MNLI")
    assert equal(read.parameters, draw(head))
    assert google_bert.read_checkpoint(folder, ReadOptions(head="drop")).config.head == HeadConfig()


@pytest.mark.medium
def test_tensorflow_checkpoints_that_are_refused(google: Callable[..., Path], tmp_path: Path,
                                                 monkeypatch: pytest.MonkeyPatch) -> None:
    folder = google(draw(), extra=("bert/embeddings/extra",))
    with pytest.raises(UserError, match=r"1 tensor\(s\).*bert/embeddings/extra"):
        google_bert.read_checkpoint(folder, ReadOptions())
    google(draw(), name="model.ckpt-100")
    with pytest.raises(UserError, match=r"holds 2 TensorFlow checkpoints \(bert_model.ckpt, model.ckpt-100\)"):
        google_bert.read_checkpoint(folder, ReadOptions())
    with pytest.raises(UserError, match="holds 0 TensorFlow checkpoints"):
        google_bert.read_checkpoint(tmp_path, ReadOptions())
    with pytest.raises(UserError, match="is no TensorFlow checkpoint"):
        google_bert.read_checkpoint(folder / "other", ReadOptions())
    data = folder / "model.ckpt-100.data-00000-of-00001"
    data.write_bytes(data.read_bytes()[:100])
    with pytest.raises(UserError, match="cannot be read as a TensorFlow checkpoint"):
        google_bert.read_checkpoint(folder / "model.ckpt-100", ReadOptions())
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    with pytest.raises(UserError, match="tensorflow is not installed.*pip install"):
        google_bert.read_checkpoint(folder / "model.ckpt-100", ReadOptions())


# --- the model zoo ---------------------------------------------------------------------------------------------------

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


@pytest.mark.small
@pytest.mark.parametrize("words", [
    (("^", "bert.bert."),), (("^", "bert."),), ((r"^bert_", "bert.tinybert_"),), (("^", "teacher."),), FIRST_RELEASES,
], ids=["pretraining", "fine-tuned", "student", "teacher", "first releases"])
def test_zoo_checkpoint(zoo: Callable[..., Path], words: tuple[tuple[str, str], ...]) -> None:
    own = draw()
    extra = ("fit_dense.weight", "bert.cls1.output_bias", "adam_m.bert.dense.weight", "global_step")
    path = zoo(own, words, extra)
    read = model_zoo.read_checkpoint(path, ReadOptions())
    assert equal(read.parameters, own)
    # What nn.Dense(activation="gelu") and nn.LayerNorm compute there.
    assert (read.config.encoder.hidden_act, read.config.encoder.layer_norm_eps) == ("gelu_tanh", 1e-7)
    assert any("adam_m.bert.dense.weight, bert.cls1.output_bias, fit_dense.weight" in note for note in read.notes)


@pytest.mark.medium
def test_zoo_classifier_wants_its_activation_named(zoo: Callable[..., Path], tmp_path: Path) -> None:
    head = HeadConfig("classification", ("no", "yes"), "relu")
    path = zoo(draw(head), (("^", "bert."),))
    command = ["--from", "zoo", "--to", "mindspore", str(path), str(tmp_path / "own"), "--labels", "no,yes"]
    with pytest.raises(UserError, match="--pooled_activation relu or none"):
        main(command)
    main([*command, "--pooled_activation", "relu"])
    loaded = load_model(tmp_path / "own")
    assert loaded.config.head == head
    assert equal(loaded.parameters, draw(head))
    assert loaded.tokenizer_path is not None


@pytest.mark.small
def test_zoo_checkpoints_that_are_refused(zoo: Callable[..., Path], tmp_path: Path) -> None:
    path = zoo(draw(), extra=("bert.relative_positions",))
    with pytest.raises(UserError, match=r"1 tensor\(s\).*bert.relative_positions"):
        model_zoo.read_checkpoint(path, ReadOptions())
    config = path.parent / "bert_config.json"
    config.rename(tmp_path / "elsewhere.json")
    with pytest.raises(UserError, match="holds parameters only.*--config FILE"):
        model_zoo.read_checkpoint(path, ReadOptions())
    with pytest.raises(UserError, match=r"1 tensor\(s\)"):
        model_zoo.read_checkpoint(path, ReadOptions(config_path=tmp_path / "elsewhere.json"))
    config.write_text(json.dumps({**CONFIG, "use_relative_positions": True}))
    with pytest.raises(UserError, match="use_relative_positions is true"):
        model_zoo.read_checkpoint(path, ReadOptions())
    path.chmod(0o600)
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(UserError, match="cannot be read as a MindSpore checkpoint"):
        model_zoo.read_checkpoint(path, ReadOptions())
    with pytest.raises(UserError, match="is no file"):
        model_zoo.read_checkpoint(tmp_path, ReadOptions())


@pytest.mark.small
def test_config_is_not_taken_in_silence_where_it_is_not_used() -> None:
    with pytest.raises(UserError, match="--config does not apply to --from hf"):
        main(["--from", "hf", "--to", "mindspore", "a", "b", "--config", "c.json"])
    with pytest.raises(UserError, match="only --force applies to --from mindspore"):
        main(["--from", "mindspore", "--to", "hf", "a", "b", "--config", "c.json"])
