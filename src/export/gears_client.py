# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Runs a model that was compiled for a few shapes (gears): takes the smallest gear that holds the rows, fills them up,
and cuts the answer back. It needs NumPy and the runtime alone, and lies in the exported folder as client.py:

    from client import Gears
    logits, = Gears("student", "onnxruntime").run(input_ids, input_mask, segment_ids)   # integers (rows, tokens)

Runtimes, and what they read in the folder:

    onnxruntime       b1_s32.onnx, ..., one file a gear
    mindspore_lite    gears.mindir, or one file a gear; https://www.mindspore.cn/lite/api/en/master/mindspore_lite.html
    acl               gears.om, or one file a gear; pyACL of CANN
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

CARD = "ascend.json"
ALL = "gears"  # name of the file that holds all gears
NAMES = ("input_ids", "input_mask", "segment_ids")


class Gear(NamedTuple):
    """A shape of the inputs."""

    rows: int
    tokens: int

    @property
    def name(self) -> str:
        """Of its file, without the suffix."""
        return f"b{self.rows}_s{self.tokens}"


Model = Callable[[Gear, Sequence[np.ndarray]], Sequence[np.ndarray]]
"""(gear, int32 arrays of its shape in the order of NAMES) -> outputs."""


class Gears:
    """An exported folder, opened with one of RUNTIMES.

    Raises:
        FileNotFoundError: the folder has no card, or not what the runtime reads.
        KeyError: another runtime.
    """

    def __init__(self, folder: str | Path, runtime: str = "onnxruntime", device_id: int = 0):
        self.folder = Path(folder)
        self.card: dict[str, Any] = json.loads((self.folder / CARD).read_text(encoding="utf-8"))
        self.gears = sorted((Gear(*each) for each in self.card["gears"]), key=lambda gear: (gear.rows * gear.tokens,
                                                                                           gear.tokens))
        self.most = Gear(max(gear.rows for gear in self.gears), max(gear.tokens for gear in self.gears))
        self._suffix, self._open = RUNTIMES[runtime]
        self._device_id = device_id
        self._models: dict[Path, Model] = {}

    def pick(self, rows: int, tokens: int) -> Gear:
        """Return the gear with the fewest tokens in all that holds so many rows of so many tokens.

        Raises:
            ValueError: no gear does.
        """
        for gear in self.gears:
            if gear.rows >= rows and gear.tokens >= tokens:
                return gear
        raise ValueError(f"no gear holds {rows} x {tokens} tokens; the largest is {self.most.rows} x "
                         f"{self.most.tokens}: cut the rows, or export more gears")

    def run(self, input_ids: np.ndarray, input_mask: np.ndarray, segment_ids: np.ndarray) -> tuple[np.ndarray, ...]:
        """Return the outputs, float32, of integers (rows, tokens); more rows than a gear has are run in several calls.

        Raises:
            ValueError: arrays of other or different shapes, without rows, or longer than the longest gear.
        """
        arrays = [np.asarray(each) for each in (input_ids, input_mask, segment_ids)]
        shapes = {each.shape for each in arrays}
        if len(shapes) != 1 or arrays[0].ndim != 2 or not arrays[0].size:
            raise ValueError(f"the inputs have the shapes {[each.shape for each in arrays]}; expected three times the "
                             "same (rows, tokens), at least one of each")
        parts = [self._run_part([each[start: start + self.most.rows] for each in arrays])
                 for start in range(0, len(arrays[0]), self.most.rows)]
        return tuple(np.concatenate(outputs) for outputs in zip(*parts, strict=True))

    def _run_part(self, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        rows, tokens = arrays[0].shape
        gear = self.pick(rows, tokens)
        padding = {"input_ids": self.card["padding_id"]}
        filled = []
        for name, array in zip(NAMES, arrays, strict=True):
            whole = np.full(gear, padding.get(name, 0), np.int32)
            whole[:rows, :tokens] = array
            whole[rows:] = whole[0]  # a row of padding alone is no input that the model knows
            filled.append(whole)
        outputs = self._model(gear)(gear, filled)
        return [output[:rows, :tokens] if described["shape"][1:2] == ["length"] else output[:rows]
                for described, output in zip(self.card["outputs"], outputs, strict=True)]

    def _model(self, gear: Gear) -> Model:
        path = self.folder / f"{ALL}{self._suffix}"
        if self._suffix == ".onnx" or not path.is_file():
            path = self.folder / f"{gear.name}{self._suffix}"
        if path not in self._models:
            if not path.is_file():
                raise FileNotFoundError(f"{path} is missing: atc.sh makes .om files, lite.sh .mindir files")
            self._models[path] = self._open(path, self._device_id)
        return self._models[path]


def open_onnxruntime(path: Path, device_id: int) -> Model:
    """Open a file of one gear on the CPU."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return lambda gear, arrays: session.run(None, dict(zip(NAMES, arrays, strict=True)))


def open_mindspore_lite(path: Path, device_id: int) -> Model:
    """Open a .mindir file of converter_lite on an Ascend device."""
    import mindspore_lite as mslite

    context = mslite.Context()
    context.target = ["ascend"]
    context.ascend.device_id = device_id
    model = mslite.Model()
    model.build_from_file(str(path), mslite.ModelType.MINDIR, context)

    def run(gear: Gear, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        inputs = model.get_inputs()
        if [list(each.shape) for each in inputs] != [list(gear)] * len(inputs):
            model.resize(inputs, [list(gear)] * len(inputs))
            inputs = model.get_inputs()
        by_name = dict(zip(NAMES, arrays, strict=True))
        for each in inputs:
            each.set_data_from_numpy(by_name[each.name])
        return [output.get_data_to_numpy().astype(np.float32, copy=False) for output in model.predict(inputs)]

    return run


def open_acl(path: Path, device_id: int) -> Model:
    """Open an .om file of atc on an Ascend device."""
    return _AclModel(path, device_id).run


class _AclModel:
    """pyACL: one model with its buffers on the device. Every call returns an error code, 0 for none."""

    HUGE_FIRST, TO_DEVICE, TO_HOST = 0, 1, 2  # of acl.rt.malloc and acl.rt.memcpy
    REPEATED = 100002  # acl.init in a process that has called it
    WHICH = "ascend_mbatch_shape_data"  # the input that atc adds to a file with several gears
    DTYPES = {0: np.float32, 1: np.float16, 3: np.int32, 9: np.int64}

    def __init__(self, path: Path, device_id: int):
        import acl

        self.acl = acl
        code = acl.init()
        if code != self.REPEATED:
            self._check(code, "init")
        self._check(acl.rt.set_device(device_id), "rt.set_device")
        self.model, code = acl.mdl.load_from_file(str(path))
        self._check(code, f"mdl.load_from_file({path})")
        self.description = acl.mdl.create_desc()
        self._check(acl.mdl.get_desc(self.description, self.model), "mdl.get_desc")
        self.inputs, self.into = self._buffers(acl.mdl.get_num_inputs, acl.mdl.get_input_size_by_index)
        self.outputs, self.out = self._buffers(acl.mdl.get_num_outputs, acl.mdl.get_output_size_by_index)
        self.has_gears = path.stem == ALL

    def _check(self, code: int, call: str) -> None:
        if code:
            raise RuntimeError(f"acl.{call} returned {code}")

    def _buffers(self, count: Callable[[Any], int], size_of: Callable[[Any, int], int]
                 ) -> tuple[Any, list[tuple[Any, int]]]:
        """A dataset, and address and size of its buffers."""
        dataset, buffers = self.acl.mdl.create_dataset(), []
        for index in range(count(self.description)):
            size = size_of(self.description, index)
            address, code = self.acl.rt.malloc(size, self.HUGE_FIRST)
            self._check(code, "rt.malloc")
            _, code = self.acl.mdl.add_dataset_buffer(dataset, self.acl.create_data_buffer(address, size))
            self._check(code, "mdl.add_dataset_buffer")
            buffers.append((address, size))
        return dataset, buffers

    def run(self, gear: Gear, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Copy the inputs to the device, run, copy the outputs back."""
        acl = self.acl
        for (address, _), array in zip(self.into, arrays, strict=False):  # several gears: WHICH is one input more
            content = array.tobytes()
            self._check(acl.rt.memcpy(address, len(content), acl.util.bytes_to_ptr(content), len(content),
                                      self.TO_DEVICE), "rt.memcpy")
        if self.has_gears:
            index, code = acl.mdl.get_input_index_by_name(self.description, self.WHICH)
            self._check(code, "mdl.get_input_index_by_name")
            dims = [size for _ in arrays for size in gear]
            self._check(acl.mdl.set_input_dynamic_dims(self.model, self.inputs, index, {
                "name": "", "dimCount": len(dims), "dims": dims}), "mdl.set_input_dynamic_dims")
        self._check(acl.mdl.execute(self.model, self.inputs, self.outputs), "mdl.execute")
        return [self._fetch(index, address) for index, (address, _) in enumerate(self.out)]

    def _fetch(self, index: int, address: Any) -> np.ndarray:
        ask = self.acl.mdl.get_cur_output_dims if self.has_gears else self.acl.mdl.get_output_dims
        described, code = ask(self.description, index)
        self._check(code, "mdl.get_output_dims")
        dtype = np.dtype(self.DTYPES[self.acl.mdl.get_output_data_type(self.description, index)])
        shape = described["dims"]
        size = int(np.prod(shape)) * dtype.itemsize
        host, code = self.acl.rt.malloc_host(size)
        self._check(code, "rt.malloc_host")
        try:
            self._check(self.acl.rt.memcpy(host, size, address, size, self.TO_HOST), "rt.memcpy")
            content = self.acl.util.ptr_to_bytes(host, size)
        finally:
            self._check(self.acl.rt.free_host(host), "rt.free_host")
        return np.frombuffer(content, dtype).reshape(shape).astype(np.float32)


RUNTIMES = {"onnxruntime": (".onnx", open_onnxruntime), "mindspore_lite": (".mindir", open_mindspore_lite),
            "acl": (".om", open_acl)}
"""Suffix of the files, and what opens one."""
