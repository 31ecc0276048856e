# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Conversion: names and shapes, what is kept, dropped and refused, and the way back, bit for bit."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from convert_checkpoint import build_parser, convert_folder, main
from src.checkpoints.checkpoint import load_model, save_model
from src.common.errors import UserError
from src.config import EncoderConfig, HeadConfig, ModelConfig
from src.convert.families import FAMILIES, family_of
from src.convert.huggingface import read_directory, write_model
from src.convert.name_map import NameMap, Rule, Tie
from src.convert.options import ReadOptions
from src.convert.parameters import parameter_shapes
from src.convert.tensors import read_huggingface_weights, read_safetensors
from src.models.heads import build_model
from src.text.tokenization import load_tokenizer
from tests.refusals import refused

NAMES = FAMILIES["bert"].names("classification")
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "film", "##s", "good", "bad", "é", "A"]
SETTINGS = {"model_type": "bert", "architectures": ["BertModel"], "vocab_size": 12, "hidden_size": 8,
            "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 6, "max_position_embeddings": 10,
            "type_vocab_size": 2, "hidden_act": "gelu"}
LABELLED = {"architectures": ["BertForSequenceClassification"], "id2label": {"0": "no", "1": "maybe", "2": "yes"},
            "label2id": {"no": 0, "maybe": 1, "yes": 2}}


def draw(*shape: int) -> np.ndarray:
    generator = np.random.default_rng(abs(hash(shape)) % 1000 + len(shape))
    return generator.normal(size=shape).astype(np.float32)


def bert_tensors(prefix: str = "", labels: int = 0, layers: int = 2) -> dict[str, np.ndarray]:
    """The tensors of a BERT of width 8, under the names that transformers writes, spelt out here once more."""
    tensors = {"embeddings.word_embeddings.weight": draw(12, 8), "embeddings.position_embeddings.weight": draw(10, 8),
               "embeddings.token_type_embeddings.weight": draw(2, 8), "embeddings.LayerNorm.weight": draw(8),
               "embeddings.LayerNorm.bias": draw(8), "pooler.dense.weight": draw(8, 8), "pooler.dense.bias": draw(8)}
    for layer in range(layers):
        start = f"encoder.layer.{layer}."
        for part, (outputs, inputs) in {
                "attention.self.query": (8, 8), "attention.self.key": (8, 8), "attention.self.value": (8, 8),
                "attention.output.dense": (8, 8), "intermediate.dense": (6, 8), "output.dense": (8, 6)}.items():
            tensors |= {f"{start}{part}.weight": draw(outputs, inputs), f"{start}{part}.bias": draw(outputs)}
        for part in ("attention.output.LayerNorm", "output.LayerNorm"):
            tensors |= {f"{start}{part}.weight": draw(8), f"{start}{part}.bias": draw(8)}
    tensors = {name: array + np.float32(0.01 * index) for index, (name, array) in enumerate(tensors.items())}
    tensors = {prefix + name: array for name, array in tensors.items()}
    return tensors | ({"classifier.weight": draw(labels, 8), "classifier.bias": draw(labels)} if labels else {})


@pytest.fixture
def folder(tmp_path: Path) -> Callable[..., Path]:
    """A function that writes a Hugging Face directory and returns it."""

    def write(tensors: Mapping[str, np.ndarray] | None = None, tokenizer: bool = True, **changes: Any) -> Path:
        path = tmp_path / "source"
        path.mkdir()
        values = {name: value for name, value in {**SETTINGS, **changes}.items() if value != "absent"}
        (path / "config.json").write_text(json.dumps(values), encoding="utf-8")
        save_file(dict(bert_tensors() if tensors is None else tensors), str(path / "model.safetensors"),
                  metadata={"format": "pt"})
        if tokenizer:
            (path / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n", encoding="utf-8")
        return path

    return write


def run(*arguments: str | Path) -> None:
    main([str(argument) for argument in arguments])


FROM_HF = ("--from", "hf", "--to", "mindspore")
TO_HF = ("--from", "mindspore", "--to", "hf")


# --- names and shapes ------------------------------------------------------------------------------------------------


BERT = EncoderConfig(12, 8, 2, 2, 6, "gelu", 0.1, 0.1, 10, 2, 0.02, 1e-12)
ENCODERS = {
    "bert": BERT,
    "roberta": replace(BERT, position_offset=2, type_vocab_size=1),
    "distilbert": replace(BERT, type_vocab_size=0, pooler="relu"),
    "electra": replace(BERT, embedding_size=4, pooler="gelu"),
    "albert": replace(BERT, embedding_size=4, share_layers=True, hidden_act="gelu_tanh"),
    "modernbert": replace(BERT, type_vocab_size=0, pooler="none", layer_class="modernbert", num_hidden_layers=3),
    "gpt2": replace(BERT, type_vocab_size=0, pooler="none", causal=True, pre_norm=True, layer_norm_eps=1e-5),
}
CLASSES = HeadConfig("classification", ("a", "b"))
KINDS = [HeadConfig(), CLASSES, HeadConfig("regression"), HeadConfig("tagging", ("a", "b", "c")), HeadConfig("span")]


def models() -> Iterator[ModelConfig]:
    """Every family with every head that it has."""
    for family, encoder in ENCODERS.items():
        for head in (*KINDS, HeadConfig("causal_lm" if family == "gpt2" else "masked_lm")):
            yield ModelConfig(encoder, head)


def random_parameters(config: ModelConfig) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(2)
    return {name: generator.normal(size=shape).astype(np.float32) for name, shape in parameter_shapes(config).items()}


@pytest.mark.medium
def test_parameter_shapes_are_those_of_the_model() -> None:
    without_pooler = ModelConfig(replace(BERT, pooler="none"), HeadConfig("masked_lm"))
    for config in (*models(), without_pooler, ModelConfig(replace(BERT, pre_norm=True, pooler="none"))):
        assert parameter_shapes(config) == {p.name: tuple(p.shape) for p in build_model(config).get_parameters()}


def test_every_model_is_written_and_read_back() -> None:
    for config in models():
        family = FAMILIES[next(name for name, encoder in ENCODERS.items() if encoder == config.encoder)]
        parameters = random_parameters(config)
        values, tensors, _ = write_model(config, parameters)
        assert values["model_type"] == family.model_type
        assert values["architectures"] == [family.form(config.head.kind).architecture]
        read = family.names(config.head.kind).read(tensors)
        assert not read.dropped
        left_out = {name for name in parameters if name not in read.parameters}
        assert left_out <= {"encoder.pooler.weight", "encoder.pooler.bias"}
        assert all(np.array_equal(read.parameters[name], parameters[name]) for name in read.parameters)


def test_one_foreign_array_of_several_parameters() -> None:
    names = NameMap("fused", (Rule("h.{}.qkv.weight", ("l.{}.q", "l.{}.k", "l.{}.v"), True),))
    fused = draw(4, 9)
    own = names.read({"h.3.qkv.weight": fused}).parameters
    assert [own[f"l.3.{part}"].tolist() for part in "qkv"] == [fused[:, i:i + 3].T.tolist() for i in (0, 3, 6)]
    # Whatever order they come in.
    back = names.write(dict(reversed(own.items())))
    assert back.keys() == {"h.3.qkv.weight"}
    assert np.array_equal(back["h.3.qkv.weight"], fused)
    assert names.foreign_name("l.7.k") == "h.7.qkv.weight"
    with pytest.raises(UserError, match=r"1 tensor\(s\).*lack a part: h.3.qkv.weight"):
        names.write({name: own[name] for name in ("l.3.q", "l.3.v")})
    with pytest.raises(UserError, match=r"h.3.qkv.weight.*shape \(4, 8\); expected 3 equal parts"):
        names.read({"h.3.qkv.weight": fused[:, :8]})


def test_what_is_stored_twice() -> None:
    names = NameMap("tied", (Rule("words", "table"),), ties=(Tie("decoder", "words"),))
    table = draw(5, 2)
    both = names.read({"words": table, "decoder": table.copy()})
    assert (list(both.parameters), both.tied) == (["table"], ["decoder"])
    assert np.array_equal(names.read({"decoder": table}).parameters["table"], table)
    with pytest.raises(UserError, match="decoder of the tied checkpoint differs from words.*--head drop"):
        names.read({"words": table, "decoder": table + 1})


def test_unknown_names_are_counted_and_the_first_are_named() -> None:
    tensors = bert_tensors() | {f"adapter.{index}.weight": draw(1) for index in range(9)}
    refused(r"9 tensor\(s\).*adapter\.0\.weight, .*adapter\.4\.weight, and 4 more", NAMES.read, tensors)
    with pytest.raises(UserError, match="1 tensor.*poolerXdense"):  # dots in templates are literal
        NAMES.read({"poolerXdense.weight": draw(2)})
    with pytest.raises(UserError, match="1 parameter.*no name.*encoder.relative.weight"):
        NAMES.write({"encoder.relative.weight": draw(1)})


def test_two_spellings_of_one_parameter_are_refused() -> None:
    tensors = bert_tensors() | {"bert.embeddings.LayerNorm.gamma": draw(8)}
    refused("LayerNorm.weight' and 'bert.embeddings.LayerNorm.gamma'", NAMES.read, tensors)


# --- reading ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("prefix", ["", "bert."])
def test_prefix_gamma_and_position_ids(folder: Callable[..., Path], prefix: str) -> None:
    plain = NAMES.read(bert_tensors()).parameters
    tensors = {name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): array
               for name, array in bert_tensors(prefix).items()}
    tensors[f"{prefix}embeddings.position_ids"] = np.arange(10)[None]
    converted = read_directory(folder(tensors), ReadOptions())
    assert converted.parameters.keys() == plain.keys()
    assert all(np.array_equal(converted.parameters[name], plain[name]) for name in plain)
    assert any("position_ids" in note for note in converted.notes)


def with_lm_head(tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What BertForPreTraining has beside the encoder, decoder and its bias included."""
    transform = "cls.predictions.transform."
    return tensors | {
        f"{transform}dense.weight": draw(8, 8), f"{transform}dense.bias": draw(8),
        f"{transform}LayerNorm.gamma": draw(8),
        f"{transform}LayerNorm.beta": draw(8), "cls.predictions.bias": draw(12),
        "cls.predictions.decoder.weight": tensors["bert.embeddings.word_embeddings.weight"].copy(),
        "cls.predictions.decoder.bias": draw(12), "cls.seq_relationship.weight": draw(2, 8),
        "cls.seq_relationship.bias": draw(2)}


def test_pretraining_keeps_the_language_model(folder: Callable[..., Path]) -> None:
    source = folder(with_lm_head(bert_tensors("bert.")), architectures=["BertForPreTraining"])
    converted = read_directory(source, ReadOptions())
    assert converted.config.head == HeadConfig("masked_lm")
    assert converted.config.encoder.pooler == "tanh"
    assert any("left out on purpose: cls.seq_relationship.bias, cls.seq_r" in note for note in converted.notes)
    assert any("kept once: cls.predictions.decoder.bias, cls.predictions.decoder.w" in note for note in converted.notes)
    _, tensors, notes = write_model(converted.config, converted.parameters)
    assert not any("pooler" in name or "decoder" in name for name in tensors)
    assert notes == ["the pooler was left out: a BertForMaskedLM has none"]
    alone = read_directory(source, ReadOptions(head="drop"))
    assert alone.config == replace(converted.config, head=HeadConfig())
    assert any("cls.predictions.bias, " in note for note in alone.notes)


def test_config_without_architectures_is_told_by_its_tensors(folder: Callable[..., Path]) -> None:
    tensors = with_lm_head(bert_tensors("bert."))
    source = folder(tensors, architectures="absent")
    assert read_directory(source, ReadOptions()).config.head.kind == "masked_lm"
    # TinyBERT's language model was never trained.
    save_file(tensors | {"fit_dense.weight": draw(4, 8), "fit_dense.bias": draw(4)}, str(source / "model.safetensors"))
    assert read_directory(source, ReadOptions()).config.head.kind == "none"


def test_labels_keep_the_order_of_the_logits(folder: Callable[..., Path]) -> None:
    # Written out of order, as JSON objects may be.
    labels = {"id2label": {"2": "yes", "0": "no", "1": "maybe"}, "finetuning_task": "rte"}
    converted = read_directory(folder(bert_tensors("bert.", 3), **{**LABELLED, **labels}), ReadOptions())
    assert converted.config.head == HeadConfig("classification", ("no", "maybe", "yes"))
    assert converted.config.task_name == "rte"
    assert converted.parameters["head.classifier.weight"].shape == (3, 8)
    assert not converted.notes


def test_labels_of_the_command_line_win(folder: Callable[..., Path]) -> None:
    source = folder(bert_tensors("bert.", 3), architectures=["BertForSequenceClassification"])
    converted = read_directory(source, ReadOptions())
    assert converted.config.head.labels == ("LABEL_0", "LABEL_1", "LABEL_2")
    assert any("--labels" in note for note in converted.notes)
    named = read_directory(source, ReadOptions(labels=("x", "y", "z"), task_name="MNLI")).config
    assert (named.head.labels, named.task_name) == (("x", "y", "z"), "MNLI")
    refused("names 2 classes.*has 3", read_directory, source, ReadOptions(labels=("x", "y")))
    refused("not distinct", read_directory, source, ReadOptions(labels=("x", "y", "x")))


@pytest.mark.parametrize("given, rows, note", [
    ("maybe,yes,no", (1, 2, 0), "labels reordered: no, maybe, yes became maybe, yes, no, and the rows"),
    ("no,maybe,yes", (0, 1, 2), ""),
    ("NO,Maybe,yes", (0, 1, 2), "labels renamed, in the order of the logits: no -> NO, maybe -> Maybe"),
    ("a,b,yes", (0, 1, 2), "no -> a, maybe -> b"),
])
def test_rows_of_the_classifier_follow_their_names(folder: Callable[..., Path], given: str, rows: tuple[int, ...],
                                                  note: str) -> None:
    source, labels = folder(bert_tensors("bert.", 3), **LABELLED), tuple(given.split(","))
    before, after = (read_directory(source, options) for options in (ReadOptions(), ReadOptions(labels=labels)))
    assert after.config.head.labels == labels
    for name, value in before.parameters.items():
        expected = value[list(rows)] if name.startswith("head.classifier.") else value
        assert np.array_equal(after.parameters[name], expected), name
    assert [note in line for line in after.notes] == [True] * bool(note)


@pytest.mark.parametrize("given, message", [
    ("Yes,Maybe,No", "calls class 0 of the checkpoint, 'no', 'Yes', .* its class 2, 'yes'; .*--labels No,Maybe,Yes"),
    ("maybe,no,x", "calls class 0 .* 'maybe', which is the name of its class 1.*in the order no, maybe, yes"),
])
def test_a_name_of_another_row_is_refused(folder: Callable[..., Path], given: str, message: str) -> None:
    refused(message, read_directory, folder(bert_tensors("bert.", 3), **LABELLED),
            ReadOptions(labels=tuple(given.split(","))))


def test_contradicting_label2id_is_told_and_a_head_can_be_dropped(folder: Callable[..., Path]) -> None:
    source = folder(bert_tensors("bert.", 3), **{**LABELLED, "label2id": {"yes": 0, "maybe": 1, "no": 2}})
    converted = read_directory(source, ReadOptions())
    assert converted.config.head.labels == ("no", "maybe", "yes")
    assert any("label2id contradicts" in note for note in converted.notes)
    (source / "config.json").write_text(json.dumps(SETTINGS | {"architectures": ["BertForMultipleChoice"]}))
    converted = read_directory(source, ReadOptions(head="drop"))
    assert converted.config.head == HeadConfig()
    assert any("classifier.bias, classifier.weight" in note for note in converted.notes)


@pytest.mark.parametrize("problem", ["regression", None])
def test_one_output_is_a_regression(folder: Callable[..., Path], problem: str | None) -> None:
    source = folder(bert_tensors("bert.", 1), architectures=["BertForSequenceClassification"], problem_type=problem,
                    id2label={"0": "LABEL_0"})
    assert read_directory(source, ReadOptions()).config.head == HeadConfig("regression")


def test_span_and_tagging(folder: Callable[..., Path], tmp_path: Path) -> None:
    plain = {name: array for name, array in bert_tensors("bert.").items() if "pooler" not in name}
    answer = {"qa_outputs.weight": draw(2, 8), "qa_outputs.bias": draw(2)}
    source = folder(plain | answer, architectures=["BertForQuestionAnswering"])
    converted = read_directory(source, ReadOptions())
    assert (converted.config.head, converted.config.encoder.pooler) == (HeadConfig("span"), "none")
    with pytest.raises(UserError, match="--labels names classes.*no classification or tagging head"):
        read_directory(source, ReadOptions(labels=("start", "end")))
    tags = {**LABELLED, "architectures": ["BertForTokenClassification"]}
    (source / "config.json").write_text(json.dumps(SETTINGS | tags))
    save_file(bert_tensors("bert.", 3), str(source / "model.safetensors"))  # older releases saved a pooler
    converted = read_directory(source, ReadOptions())
    assert converted.config.head == HeadConfig("tagging", ("no", "maybe", "yes"))
    assert converted.config.encoder.pooler == "tanh"
    assert "pooler.dense.weight" not in write_model(converted.config, converted.parameters)[1]


def test_checkpoint_of_tinyberts_authors(folder: Callable[..., Path]) -> None:
    # No model_type, no architectures, no id2label; the projection of distillation is left in.
    tensors = bert_tensors("bert.", 2) | {"fit_dense.weight": draw(4, 8), "fit_dense.bias": draw(4)}
    source = folder(tensors, model_type="absent", architectures="absent", cell={}, emb_size=8, structure=[])
    converted = read_directory(source, ReadOptions())
    assert converted.config.head == HeadConfig("classification", ("LABEL_0", "LABEL_1"), "relu")
    assert any("relu(pooled)" in note for note in converted.notes)
    assert read_directory(source, ReadOptions(pooled_activation="none")).config.head.pooled_activation == "none"


def test_missing_pooler(folder: Callable[..., Path]) -> None:
    tensors = {name: array for name, array in with_lm_head(bert_tensors("bert.")).items() if "pooler" not in name}
    del tensors["cls.predictions.decoder.bias"]
    source = folder(tensors, architectures=["BertForMaskedLM"])
    kept = read_directory(source, ReadOptions())
    assert (kept.config.encoder.pooler, kept.config.head.kind) == ("none", "masked_lm")
    alone = read_directory(source, ReadOptions(head="drop"))
    assert (alone.config.encoder.pooler, alone.config.head.kind) == ("none", "none")
    assert any("model gets none; --pooler random would draw one" in note for note in alone.notes)
    assert any("add_pooling_layer=False" in note for note in write_model(alone.config, alone.parameters)[2])
    refused("no pooler.*--pooler random", read_directory, source, ReadOptions(pooler="require"))
    drawn = [read_directory(source, ReadOptions(pooler="random", seed=seed)) for seed in (1, 1, 2)]
    weights = [converted.parameters["encoder.pooler.weight"] for converted in drawn]
    assert drawn[0].config.encoder.pooler == "tanh"
    assert np.array_equal(weights[0], weights[1])
    assert not np.array_equal(weights[0], weights[2])
    assert 0.01 < weights[0].std() < 0.03
    assert any("random one was drawn (seed 1)" in note for note in drawn[0].notes)


def test_missing_pooler_below_a_head_is_refused(folder: Callable[..., Path]) -> None:
    tensors = {name: array for name, array in bert_tensors("bert.", 3).items() if "pooler" not in name}
    with pytest.raises(UserError, match="classification head and no pooler"):
        read_directory(folder(tensors, **LABELLED), ReadOptions(pooler="random"))


@pytest.mark.parametrize(("written", "read"), [("gelu", "gelu"), ("gelu_new", "gelu_tanh"), ("relu", "relu"),
                                               ("gelu_pytorch_tanh", "gelu_tanh"), ("absent", "gelu")])
def test_activations(folder: Callable[..., Path], written: str, read: str) -> None:
    assert read_directory(folder(hidden_act=written), ReadOptions()).config.encoder.hidden_act == read


def test_settings_that_config_json_leaves_out(folder: Callable[..., Path]) -> None:
    encoder = read_directory(folder(type_vocab_size="absent"), ReadOptions()).config.encoder
    assert (encoder.type_vocab_size, encoder.layer_norm_eps, encoder.hidden_dropout_prob) == (2, 1e-12, 0.1)


@pytest.mark.parametrize(("changes", "message"), [
    ({"model_type": "xlnet"}, "model_type is 'xlnet', .*expected one of bert, distilbert, rob"),
    ({"position_embedding_type": "relative_key"}, "position_embedding_type is 'relative_key'"),
    ({"is_decoder": True}, "is_decoder is True"),
    ({"add_cross_attention": True}, "add_cross_attention is True"),
    ({"pruned_heads": {"0": [1]}}, "pruned_heads"),
    ({"quantization_config": {"bits": 4}}, "quantization_config"),
    ({"hidden_act": "silu"}, "hidden_act is 'silu'; expected one of gelu, "),
    ({"hidden_size": "absent"}, "has no hidden_size"),
    ({"hidden_size": "8"}, "hidden_size is '8'"),
    ({"num_attention_heads": 3}, "not a multiple of num_attention_heads 3"),
    ({"vocab_size": 13}, r"embeddings.word_embeddings.weight \(12, 8\), expected \(13, 8\)"),
    ({"num_hidden_layers": 3}, r"misses 16 tensor\(s\): encoder.layer.2.attention.output.LayerNorm.bias"),
    ({"num_hidden_layers": 1}, r"holds 16 tensor\(s\).*encoder.layer.1"),
    ({"num_hidden_layers": 10**9}, r"holds [0-9]+ tensor\(s\), but its config has 1000000000 layers"),
    (LABELLED, r"misses 2 tensor\(s\): classifier.bias, classifier.weight"),
    ({"architectures": ["BertForMaskedLM"]}, r"misses 5 tensor\(s\): cls.predictions.bias, "),
    ({"architectures": ["BertForMultipleChoice"]}, "MultipleChoice.*those of bert are: .*BertForMaskedLM.*--head drop"),
])
def test_what_is_refused(folder: Callable[..., Path], changes: dict[str, Any], message: str) -> None:
    refused(message, read_directory, folder(**changes), ReadOptions())


@pytest.mark.parametrize(("changes", "message"), [
    ({"problem_type": "multi_label_classification"}, "multi_label_classification"),
    ({"problem_type": "regression"}, "regression with 3 outputs"),
    ({"id2label": {"0": "no", "2": "yes"}}, "expected a label for each of 0, 1, 2"),
    ({"id2label": ["no", "yes"]}, "expected a label for each"),
    ({"id2label": {"0": "no", "1": "no", "2": "yes"}}, "not distinct"),
    ({"id2label": {"0": "no", "1": "yes"}, "label2id": None}, r"classifier.weight \(3, 8\), expected \(2, 8\)"),
])
def test_heads_that_are_refused(folder: Callable[..., Path], changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        read_directory(folder(bert_tensors("bert.", 3), **{**LABELLED, **changes}), ReadOptions())


@pytest.mark.parametrize(("values", "message"), [
    (np.ones((8, 8), np.int8), "not floating point: encoder.pooler.weight"),
    (np.full((8, 8), np.nan, np.float32), "NaN or infinite values: encoder.pooler.weight"),
])
def test_values_that_are_no_weights_are_refused(folder: Callable[..., Path], values: np.ndarray, message: str) -> None:
    refused(message, read_directory, folder(bert_tensors() | {"pooler.dense.weight": values}), ReadOptions())


# --- files -----------------------------------------------------------------------------------------------------------


def test_shards(folder: Callable[..., Path]) -> None:
    source = folder()
    tensors = load_file(str(source / "model.safetensors"))
    (source / "model.safetensors").unlink()
    names = sorted(tensors)
    index = {}
    for number, part in enumerate((names[:20], names[20:]), 1):
        shard = f"model-0000{number}-of-00002.safetensors"
        save_file({name: tensors[name] for name in part}, str(source / shard))
        index |= dict.fromkeys(part, shard)
    (source / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": index}))
    read, _ = read_huggingface_weights(source)
    assert read.keys() == tensors.keys()
    assert all(np.array_equal(read[name], tensors[name]) for name in tensors)
    (source / "model.safetensors.index.json").write_text(
        json.dumps({"weight_map": {**index, "extra": "model-00001-of-00002.safetensors"}}))
    refused(r"names 1 tensor\(s\).*extra first", read_huggingface_weights, source)
    (source / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": "../../outside.safetensors"}}))
    refused("outside.safetensors, which is not in", read_huggingface_weights, source)
    (source / "model-00002-of-00002.safetensors").unlink()
    (source / "model.safetensors.index.json").write_text(json.dumps({"weight_map": index}))
    refused("names the shard model-00002-of-00002.safetensors", read_huggingface_weights, source)


@pytest.mark.parametrize("content", [b"", b"version https://git-lfs.github.com/spec/v1\noid sha256:ab\n", None])
def test_damaged_safetensors(folder: Callable[..., Path], content: bytes | None) -> None:
    path = folder() / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-10] if content is None else content)
    refused("pointer of Git LFS" if content and b"lfs" in content else "cannot be read as safetensors.*truncated",
            read_safetensors, path)


def test_missing_and_malformed_files(folder: Callable[..., Path], tmp_path: Path) -> None:
    source = folder()
    (source / "model.safetensors").unlink()
    with pytest.raises(UserError, match=r"no model.safetensors and no pytorch_model.bin \(it holds: config.json, "):
        read_directory(source, ReadOptions())
    (source / "config.json").write_text("{")
    refused("config.json is not valid JSON", read_directory, source, ReadOptions())
    (source / "config.json").write_text("[]")
    refused("expected a JSON object", read_directory, source, ReadOptions())
    refused("cannot read .*config.json: No such file", read_directory, tmp_path, ReadOptions())


def test_pickle_without_torch(folder: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    source = folder()
    (source / "model.safetensors").rename(source / "pytorch_model.bin")
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(UserError, match="torch is not installed.*pip install torch.*model.safetensors"):
        read_directory(source, ReadOptions())


@pytest.mark.medium
def test_pickles_with_torch(folder: Callable[..., Path]) -> None:
    torch = pytest.importorskip("torch")
    source = folder()
    tensors = load_file(str(source / "model.safetensors"))
    (source / "model.safetensors").unlink()
    path = source / "pytorch_model.bin"
    torch.save({name: torch.from_numpy(array) for name, array in tensors.items()}, path)
    read, _ = read_huggingface_weights(source)
    assert all(np.array_equal(read[name], tensors[name]) for name in tensors)
    torch.save({name: torch.from_numpy(array).bfloat16() for name, array in tensors.items()}, path)
    assert read_huggingface_weights(source)[0]["pooler.dense.bias"].dtype == np.float32
    # What a training leaves: the model inside, its names behind those of the program's wrapper.
    torch.save({"epoch": 3, "optimizer": {"state": {}}, "state_dict": {
        f"module.{name}": torch.from_numpy(array) for name, array in tensors.items()}}, path)
    read, notes = read_huggingface_weights(source)
    assert all(np.array_equal(read[name], tensors[name]) for name in tensors) and "module." in notes[0]
    torch.save({"model": tensors["pooler.dense.bias"], "call": print}, path)
    refused("cannot be read as a PyTorch state dict", read_huggingface_weights, source)
    torch.save({"epoch": 3}, path)
    refused("does not hold a flat state dict", read_huggingface_weights, source)
    path.write_bytes(path.read_bytes()[:100])
    refused("cannot be read as a PyTorch state dict", read_huggingface_weights, source)


# --- from folder to folder -------------------------------------------------------------------------------------------


@pytest.mark.medium
@pytest.mark.parametrize("labels", [0, 1, 3])
def test_round_trip_is_bit_identical(folder: Callable[..., Path], tmp_path: Path, labels: int) -> None:
    tensors = bert_tensors("bert." if labels else "", labels)
    changes = {0: {}, 1: {"architectures": ["BertForSequenceClassification"], "problem_type": "regression",
                          "id2label": {"0": "LABEL_0"}}, 3: LABELLED}[labels]
    source, own, back = folder(tensors, **changes), tmp_path / "own", tmp_path / "back"
    run(*FROM_HF, source, own)
    run(*TO_HF, own, back)
    written = load_file(str(back / "model.safetensors"))
    assert written.keys() == tensors.keys()
    for name, array in tensors.items():
        assert array.tobytes() == written[name].tobytes(), name
    values = json.loads((back / "config.json").read_text())
    assert {name: values[name] for name in SETTINGS if name != "architectures"} == {
        name: value for name, value in SETTINGS.items() if name != "architectures"}
    for name in ("architectures", *changes):
        assert values[name] == {**SETTINGS, **changes}[name]
    assert (back / "model.safetensors").stat().st_mode == (back / "config.json").stat().st_mode
    # A second way round changes nothing at all.
    run(*FROM_HF, back, tmp_path / "own2")
    assert ((own / "model.safetensors").read_bytes() == (tmp_path / "own2" / "model.safetensors").read_bytes())
    assert ((own / "config.json").read_bytes() == (tmp_path / "own2" / "config.json").read_bytes())


@pytest.mark.medium
def test_case_of_the_tokenizer_survives(folder: Callable[..., Path], tmp_path: Path) -> None:
    source = folder()
    (source / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": False}))
    run(*FROM_HF, source, tmp_path / "own")
    run(*TO_HF, tmp_path / "own", tmp_path / "back")
    values = json.loads((tmp_path / "back" / "tokenizer_config.json").read_text())
    assert (values["do_lower_case"], values["model_max_length"], values["cls_token"]) == (False, 10, "[CLS]")
    for name in ("own", "back"):
        assert load_tokenizer(tmp_path / name).encode_batch(["A é"]) == [[11, 10]]
        assert (tmp_path / name / "vocab.txt").read_text().split() == VOCABULARY


def test_without_tokenizer_it_says_so(folder: Callable[..., Path], tmp_path: Path,
                                      capsys: pytest.CaptureFixture) -> None:
    run(*FROM_HF, folder(tokenizer=False), tmp_path / "own")
    assert "has no vocabulary" in capsys.readouterr().out
    run(*TO_HF, tmp_path / "own", tmp_path / "back")
    assert "no tokenizer was written" in capsys.readouterr().out
    assert sorted(path.name for path in (tmp_path / "back").iterdir()) == ["config.json", "model.safetensors"]


def test_tokenizer_of_another_model_is_refused(folder: Callable[..., Path], tmp_path: Path) -> None:
    source = folder()
    (source / "vocab.txt").write_text("\n".join([*VOCABULARY, "more"]) + "\n")
    refused("13 tokens and the model 12 word embeddings", run, *FROM_HF, source, tmp_path / "own")
    assert not (tmp_path / "own").exists()


@pytest.mark.parametrize("family", ENCODERS)
def test_family_is_stored_and_guessed_for_checkpoints_of_before(family: str) -> None:
    values = ModelConfig(ENCODERS[family], family=family).to_dict()
    assert values["family"] == family and ModelConfig.from_dict(values).family == family
    del values["family"]
    assert family_of(ModelConfig.from_dict(values)) is FAMILIES[family]
    with pytest.raises(UserError, match="the family 'toy'.*expected one of bert, distilbert, roberta, "):
        family_of(ModelConfig.from_dict(values | {"family": "toy"}))


@pytest.mark.parametrize(("family", "changes", "head", "message"), [
    ("distilbert", {"layer_norm_eps": 1e-5}, HeadConfig(), "distilbert comes nearest.*layer_norm_eps 1e-05"),
    ("distilbert", {"pooler": "tanh"}, CLASSES, "has a tanh pooler.*DistilBertForSequenceClassification computes relu"),
    ("bert", {"pooler": "relu"}, CLASSES, "has a relu pooler.*BertForSequenceClassification computes tanh"),
    ("electra", {"pooler": "tanh"}, CLASSES, "has a tanh pooler.*ElectraForSequenceClassification computes gelu"),
    ("albert", {"embedding_size": 0}, HeadConfig(), r"albert comes nearest, but not with embedding_size 0"),
    ("roberta", {"type_vocab_size": 0}, HeadConfig(), "roberta comes nearest, but not with type_vocab_size 0"),
    ("roberta", {"hidden_act": "relu"}, HeadConfig("masked_lm"), "RobertaForMaskedLM's head always computes gelu"),
    ("gpt2", {"type_vocab_size": 2}, HeadConfig(), r"gpt2 comes nearest, but not with type_vocab_size 2 \(it has 0\)"),
    ("gpt2", {"pre_norm": False}, HeadConfig(), "not with pre_norm False"),
    ("gpt2", {"causal": False}, HeadConfig(), "not with .*pre_norm True"),
])
def test_models_that_transformers_does_not_have(family: str, changes: dict[str, Any], head: HeadConfig,
                                                message: str) -> None:
    config = ModelConfig(replace(ENCODERS[family], **changes), head)
    refused(message, write_model, config, random_parameters(config))


def test_output_folders_that_are_refused(folder: Callable[..., Path], tmp_path: Path,
                                         monkeypatch: pytest.MonkeyPatch) -> None:
    source = folder()
    full = tmp_path / "full"
    full.mkdir()
    (full / "thesis.txt").write_text("years of work")
    refused("full is not empty.*--force", run, *FROM_HF, source, full)
    refused("not a model; it is not replaced, also with --force", run, *FROM_HF, source, full, "--force")
    (full / "config.json").write_text('{"port": 80}')
    refused("no config.json of a model", run, *FROM_HF, source, full, "--force")
    assert (full / "config.json").read_text() == '{"port": 80}'
    assert (full / "thesis.txt").read_text() == "years of work"
    for output in (source, tmp_path):
        refused("is the input .* or holds it", run, *FROM_HF, source, output, "--force")
    refused("own cannot be written: .*vocab.txt is a file", run, *FROM_HF, source, source / "vocab.txt" / "own")
    refused("vocab.txt is a file; give a folder", run, *FROM_HF, source, source / "vocab.txt")
    run(*FROM_HF, source, tmp_path / "own")
    refused("own is not empty", run, *FROM_HF, source, tmp_path / "own")
    (tmp_path / "own/mine.ckpt").write_text("of another program")
    run(*FROM_HF, source, tmp_path / "own", "--force", "--task_name", "SST-2")
    assert load_model(tmp_path / "own").config.task_name == "SST-2"
    assert (tmp_path / "own/mine.ckpt").read_text() == "of another program"
    monkeypatch.setattr("os.access", lambda path, mode: False)
    with pytest.raises(UserError, match=f"own2 cannot be written: no permission to write to {tmp_path};"):
        run(*FROM_HF, source, tmp_path / "own2")


@pytest.mark.parametrize(("arguments", "message"), [
    (["--from", "hf", "--to", "hf", "a", "b"], "--from hf --to hf is no conversion"),
    (["--from", "keras", "--to", "mindspore", "a", "b"], "invalid choice: 'keras'"),
    (["a", "b"], "--from.*--to.*required|required: --from, --to"),
    ([*TO_HF, "a", "b", "--labels", "x,y"], "--labels does not apply to --from mindspore --to hf, only --force"),
    ([*TO_HF, "nowhere", "b"], "IN_DIR nowhere does not exist"),
    ([*FROM_HF, "./nowhere", "b"], r"./nowhere does not exist; give the folder"),
    ([*FROM_HF, "/no/such/folder", "b"], "/no/such/folder does not exist"),
])
def test_command_lines_that_are_refused(arguments: list[str], message: str) -> None:
    refused(message, main, arguments)


def test_names_on_the_hub(folder: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hub = pytest.importorskip("huggingface_hub")
    source = folder()
    asked = []

    def download(name: str, allow_patterns: list[str]) -> str:
        asked.append((name, "pytorch_model.bin" in allow_patterns))
        return str(source)

    monkeypatch.setattr(hub, "snapshot_download", download)
    run(*FROM_HF, "someone/model", tmp_path / "own")
    assert asked == [("someone/model", False)]
    (source / "model.safetensors").unlink()
    with pytest.raises(UserError, match="no model.safetensors and no pytorch_model.bin"):
        run(*FROM_HF, "someone/model", tmp_path / "own2")
    assert asked[1:] == [("someone/model", False), ("someone/model", True)]

    def offline(name: str, allow_patterns: list[str]) -> str:
        raise ConnectionError("no route\nto host")

    monkeypatch.setattr(hub, "snapshot_download", offline)
    with pytest.raises(UserError, match=r"no folder bert-base.*\(ConnectionError: no route to host\); check the name"):
        run(*FROM_HF, "bert-base", tmp_path / "own3")


def test_way_back_of_a_damaged_checkpoint(tmp_path: Path) -> None:
    config = ModelConfig(EncoderConfig(12, 8, 2, 2, 6, "gelu", 0.1, 0.1, 10, 2, 0.02, 1e-12))
    parameters = {name: draw(*shape) for name, shape in parameter_shapes(config).items()}
    save_model(tmp_path / "own", config, parameters)
    arguments = build_parser().parse_args([*TO_HF, str(tmp_path / "own"), str(tmp_path / "back")])
    assert convert_folder(arguments)[1][0] == config
    path = tmp_path / "own" / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"\0")
    refused("model.safetensors is not what was written", run, *TO_HF, tmp_path / "own", tmp_path / "back2")
    with pytest.raises(UserError, match="misses|missing"):
        save_model(tmp_path / "part", config, dict(list(parameters.items())[:-1]))
        run(*TO_HF, tmp_path / "part", tmp_path / "back3")
