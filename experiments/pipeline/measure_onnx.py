# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Accuracy, size and latency of exported ONNX files, measured against each other.

    python -m experiments.pipeline.measure_onnx --file teacher_onnx CHECKPOINT teacher.onnx \
        --file student_onnx CHECKPOINT student.onnx --data_dir TASK --seq_length 64 --output onnx.json

All files are loaded in one process by ONNX Runtime and called in turn on each row of the test split, on one thread:
one row a call, without padding. Times are medians over the rows; tokenisation is not included. The first file is the
one whose predictions the others are compared with.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from src.common.arguments import OneLineParser
from src.common.errors import UserError, run
from src.common.files import write_json


def measure(files: list[tuple[str, Path, Path]], data_dir: Path, seq_length: int) -> dict[str, Any]:
    """Return what goes into the JSON file.

    Args:
        files: name, checkpoint, ONNX file.
        data_dir: the task's files, which each model reads in its own vocabulary.
        seq_length: longer rows are shortened, in tokens.
    """
    from src.checkpoints.checkpoint import load_model
    from src.config import load_config
    from src.device import set_up_device
    from src.evaluate.by_row import open_by_row
    from src.export.quantization import int8_instructions, processor_name
    from src.export.side_by_side import OnnxFile, measure_files

    config = load_config(device__device_target="CPU", data__seq_length=seq_length)
    device = set_up_device(config.device, config.seed)
    opened = {}
    for name, checkpoint, path in files:
        loaded = load_model(checkpoint)
        opened[name] = OnnxFile(path, loaded, open_by_row(loaded, str(data_dir), "data_dir", "test", config, device))
    measured, metric = measure_files(opened), opened[files[0][0]].rows.metric
    models = {name: {metric: each.value, "file_mb": round(each.megabytes, 3),
                     "onnx_latency_ms": round(each.milliseconds, 4), "agreement_with_teacher": each.agreement,
                     "vocabulary": opened[name].loaded.config.encoder.vocab_size} for name, each in measured.items()}
    return {"metric": metric, "rows": measured[files[0][0]].rows, "processor": processor_name(int8_instructions()),
            "models": models}


def main(argv: list[str]) -> None:
    """Command line: measure and write JSON."""
    parser = OneLineParser("experiments.pipeline.measure_onnx", __doc__.splitlines()[0])
    parser.add_argument("--file", action="append", required=True, nargs=3, metavar=("NAME", "CHECKPOINT", "ONNX"),
                        help="an ONNX file and the checkpoint that it was made of; repeatable, the teacher's first")
    parser.add_argument("--data_dir", type=Path, required=True, help="folder with test.tsv")
    parser.add_argument("--seq_length", type=int, default=64, help="longest sequence in tokens")
    parser.add_argument("--output", type=Path, required=True, help="JSON file to write")
    arguments = parser.parse_args(argv)
    files = [(name, Path(checkpoint), Path(path)) for name, checkpoint, path in arguments.file]
    if len({name for name, _, _ in files}) < len(files):
        raise UserError(f"--file names {', '.join(name for name, _, _ in files)}; expected a new name for each file")
    found = measure(files, arguments.data_dir, arguments.seq_length)
    for name, each in found["models"].items():
        print(f"{name:<16} {found['metric']} {each[found['metric']]:.4f}   agreement "
              f"{each['agreement_with_teacher']:.4f}   {each['onnx_latency_ms']:8.3f} ms   {each['file_mb']:6.1f} MB")
    write_json(arguments.output, found)


if __name__ == "__main__":
    run(main)
