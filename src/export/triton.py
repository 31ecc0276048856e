# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""A model of a Triton model repository, which its ONNX Runtime backend serves:

    REPOSITORY/MODEL/config.pbtxt     inputs, outputs, batching, instances
    REPOSITORY/MODEL/1/model.onnx     version 1
    REPOSITORY/MODEL/labels.txt       of a classification: a name a line, in the order of the logits
    REPOSITORY/MODEL/tokenizer.json   makes, cuts and fills up whole rows
    REPOSITORY/MODEL/model.json       the card: what goes in and comes out

https://docs.nvidia.com/deeplearning/triton-inference-server/user-guide/docs/user_guide/model_configuration.html; the
schema: https://github.com/triton-inference-server/common/blob/main/protobuf/model_config.proto
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from src.checkpoints.checkpoint import LoadedModel
from src.common.files import write_json, write_text
from src.config import ExportConfig, TaskConfig

MODEL = "1/model.onnx"
CARD, LABELS = "model.json", "labels.txt"
_TYPES = {"int64": "TYPE_INT64", "float32": "TYPE_FP32"}


def describe(loaded: LoadedModel, settings: ExportConfig, task: TaskConfig) -> dict[str, Any]:
    """Return what the card says of serving: the model's name, which its folder has too; the largest batch and those
    preferred; microseconds that a request waits for others; instances, and whether they run on the processor alone,
    which int8 is for."""
    return {"serving": {
        "name": Path(settings.output).resolve().name, "max_batch_size": settings.batches[-1],
        "preferred_batch_sizes": [each for each in settings.batches if each > 1], "queue_delay": settings.queue_delay,
        "instances": settings.instances, "kind": "KIND_CPU" if settings.quantize != "none" else "KIND_AUTO"}}


def config_text(card: Mapping[str, Any]) -> str:
    """Return config.pbtxt, a ModelConfig in protobuf's text format, for what a card says."""
    def tensor(described: Mapping[str, Any], more: str = "") -> str:
        # The first dimension is that of the batch, which Triton adds itself.
        dims = ", ".join(str(size if isinstance(size, int) else -1) for size in described["shape"][1:])
        return (f'  {{ name: {json.dumps(described["name"])} data_type: {_TYPES[described["dtype"]]} '
                f"dims: [ {dims} ]{more} }}")

    serving, labels = card["serving"], f' label_filename: "{LABELS}"' if card["head"] == "classification" else ""
    lines = [f"name: {json.dumps(serving['name'], ensure_ascii=False)}", 'backend: "onnxruntime"',
             f"max_batch_size: {serving['max_batch_size']}",
             "input [", ",\n".join(tensor(each) for each in card["inputs"]), "]",
             "output [", ",\n".join(tensor(each, labels) for each in card["outputs"]), "]",
             f"instance_group [ {{ count: {serving['instances']} kind: {serving['kind']} }} ]"]
    if serving["preferred_batch_sizes"]:
        preferred = ", ".join(str(each) for each in serving["preferred_batch_sizes"])
        lines.append(f"dynamic_batching {{ preferred_batch_size: [ {preferred} ] "
                     f"max_queue_delay_microseconds: {serving['queue_delay']} }}")
    return "\n".join(lines) + "\n"


def close(folder: Path, card: dict[str, Any]) -> list[str]:
    """Write what is beside the ONNX file and the tokenizer."""
    write_json(folder / CARD, card)
    if card["head"] == "classification":
        write_text(folder / LABELS, "".join(f"{label}\n" for label in card["labels"]))
    write_text(folder / "config.pbtxt", config_text(card))
    return [f"the model {card['serving']['name']} of a repository: tritonserver --model-repository takes the folder "
            "around it"]
