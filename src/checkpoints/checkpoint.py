# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Checkpoint directories: written aside, synced, renamed and read again; verified and strict when read.

    DIR/config.json          the model's configuration (ModelConfig)
    DIR/model.safetensors    float32 parameters under the names of src/models
    DIR/tokenizer.json ...   the vocabulary, where it is known
    DIR/manifest.json        sha256 of each file
    DIR/training/            only in resumable checkpoints: state.safetensors, state.json
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import struct
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from src.checkpoints.places import MANIFEST, MODEL, RUN, fault_of, folder_of
from src.common.errors import UserError
from src.common.files import LOCK, atomic_folder, read_json, restore, sha256_of, write_json
from src.config import ModelConfig
from src.device import Device
from src.models.heads import ARCHITECTURES, Model, build_model
from src.text.tokenization import Tokenizer, has_tokenizer, load_tokenizer

FORMAT = 1
_POOLER = "encoder.pooler."
_OF_MODELS = re.compile(
    r"((bert_|generation_|tokenizer_)?config|tokenizer|special_tokens_map|added_tokens|manifest)\.json|vocab\.(txt|json)|"
    r"merges\.txt|training|training_args\.bin|checkpoint|graph\.pbtxt|(pytorch_|tf_|flax_)?model.*\."
    r"(safetensors|bin|h5|msgpack|index\.json)|.*\.ckpt(-\d+)?\.(index|meta|data-\d+-of-\d+)|"
    r"(spiece|sentencepiece\.bpe)\.model")
_LAYER = re.compile(r"encoder\.(?:layers|lstm)\.(\d+)\.")
TOKENIZER_FILES = ("tokenizer.json", "vocab.txt", "vocab.json", "merges.txt", "tokenizer_config.json",
                   "special_tokens_map.json")


def is_of_model(name: str) -> bool:
    """Whether a file in the folder of a model is part of it, in whatever format, and so replaced with it."""
    return _OF_MODELS.fullmatch(name) is not None


class StoredTensors(Mapping[str, np.ndarray]):
    """The arrays of a safetensors file, each read anew when it is asked for: weights that a cell has taken are not held
    twice. A file that takes the place of this one changes nothing.

    Raises:
        OSError, SafetensorError: the file cannot be read as safetensors.
    """

    def __init__(self, path: Path):
        self._file = safe_open(str(path), framework="np")
        self._names = dict.fromkeys(self._file.keys())

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in self._names:
            raise KeyError(name)
        return self._file.get_tensor(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


@dataclass(frozen=True)
class LoadedModel:
    """What a checkpoint directory holds: configuration, parameters by name, folder of the tokenizer (or None).

    `order` says which stored class each class is, where they are used in another order (src/checkpoints/labels.py).
    """

    directory: Path
    config: ModelConfig
    parameters: Mapping[str, np.ndarray]
    tokenizer_path: Path | None
    order: tuple[int, ...] = ()

    @cached_property
    def _reads(self) -> tuple[str | None, int]:
        """Of the tokenizer; each check of records asks for them."""
        if self.tokenizer_path is None:
            return None, 0
        tokenizer = load_tokenizer(self.tokenizer_path)
        return tokenizer.vocab_hash, tokenizer.separators

    @property
    def vocab_hash(self) -> str | None:
        """Hash of the vocabulary, None when it is not stored."""
        return self._reads[0]

    @property
    def separators(self) -> int:
        """How many separators pairs of texts have between them, 0 without a tokenizer."""
        return self._reads[1]

    @property
    def parameter_count(self) -> int:
        """How many numbers the parameters are."""
        return sum(value.size for value in self.parameters.values())

    def tokenizer(self, lower_case: bool | None = None) -> Tokenizer:
        """Load the tokenizer; raises `UserError` for a checkpoint without one."""
        if self.tokenizer_path is None:
            raise UserError(f"{self.directory} has no tokenizer, so text cannot be read with it; put its files there "
                            "when converting")
        return load_tokenizer(self.tokenizer_path, lower_case)

    def check_length(self, seq_length: int) -> None:
        """Raise `UserError` for rows that are longer than the model has positions."""
        positions = self.config.encoder.max_length
        if seq_length > positions:
            raise UserError(f"seq_length is {seq_length}, but {self.directory} knows {positions} positions; lower "
                            "--seq_length")


@dataclass(frozen=True)
class TrainingState:
    """What continues a run: tensors of optimiser, scaler and projection, and plain values (step, place, best)."""

    tensors: Mapping[str, np.ndarray]
    values: dict[str, Any]


def save_model(directory: str | Path, config: ModelConfig, parameters: Mapping[str, np.ndarray],
               tokenizer_path: Path | None = None, training: TrainingState | None = None) -> Path:
    """Write a checkpoint directory, replacing one of the same name once the new one has been read and verified.

    Args:
        parameters: float32 arrays under the names of src/models.
        tokenizer_path: folder whose tokenizer files are copied in.
        training: what makes the checkpoint resumable.

    Raises:
        UserError: the place cannot be written.
        OSError: the disk is full or fails, or gives back something else than was written; what was there before is as
            it was.
    """
    directory = Path(directory)
    with atomic_folder(directory, replace=True, check=_read_again, goes=is_of_model) as aside:
        write_json(aside / "config.json", {"format": FORMAT, **config.to_dict()})
        write_tensors(aside / "model.safetensors", parameters)
        for name in TOKENIZER_FILES:
            if tokenizer_path is not None and (tokenizer_path / name).is_file():
                shutil.copyfile(tokenizer_path / name, aside / name)
        if training is not None:
            (aside / "training").mkdir()
            write_tensors(aside / "training" / "state.safetensors", training.tensors)
            write_json(aside / "training" / "state.json", training.values)
        files = [path for path in sorted(aside.rglob("*")) if path.is_file() and path.name != LOCK]
        write_json(aside / "manifest.json", {"files": {str(p.relative_to(aside)): sha256_of(p) for p in files}})
    return directory


def write_tensors(path: Path, tensors: Mapping[str, np.ndarray], framework: str = "np") -> None:
    """Write a safetensors file or raise OSError; transformers looks for the `framework` "pt" in its metadata."""
    # As they are in memory: the format stores an array's bytes.
    contiguous = {name: np.asarray(value, order="C") for name, value in tensors.items()}
    try:
        save_file(contiguous, str(path), metadata={"format": framework})
    except SafetensorError as error:  # its own exception, whatever the system said
        full = f"os error {errno.ENOSPC}" in str(error)
        raise OSError(errno.ENOSPC if full else errno.EIO, "No space left on device" if full else str(error),
                      str(path)) from error
    path.chmod(0o666 & ~_umask())  # save_file makes files that their owner alone can read


def _read_again(directory: Path) -> None:
    try:
        verify(directory, from_disk=True)
    except UserError as error:
        raise OSError(errno.EIO, f"what was written cannot be read again: {error}", str(directory)) from error


def _umask() -> int:
    current = os.umask(0o077)
    os.umask(current)
    return current


def load_model(location: str | Path, setting: str = "checkpoint", *inner: str) -> LoadedModel:
    """Read and verify a checkpoint directory, or that of a run (see `folder_of`); messages name the setting.

    Raises:
        UserError: nothing there, not one of ours, truncated or changed since it was written.
    """
    if location == "":
        raise UserError(f"{setting} is empty; give a checkpoint directory: --{setting} DIR")
    directory = folder_of(location, *inner)
    place = directory / MODEL if (directory / RUN).is_file() else directory
    if not (place / "manifest.json").exists():
        if not place.exists():
            time.sleep(0.2)  # somebody may be replacing it just now
        restore(place, is_whole)
        directory = folder_of(location, *inner)
    if directory.is_file():
        raise UserError(f"{setting} {directory} is a file; a checkpoint is a directory here: convert it first with "
                        "python convert_checkpoint.py")
    if not directory.is_dir():
        raise UserError(f"{setting} {directory} does not exist")
    if not (directory / MANIFEST).is_file():
        raise UserError(f"{setting} {directory} {fault_of(directory)}")
    verify(directory, setting)
    values = read_json(directory / "config.json")
    if values.pop("format", None) != FORMAT:
        raise UserError(f"{setting} {directory}/config.json is not of format {FORMAT}; convert the checkpoint again")
    config = ModelConfig.from_dict(values, f"{directory}/config.json")
    tensors = _load_tensors(directory / "model.safetensors", setting)
    check_sizes(config, tensors, f"{setting} {directory}")
    return LoadedModel(directory, config, tensors, directory if has_tokenizer(directory) else None)


def load_training_state(directory: Path) -> TrainingState:
    """Read the resumable part of a checkpoint that `load_model` has verified."""
    if not (directory / "training").is_dir():
        raise UserError(f"{directory} holds a model but no training state; it cannot be resumed")
    return TrainingState(_load_tensors(directory / "training" / "state.safetensors", "checkpoint"),
                         read_json(directory / "training" / "state.json"))


def verify(directory: Path, setting: str = "checkpoint", from_disk: bool = False) -> None:
    """Compare the files of a checkpoint directory with its manifest; `from_disk` as in `sha256_of`.

    Raises:
        UserError: a file is missing, truncated or changed since it was written, or cannot be read.
    """
    manifest = read_json(directory / "manifest.json")
    files = manifest.get("files")
    if not isinstance(files, dict) or "model.safetensors" not in files or "config.json" not in files:
        if "columns" in manifest:
            raise UserError(f"{setting} {directory} is a folder of records; expected a checkpoint directory")
        raise UserError(f"{setting} {directory}/manifest.json names no model; the checkpoint is damaged, use another")
    for name, digest in files.items():
        path = directory / name
        try:
            found = sha256_of(path, from_disk)
        except (FileNotFoundError, ValueError):  # ValueError: a NUL in the name
            raise UserError(f"{setting} {path} is missing; the checkpoint is damaged, use another") from None
        except OSError as error:
            raise UserError(f"{setting} {path} cannot be read: {error.strerror}; use another checkpoint") from error
        if found != digest:
            raise UserError(f"{setting} {path} is not what was written (truncated or changed: its sha256 differs from "
                            "manifest.json); use another checkpoint")


def is_whole(directory: Path) -> bool:
    """Whether a checkpoint directory is there, with all that was written."""
    try:
        verify(directory)
    except UserError:
        return False
    return True


def _load_tensors(path: Path, setting: str) -> StoredTensors:
    try:
        return StoredTensors(path)
    except (OSError, SafetensorError, struct.error) as error:
        raise UserError(f"{setting} {path} cannot be read as safetensors: {error}") from error


def check_sizes(config: ModelConfig, tensors: Mapping[str, np.ndarray], source: str) -> None:
    """Compare each size of a config with one tensor that has it, before a model of these sizes is built: a config that
    is wrong by a factor of a million would take all memory.

    Raises:
        UserError: naming the setting, and the tensor that differs.
    """
    stored = len({match[1] for name in tensors if (match := _LAYER.match(name))})
    architecture = ARCHITECTURES[config.encoder.kind]
    setting = architecture.layers
    if stored != getattr(config.encoder, "stored_layers", getattr(config.encoder, setting)):
        raise UserError(f"{source}: {setting} is {getattr(config.encoder, setting)}, but the weights are of {stored} "
                        "layers; config.json and model.safetensors must be of the same model")
    for name, sizes in architecture.sizes(config.encoder).items():
        shape = tensors[name].shape if name in tensors else None
        if shape != tuple(sizes.values()):
            raise UserError(f"{source}: {' x '.join(sizes)} is {' x '.join(map(str, sizes.values()))}, but {name} "
                            f"{'is missing' if shape is None else f'has the shape {shape}'}; config.json and "
                            "model.safetensors must be of the same model")


def cell_of(loaded: LoadedModel, compute_type: ms.Type = ms.float32) -> Model:
    """Build the cell of a checkpoint with its weights, in evaluation mode."""
    cell = build_model(loaded.config, compute_type)
    load_parameters(cell, loaded.parameters, loaded.directory)
    return cell


def cell_on_encoder_of(loaded: LoadedModel, config: ModelConfig, device: Device) -> Model:
    """Build the cell of a configuration with the encoder of a checkpoint, strictly, and a random head.

    A pooler that the checkpoint lacks altogether (EncoderConfig.for_head) is random too, which is printed; one that the
    configuration has not, as an embedding reads none, is left out.
    """
    cell = build_model(config, device.compute_type)
    reads_pooler = bool(parameters_of(cell, _POOLER))
    encoder = {name: value for name, value in loaded.parameters.items()
               if name.startswith("encoder.") and (reads_pooler or not name.startswith(_POOLER))}
    drawn = reads_pooler and not any(name.startswith(_POOLER) for name in encoder)
    if drawn:
        device.say(f"note: {loaded.directory} has no pooler; a random one was drawn")
    own = {name: value for name, value in parameters_of(cell).items()
           if not name.startswith("encoder.") or (drawn and name.startswith(_POOLER))}
    load_parameters(cell, own | encoder, loaded.directory)
    return cell


def load_parameters(cell: nn.Cell, parameters: Mapping[str, np.ndarray], source: str | Path = "checkpoint") -> None:
    """Set every parameter of `cell` from `parameters`; MindSpore's own loader passes over missing and unused names.

    Raises:
        UserError: names missing or left over, or a shape that differs; nothing is set then.
    """
    own = {p.name: p for p in cell.get_parameters()}
    missing, unused = sorted(own.keys() - parameters.keys()), sorted(parameters.keys() - own.keys())
    if missing or unused:
        parts = [f"{len(names)} {what}: {', '.join(names[:3])}{', ...' if len(names) > 3 else ''}"
                 for names, what in ((missing, "missing"), (unused, "not in the model")) if names]
        raise UserError(f"the parameters of {source} do not fit the model ({'; '.join(parts)}); "
                        "check that it is the checkpoint of this model")
    shapes = {name: parameters[name].shape for name in own}
    for name, parameter in own.items():
        if tuple(parameter.shape) != shapes[name]:
            raise UserError(f"{source}: {name} has shape {shapes[name]}; the model needs {tuple(parameter.shape)}")
    for name, parameter in own.items():
        parameter.set_data(Tensor(parameters[name], dtype=parameter.dtype))


def identity(directory: Path) -> str:
    """Return a digest that changes with any file of a checkpoint directory."""
    return sha256_of(directory / "manifest.json")[:16]


def parameters_of(cell: nn.Cell, prefix: str = "") -> dict[str, np.ndarray]:
    """Return copies of a cell's parameters as arrays, those whose names begin with `prefix`, without it."""
    return {p.name[len(prefix):]: p.asnumpy().copy() for p in cell.get_parameters() if p.name.startswith(prefix)}
