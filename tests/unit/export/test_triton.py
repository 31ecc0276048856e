# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""TRITON: a model of a Triton model repository, whose config.pbtxt Triton's schema reads."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import onnxruntime
import pytest

import export
from src.config import HeadConfig
from src.config.model import INPUTS
from src.export import triton
from src.export.card import _outputs
from src.export.run import export_model
from tests.refusals import refused
from tests.tiny import HEAD, VOCABULARY, save_random, write_sst2, write_vocabulary
from tests.unit.export.test_ascend import MODELS
from tests.unit.export.test_export import CLASSES, only, settings
from tests.unit.export.test_export import checkpoint as checkpoint  # noqa: PLC0414 - the fixture
from tests.unit.export.test_quantization import SHORT, ModelConfig
from tests.unit.export.test_quantization import export as export_quantized


def parsed(text: str) -> Any:
    """config.pbtxt as Triton reads it: by the schema that its client brings along (importing that needs gRPC too)."""
    found = importlib.util.find_spec("tritonclient")
    if found is None or not found.submodule_search_locations:
        pytest.skip("tritonclient, which holds Triton's schema, is not installed")
    path = Path(found.submodule_search_locations[0]) / "grpc" / "model_config_pb2.py"
    spec = importlib.util.spec_from_file_location("model_config_pb2", path)
    assert spec and spec.loader
    schema = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(schema)
    from google.protobuf import text_format

    return text_format.Parse(text, schema.ModelConfig())


def card(model: str, **serving: object) -> dict[str, Any]:
    config = MODELS[model]
    return {"head": config.head.kind, "outputs": _outputs(config, ["batch", "length"]),
            "inputs": [{"name": each, "dtype": "int64", "shape": ["batch", "length"]} for each in INPUTS],
            "serving": {"name": "student", "max_batch_size": 8, "preferred_batch_sizes": [4, 8], "queue_delay": 500,
                        "instances": 2, "kind": "KIND_AUTO", **serving}}


@pytest.mark.parametrize(("name", "outputs"), [
    ("bert, classes", [("logits", [2], "labels.txt")]), ("bert, score, tanh gelu", [("logits", [1], "")]),
    ("roberta, tags", [("logits", [-1, 2], "")]), ("distilbert, span", [("logits", [-1, 2], "")]),
    ("gpt2, causal lm", [("logits", [-1, 40], "")]),
    ("bert, pooler", [("last_hidden_state", [-1, 24], ""), ("pooler_output", [24], "")]),
])
def test_the_schema_reads_the_configuration(name: str, outputs: Sequence[tuple[str, list[int], str]]) -> None:
    config = parsed(triton.config_text(card(name)))
    assert (config.name, config.backend, config.max_batch_size) == ("student", "onnxruntime", 8)
    assert [(each.name, each.data_type, list(each.dims)) for each in config.input] == [
        (each, 9, [-1]) for each in INPUTS]  # TYPE_INT64
    assert [(each.name, list(each.dims), each.label_filename) for each in config.output] == outputs
    assert {each.data_type for each in config.output} == {11}  # TYPE_FP32
    assert [(each.count, each.kind) for each in config.instance_group] == [(2, 0)]
    assert list(config.dynamic_batching.preferred_batch_size) == [4, 8]
    assert config.dynamic_batching.max_queue_delay_microseconds == 500


def test_one_row_a_batch_is_not_batched() -> None:
    odd = 'a "student" \\ 学生'
    config = parsed(triton.config_text(card("bert, classes", name=odd, max_batch_size=1, preferred_batch_sizes=[],
                                            kind="KIND_CPU")))
    assert config.name == odd and config.max_batch_size == 1 and not config.HasField("dynamic_batching")
    assert config.instance_group[0].kind == 2


@pytest.mark.medium
@pytest.mark.usefixtures("graph_mode")
def test_export(checkpoint: Callable[..., Path], tmp_path: Path) -> None:
    folder = tmp_path / "repository" / "student"
    exported = export_model(settings(checkpoint(CLASSES), "TRITON", folder, batches=(1, 4), instances=3, queue_delay=7))
    assert only(folder.parent, "student") and only(folder, "1", "config.pbtxt", "labels.txt", "model.json")
    assert only(folder / "1", "model.onnx")
    assert max(difference.value for difference in exported.differences) <= 1e-5
    assert exported.size > (folder / "1" / "model.onnx").stat().st_size
    assert (folder / "labels.txt").read_text(encoding="utf-8").splitlines() == list(CLASSES.labels)
    described = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    assert described["format"] == "TRITON" and described["file"] == "model.onnx"
    assert described["compared_with_the_checkpoint"]["max_abs_difference"] <= 1e-5
    # The names and types that the configuration promises are those of the file.
    config = parsed((folder / "config.pbtxt").read_text(encoding="utf-8"))
    session = onnxruntime.InferenceSession(str(folder / "1" / "model.onnx"), providers=["CPUExecutionProvider"])
    for promised, found in ((config.input, session.get_inputs()), (config.output, session.get_outputs())):
        assert [each.name for each in promised] == [each.name for each in found]
        assert [len(each.dims) + 1 for each in promised] == [len(each.shape) for each in found]
    assert {each.type for each in session.get_inputs()} == {"tensor(int64)"}
    assert (config.name, config.max_batch_size, config.instance_group[0].count) == ("student", 4, 3)
    assert config.dynamic_batching.max_queue_delay_microseconds == 7


@pytest.mark.medium
@pytest.mark.usefixtures("graph_mode")
def test_int8(tmp_path: Path) -> None:
    vocabulary = write_vocabulary(tmp_path / "vocabulary", VOCABULARY)
    model = save_random(tmp_path / "model", ModelConfig(SHORT, HEAD, "SST-2"), vocabulary)
    exported = export_quantized(model, tmp_path / "student", file_format="TRITON", max_drop=1.0,
                                eval_data_dir=write_sst2(tmp_path / "tsv", {"dev": 12}))
    assert exported.quantized and exported.quantized.weights.share > 0.9
    assert only(tmp_path / "student" / "1", "model.onnx")
    assert "KIND_CPU" in (tmp_path / "student" / "config.pbtxt").read_text(encoding="utf-8")
    described = json.loads((tmp_path / "student" / "model.json").read_text(encoding="utf-8"))
    assert described["compute_type"] == "int8" and described["quantized"]["rows"] == 12
    assert (tmp_path / "student" / "tokenizer.json").is_file()


@pytest.mark.medium
@pytest.mark.parametrize(("options", "match"), [
    (("--batches", "4,4"), "export.batches .* rising order"), (("--instances", "0"), "instances"),
    (("--buckets", "8"), "of --file_format ASCEND"),
])
def test_what_is_refused(checkpoint: Callable[..., Path], tmp_path: Path, options: tuple[str, ...], match: str) -> None:
    refused(match, export.main, ["--checkpoint", str(checkpoint(HeadConfig())), "--file_format", "TRITON", "--output",
                                 str(tmp_path / "out"), "--device_target", "CPU", *options])
    assert not (tmp_path / "out").exists()
