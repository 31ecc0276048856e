# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Reading the tensors of foreign checkpoints into NumPy arrays, with one clear line for every way it can fail."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, deserialize

from src.common.errors import UserError, one_line
from src.common.files import LFS_POINTER, check_pointer, read_json

NUMPY_TYPES = {"F64": np.float64, "F32": np.float32, "F16": np.float16, "I64": np.int64, "I32": np.int32,
               "I16": np.int16, "I8": np.int8, "U8": np.uint8, "BOOL": np.bool_}
# What DataParallel, Lightning, torch.compile and other programs put before the names of the model that they train.
WRAPPERS = {"module", "model", "_orig_mod", "_forward_module", "network", "net", "_backbone", "backbone"}
# Where a checkpoint of a training keeps the model.
STATES = ("state_dict", "model_state_dict", "model", "module")
# Before it, files could make `weights_only` run code or write beyond its memory.
SAFE_TORCH = (2, 10)


def read_huggingface_weights(directory: Path) -> tuple[dict[str, np.ndarray], list[str]]:
    """Read the weights of a Hugging Face directory: safetensors where there are any, else PyTorch pickles.

    Returns:
        Name -> array in the stored type, except bfloat16, which NumPy lacks and which becomes float32; and notes for
        the user. What a training program puts before every name (`module.`) is left out.

    Raises:
        UserError: no weights, a damaged file, a shard or tensor that the index names and no file holds.
    """
    forms: tuple[tuple[str, Callable[[Path], dict[str, np.ndarray]]], ...] = (
        ("model.safetensors", read_safetensors), ("pytorch_model.bin", read_torch))
    for name, read in forms:
        index = directory / f"{name}.index.json"
        if (directory / name).is_file() or index.is_file():
            tensors = read(directory / name) if (directory / name).is_file() else _read_shards(index, read)
            others = [other for other, _ in forms if other != name and (directory / other).is_file()]
            tensors, notes = unwrap(tensors)
            return tensors, [*(f"{name} is read; {other} beside it is not" for other in others), *notes]
    present = sorted(path.name for path in directory.iterdir())
    raise UserError(f"{directory} holds no model.safetensors and no pytorch_model.bin (it holds: "
                    f"{', '.join(present[:8]) or 'nothing'}); give a Hugging Face model in one of these forms")


def unwrap(tensors: dict[str, np.ndarray]) -> tuple[dict[str, np.ndarray], list[str]]:
    """Leave out what a program has put before every name, and say so."""
    removed = ""
    while True:
        starts = {name.split(".")[0] for name in tensors}
        if len(starts) != 1 or not starts <= WRAPPERS or not all("." in name for name in tensors):
            break
        removed += f"{starts.pop()}."
        tensors = {name.split(".", 1)[1]: array for name, array in tensors.items()}
    return tensors, [f"the name of each tensor begins with {removed} (a training program's wrapper around the model), "
                     "which is left out"] if removed else []


def _read_shards(index: Path, read: Callable[[Path], dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    weight_map = read_json(index).get("weight_map")
    if not isinstance(weight_map, dict) or not all(isinstance(shard, str) for shard in weight_map.values()):
        raise UserError(f"{index} has no weight_map from tensor names to files; the file is damaged")
    tensors: dict[str, np.ndarray] = {}
    for shard in sorted(set(weight_map.values())):
        path = index.parent / shard
        if not re.fullmatch(r"[\w. -]{1,200}", shard) or not path.is_file():
            raise UserError(f"{index.name} names the shard {shard}, which is not in {index.parent}; copy it there")
        tensors |= read(path)
    missing = [name for name in weight_map if name not in tensors]
    if missing:
        raise UserError(f"{index} names {len(missing)} tensor(s) that its shards do not hold, {missing[0]} first; "
                        "the files are not of the same model")
    return tensors


def read_safetensors(path: Path) -> dict[str, np.ndarray]:
    """Read one safetensors file, bfloat16 (widened to float32) included."""
    try:
        raw = path.read_bytes()
        check_pointer(path, raw)
        stored = deserialize(raw)
    except (SafetensorError, ValueError, KeyError) as error:
        raise UserError(f"{path} cannot be read as safetensors ({one_line(error)}); the file is truncated or damaged: "
                        "fetch it again") from error
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    return {name: _array(name, tensor, path) for name, tensor in stored}


def _array(name: str, tensor: dict[str, Any], path: Path) -> np.ndarray:
    kind, shape, data = tensor["dtype"], tensor["shape"], tensor["data"]
    if kind == "BF16":
        # A bfloat16 is the upper half of the float32 of the same value.
        bits = np.frombuffer(data, dtype="<u2").astype(np.uint32) << 16
        return bits.view(np.float32).reshape(shape)
    if kind not in NUMPY_TYPES:
        raise UserError(f"{path}: tensor {name} is stored as {kind}; expected float32, float16 or bfloat16")
    return np.frombuffer(data, dtype=NUMPY_TYPES[kind]).reshape(shape)


def _refuse_compressed(path: Path) -> None:
    """torch.save never compresses: what does could stand for any size in memory."""
    try:
        with zipfile.ZipFile(path) as archive:
            compressed = [info.filename for info in archive.infolist() if info.compress_type != zipfile.ZIP_STORED]
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return  # torch says what is wrong with it; files of before 1.6 are no archives
    if compressed:
        raise UserError(f"{path} is compressed ({compressed[0]}), which torch.save never does; get the model from its "
                        "source again, or as model.safetensors")


def read_torch(path: Path) -> dict[str, np.ndarray]:
    """Read a PyTorch state dict, without executing anything that the pickle might hold.

    Raises:
        UserError: torch is missing or too old to be safe, or the file is no flat state dict of plain tensors.
    """
    try:
        import torch
    except ImportError as error:
        raise UserError(f"{path} is a PyTorch pickle and torch is not installed; `pip install torch`, or convert the "
                        "model to model.safetensors where torch is installed") from error
    if tuple(map(int, torch.__version__.split("+")[0].split(".")[:2])) < SAFE_TORCH:
        raise UserError(f"{path} is a PyTorch pickle, which torch {torch.__version__} does not read safely "
                        "(CVE-2025-32434, CVE-2026-24747); install torch 2.10 or newer, or convert the model to "
                        "model.safetensors")
    with open(path, "rb") as file:
        check_pointer(path, file.read(len(LFS_POINTER)))
    _refuse_compressed(path)
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # noqa: BLE001 - a damaged pickle makes torch raise whatever its opcodes meet
        raise UserError(f"{path} cannot be read as a PyTorch state dict of plain tensors: "
                        f"{one_line(error).split('. ')[0]}") from error
    if isinstance(state, dict):
        # A checkpoint of a training: the model beside epochs, optimiser, ...
        nested = [name for name in STATES if isinstance(state.get(name), dict)]
        state = state[nested[0]] if len(nested) == 1 else state
    if not isinstance(state, dict) or not all(isinstance(tensor, torch.Tensor) for tensor in state.values()):
        raise UserError(f"{path} does not hold a flat state dict (name -> tensor); save the model with "
                        "save_pretrained and give that folder")
    return {name: (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).contiguous().numpy()
            for name, tensor in state.items()}
