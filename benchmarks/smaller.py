# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""What each step to a smaller ONNX file gains and costs: plain, fused (--optimize true), int8, both.

python benchmarks/smaller.py --checkpoints TEACHER,STUDENT,... --eval_data_dir DIR [--split test] [--static DIR]

The first checkpoint is the teacher, and its plain file what the others are compared with. DIR holds the task's files,
or records; each model reads them in its own vocabulary. All files are loaded in one process and called in turn: one
thread, one row a call without padding, the median over all rows. Agreement is that with the teacher's plain file.
--static adds int8 with fixed ranges of activations, taken on the split train of its folder.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from common import arguments, machine


def main() -> None:
    """Print the table."""
    options = arguments(__doc__, checkpoints=str, eval_data_dir=str, split="test", static="", seed=42)
    import onnxruntime

    from src.checkpoints.checkpoint import load_model
    from src.config import load_config
    from src.device import set_up_device
    from src.evaluate.by_row import examine, open_by_row
    from src.export.artefacts import run_onnx
    from src.export.quantization import chosen, int8_instructions, processor_name

    config = load_config(device__device_target="CPU", seed=options.seed)
    device = set_up_device(config.device, config.seed)
    models: list[Any] = []
    names: list[tuple[str, str, float]] = []
    with tempfile.TemporaryDirectory(prefix="smaller-") as folder:
        for number, place in enumerate(options.checkpoints.split(",")):
            loaded = load_model(place)
            rows = open_by_row(loaded, options.eval_data_dir, "eval_data_dir", options.split, config, device)
            feeds = chosen(open_by_row(loaded, options.static, "static", "train", config, device)) if (
                options.static) else []
            for kind, path in files(loaded, Path(folder) / str(number), feeds).items():
                models.append((rows, run_onnx(path, loaded.config, threads=1)))
                names.append((place, kind, path.stat().st_size / 1e6))
        found = examine(models)
    first, metric = found[0], models[0][0].metric
    print(f"{first.rows} rows of {options.eval_data_dir} ({options.split}), onnxruntime {onnxruntime.__version__}, "
          f"{processor_name(int8_instructions())}, {machine()}\n")
    print(f"| Model | File | {metric} | Of the teacher | Agreement | ms | Times faster | MB | Times smaller |")
    print("| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for (place, kind, size), each in zip(names, found, strict=True):
        value = each.metrics[metric]
        print(f"| {place} | {kind} | {value:.4f} | {value / first.metrics[metric]:.3f} | "
              f"{models[0][0].agreement(first.answers, each.answers):.4f} | {each.milliseconds:.3f} | "
              f"{first.milliseconds / each.milliseconds:.2f} | {size:.1f} | {names[0][2] / size:.2f} |")


def files(loaded: Any, folder: Path, feeds: list) -> dict[str, Path]:
    """Write the files of a model; return their places by what was done to them."""
    from src.config import EncoderConfig
    from src.export.artefacts import Compiled, write_onnx
    from src.export.quantization import int8_instructions, quantize_file

    folder.mkdir()
    is_transformer = loaded.config.encoder.kind == EncoderConfig.kind
    made = {kind: folder / f"{kind}.onnx" for kind in ("plain", *(("fused",) if is_transformer else ()))}
    for kind, path in made.items():
        write_onnx(loaded, path, Compiled(fused=kind == "fused"))
    for kind, of in (("int8", "plain"), ("fused, int8", "fused"), ("fused, int8-static", "fused")):
        if of in made and ("static" not in kind or feeds):
            made[kind] = folder / f"{kind.replace(', ', '-')}.onnx"
            quantize_file(made[of], made[kind], feeds if "static" in kind else (), not int8_instructions())
    return made


if __name__ == "__main__":
    main()
