# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""What each step to a smaller ONNX file gains and costs: fused (--optimize true), int8, both, and fewer tokens.

python benchmarks/smaller.py --checkpoints TEACHER,STUDENT,... --eval_data_dir DIR [--split test] [--static DIR]
    [--keep 8000,4000 --records DIR [--characters used]] [--files plain,int8]

The first checkpoint is the teacher, and its plain file what the others are compared with. DIR holds the task's files,
or records; each model reads them in its own vocabulary. All files are loaded in one process and called in turn: one
thread, one row a call without padding, the median over all rows. Agreement is that with the teacher's plain file.
--keep adds each model with so many tokens, those that --records hold most (of several splits train); DIR then holds the
task's files. --static adds int8 with fixed ranges of activations, taken on the split train of its folder.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

from common import arguments, machine

FLOAT32 = ("plain", "fused")
INT8 = {"int8": "plain", "fused-int8": "fused", "fused-int8-static": "fused"}
"""File -> the float32 file that it is made of."""


def main() -> None:
    """Print the table."""
    options = arguments(__doc__, checkpoints=str, eval_data_dir=str, split="test", static="", keep="", records="",
                        characters="all", files=",".join((*FLOAT32, *INT8)), seq_length=128, seed=42)
    wanted = options.files.split(",")
    if unknown := [name for name in wanted if name not in (*FLOAT32, *INT8)]:
        sys.exit(f"error: --files names {unknown[0]!r}; expected some of {', '.join((*FLOAT32, *INT8))}")
    if bool(options.keep) != bool(options.records):
        sys.exit("error: --keep and --records belong together: how many tokens stay, and rows that are counted")
    import onnxruntime

    from src.export.quantization import int8_instructions, processor_name
    from src.export.side_by_side import measure_files

    with tempfile.TemporaryDirectory(prefix="smaller-") as folder:
        files = open_files(options, wanted, Path(folder))
        found = measure_files(files)
    first, metric = next(iter(found.values())), next(iter(files.values())).rows.metric
    print(f"{first.rows} rows of {options.eval_data_dir} ({options.split}), onnxruntime {onnxruntime.__version__}, "
          f"{processor_name(int8_instructions())}, {machine()}\n")
    print(f"| Model | Tokens | File | {metric} | Of the teacher | Agreement | ms | Times faster | MB | Times smaller |")
    print("| --- | ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for (place, tokens, kind), each in found.items():
        print(f"| {place} | {tokens:,} | {kind} | {each.value:.4f} | {each.value / first.value:.3f} | "
              f"{each.agreement:.4f} | {each.milliseconds:.3f} | {first.milliseconds / each.milliseconds:.2f} | "
              f"{each.megabytes:.1f} | {first.megabytes / each.megabytes:.2f} |")


def open_files(options: argparse.Namespace, wanted: list[str], folder: Path) -> dict[tuple[str, int, str], Any]:
    """Write all files, and open their rows; (checkpoint, tokens, file) -> OnnxFile."""
    from src.checkpoints.checkpoint import load_model
    from src.config import load_config
    from src.device import set_up_device
    from src.evaluate.by_row import open_by_row
    from src.export.quantization import chosen
    from src.export.side_by_side import OnnxFile
    from src.pruning.vocabulary import PruneVocabularyOptions, prune_vocabulary

    config = load_config(device__device_target="CPU", data__seq_length=options.seq_length, seed=options.seed)
    device = set_up_device(config.device, config.seed)
    files = {}
    for number, place in enumerate(options.checkpoints.split(",")):
        models = [Path(place)]
        for keep in filter(None, options.keep.split(",")):
            models.append(folder / f"{number}-{keep}")
            prune_vocabulary(place, models[-1], PruneVocabularyOptions(
                keep=int(keep), records=options.records, characters=options.characters, max_unknown=1.0))
        for at, model in enumerate(models):
            loaded = load_model(model)
            rows = open_by_row(loaded, options.eval_data_dir, "eval_data_dir", options.split, config, device)
            feeds = chosen(open_by_row(loaded, options.static, "static", "train", config, device)) if (
                options.static) else []
            for kind, path in write_files(loaded, folder / f"files-{number}-{at}", wanted, feeds).items():
                files[place, loaded.config.encoder.vocab_size, kind] = OnnxFile(path, loaded, rows)
    return files


def write_files(loaded: Any, folder: Path, wanted: list[str], feeds: list) -> dict[str, Path]:
    """Write those of the wanted files that can be made of a model; return their places."""
    from src.config import EncoderConfig
    from src.export.artefacts import Compiled, write_onnx
    from src.export.quantization import int8_instructions, quantize_file

    folder.mkdir()
    is_transformer = loaded.config.encoder.kind == EncoderConfig.kind
    made = {kind: folder / f"{kind}.onnx" for kind in (FLOAT32 if is_transformer else FLOAT32[:1])}
    for kind, path in made.items():
        write_onnx(loaded, path, Compiled(fused=kind == "fused"))
    for kind, of in INT8.items():
        if kind in wanted and of in made and ("static" not in kind or feeds):
            made[kind] = folder / f"{kind}.onnx"
            quantize_file(made[of], made[kind], feeds if "static" in kind else (), not int8_instructions())
    return {kind: path for kind, path in made.items() if kind in wanted}


if __name__ == "__main__":
    main()
