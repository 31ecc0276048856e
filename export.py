#!/usr/bin/env python
# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Export a checkpoint for another system, and check that the artefact computes the same.

    python export.py --checkpoint DIR --file_format MINDIR|ONNX|AIR|HF|BUNDLE|ASCEND|TRITON --output PATH
    python export.py --checkpoint DIR --file_format ONNX --output PATH --optimize true --quantize int8 \
        --eval_data_dir RECORDS --max_drop 0.01

`python export.py --help` lists every setting.
"""

from __future__ import annotations

from src.versions import run_entry

if __name__ == "__main__":
    run_entry("export")

from functools import partial

import mindspore as ms

from src.config import Config, parse
from src.device import Device, set_up_device
from src.export.artefacts import FORMATS
from src.export.run import RowsOf, export_model


def main(argv: list[str]) -> None:
    """Entry point."""
    config = parse("export.py", argv, f"Formats of --file_format: {' | '.join(FORMATS)}")
    device = set_up_device(config.device, config.seed)
    # Only on request: "auto" would write another model on Ascend than on CPU.
    compute_type = ms.float16 if config.device.compute_type == "float16" else ms.float32
    exported = export_model(config.export, compute_type, rows_of(config, device), config.task, config.data.buckets,
                            "buckets" in config.data.given)
    for difference in exported.differences:
        print(f"batch {difference.batch_size} x length {difference.length}: largest difference {difference.value:.2e}")
    for note in exported.notes:
        print(f"note: {note}")
    if exported.not_run:
        print(f"note: the artefact was not run again: {exported.not_run}")
    for line in exported.quantized.lines() if exported.quantized else ():
        print(line)
    if exported.card:
        print(f"what goes into it and comes out: {exported.card}")
    print(f"wrote {exported.path} ({exported.size / 1e6:.1f} MB)")
    if config.export.push_to_hub:
        from src.export.hub import push

        print(f"uploaded to {push(exported.path, config.export.push_to_hub)}")


def rows_of(config: Config, device: Device) -> RowsOf | None:
    """Return what opens the rows that a quantized file is verified on, and loads the libraries of metrics."""
    if config.export.quantize == "none":
        return None
    from src.evaluate.by_row import open_by_row

    return partial(open_by_row, config=config, device=device)
