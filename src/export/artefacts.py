# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The formats a model is exported to: how each is written, and how what was written is run again."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import mindspore as ms
import numpy as np
import onnx
from mindspore import Tensor, nn

from src.checkpoints.checkpoint import LoadedModel, cell_of
from src.common.errors import UserError, one_line
from src.config import ExportConfig, ModelConfig, StaticConfig, TaskConfig
from src.config.model import INPUTS
from src.convert.families import family_of
from src.convert.huggingface import write_huggingface
from src.export import ascend, bundle, triton
from src.export.gears_client import Gear
from src.export.onnx_graph import IR_VERSION, build_onnx
from src.export.onnx_nodes import OPSET
from src.models.heads import arrays_of

Batch = dict[str, np.ndarray]
"""`input_ids`, `input_mask`, `segment_ids`: int64 (B, S)."""
Outputs = tuple[np.ndarray, ...]
Runner = Callable[[Batch], Outputs]

MINDIR_LIMIT = 2**30  # above it MindSpore writes a graph and a folder of weights, no single file

ONNX_SUFFIX = ".onnx"
AIR_ENDS = ("MindSpore is taking AIR away, which its documentation calls deprecated; MINDIR, converted by MindSpore "
            "Lite, or --file_format ASCEND is what Ascend takes instead")


class CannotRun(Exception):
    """An artefact cannot be run on this machine; the text says why."""


@dataclass(frozen=True)
class Compiled:
    """What a graph is compiled for: the type of its matrix products, the shape, or the shapes, where the format fixes
    them, whether it may use operators that ONNX Runtime alone has; what the artefact says of itself; and the largest
    accepted difference."""

    compute_type: ms.Type = ms.float32
    batch_size: int = 1
    seq_length: int = 1
    fused: bool = False
    card: dict[str, Any] = field(default_factory=dict)
    gears: tuple[Gear, ...] = ()
    max_difference: float = 1e-4


@dataclass(frozen=True)
class Format:
    """A format of artefacts.

    Attributes:
        name: what it is called in settings.
        suffix: of the file, which gets a card; "" where the artefact is a folder, which describes itself.
        write: (model, path, what it is compiled for) -> notes for the user; fills the path.
        run: (path, configuration) -> what runs the artefact as its consumer would, from a batch to float32 outputs;
            raises CannotRun.
        dtype: of its inputs.
        is_fixed: whether it takes one shape only.
        is_geared: whether it takes a few shapes only, the gears.
        facts: what its card says besides.
        prepare: model -> the model that the artefact must equal; raises UserError where it cannot be written.
        graph: of a folder with a card within: its ONNX file, by its path in it.
        describe: of such a folder: (model, settings of the export, of tasks) -> what its card says besides; raises
            UserError where it cannot be written.
        close: of such a folder: (folder, card) -> notes for the user; writes what describes the folder, once the
            artefact has been run.
    """

    name: str
    suffix: str
    write: Callable[[LoadedModel, Path, Compiled], list[str]]
    run: Callable[[Path, ModelConfig], Runner]
    dtype: str = "int32"
    is_fixed: bool = False
    is_geared: bool = False
    facts: Mapping[str, object] = field(default_factory=dict)
    prepare: Callable[[LoadedModel], LoadedModel] = lambda loaded: loaded
    graph: str = ""
    describe: Callable[[LoadedModel, ExportConfig, TaskConfig], dict[str, Any]] = lambda *_: {}
    close: Callable[[Path, dict[str, Any]], list[str]] = lambda *_: []

    @property
    def is_onnx(self) -> bool:
        """Whether what ONNX Runtime's tools do to a graph can be done to the artefact."""
        return bool(self.graph) or self.suffix == ONNX_SUFFIX

    def artefact(self, written: Path) -> Path:
        """The file that is run, or the folder where that is run as a whole."""
        return written / self.graph if self.graph else written


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
        return arrays_of(cell, *(batch[name].astype(np.int32) for name in INPUTS))

    return run


def write_mindir(loaded: LoadedModel, path: Path, compiled: Compiled) -> list[str]:
    """Write one MINDIR file with free batch and length.

    Raises:
        UserError: the weights exceed what MindSpore keeps in one file.
    """
    size = sum(array.nbytes for array in loaded.parameters.values())
    if size > MINDIR_LIMIT:
        raise UserError(f"the weights are {size / 2**30:.2f} GiB; MindSpore writes at most 1 GiB to one MINDIR file: "
                        "export ONNX or HF")
    _export(cell_of(loaded, compiled.compute_type), free_inputs(), path, "MINDIR")
    return []


def _export(cell: nn.Cell, inputs: Sequence[Tensor], path: Path, file_format: str) -> None:
    """Call MindSpore's export, which refuses a path with a blank or a Chinese character: it gets another one then."""
    if re.fullmatch(r"[0-9a-zA-Z@_\-.:/\\]+", str(path)):
        ms.export(cell, *inputs, file_name=str(path), file_format=file_format)
        return
    with tempfile.TemporaryDirectory(prefix="export-") as folder:
        plain = Path(folder) / f"model.{file_format.lower()}"
        ms.export(cell, *inputs, file_name=str(plain), file_format=file_format)
        shutil.move(plain, path)


def run_mindir(path: Path, config: ModelConfig) -> Runner:
    """Load the graph with MindSpore."""
    return _runner_of_cell(nn.GraphCell(ms.load(str(path))))


def write_air(loaded: LoadedModel, path: Path, compiled: Compiled) -> list[str]:
    """Write an AIR file of fixed shape, the input of Ascend's offline model compiler.

    Raises:
        UserError: this process does not run on Ascend, the only device whose MindSpore can write AIR.
    """
    target = ms.get_context("device_target")
    if target != "Ascend":
        raise UserError(f"AIR can only be written on an Ascend device, and this process runs on {target}; export "
                        f"MINDIR here, or run this command there ({AIR_ENDS})")
    inputs = [Tensor(np.ones((compiled.batch_size, compiled.seq_length), np.int32)) for _ in INPUTS]
    _export(cell_of(loaded, compiled.compute_type), inputs, path, "AIR")
    return [AIR_ENDS]


def run_air(path: Path, config: ModelConfig) -> Runner:
    """Nothing here runs AIR."""
    raise CannotRun("AIR is read by Ascend's offline compiler only")


def write_onnx(loaded: LoadedModel, path: Path, compiled: Compiled) -> list[str]:
    """Write one ONNX file with free batch and length, float32, which holds its card."""
    model = build_onnx(loaded.config, loaded.parameters, compiled.fused)
    model.metadata_props.add(key="card", value=json.dumps(compiled.card, ensure_ascii=False))
    onnx.save(model, str(path))
    return []


def run_onnx(path: Path, config: ModelConfig, threads: int = 0) -> Runner:
    """Load the file with ONNX Runtime; `threads` 0 takes as many as there are cores.

    Raises:
        UserError: ONNX Runtime does not know an operator of the file.
    """
    import onnxruntime
    from onnxruntime.capi.onnxruntime_pybind11_state import Fail, InvalidGraph, NotImplemented

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3  # it warns of each operator that a processor runs otherwise
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except (Fail, InvalidGraph, NotImplemented) as error:
        raise UserError(f"ONNX Runtime {onnxruntime.__version__} cannot run the file: {one_line(error)[:300]}; install "
                        "one that has the operator, or leave --optimize and --quantize out") from error
    return lambda batch: tuple(session.run(None, batch))


def write_ascend(loaded: LoadedModel, path: Path, compiled: Compiled) -> list[str]:
    """Write a folder of graphs of one shape, and the commands of Ascend's compilers."""
    return ascend.write_folder(loaded, path, compiled.gears, compiled.compute_type, compiled.max_difference)


def with_their_pooler(loaded: LoadedModel) -> LoadedModel:
    """Return the model without its pooler where transformers has no place for it.

    Raises:
        UserError: neither a transformer nor a static model.
    """
    if loaded.config.encoder.kind == StaticConfig.kind:
        return loaded
    loaded.config.require_transformer(loaded.directory, "a Hugging Face folder")
    config = loaded.config
    if config.head.kind != "none" or family_of(config).forms["none"].pooler != "none":
        return loaded
    parameters = {name: array for name, array in loaded.parameters.items() if not name.startswith("encoder.pooler.")}
    return replace(loaded, config=replace(config, encoder=replace(config.encoder, pooler="none")),
                   parameters=parameters)


def run_hf(path: Path, config: ModelConfig) -> Runner:
    """Load the folder with transformers, of an embedding with sentence-transformers.

    Raises:
        CannotRun: torch, transformers or sentence-transformers is not installed.
        UserError: transformers finds weights missing or left over.
    """
    if any(importlib.util.find_spec(name) is None for name in ("torch", "transformers")):
        raise CannotRun("transformers and torch are not installed")
    import torch
    import transformers

    transformers.utils.logging.disable_progress_bar()
    if config.head.kind == "embedding":
        return _run_embedding(path, config)
    encoder, kind = config.encoder, config.head.kind
    family = family_of(config)
    # transformers draws a pooler where the files have none, unless it is told not to.
    bare = kind == "none" and encoder.pooler == "none" and family.forms["none"].pooler != "none"
    options = {"add_pooling_layer": False} if bare else {}
    made = getattr(transformers, family.form(kind).architecture)
    model, info = made.from_pretrained(str(path), output_loading_info=True, **options)
    faults = {kind: names for kind, names in info.items() if names}
    if faults:
        raise UserError(f"transformers {transformers.__version__} does not load the exported folder cleanly: "
                        f"{one_line(faults)[:300]}")
    model.eval()
    if encoder.causal and config.head.is_pooled:
        model.config.pad_token_id = 0  # what the batches compared are filled up with

    def run(batch: Batch) -> Outputs:
        segments = np.minimum(batch["segment_ids"], max(0, encoder.type_vocab_size - 1))
        types = {"token_type_ids": torch.from_numpy(segments)} if encoder.type_vocab_size else {}
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


def _run_embedding(path: Path, config: ModelConfig) -> Runner:
    """Load a folder of sentence-transformers."""
    if importlib.util.find_spec("sentence_transformers") is None:
        raise CannotRun("sentence-transformers is not installed")
    import torch
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(path), device="cpu").eval()

    def run(batch: Batch) -> Outputs:
        is_real = batch["input_mask"] == 1
        features = {"input_ids": torch.from_numpy(batch["input_ids"]),
                    "attention_mask": torch.from_numpy(batch["input_mask"])}
        if config.encoder.kind == StaticConfig.kind:  # the tokens of all rows, and where each row begins
            begins = np.cumsum(is_real.sum(1)) - is_real.sum(1)
            features = {"input_ids": torch.from_numpy(batch["input_ids"][is_real]), "offsets": torch.from_numpy(begins)}
        if types := config.encoder.type_vocab_size:
            features["token_type_ids"] = torch.from_numpy(np.minimum(batch["segment_ids"], types - 1))
        with torch.no_grad():
            return (model(features)["sentence_embedding"].numpy(),)

    return run


_OF_ONNX = {"opset": OPSET, "ir_version": IR_VERSION, "compute_type": "float32"}
FORMATS = {each.name: each for each in (
    Format("MINDIR", ".mindir", write_mindir, run_mindir),
    Format("ONNX", ONNX_SUFFIX, write_onnx, run_onnx, "int64", facts=_OF_ONNX),
    Format("AIR", ".air", write_air, run_air, is_fixed=True),
    Format("HF", "", lambda loaded, path, _: write_huggingface(loaded, path), run_hf, prepare=with_their_pooler),
    Format("BUNDLE", "", write_onnx, run_onnx, "int64", facts=_OF_ONNX, graph=bundle.MODEL, describe=bundle.describe,
           close=bundle.close),
    Format("ASCEND", "", write_ascend, lambda path, _: ascend.open_folder(path), "int32", is_geared=True),
    Format("TRITON", "", write_onnx, run_onnx, "int64", facts=_OF_ONNX, graph=triton.MODEL, describe=triton.describe,
           close=triton.close),
)}
