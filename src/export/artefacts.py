# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The formats a model is exported to: how each is written, and how what was written is run again.

A writer gets the loaded checkpoint and the path that it fills. A runner loads that path as its consumer would and
returns a function from a batch to the float32 outputs.
"""

from __future__ import annotations

import importlib.util
import re
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import mindspore as ms
import numpy as np
import onnx
from mindspore import Tensor, nn

from src.checkpoints.checkpoint import LoadedModel, cell_of
from src.common.errors import UserError, one_line
from src.config import ModelConfig
from src.convert.directories import write_huggingface
from src.convert.huggingface import family_of
from src.export.onnx_graph import INPUTS, build_onnx

Batch = dict[str, np.ndarray]
"""`input_ids`, `input_mask`, `segment_ids`: int64 (B, S)."""
Outputs = tuple[np.ndarray, ...]
Runner = Callable[[Batch], Outputs]

SUFFIXES = {"MINDIR": ".mindir", "ONNX": ".onnx", "AIR": ".air", "HF": ""}
MINDIR_LIMIT = 2**30  # above it MindSpore writes a graph and a folder of weights, no single file


def free_inputs() -> list[Tensor]:
    """Placeholders of the three inputs, int32, with free batch and length."""
    return [Tensor(shape=[None, None], dtype=ms.int32) for _ in INPUTS]


def run_cell(loaded: LoadedModel) -> Runner:
    """The float32 MindSpore model that every artefact is compared with."""
    cell = cell_of(loaded)
    cell.set_inputs(*free_inputs())  # one compilation for all shapes
    return _runner_of_cell(cell)


def _runner_of_cell(cell: nn.Cell) -> Runner:
    def run(batch: Batch) -> Outputs:
        outputs = cell(*(Tensor(batch[name].astype(np.int32)) for name in INPUTS))
        return tuple(output.asnumpy() for output in (outputs if isinstance(outputs, tuple) else (outputs,)))

    return run


# ---------------------------------------------------------------------------------------------------------------
# MINDIR


def write_mindir(loaded: LoadedModel, path: Path, compute_type: ms.Type) -> None:
    """Write one MINDIR file with free batch and length.

    Raises:
        UserError: the weights exceed what MindSpore keeps in one file.
    """
    size = sum(array.nbytes for array in loaded.parameters.values())
    if size > MINDIR_LIMIT:
        raise UserError(f"the weights are {size / 2**30:.2f} GiB; MindSpore writes at most 1 GiB to one MINDIR file: "
                        "export ONNX or HF")
    _export(cell_of(loaded, compute_type), free_inputs(), path, "MINDIR")


def _export(cell: nn.Cell, inputs: Sequence[Tensor], path: Path, file_format: str) -> None:
    """Call MindSpore's export, which refuses a path with a blank or a Chinese character: it gets another one then."""
    if re.fullmatch(r"[0-9a-zA-Z@_\-.:/\\]+", str(path)):
        ms.export(cell, *inputs, file_name=str(path), file_format=file_format)
        return
    with tempfile.TemporaryDirectory(prefix="export-") as folder:
        plain = Path(folder) / f"model{SUFFIXES[file_format]}"
        ms.export(cell, *inputs, file_name=str(plain), file_format=file_format)
        shutil.move(plain, path)


def run_mindir(path: Path) -> Runner:
    return _runner_of_cell(nn.GraphCell(ms.load(str(path))))


# ---------------------------------------------------------------------------------------------------------------
# AIR


def write_air(loaded: LoadedModel, path: Path, compute_type: ms.Type, batch_size: int, seq_length: int) -> None:
    """Write an AIR file of fixed shape (batch_size, seq_length), the input of Ascend's offline model compiler.

    Raises:
        UserError: this process does not run on Ascend, the only device whose MindSpore can write AIR.
    """
    target = ms.get_context("device_target")
    if target != "Ascend":
        raise UserError(f"AIR can only be written on an Ascend device, and this process runs on {target}; export "
                        "MINDIR here (MindSpore Lite's converter reads it for Ascend), or run this command there")
    inputs = [Tensor(np.ones((batch_size, seq_length), np.int32)) for _ in INPUTS]
    _export(cell_of(loaded, compute_type), inputs, path, "AIR")


# ---------------------------------------------------------------------------------------------------------------
# ONNX


def write_onnx(loaded: LoadedModel, path: Path) -> None:
    onnx.save(build_onnx(loaded.config, loaded.parameters), str(path))


def run_onnx(path: Path) -> Runner:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return lambda batch: tuple(session.run(None, batch))


# ---------------------------------------------------------------------------------------------------------------
# Hugging Face


def write_hf(loaded: LoadedModel, path: Path) -> list[str]:
    """Write the folder; returns notes for the user."""
    return write_huggingface(loaded, path)


LOADERS = {"none": "AutoModel", "classification": "AutoModelForSequenceClassification",
           "regression": "AutoModelForSequenceClassification", "tagging": "AutoModelForTokenClassification",
           "span": "AutoModelForQuestionAnswering", "masked_lm": "AutoModelForMaskedLM",
           "causal_lm": "AutoModelForCausalLM"}
"""Head -> the class of transformers that loads such a model."""


def run_hf(path: Path, config: ModelConfig) -> Runner | None:
    """Load the folder with transformers; None where torch or transformers is not installed.

    Raises:
        UserError: transformers finds weights missing or left over.
    """
    if any(importlib.util.find_spec(name) is None for name in ("torch", "transformers")):
        return None
    import torch
    import transformers

    transformers.utils.logging.disable_progress_bar()
    encoder, kind = config.encoder, config.head.kind
    family = family_of(encoder)
    # transformers draws a pooler where the files have none, unless it is told not to.
    bare = kind == "none" and encoder.pooler == "none" and family.forms["none"].pooler != "none"
    options = {"add_pooling_layer": False} if bare else {}
    model, info = getattr(transformers, LOADERS[kind]).from_pretrained(str(path), output_loading_info=True, **options)
    faults = {kind: names for kind, names in info.items() if names}
    if faults:
        raise UserError(f"transformers {transformers.__version__} does not load the exported folder cleanly: "
                        f"{one_line(faults)[:300]}")
    model.eval()
    if encoder.causal and config.head.is_pooled:
        model.config.pad_token_id = 0  # what the batches compared are filled up with

    def run(batch: Batch) -> Outputs:
        types = {"token_type_ids": torch.from_numpy(batch["segment_ids"])} if encoder.type_vocab_size else {}
        with torch.no_grad():
            outputs = model(input_ids=torch.from_numpy(batch["input_ids"]),
                            attention_mask=torch.from_numpy(batch["input_mask"]), **types)
        if kind == "span":
            return (np.stack((outputs.start_logits.numpy(), outputs.end_logits.numpy()), axis=-1),)
        if kind != "none":
            return (outputs.logits.numpy(),)
        pooled = (outputs.pooler_output.numpy(),) if family.forms["none"].pooler == encoder.pooler != "none" else ()
        return (outputs.last_hidden_state.numpy(), *pooled)

    return run
