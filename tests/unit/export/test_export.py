# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Export: the artefacts compute what the model does, and one that does not is never left behind."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import mindspore as ms
import numpy as np
import onnx
import onnxruntime
import pytest

from src.checkpoints.checkpoint import load_model, save_model
from src.common.errors import UserError
from src.config import EncoderConfig, ExportConfig, HeadConfig, ModelConfig, StaticConfig, load_config
from src.config.model import WORD_EMBEDDINGS
from src.convert.parameters import parameter_shapes
from src.export import artefacts
from src.export.onnx_graph import INPUTS, build_onnx
from src.export.run import batches, compare, export_model
from tests.refusals import refused

REPOSITORY = Path(__file__).resolve().parents[3]
ENCODER = EncoderConfig(vocab_size=40, hidden_size=24, num_hidden_layers=2, num_attention_heads=3, intermediate_size=32,
                        hidden_act="gelu", hidden_dropout_prob=0.1, attention_probs_dropout_prob=0.1,
                        max_position_embeddings=20, type_vocab_size=2, initializer_range=0.02, layer_norm_eps=1e-12)
CLASSES = HeadConfig("classification", ("negative", "neutral", "positive"))
DISTILBERT = replace(ENCODER, type_vocab_size=0, pooler="relu")
ROBERTA = replace(ENCODER, position_offset=2, type_vocab_size=1)
GPT2 = replace(ENCODER, type_vocab_size=0, pooler="none", causal=True, pre_norm=True, hidden_act="gelu_tanh")
MODERN = replace(ENCODER, type_vocab_size=0, pooler="none", num_hidden_layers=3, layer_class="modernbert",
                 local_attention=6, classifier_pooling="mean")
ELECTRA = replace(ENCODER, embedding_size=16, pooler="gelu")
ALBERT = replace(ENCODER, embedding_size=16, share_layers=True, hidden_act="gelu_tanh", num_hidden_layers=3)
STATIC = StaticConfig(vocab_size=40, dim=24)
FAMILIES = {
    "bert, masked lm": (HeadConfig("masked_lm"), replace(ENCODER, pooler="none")),
    "bert, no pooler": (HeadConfig(), replace(ENCODER, pooler="none")),
    "distilbert, classes": (CLASSES, DISTILBERT),
    "distilbert, span": (HeadConfig("span"), replace(DISTILBERT, pooler="none")),
    "roberta, tags": (HeadConfig("tagging", ("a", "b")), ROBERTA),
    "electra, classes": (CLASSES, ELECTRA),
    "electra, masked lm": (HeadConfig("masked_lm"), replace(ELECTRA, pooler="none")),
    "albert, masked lm": (HeadConfig("masked_lm"), ALBERT),
    "gpt2, causal lm": (HeadConfig("causal_lm"), GPT2),
    "gpt2, score": (HeadConfig("regression"), GPT2),
    "roberta, embedding": (HeadConfig("embedding", dense_size=10, dense_activation="tanh", normalize=True),
                           replace(ROBERTA, pooler="none")),
    "modernbert, classes": (CLASSES, MODERN),
    "modernbert, masked lm": (HeadConfig("masked_lm"), MODERN),
    "static": (HeadConfig("embedding", normalize=True), STATIC),
}
"""Each family, and each head that BERT's classifier is not."""


def draw(config: ModelConfig, seed: int = 0) -> dict[str, np.ndarray]:
    """Weights far enough from zero, one and each other that nothing cancels or goes unnoticed."""
    generator = np.random.default_rng(seed)
    shapes = {WORD_EMBEDDINGS: (40, 24)} if config.encoder == STATIC else parameter_shapes(config)
    return {name: (generator.normal(scale=0.15, size=shape) + name.endswith("gamma")).astype(np.float32)
            for name, shape in shapes.items()}


@pytest.fixture
def checkpoint(tmp_path: Path) -> Callable[..., Path]:
    """A function that writes a checkpoint of random weights and returns its folder."""

    def write(head: HeadConfig = CLASSES, encoder: EncoderConfig = ENCODER, task: str = "SST-2") -> Path:
        config = ModelConfig(encoder, head, task)
        return save_model(tmp_path / "checkpoint", config, draw(config))

    return write


def settings(checkpoint: Path, file_format: str, output: Path | str, **changes: object) -> ExportConfig:
    values = {"checkpoint": str(checkpoint), "file_format": file_format, "output": str(output)} | changes
    return load_config(**{f"export__{name}": value for name, value in values.items()}).export


def only(folder: Path, *names: str) -> bool:
    """Nothing but these stands in the folder: no half-written leftovers, hidden ones included."""
    return sorted(path.name for path in folder.iterdir()) == sorted(names)


def test_batches_cover_what_can_go_wrong() -> None:
    made = list(batches(ENCODER, 20))
    shapes = {batch["input_ids"].shape for batch in made}
    assert {(1, 20), (2, 20), (1, 1)} <= shapes
    assert len(shapes) >= 4
    assert any((batch["input_mask"].min(axis=1) == 0).any() for batch in made)
    for batch in made:
        assert (batch["input_mask"][0] == 1).all()
        assert (batch["input_mask"].sum(axis=1) >= 1).all()
        assert batch["input_ids"].max() < 40
        assert batch["segment_ids"].max() <= 1
    assert any(batch["segment_ids"].any() for batch in made)
    for batch in batches(ROBERTA, 18):
        assert np.array_equal(batch["input_ids"] == 1, batch["input_mask"] == 0)


def test_compare_refuses_differences_shapes_and_nan() -> None:
    def outputs(value: float, rows: int = 0) -> artefacts.Runner:
        return lambda batch: (np.full((len(batch["input_ids"]) + rows, 3), value, np.float32),)

    found = compare(outputs(1.0), outputs(1.0 + 5e-5), ENCODER, 20, 1e-4)
    assert len(found) == len(list(batches(ENCODER, 20)))
    assert all(4e-5 < difference.value < 6e-5 for difference in found)
    with pytest.raises(UserError, match="differ from the model's by 2.*1 x 20 tokens, more than max_difference 1e-04"):
        compare(outputs(1.0), outputs(1.0 + 2e-4), ENCODER, 20, 1e-4)
    refused("differ from the model's by nan", compare, outputs(1.0), outputs(float("nan")), ENCODER, 20, 1e-4)
    with pytest.raises(UserError, match=r"returns shapes \[\(2, 3\)\] for 1 x 20 tokens, the model \[\(1, 3\)\]"):
        compare(outputs(1.0), outputs(1.0, rows=1), ENCODER, 20, 1e-4)


@pytest.mark.medium
@pytest.mark.parametrize(("head", "encoder"), [
    (CLASSES, ENCODER),
    (HeadConfig("classification", ("a", "b"), "relu"), replace(ENCODER, hidden_act="gelu_tanh", num_hidden_layers=1)),
    (HeadConfig("regression"), replace(ENCODER, hidden_act="relu", type_vocab_size=1)),
    (HeadConfig(), replace(ENCODER, num_attention_heads=8, layer_norm_eps=1e-3)),
], ids=["classification", "relu head, tanh gelu", "regression, relu", "no head"])
def test_onnx_computes_the_model(checkpoint: Callable[..., Path], tmp_path: Path, head: HeadConfig,
                                 encoder: EncoderConfig) -> None:
    folder = checkpoint(head, encoder)
    exported = export_model(settings(folder, "ONNX", tmp_path / "out" / "model"))
    assert exported.path == tmp_path / "out" / "model.onnx"
    assert exported.size == exported.path.stat().st_size
    assert only(tmp_path / "out", "model.onnx", "model.onnx.json")
    assert len(exported.differences) >= 4
    assert max(difference.value for difference in exported.differences) <= 1e-5
    # Padding and the pooled activation matter to the outputs compared: the same weights without them differ.
    loaded = load_model(folder)
    run = artefacts.run_onnx(exported.path, loaded.config)
    batch = next(batch for batch in batches(encoder, 20) if (batch["input_mask"] == 0).any())
    unmasked = run(batch | {"input_mask": np.ones_like(batch["input_mask"])})
    assert np.abs(unmasked[0] - run(batch)[0]).max() > 1e-4
    if head.pooled_activation == "relu":
        plain = replace(loaded, config=replace(loaded.config, head=replace(head, pooled_activation="none")))
        artefacts.write_onnx(plain, tmp_path / "plain.onnx", artefacts.Compiled())
        assert np.abs(artefacts.run_onnx(tmp_path / "plain.onnx", plain.config)(batch)[0] - run(batch)[0]).max() > 1e-4


@pytest.mark.medium
@pytest.mark.parametrize(("file_format", "name"), [
    *(("ONNX", name) for name in FAMILIES),
    ("MINDIR", "modernbert, classes"),
    *(("HF", name) for name in ("bert, no pooler", "distilbert, span", "gpt2, score", "roberta, embedding")),
])
def test_families_and_heads(checkpoint: Callable[..., Path], tmp_path: Path, file_format: str, name: str) -> None:
    if file_format == "HF":
        pytest.importorskip("torch")
        pytest.importorskip("sentence_transformers" if "embedding" in name else "transformers")
    exported = export_model(settings(checkpoint(*FAMILIES[name]), file_format, tmp_path / "out" / "model"))
    assert len(exported.differences) >= 4
    assert max(difference.value for difference in exported.differences) <= 1e-5
    assert max(difference.length for difference in exported.differences) == (
        128 if name == "static" else 18 if "roberta" in name else 20)


def test_float16_of_a_format_that_is_float32_is_said(checkpoint: Callable[..., Path], tmp_path: Path) -> None:
    exported = export_model(settings(checkpoint(), "ONNX", tmp_path / "model.onnx"), ms.float16)
    assert exported.notes == ("ONNX is written in float32; compute_type float16 is of MINDIR, AIR, ASCEND",)


@pytest.mark.medium
def test_hf_without_a_place_for_the_pooler(checkpoint: Callable[..., Path], tmp_path: Path) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    exported = export_model(settings(checkpoint(HeadConfig(), DISTILBERT), "HF", tmp_path / "model"))
    assert exported.notes[0] == "the pooler was left out: a DistilBertModel has none"
    assert max(difference.value for difference in exported.differences) <= 1e-5


def test_onnx_outputs_and_that_a_language_model_stores_its_table_once() -> None:
    for config, outputs in (
            (ModelConfig(ENCODER), [("last_hidden_state", ["batch", "length", 24]), ("pooler_output", ["batch", 24])]),
            (ModelConfig(GPT2, HeadConfig("causal_lm")), [("logits", ["batch", "length", 40])])):
        model = build_onnx(config, draw(config))
        session = onnxruntime.InferenceSession(model.SerializeToString())
        assert [(value.name, value.shape) for value in session.get_outputs()] == outputs
    assert sum(tensor.dims[:] == [40, 24] or tensor.dims[:] == [24, 40] for tensor in model.graph.initializer) == 1


def test_a_shared_layer_is_stored_once() -> None:
    config = ModelConfig(ALBERT, CLASSES)
    for fused in (False, True):
        stored = [tensor.name for tensor in build_onnx(config, draw(config), fused).graph.initializer]
        assert len(stored) == len(set(stored)) and {
            name.split(".")[2] for name in stored if name.startswith("encoder.layers.")} == {"0"}


def test_onnx_file_describes_itself() -> None:
    config = ModelConfig(ENCODER, CLASSES, "SST-2")
    parameters = draw(config)
    model = build_onnx(config, parameters)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    assert [(value.name, value.type, value.shape) for value in session.get_inputs()] == [
        (name, "tensor(int64)", ["batch", "length"]) for name in INPUTS]
    assert [(value.name, value.type, value.shape) for value in session.get_outputs()] == [
        ("logits", "tensor(float)", ["batch", 3])]
    metadata = session.get_modelmeta().custom_metadata_map
    assert json.loads(metadata["labels"]) == ["negative", "neutral", "positive"]
    assert (metadata["task_name"], metadata["max_length"]) == ("SST-2", "20")
    assert ModelConfig.from_dict(json.loads(metadata["config"])) == config
    assert "negative, neutral, positive" in model.doc_string
    assert [opset.version for opset in model.opset_import] == [17]
    assert "Gelu" not in {node.op_type for node in model.graph.node}
    assert "Erf" in {node.op_type for node in model.graph.node}
    # Every weight is there, under its own name, and none twice.
    stored = {tensor.name: tensor for tensor in model.graph.initializer}
    assert parameters.keys() <= stored.keys()
    assert len(stored) == len(model.graph.initializer)
    weight = onnx.numpy_helper.to_array(stored["encoder.layers.1.intermediate.weight"])
    assert np.array_equal(weight, parameters["encoder.layers.1.intermediate.weight"].T)


@pytest.mark.medium
@pytest.mark.usefixtures("graph_mode")
@pytest.mark.parametrize(("head", "encoder"), [
    (HeadConfig("classification", ("a", "b"), "relu"), ENCODER), (HeadConfig(), ENCODER),
    (HeadConfig("masked_lm"), replace(ROBERTA, num_hidden_layers=1)),
    (HeadConfig("causal_lm"), replace(GPT2, num_hidden_layers=1)),
    (HeadConfig("embedding", normalize=True), replace(ENCODER, pooler="none", num_hidden_layers=1)),
    (HeadConfig("embedding", normalize=True), STATIC), (CLASSES, replace(ALBERT, pooler="gelu", num_hidden_layers=2)),
], ids=["relu", "none", "roberta", "gpt2", "embedding", "static", "electra and albert"])
def test_mindir_takes_any_shape(checkpoint: Callable[..., Path], tmp_path: Path, head: HeadConfig,
                                encoder: EncoderConfig) -> None:
    exported = export_model(settings(checkpoint(head, encoder), "MINDIR", tmp_path / "out" / "model.mindir"))
    assert exported.path == tmp_path / "out" / "model.mindir"
    assert only(tmp_path / "out", "model.mindir", "model.mindir.json")
    assert len({difference.length for difference in exported.differences}) >= 4
    assert max(difference.value for difference in exported.differences) <= 1e-6
    assert exported.path.stat().st_mode & 0o600 == 0o600


@pytest.mark.medium
def test_a_path_that_mindspore_refuses(checkpoint: Callable[..., Path], tmp_path: Path) -> None:
    folder = tmp_path / "导出 1"
    exported = export_model(settings(checkpoint(), "MINDIR", folder / "学生 (2).MINDIR"))
    assert exported.differences and only(folder, "学生 (2).mindir", "学生 (2).mindir.json")


@pytest.mark.medium
def test_air_is_refused_without_ascend(checkpoint: Callable[..., Path], tmp_path: Path) -> None:
    if ms.get_context("device_target") == "Ascend":
        pytest.skip("this machine has an Ascend device")
    with pytest.raises(UserError, match="AIR can only be written on an Ascend device, .*MindSpore is taking AIR"):
        export_model(settings(checkpoint(), "AIR", tmp_path / "out" / "model"))
    assert not (tmp_path / "out").exists()


def test_air_call(checkpoint: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # There is no Ascend here: what is asked of MindSpore is checked, not what it answers.
    calls = []

    def export(net: object, *inputs: ms.Tensor, file_name: str, file_format: str) -> None:
        calls.append(([tuple(tensor.shape) for tensor in inputs], {str(each.dtype) for each in inputs}, file_format))
        Path(file_name).write_bytes(b"air")

    monkeypatch.setattr(ms, "get_context", lambda name: "Ascend")
    monkeypatch.setattr(ms, "export", export)
    exported = export_model(settings(checkpoint(), "AIR", tmp_path / "out" / "model", batch_size=4, seq_length=16))
    assert calls == [([(4, 16)] * 3, {"Int32"}, "AIR")]
    assert exported.path.name == "model.air"
    assert exported.differences == ()
    assert "offline compiler" in exported.not_run and "MindSpore Lite" in exported.notes[0]


@pytest.mark.medium
@pytest.mark.parametrize("head", [CLASSES, HeadConfig("regression"), HeadConfig()], ids=["classes", "score", "none"])
def test_hf_folder_is_run_by_transformers(checkpoint: Callable[..., Path], tmp_path: Path, head: HeadConfig) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    exported = export_model(settings(checkpoint(head), "HF", tmp_path / "out" / "model"))
    assert only(tmp_path / "out", "model")
    assert only(exported.path, "config.json", "model.safetensors")
    assert exported.size == sum(path.stat().st_size for path in exported.path.iterdir())
    assert max(difference.value for difference in exported.differences) <= 1e-5
    assert exported.not_run == ""


def test_hf_without_transformers_is_written_and_told(checkpoint: Callable[..., Path], tmp_path: Path,
                                                     monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(artefacts.importlib.util, "find_spec", lambda name: None)
    exported = export_model(settings(checkpoint(), "HF", tmp_path / "model"))
    assert exported.differences == ()
    assert exported.not_run == "transformers and torch are not installed"
    assert (tmp_path / "model" / "config.json").is_file()


def test_hf_of_a_relu_head_is_refused(checkpoint: Callable[..., Path], tmp_path: Path) -> None:
    folder = checkpoint(HeadConfig("classification", ("a", "b"), "relu"))
    with pytest.raises(UserError, match="relu between pooler and classifier.*Export ONNX or MINDIR"):
        export_model(settings(folder, "HF", tmp_path / "out" / "model"))
    assert not (tmp_path / "out").exists()


def test_hf_does_not_replace_a_folder(checkpoint: Callable[..., Path], tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file").write_text("kept")
    with pytest.raises(UserError, match="mine is not empty; choose another or remove it"):
        export_model(settings(checkpoint(), "HF", tmp_path / "mine"))
    assert only(tmp_path / "mine", "file")


@pytest.mark.medium
def test_an_artefact_that_differs_is_not_left_behind(checkpoint: Callable[..., Path], tmp_path: Path,
                                                     monkeypatch: pytest.MonkeyPatch) -> None:
    def spoilt(config: ModelConfig, parameters: Mapping[str, np.ndarray], fused: bool) -> onnx.ModelProto:
        name = "encoder.layers.1.output_norm.beta"
        return build_onnx(config, {**parameters, name: parameters[name] + np.float32(0.01)}, fused)

    folder = checkpoint()
    target = tmp_path / "out" / "model.onnx"
    export_model(settings(folder, "ONNX", target))
    before = target.read_bytes()
    monkeypatch.setattr(artefacts, "build_onnx", spoilt)
    with pytest.raises(UserError, match="differ from the model's by .*more than max_difference 1e-04; nothing"):
        export_model(settings(folder, "ONNX", target))
    assert only(tmp_path / "out", "model.onnx", "model.onnx.json")
    assert target.read_bytes() == before


@pytest.mark.parametrize(("changes", "message"), [
    ({"output": ""}, "output is empty.*--output PATH"),
    ({"checkpoint": ""}, "checkpoint is empty"),
    ({"checkpoint": "nowhere"}, "checkpoint nowhere does not exist"),
    ({"file_format": "MINDIR", "output": "model.ONNX"}, "named like ONNX, and file_format is MINDIR; set"),
    ({"seq_length": 21}, "seq_length is 21, but the model knows 20 positions"),
])
def test_settings_that_are_refused(checkpoint: Callable[..., Path], tmp_path: Path, changes: dict[str, object],
                                   message: str) -> None:
    values = {"checkpoint": checkpoint(), "file_format": "ONNX", "output": tmp_path / "out" / "model"} | changes
    refused(message, lambda: export_model(settings(**values)))
    assert only(tmp_path, "checkpoint")


def test_folder_in_place_of_the_file_is_refused(checkpoint: Callable[..., Path], tmp_path: Path) -> None:
    (tmp_path / "model.onnx").mkdir()
    folder = checkpoint()
    for output in (tmp_path / "model", tmp_path / "model.onnx", f"{tmp_path}/new/"):
        refused("is a folder; give the name of a file", export_model, settings(folder, "ONNX", output))
    refused("is a folder; give the name of a file", export_model, settings(folder, "ONNX", "."))
    with pytest.raises(UserError, match="cannot be written: .*config.json is a file"):
        export_model(settings(folder, "ONNX", folder / "config.json" / "model"))


@pytest.mark.parametrize("name", ["model.onnx", "model.onnx.json"])
def test_what_is_no_export_is_not_replaced(checkpoint: Callable[..., Path], tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text('{"mine": 1}')
    refused(f"{name} is there already, and the card .* not beside it", export_model,
            settings(checkpoint(), "ONNX", tmp_path / "model"))
    assert only(tmp_path, "checkpoint", name)


def test_weights_too_large_for_one_file(checkpoint: Callable[..., Path], tmp_path: Path,
                                        monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = load_model(checkpoint())
    monkeypatch.setattr(artefacts, "MINDIR_LIMIT", 1000)
    with pytest.raises(UserError, match="at most 1 GiB to one MINDIR file"):
        artefacts.write_mindir(loaded, tmp_path / "model.mindir", artefacts.Compiled())
    monkeypatch.setattr("src.export.onnx_graph.LARGEST", 1000)
    with pytest.raises(UserError, match="one ONNX file holds at most 2"):
        artefacts.write_onnx(loaded, tmp_path / "model.onnx", artefacts.Compiled())
    assert only(tmp_path, "checkpoint")


@pytest.mark.large
def test_entry_point(checkpoint: Callable[..., Path], tmp_path: Path) -> None:
    command = [sys.executable, str(REPOSITORY / "export.py"), "--file_format", "ONNX", "--checkpoint",
               str(checkpoint()), "--output", "out/model"]
    result = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=120, check=False)
    assert result.returncode == 0, result.stderr
    lines = result.stdout.strip().splitlines()
    assert sum("largest difference" in line for line in lines) >= 4
    assert lines[-1].startswith("wrote out/model.onnx (")
