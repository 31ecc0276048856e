# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""ASCEND: graphs of one shape compute what the one of free shapes does, of listed operators alone; the client picks."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import mindspore as ms
import numpy as np
import onnx
import onnxruntime
import pytest

import export
from src.checkpoints.checkpoint import parameters_of
from src.config import BiLstmConfig, HeadConfig, ModelConfig
from src.config.model import INPUTS
from src.export import ascend, gears_client
from src.export.ascend import check_operators, choose_gears, operator_lists
from src.export.gear_graph import build_gear, shape_arithmetic
from src.export.gears_client import Gear, Gears
from src.export.onnx_graph import build_onnx
from src.export.run import export_model
from src.models.heads import build_model
from tests.refusals import refused
from tests.unit.export.test_export import CLASSES, ENCODER, FAMILIES, GPT2, ROBERTA, draw, only, settings
from tests.unit.export.test_export import checkpoint as checkpoint  # noqa: PLC0414 - the fixture

BILSTM = BiLstmConfig(vocab_size=40, embedding_size=16, hidden_size=12, num_layers=2, dense_size=16, pooling="max",
                      dropout=0.1)
PRUNED = replace(ENCODER, num_attention_heads=2, head_size=8, layer_heads=(1, 2), layer_units=(12, 32))
MODELS = {**{name: ModelConfig(encoder, head) for name, (head, encoder) in FAMILIES.items()},
          "bert, classes": ModelConfig(ENCODER, HeadConfig("classification", ("a", "b"), "relu")),
          "bert, score, tanh gelu": ModelConfig(replace(ENCODER, hidden_act="gelu_tanh"), HeadConfig("regression")),
          "bert, pooler": ModelConfig(ENCODER), "pruned, span": ModelConfig(PRUNED, HeadConfig("span")),
          "bilstm, classes": ModelConfig(BILSTM, CLASSES),
          "bilstm, last, tags": ModelConfig(replace(BILSTM, pooling="last"), HeadConfig("tagging", ("a", "b")))}
GEARS = [Gear(1, 18), Gear(3, 8)]


def session(model: onnx.ModelProto, optimized: bool = True) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    if not optimized:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


@pytest.mark.parametrize("name", MODELS)
def test_a_graph_of_one_shape_computes_that_of_free_shapes(name: str) -> None:
    config = MODELS[name]
    is_bilstm = isinstance(config.encoder, BiLstmConfig)
    parameters = parameters_of(build_model(config)) if is_bilstm else draw(config)
    whole = build_gear(config, parameters, None)
    listed = set(check_operators(whole))
    # Unoptimized: ONNX Runtime would put LayerNormalization back, whose parts are compared with it here.
    dynamic, other = (session(each, optimized=False) for each in (build_onnx(config, parameters), whole))
    for gear in GEARS:
        fixed = build_gear(config, parameters, gear)
        assert shape_arithmetic(fixed) == []
        assert {value.name: [size.dim_value for size in value.type.tensor_type.shape.dim] for value in fixed.graph.input
                } == {name: list(gear) for name in INPUTS}
        listed |= set(check_operators(fixed))
        batch = ascend._example(config, gear)
        narrow = {name: array.astype(np.int32) for name, array in batch.items()}
        found = session(fixed, optimized=False).run(None, narrow)
        for one, another in zip(found, other.run(None, narrow), strict=True):
            assert np.abs(one - another).max() <= 1e-6
        largest = max(float(np.abs(output).max()) for output in found)
        assert ascend._difference(dynamic, session(fixed), batch) <= 1e-6 * max(1, largest)
        assert ascend._difference(dynamic, other, batch) <= 1e-6 * max(1, largest)
        half = ascend._difference(dynamic, session(build_gear(config, parameters, gear, half=True)), batch)
        assert 0 < half <= 1e-2 * max(1, largest)
    assert not listed & {"LayerNormalization", "LessOrEqual"} and ("MatMul" in listed) == (name != "static")
    assert shape_arithmetic(whole)  # what is looked for is there where shapes are free


def test_half_the_bytes_in_float16() -> None:
    config = MODELS["bert, masked lm"]
    sizes = [build_gear(config, draw(config), Gear(1, 8), half).ByteSize() for half in (False, True)]
    stored = build_gear(config, draw(config), Gear(1, 8), True).graph.initializer
    assert {each.data_type for each in stored if len(each.dims) == 2 and not each.name.endswith(".rows")} == {
        onnx.TensorProto.FLOAT16}
    assert sizes[1] < 0.8 * sizes[0]


@pytest.mark.parametrize(("batches", "buckets", "longest", "given", "expected"), [
    ((1, 8), (32, 64), 128, True, [(1, 32), (1, 64), (8, 32), (8, 64)]),
    ((1,), (32, 64, 96, 128), 512, False, [(1, 32), (1, 64), (1, 96), (1, 128)]),
    ((1,), (32, 64, 96, 128), 80, False, [(1, 32), (1, 64), (1, 80)]),
    ((2,), (32, 64, 96, 128), 64, False, [(2, 32), (2, 64)]),
    ((2,), (32, 64), 20, False, [(2, 20)]),
    ((2,), (), 20, True, [(2, 20)]),
])
def test_gears(batches: tuple[int, ...], buckets: tuple[int, ...], longest: int, given: bool, expected: list) -> None:
    assert choose_gears(batches, buckets, longest, given) == expected
    assert {gear.tokens for gear in choose_gears(batches, buckets, longest, given, is_set=True)} == {
        *(each for each in buckets if each <= longest), longest}


@pytest.mark.parametrize(("match", "batches", "buckets"), [
    ("bucket 64 is longer than 20 tokens", (1,), (16, 64)), ("at most 2048 rows", (1, 4096), (16,)),
    (r"60 batches x 2 buckets are 120 gears; .* at most 100", tuple(range(1, 61)), (8, 16)),
])
def test_gears_that_no_compiler_takes(match: str, batches: tuple[int, ...], buckets: tuple[int, ...]) -> None:
    refused(match, choose_gears, batches, buckets, 20, True)


def test_operators_outside_of_the_lists_are_named() -> None:
    config = MODELS["bert, pooler"]
    fused = build_onnx(config, draw(config), fused=True)
    refused("CANN .* does not list the operators com.microsoft:Gelu, com.microsoft:MultiHeadAttention .*8.0.0, "
            "read on 2026-.*hiascend", check_operators, fused)
    refused("MindSpore Lite .* does not list the operators LayerNormalization .*mindspore/docs", check_operators,
            build_onnx(config, draw(config)))
    for each in operator_lists().values():
        assert each["source"].startswith("https://") and re.fullmatch(r"\d{4}-\d\d-\d\d", each["read"])
        assert len(set(each["operators"])) == len(each["operators"]) > 80


def batch(rows: int, tokens: int) -> list[np.ndarray]:
    example = ascend._example(MODELS["bert, classes"], Gear(rows, tokens), seed=rows)
    return [example[name] for name in INPUTS]


@pytest.mark.medium
@pytest.mark.usefixtures("graph_mode")
def test_export_and_client(checkpoint: Callable[..., Path], tmp_path: Path) -> None:
    head = HeadConfig("tagging", ("a", "b"))
    folder = tmp_path / "out" / "学生"
    exported = export_model(settings(checkpoint(head), "ASCEND", folder, batches=(1, 3)), buckets=(8, 20))
    assert only(tmp_path / "out", "学生") and only(
        folder, "ascend.json", "atc.sh", "b1_s20.onnx", "b1_s8.onnx", "b3_s20.onnx", "b3_s8.onnx", "client.py",
        "gears.onnx", "lite.sh", "lite_gears.cfg")
    assert max(difference.value for difference in exported.differences) <= 1e-5 and not exported.not_run
    assert any("1 x 8, 1 x 20, 3 x 8, 3 x 20" in note for note in exported.notes)
    card = json.loads((folder / "ascend.json").read_text(encoding="utf-8"))
    assert card["inputs"][0]["dtype"] == "int32" and card["labels"] == ["a", "b"] and card["opset"] == 13
    assert card["largest_difference_from_free_shapes"] <= 1e-6
    assert [each["version"] for each in card["operator_lists"]] == [each["version"]
                                                                    for each in operator_lists().values()]
    # From the folder alone, as on another machine: without this repository.
    code = ("import sys, numpy as np; sys.path.insert(0, sys.argv[1]); from client import Gears\n"
            "g = Gears(sys.argv[1]); out, = g.run(*(np.ones((7, 5), int),) * 3)\n"
            "print(out.shape, g.pick(2, 9), 'src' in sys.modules)")
    result = subprocess.run([sys.executable, "-c", code, str(folder)], capture_output=True, text=True, cwd=tmp_path,
                            check=False)
    assert result.stdout.strip() == "(7, 5, 2) Gear(rows=3, tokens=20) False", result.stderr

    client = Gears(folder)
    picked = {(1, 1): (1, 8), (2, 8): (3, 8), (1, 9): (1, 20), (3, 9): (3, 20)}
    assert {shape: client.pick(*shape) for shape in picked} == picked
    free = onnxruntime.InferenceSession(str(folder / "gears.onnx"), providers=["CPUExecutionProvider"])
    for rows, tokens in ((1, 1), (2, 6), (3, 20), (7, 13)):
        arrays = batch(rows, tokens)
        expected, = free.run(None, {name: each.astype(np.int32) for name, each in zip(INPUTS, arrays, strict=True)})
        found, = client.run(*arrays)
        assert found.shape == expected.shape == (rows, tokens, 2)
        real = arrays[1] == 1
        assert np.abs(found - expected)[real].max() <= 1e-6
    for match, arrays in ((r"no gear holds 1 x 21 tokens; the largest is 3 x 20", batch(1, 21)),
                          ("have the shapes", [*batch(2, 4)[:2], batch(2, 5)[2]]),
                          ("at least one of each", [np.zeros((0, 4), int)] * 3)):
        with pytest.raises(ValueError, match=match):
            client.run(*arrays)
    check_commands(folder)
    for runtime, module in (("mindspore_lite", fake_lite(folder)), ("acl", fake_acl(folder))):
        for names in (["gears"], ["b1_s8", "b1_s20", "b3_s8", "b3_s20"]):
            check_runtime(folder, runtime, module, names)


def check_commands(folder: Path) -> None:
    """What the scripts call, in the order of CANN's and MindSpore Lite's documents, by stand-ins that print it."""
    tools = folder.parent / "tools"
    tools.mkdir()
    for tool in ("atc", "converter_lite"):
        (tools / tool).write_text('#!/bin/sh\necho "$(basename "$0") $*"\n', encoding="utf-8")
        (tools / tool).chmod(0o755)

    def called(*command: str) -> list[str]:
        result = subprocess.run(["bash", *command], capture_output=True, text=True, check=False, cwd="/",
                                env={"PATH": f"{tools}:/usr/bin:/bin"})
        return (result.stdout + result.stderr).splitlines() + [str(result.returncode)]

    each = called(str(folder / "atc.sh"), "Ascend310P3", "--log=error")
    assert each[0] == ("atc --framework=5 --model=b1_s8.onnx --output=b1_s8 --input_format=ND "
                       "--soc_version=Ascend310P3 --input_shape=input_ids:1,8;input_mask:1,8;segment_ids:1,8 "
                       "--log=error")
    assert len(each) == 5 and each[-1] == "0"
    dims = ";".join(",".join([f"{rows},{tokens}"] * 3) for rows, tokens in ((1, 8), (1, 20), (3, 8), (3, 20)))
    shapes = "input_ids:-1,-1;input_mask:-1,-1;segment_ids:-1,-1"
    assert called(str(folder / "atc.sh"), "Ascend310P3", "all") == [
        "atc --framework=5 --model=gears.onnx --output=gears --input_format=ND --soc_version=Ascend310P3 "
        f"--input_shape={shapes} --dynamic_dims={dims}", "0"]
    assert "usage: bash atc.sh SOC_VERSION" in called(str(folder / "atc.sh"))[0]
    assert called(str(folder / "lite.sh"), "all") == [
        "converter_lite --fmk=ONNX --modelFile=gears.onnx --outputFile=gears --optimize=ascend_oriented "
        "--configFile=lite_gears.cfg", "0"]
    assert called(str(folder / "lite.sh"))[3] == (
        "converter_lite --fmk=ONNX --modelFile=b3_s20.onnx --outputFile=b3_s20 --optimize=ascend_oriented "
        "--inputShape=input_ids:3,20;input_mask:3,20;segment_ids:3,20")
    assert (folder / "lite_gears.cfg").read_text(encoding="utf-8") == (
        f'[acl_build_options]\ninput_format="ND"\ninput_shape="{shapes}"\nge.dynamicDims="{dims}"\n')


def check_runtime(folder: Path, runtime: str, module: Any, names: Sequence[str]) -> None:
    """A runtime that needs Ascend, stood in for by ONNX Runtime behind the calls that its documents describe."""
    suffix = gears_client.RUNTIMES[runtime][0]
    files = [folder / f"{name}{suffix}" for name in names]
    for file in files:
        file.touch()
    sys.modules[runtime] = module
    try:
        for rows, tokens in ((2, 6), (7, 13)):
            arrays = batch(rows, tokens)
            found, = Gears(folder, runtime, device_id=3).run(*arrays)
            assert np.array_equal(found, Gears(folder).run(*arrays)[0])
    finally:
        del sys.modules[runtime]
        for file in files:
            file.unlink()
    with pytest.raises(FileNotFoundError, match=r"atc.sh makes .om files"):
        Gears(folder, runtime).run(*arrays)


def onnx_of(folder: Path, gear: Sequence[int]) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(str(folder / f"{Gear(*gear).name}.onnx"), providers=["CPUExecutionProvider"])


def fake_lite(folder: Path) -> Any:
    """mindspore_lite with Context, Model (build_from_file, get_inputs, resize, predict) and tensors."""
    class Tensor(SimpleNamespace):
        def set_data_from_numpy(self, array: np.ndarray) -> None:
            assert list(array.shape) == self.shape and array.dtype == np.int32
            self.data = array

        def get_data_to_numpy(self) -> np.ndarray:
            return self.data

    class Model:
        def build_from_file(self, path: str, kind: str, context: Any) -> None:
            assert (kind, context.target, context.ascend.device_id) == ("MINDIR", ["ascend"], 3)
            shape = [int(each) for each in re.findall(r"\d+", Path(path).stem)] or [3, 20]
            self.has_gears = Path(path).stem == "gears"
            self.inputs = [Tensor(name=name, shape=shape) for name in INPUTS]

        def get_inputs(self) -> list[Tensor]:
            return self.inputs

        def resize(self, inputs: list[Tensor], shapes: list[list[int]]) -> None:
            assert self.has_gears
            for each, shape in zip(inputs, shapes, strict=True):
                each.shape = shape

        def predict(self, inputs: list[Tensor]) -> list[Tensor]:
            outputs = onnx_of(folder, inputs[0].shape).run(None, {each.name: each.data for each in inputs})
            return [Tensor(data=output) for output in outputs]

    module: Any = ModuleType("mindspore_lite")
    module.Context = lambda: SimpleNamespace(ascend=SimpleNamespace())
    module.Model, module.ModelType = Model, SimpleNamespace(MINDIR="MINDIR")
    return module


def fake_acl(folder: Path) -> Any:
    """pyACL's calls, with addresses of a dictionary for memory; each returns the code 0."""
    memory: dict[int, bytes] = {}
    state: dict[str, Any] = {}

    def store(content: bytes) -> int:
        memory[len(memory) + 1] = content
        return len(memory)

    def copy(to: int, room: int, source: int, size: int, kind: int) -> int:
        assert size <= room and size <= len(memory[source]) and kind in (1, 2)
        memory[to] = memory[source][:size] + memory[to][size:]
        return 0

    def load(path: str) -> tuple[int, int]:
        state["has_gears"] = Path(path).stem == "gears"
        state["shape"] = [int(each) for each in re.findall(r"\d+", Path(path).stem)] or [3, 20]
        return 1, 0

    def dims(model: int, dataset: list[int], index: int, described: dict[str, Any]) -> int:
        assert index == 3 and described["dimCount"] == 6 and described["dims"] == described["dims"][:2] * 3
        state["shape"] = described["dims"][:2]
        return 0

    def execute(model: int, inputs: list[int], outputs: list[int]) -> int:
        size = int(np.prod(state["shape"]))
        arrays = [np.frombuffer(memory[address], np.int32)[:size].reshape(state["shape"]) for address in inputs[:3]]
        result, = onnx_of(folder, state["shape"]).run(None, dict(zip(INPUTS, arrays, strict=True)))
        memory[outputs[0]] = result.tobytes()
        return 0

    def output_dims(description: int, index: int) -> tuple[dict[str, Any], int]:
        return {"dims": [*state["shape"], 2]}, 0

    module: Any = ModuleType("acl")
    module.init, module.create_data_buffer = lambda: 0, lambda address, size: address
    module.rt = SimpleNamespace(
        set_device=lambda device: int(device != 3), malloc=lambda size, kind: (store(bytes(size)), 0), memcpy=copy,
        malloc_host=lambda size: (store(bytes(size)), 0), free_host=lambda address: 0)
    module.util = SimpleNamespace(bytes_to_ptr=store, ptr_to_bytes=lambda address, size: memory[address][:size])
    module.mdl = SimpleNamespace(
        load_from_file=load, create_desc=lambda: 5, get_desc=lambda description, model: 0, create_dataset=list,
        get_num_inputs=lambda description: 3 + state["has_gears"], get_num_outputs=lambda description: 1,
        get_input_size_by_index=lambda description, index: 4 * 3 * 20,
        get_output_size_by_index=lambda description, index: 4 * 3 * 20 * 2,
        add_dataset_buffer=lambda dataset, buffer: (dataset.append(buffer), 0),
        get_input_index_by_name=lambda description, name: (3, int(name != "ascend_mbatch_shape_data")),
        set_input_dynamic_dims=dims, execute=execute, get_cur_output_dims=output_dims, get_output_dims=output_dims,
        get_output_data_type=lambda description, index: 0)
    return module


@pytest.mark.medium
@pytest.mark.usefixtures("graph_mode")
def test_float16_within_a_stated_difference(checkpoint: Callable[..., Path], tmp_path: Path) -> None:
    folder = checkpoint(HeadConfig("causal_lm"), GPT2)
    options = {"batches": (2,), "max_difference": 0.05}
    exported = export_model(settings(folder, "ASCEND", tmp_path / "half", **options), ms.float16)
    assert 1e-5 < max(difference.value for difference in exported.differences) <= 0.05
    assert not (tmp_path / "half" / "lite_gears.cfg").exists()  # one gear is no choice
    refused("graph of 2 x 20 tokens differs from the one of free shapes by .*, more than max_difference 1e-06",
            export_model, settings(folder, "ASCEND", tmp_path / "no", **options | {"max_difference": 1e-6}), ms.float16)
    assert not (tmp_path / "no").exists()


@pytest.mark.medium
@pytest.mark.parametrize(("options", "match"), [
    (("--buckets", "16,64"), "the bucket 64 is longer than 18 tokens"),
    (("--batches", "8,1"), "export.batches .* rising order"),
    (("--quantize", "int8", "--eval_data_dir", "x"), "quantize is int8, but file_format is ASCEND; .*AMCT"),
    (("--optimize", "true"), "optimize is of ONNX Runtime's operators"),
    (("--batch_size", "4"), "ASCEND: --batches"),
])
def test_what_is_refused(checkpoint: Callable[..., Path], tmp_path: Path, options: tuple[str, ...], match: str) -> None:
    folder = checkpoint(HeadConfig("tagging", ("a", "b")), ROBERTA)
    refused(match, export.main, ["--checkpoint", str(folder), "--file_format", "ASCEND", "--output",
                                 str(tmp_path / "out"), "--device_target", "CPU", *options])
    assert not (tmp_path / "out").exists()
