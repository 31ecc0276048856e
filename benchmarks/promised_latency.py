# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""What run_compress.py promises of a student before it is trained, against the file of a student that is really cut.

python benchmarks/promised_latency.py --checkpoint TEACHER --data_dir DIR --records DIR [--min_speedup 10] ...

DIR of --data_dir holds the task's files, whose split dev is measured on. Promised: files of shapes within the budget,
of the teacher's first weights, in rows of any tokens, timed as src/compress/latency.py does it. Measured: vocabulary,
layers, heads and units of the teacher are cut to these shapes by importance on --records, quantized, and each is run on
the split's own rows, in turn with the teacher's float32 file alone, as the winner is in the end: one thread, one row a
call, the median over all rows. So is the file that was promised, again: that tells a promise that is wrong from a
machine that has become slower since.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from common import arguments, machine


def main() -> None:
    """Print the table."""
    options = arguments(__doc__, checkpoint=str, data_dir=str, records=str, split="dev", max_latency_ms=0.0,
                        min_speedup=0.0, max_size_mb=0.0, vocabularies="8000,4000", shapes=8, seed=42)
    import onnxruntime

    from src.checkpoints.checkpoint import load_model
    from src.compress.budget import Budget
    from src.compress.latency import write_file
    from src.compress.reach import reachable
    from src.compress.spelling import Spelling
    from src.compress.vocabularies import possible_vocabularies
    from src.config import load_config
    from src.device import set_up_device
    from src.evaluate.by_row import TaskByRow, examine, open_by_row
    from src.export.artefacts import run_onnx
    from src.export.quantization import int8_instructions, processor_name
    from src.pruning.counted_text import count_records
    from src.pruning.importance import measure, open_rows
    from src.pruning.vocabulary import PruneVocabularyOptions, prune

    config = load_config(device__device_target="CPU", device__compute_type="float32", seed=options.seed)
    device = set_up_device(config.device, config.seed)
    teacher = load_model(options.checkpoint)
    own = open_by_row(teacher, options.data_dir, "data_dir", options.split, config, device)
    assert isinstance(own, TaskByRow)
    chunks = list(own.rows.chunks())
    text = count_records(options.records, teacher)
    smaller = possible_vocabularies(teacher, text, [int(size) for size in options.vocabularies.split(",")])
    lengths = {teacher.config.encoder.vocab_size: [length for chunk in chunks for length in chunk.lengths.tolist()]}
    for tokens, tokenizer in smaller.items():
        spelling = Spelling(teacher.tokenizer(), tokenizer)
        lengths[tokens] = [len(ids) for chunk in chunks for ids in spelling(chunk)[0]]
    reached = reachable(teacher, lengths, Budget(options.max_latency_ms, options.min_speedup, options.max_size_mb),
                        options.shapes)
    print("\n".join(reached.lines()))

    importances = measure(teacher, open_rows(options.records, teacher, "tfrecord", False), None, device).importances
    pairs: list[list[Any]] = []  # of the teacher and a student's file, of the teacher and the promised file
    sizes = []
    with tempfile.TemporaryDirectory(prefix="promised-") as folder:
        whole = {teacher.config.encoder.vocab_size: teacher}
        for tokens in {each.shape.vocab_size for each in reached.candidates} - whole.keys():
            place = Path(folder) / f"v{tokens}"
            place.mkdir()
            whole[tokens], _ = prune(teacher, text, PruneVocabularyOptions(keep=tokens, max_unknown=1.0), place)
        whole_file = write_file(teacher, reached.teacher.shape, Path(folder), fused=False)
        reference = own, run_onnx(whole_file, teacher.config, threads=1)
        for number, promised in enumerate(reached.candidates):
            place = Path(folder) / str(number)
            place.mkdir()
            model, path = student(whole[promised.shape.vocab_size], promised, importances, place)
            its_rows = open_by_row(model, options.data_dir, "data_dir", options.split, config, device)
            sizes.append(path.stat().st_size / 1e6)
            again = write_file(teacher, promised.shape, place, promised.fused)
            pairs += [examine([reference, (its_rows, run_onnx(each, model.config, threads=1))])
                      for each in (path, again)]
    first = pairs[0][0]
    print(f"\n{first.rows} rows of {options.data_dir} ({options.split}), onnxruntime {onnxruntime.__version__}, "
          f"{processor_name(int8_instructions())}, {machine()}\n")
    print("| Student | Promised ms | Measured ms | Off by | Promised file again, ms | Off by | Promised x | Measured x "
          "| Promised MB | MB |")
    print(f"| --- |{' ---: |' * 9}")
    for promised, (own_one, its), (_, same), size in zip(reached.candidates, pairs[::2], pairs[1::2], sizes,
                                                         strict=True):
        print(f"| {promised.shape.name} | {promised.latency_ms:.3f} | {its.milliseconds:.3f} | "
              f"{its.milliseconds / promised.latency_ms - 1:+.1%} | {same.milliseconds:.3f} | "
              f"{its.milliseconds / same.milliseconds - 1:+.1%} | "
              f"{reached.teacher.latency_ms / promised.latency_ms:.2f} | "
              f"{own_one.milliseconds / its.milliseconds:.2f} | "
              f"{promised.file_mb:.2f} | {size:.2f} |")


def student(whole: Any, promised: Any, importances: Any, folder: Path) -> tuple[Any, Path]:
    """Cut a student out of a teacher by importance, and write its file as export.py does; return both."""
    from src.export.artefacts import Compiled, write_onnx
    from src.export.quantization import int8_instructions, quantize_file
    from src.pruning.cut import choose, cut

    shape = promised.shape
    kept = choose(whole.config.encoder, importances, shape.layers, max(shape.heads), max(shape.units))
    config, parameters = cut(whole.config, whole.parameters, kept)
    model, path = replace(whole, config=config, parameters=parameters), folder / "float32.onnx"
    write_onnx(model, path, Compiled(fused=promised.fused))
    if not shape.quantized:
        return model, path
    quantize_file(path, folder / "int8.onnx", reduce_range=not int8_instructions())
    return model, folder / "int8.onnx"


if __name__ == "__main__":
    main()
