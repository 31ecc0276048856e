# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""TensorFlow checkpoints of Google's BERT, both ways: names, bits, what is computed, and what is refused."""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import mindspore as ms
import numpy as np
import pytest

from convert_checkpoint import main
from src.checkpoints.checkpoint import load_model, load_parameters, save_model
from src.common.errors import UserError
from src.config import EncoderConfig, HeadConfig, ModelConfig
from src.convert import google_bert
from src.convert.options import ReadOptions
from src.convert.parameters import parameter_shapes
from src.models.heads import build_model
from src.text.tokenization import load_tokenizer
from tests.lazy import Lazy
from tests.refusals import refused

tf = Lazy("tensorflow")
pytestmark = pytest.mark.medium

CONFIG = {"attention_probs_dropout_prob": 0.1, "hidden_act": "gelu", "hidden_dropout_prob": 0.1, "hidden_size": 8,
          "initializer_range": 0.02, "intermediate_size": 6, "max_position_embeddings": 10, "num_attention_heads": 2,
          "num_hidden_layers": 2, "type_vocab_size": 2, "vocab_size": 12}
ENCODER = EncoderConfig(12, 8, 2, 2, 6, "gelu", 0.1, 0.1, 10, 2, 0.02, 1e-12)
DISTILBERT = replace(ENCODER, type_vocab_size=0, pooler="none")
MLM, LABELLED = HeadConfig("masked_lm"), HeadConfig("classification", ("x", "y", "z"))
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefg"]
TO_TF, FROM_TF = ("--from", "mindspore", "--to", "tf"), ("--from", "tf", "--to", "mindspore")


def draw(head: HeadConfig = HeadConfig(), encoder: EncoderConfig = ENCODER) -> dict[str, np.ndarray]:  # noqa: B008
    generator = np.random.default_rng(3)
    return {name: generator.normal(scale=0.5, size=shape).astype(np.float32)
            for name, shape in parameter_shapes(ModelConfig(encoder, head)).items()}


# A second, independent account of Google's names.
TENSORFLOW = (
    (r"^encoder\.pooler", "bert/pooler/dense"), (r"^encoder\.layers\.(\d+)\.", r"bert/encoder/layer_\1/"),
    (r"^encoder\.embeddings\.norm\.", "bert/embeddings/LayerNorm/"),
    (r"^encoder\.embeddings\.(\w+)\.embedding_table", r"bert/embeddings/\1"),
    (r"/attention\.(query|key|value)\.", r"/attention/self/\1/"), (r"/attention\.output\.", "/attention/output/dense/"),
    (r"/attention_norm\.", "/attention/output/LayerNorm/"), (r"/output_norm\.", "/output/LayerNorm/"),
    (r"/(intermediate|output)\.(weight|bias)", r"/\1/dense/\2"), (r"^head\.classifier\.weight", "output_weights"),
    (r"^head\.classifier\.bias", "output_bias"), (r"^head\.transform", "cls/predictions/transform/dense"),
    (r"^head\.norm\.", "cls/predictions/transform/LayerNorm/"), (r"^head\.bias", "cls/predictions/output_bias"),
    (r"\.(weight|bias)$", r"/\1"), (r"/weight$", "/kernel"),
)


def by_google(own: Mapping[str, np.ndarray], prefix: str = "") -> dict[str, np.ndarray]:
    """Rename by regular expressions and turn the kernels; `prefix` stands before the names of a head."""
    tensors = {}
    for name, array in own.items():
        for pattern, replacement in TENSORFLOW:
            name = re.sub(pattern, replacement, name)
        name = prefix + name if name.startswith("output_") else name
        tensors[name] = array.T if name.endswith("/kernel") else array
    assert len(tensors) == len(own)
    return tensors


def variables(folder: Path, name: str = "bert_model.ckpt") -> dict[str, np.ndarray]:
    reader = tf.train.load_checkpoint(str(folder / name))
    return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}


def equal(a: Mapping[str, np.ndarray], b: Mapping[str, np.ndarray]) -> bool:
    return a.keys() == b.keys() and all(a[name].shape == b[name].shape and a[name].tobytes() == b[name].tobytes()
                                        for name in a)


@pytest.fixture
def google(tmp_path: Path) -> Callable[..., Path]:
    """A function that writes a folder as Google released them."""

    def write(own: Mapping[str, np.ndarray], extra: tuple[str, ...] = (), name: str = "bert_model.ckpt",
              prefix: str = "") -> Path:
        folder = tmp_path / "google"
        folder.mkdir(exist_ok=True)
        tensors = by_google(own, prefix) | {foreign: np.zeros(3, np.float32) for foreign in extra}
        tf.raw_ops.SaveV2(prefix=str(folder / name), tensor_names=list(tensors), shape_and_slices=[""] * len(tensors),
                          tensors=[tf.constant(array) for array in tensors.values()])
        (folder / "bert_config.json").write_text(json.dumps(CONFIG))
        (folder / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n")
        return folder

    return write


@pytest.fixture
def own(tmp_path: Path) -> Callable[..., Path]:
    """A function that writes one of our checkpoint directories."""

    def write(encoder: EncoderConfig = ENCODER, head: HeadConfig = HeadConfig(),  # noqa: B008 - a frozen value
              extra: tuple[str, ...] = ()) -> Path:
        (tmp_path / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n")
        load_tokenizer(tmp_path / "vocab.txt", lower_case=False).save(tmp_path)
        parameters = draw(head, encoder) | {name: np.zeros(3, np.float32) for name in extra}
        return save_model(tmp_path / "own", ModelConfig(encoder, head), parameters, tmp_path)

    return write


def run(*arguments: str | Path) -> None:
    main([str(argument) for argument in arguments])


def test_pretrained_checkpoint_with_its_masked_lm_head(google: Callable[..., Path], tmp_path: Path,
                                                       capsys: pytest.CaptureFixture) -> None:
    parameters = draw(MLM)
    folder = google(parameters, extra=("cls/seq_relationship/output_weights", "cls/seq_relationship/output_bias",
                                       "global_step", "bert/pooler/dense/kernel/adam_m",
                                       "cls/predictions/output_bias/adam_v"))
    run("--from", "tensorflow", "--to", "mindspore", folder, tmp_path / "read")
    loaded = load_model(tmp_path / "read")
    assert equal(loaded.parameters, parameters)
    assert loaded.config == ModelConfig(ENCODER, MLM)
    assert loaded.tokenizer_path is not None
    printed = capsys.readouterr().out
    assert "left out on purpose: bert/pooler/dense/kernel/adam_m, cls/predictions/output_bias/adam_v, cls/" in printed
    assert printed.rstrip().endswith("2 layers x 8, masked-LM head")
    encoder = google_bert.read_checkpoint(folder / "bert_model.ckpt", ReadOptions(head="drop"))
    assert equal(encoder.parameters, draw())
    assert encoder.config == ModelConfig(ENCODER)


def test_classifier_and_answers(google: Callable[..., Path]) -> None:
    folder = google(draw(LABELLED))
    read = google_bert.read_checkpoint(folder, ReadOptions(labels=("x", "y", "z"), task_name="MNLI"))
    assert read.config == ModelConfig(ENCODER, LABELLED, "MNLI")
    assert equal(read.parameters, draw(LABELLED))
    assert google_bert.read_checkpoint(folder, ReadOptions(head="drop")).config.head == HeadConfig()
    span = HeadConfig("span")
    read = google_bert.read_checkpoint(google(draw(span), prefix="cls/squad/"), ReadOptions())
    assert read.config.head == span
    assert equal(read.parameters, draw(span))


def test_checkpoints_that_are_refused(google: Callable[..., Path], tmp_path: Path,
                                      monkeypatch: pytest.MonkeyPatch) -> None:
    folder = google(draw(), extra=("bert/embeddings/extra", "cls/predictions/extra"))
    with pytest.raises(UserError, match=r"2 tensor\(s\).*bert/embeddings/extra, cls/predictions/extra"):
        google_bert.read_checkpoint(folder, ReadOptions())
    google({name: array for name, array in draw(MLM).items() if name != "head.norm.beta"})
    with pytest.raises(UserError, match="misses 1 tensor.*cls/predictions/transform/LayerNorm/beta"):
        google_bert.read_checkpoint(folder, ReadOptions())
    google(draw(), name="model.ckpt-100")
    with pytest.raises(UserError, match=r"holds 2 TensorFlow checkpoints \(bert_model.ckpt, model.ckpt-100\)"):
        google_bert.read_checkpoint(folder, ReadOptions())
    refused("holds 0 TensorFlow checkpoints", google_bert.read_checkpoint, tmp_path, ReadOptions())
    refused("is no TensorFlow checkpoint", google_bert.read_checkpoint, folder / "other", ReadOptions())
    data = folder / "model.ckpt-100.data-00000-of-00001"
    data.write_bytes(data.read_bytes()[:100])
    with pytest.raises(UserError, match="cannot be read as a TensorFlow checkpoint"):
        google_bert.read_checkpoint(folder / "model.ckpt-100", ReadOptions())
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    with pytest.raises(UserError, match="tensorflow is not installed.*pip install"):
        google_bert.read_checkpoint(folder / "model.ckpt-100", ReadOptions())


@pytest.mark.parametrize(("head", "prefix"), [
    (HeadConfig(), ""), (MLM, ""), (LABELLED, ""), (HeadConfig("regression"), ""), (HeadConfig("span"), "cls/squad/"),
], ids=lambda value: getattr(value, "kind", ""))
def test_every_tensor_both_ways(own: Callable[..., Path], tmp_path: Path, head: HeadConfig, prefix: str) -> None:
    source = own(head=head)
    run(*TO_TF, source, tmp_path / "tf")
    assert equal(variables(tmp_path / "tf"), by_google(draw(head), prefix))
    labels = ("--labels", ",".join(head.labels)) if head.labels else ()
    run(*FROM_TF, tmp_path / "tf", tmp_path / "back", *labels)
    back = load_model(tmp_path / "back")
    assert equal(back.parameters, draw(head))
    assert back.config == ModelConfig(ENCODER, head)
    assert back.vocab_hash == load_model(source).vocab_hash
    assert load_tokenizer(tmp_path / "back").lower_case is False


def test_the_folder(own: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    run(*TO_TF, own(head=LABELLED), tmp_path / "tf")
    folder = tmp_path / "tf"
    assert {path.name for path in folder.iterdir()} == {
        "bert_config.json", "bert_model.ckpt.data-00000-of-00001", "bert_model.ckpt.index", "checkpoint",
        "tokenizer_config.json", "vocab.txt"}
    assert json.loads((folder / "bert_config.json").read_text()) == CONFIG
    assert (folder / "vocab.txt").read_text().split("\n") == [*VOCABULARY, ""]
    assert tf.train.latest_checkpoint(str(folder)) == str(folder / "bert_model.ckpt")
    printed = capsys.readouterr().out
    assert "in this order: x,y,z" in printed and "--do_lower_case=False" in printed


def test_graph_of_tensorflow_1_is_initialised(own: Callable[..., Path], tmp_path: Path) -> None:
    """As Google's modeling.get_assignment_map_from_checkpoint does: variables of the same names."""
    run(*TO_TF, own(head=MLM), tmp_path / "tf")
    path, expected = str(tmp_path / "tf" / "bert_model.ckpt"), by_google(draw(MLM))
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        built = {name: tf.compat.v1.get_variable(name, array.shape) for name, array in expected.items()}
        stored = {name for name, _ in tf.train.list_variables(path)}
        tf.compat.v1.train.init_from_checkpoint(path, {name: name for name in built if name in stored})
        session.run(tf.compat.v1.global_variables_initializer())
        assert equal(session.run(built), expected)


def google_logits(weights: Mapping[str, np.ndarray], settings: Mapping[str, int], ids: np.ndarray, mask: np.ndarray,
                  segments: np.ndarray) -> np.ndarray:
    """Masked-LM logits (B, S, V) of BERT (Devlin et al., arXiv:1810.04805) in float64, from variables by name."""
    w = {name: array.astype(np.float64) for name, array in weights.items()}
    heads, (rows, length) = settings["num_attention_heads"], ids.shape
    erf = np.vectorize(math.erf)

    def dense(x: np.ndarray, name: str) -> np.ndarray:
        return x @ w[f"{name}/kernel"] + w[f"{name}/bias"]

    def norm(x: np.ndarray, name: str) -> np.ndarray:
        centred = x - x.mean(-1, keepdims=True)
        scaled = centred / np.sqrt((centred ** 2).mean(-1, keepdims=True) + 1e-12)
        return scaled * w[f"{name}/LayerNorm/gamma"] + w[f"{name}/LayerNorm/beta"]

    def gelu(x: np.ndarray) -> np.ndarray:
        return x * (1 + erf(x / math.sqrt(2))) / 2

    def split(x: np.ndarray) -> np.ndarray:
        return np.moveaxis(x.reshape(rows, length, heads, -1), 1, 2)

    x = norm(w["bert/embeddings/word_embeddings"][ids] + w["bert/embeddings/token_type_embeddings"][segments]
             + w["bert/embeddings/position_embeddings"][:length], "bert/embeddings")
    for layer in range(settings["num_hidden_layers"]):
        scope = f"bert/encoder/layer_{layer}"
        query, key, value = (split(dense(x, f"{scope}/attention/self/{part}")) for part in ("query", "key", "value"))
        scores = query @ np.swapaxes(key, 2, 3) / math.sqrt(key.shape[-1]) - 10000.0 * (1 - mask[:, None, None])
        shares = np.exp(scores - scores.max(-1, keepdims=True))
        seen = np.moveaxis(shares / shares.sum(-1, keepdims=True) @ value, 1, 2).reshape(x.shape)
        x = norm(x + dense(seen, f"{scope}/attention/output/dense"), f"{scope}/attention/output")
        inner = gelu(dense(x, f"{scope}/intermediate/dense"))
        x = norm(x + dense(inner, f"{scope}/output/dense"), f"{scope}/output")
    x = norm(gelu(dense(x, "cls/predictions/transform/dense")), "cls/predictions/transform")
    return x @ w["bert/embeddings/word_embeddings"].T + w["cls/predictions/output_bias"]


@pytest.mark.parametrize("encoder", [replace(ENCODER, type_vocab_size=8), DISTILBERT], ids=["8 types", "distilbert"])
def test_logits_by_the_written_names(own: Callable[..., Path], tmp_path: Path, encoder: EncoderConfig) -> None:
    source = own(encoder, MLM)
    run(*TO_TF, source, tmp_path / "tf")
    settings = json.loads((tmp_path / "tf" / "bert_config.json").read_text())
    assert settings == CONFIG | {"num_hidden_layers": 2, "type_vocab_size": encoder.type_vocab_size or 2}
    generator = np.random.default_rng(0)
    ids = generator.integers(0, 12, (4, 9)).astype(np.int32)
    mask = (np.arange(9) < np.array([[9], [6], [3], [8]])).astype(np.int32)
    segments = generator.integers(0, settings["type_vocab_size"], (4, 9)).astype(np.int32)
    model = build_model(ModelConfig(encoder, MLM))
    load_parameters(model, load_model(source).parameters)
    ours = model(*(ms.Tensor(array) for array in (ids, mask, segments))).asnumpy()
    theirs = google_logits(variables(tmp_path / "tf"), settings, ids, mask, segments)
    assert np.abs(theirs).max() > 1
    assert np.abs(ours - theirs)[mask == 1].max() <= 1e-4


def test_distilbert_is_written_as_a_bert(own: Callable[..., Path], tmp_path: Path,
                                         capsys: pytest.CaptureFixture) -> None:
    source = own(DISTILBERT, MLM)
    run(*TO_TF, source, tmp_path / "tf")
    printed = capsys.readouterr().out
    assert "no token types: bert/embeddings/token_type_embeddings is zero" in printed
    assert "no pooler" in printed and "--pooler random" in printed
    types = {"bert/embeddings/token_type_embeddings": np.zeros((2, 8), np.float32)}
    assert equal(variables(tmp_path / "tf"), by_google(draw(MLM, DISTILBERT)) | types)
    run(*TO_TF, source, tmp_path / "tf2", "--pooler", "random", "--seed", "4")
    drawn = variables(tmp_path / "tf2")
    assert drawn["bert/pooler/dense/kernel"].shape == (8, 8) and 0.01 < drawn["bert/pooler/dense/kernel"].std() < 0.03
    refused("no pooler; pass --pooler random", run, *TO_TF, source, tmp_path / "tf3", "--pooler", "require")
    run(*FROM_TF, tmp_path / "tf", tmp_path / "back")
    back = load_model(tmp_path / "back")
    assert back.config == ModelConfig(replace(DISTILBERT, type_vocab_size=2), MLM)
    parameters = dict(back.parameters)
    table = parameters.pop("encoder.embeddings.token_type_embeddings.embedding_table")
    assert not table.any() and equal(parameters, draw(MLM, DISTILBERT))


def test_what_googles_files_have_no_word_for_is_told(own: Callable[..., Path], tmp_path: Path,
                                                     capsys: pytest.CaptureFixture) -> None:
    run(*TO_TF, own(replace(ENCODER, hidden_act="gelu_tanh", layer_norm_eps=1e-5)), tmp_path / "tf")
    printed = capsys.readouterr().out
    assert "gelu_tanh is written as gelu" in printed and "layer_norm_eps 1e-05" in printed
    settings = json.loads((tmp_path / "tf" / "bert_config.json").read_text())
    assert settings == CONFIG | {"layer_norm_eps": 1e-5}


@pytest.mark.parametrize(("encoder", "head", "message"), [
    (replace(DISTILBERT, causal=True, pre_norm=True), HeadConfig("causal_lm"), "is a gpt2 model"),
    (replace(ENCODER, type_vocab_size=1, position_offset=2), MLM, "is a roberta model"),
    (replace(DISTILBERT, pooler="relu"), LABELLED, "applies relu"),
    (ENCODER, replace(LABELLED, pooled_activation="relu"), "applies relu"),
    (ENCODER, HeadConfig("tagging", ("a", "b")), "no tagging head"),
])
def test_models_that_google_cannot_compute(own: Callable[..., Path], tmp_path: Path, encoder: EncoderConfig,
                                           head: HeadConfig, message: str) -> None:
    refused(message, run, *TO_TF, own(encoder, head), tmp_path / "tf")
    assert not (tmp_path / "tf").exists()


def test_writing_is_refused(own: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refused("1 tensor.*encoder.extra", run, *TO_TF, own(extra=("encoder.extra",)), tmp_path / "tf")
    source = own()
    with pytest.raises(UserError, match="--head does not apply to .*, only --pooler, --seed, --model_name, --force"):
        run(*TO_TF, source, tmp_path / "tf", "--head", "drop")
    with pytest.raises(UserError, match="--model_name does not apply to --from mindspore --to hf"):
        run("--from", "mindspore", "--to", "hf", source, tmp_path / "hf", "--model_name", "x")
    refused("--model_name is 'a/b'", run, *TO_TF, source, tmp_path / "tf", "--model_name", "a/b")
    with pytest.raises(UserError, match="--from hf --to tf is no conversion.*two steps"):
        run("--from", "hf", "--to", "tf", source, tmp_path / "tf")
    for arguments, message in (((source,), "output is missing"), ((), "input is missing"),
                               ((source, "a", "b"), "unexpected 'b' beside")):
        refused(message, run, *TO_TF, *arguments)
    refused("--from and --to are required", run, source, tmp_path / "tf")
    assert not (tmp_path / "tf").exists()
    run(*TO_TF, source, tmp_path / "tf")
    refused("not empty.*--force", run, *TO_TF, source, tmp_path / "tf")
    run(*TO_TF, source, tmp_path / "tf", "--force")
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    refused("tensorflow is not installed", run, *TO_TF, source, tmp_path / "tf2")


def test_command_line_of_the_reference(own: Callable[..., Path], tmp_path: Path) -> None:
    run("--model_name", "tf-bert", "--pytorch_model_path", own(), "--tf_cache_dir", tmp_path / "tf")
    assert equal(variables(tmp_path / "tf", "tf_bert.ckpt"), by_google(draw()))
    assert tf.train.latest_checkpoint(str(tmp_path / "tf")) == str(tmp_path / "tf" / "tf_bert.ckpt")
