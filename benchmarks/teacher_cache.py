# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""What stored teacher logits save in the prediction phase, and whether the losses stay the same.

    python benchmarks/teacher_cache.py [--rows 320] [--repeats 2]

Each repeat runs phase 2 three times, one after the other: with the teacher in the graph; with stored logits, which this
run computes; and with the logits that are there then, as further seeds and students find them. Wall and process time
are those of run_task_distill.py with everything it does, start and compilation too; `step` is the median time between
two steps. The smallest of the repeats counts. Teacher 12 x 768 and student 4 x 312 with random weights, 3 epochs of
rows of random words, batches of 32 x 64, dropout 0.1 in the student, no evaluation.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from common import arguments, encoder, save_random, watch, write_vocabulary

KINDS = ("in the graph", "stored, computed here", "stored, there already")
LENGTH = 64


def make_records(folder: Path, rows: int) -> Path:
    """Write a vocabulary and a task of random words, as long as sentences of SST-2, and prepare its records."""
    from src.records.prepare import TaskOptions, prepare_task
    from src.tasks import get_task
    from src.text.tokenization import load_tokenizer

    words = write_vocabulary(folder / "vocab")
    generator = np.random.default_rng(0)
    lengths = np.clip(generator.lognormal(np.log(11), 0.6, rows), 2, LENGTH - 2).astype(int)
    lines = [" ".join(generator.choice(words, n)) + f"\t{n % 2}" for n in lengths]
    (folder / "tsv").mkdir()
    (folder / "tsv/train.tsv").write_text("sentence\tlabel\n" + "\n".join(lines) + "\n")
    prepare_task(get_task("SST-2"), folder / "tsv", load_tokenizer(folder / "vocab"), folder / "records",
                 TaskOptions(seq_length=LENGTH))
    return folder / "records/train"


def make_models(folder: Path, records: Path) -> None:
    """Write a teacher and a student with random weights that read the records' vocabulary."""
    import mindspore as ms

    from src.config import HeadConfig, ModelConfig

    head = HeadConfig("classification", ("0", "1"))
    ms.set_seed(0)
    save_random(folder / "teacher", ModelConfig(encoder(12, 768), head, "SST-2"), records)
    save_random(folder / "student", ModelConfig(encoder(4, 312)), records)


def distil(folder: Path, records: Path, stored: bool) -> tuple[dict[str, float], list[float]]:
    """Run phase 2; return its times and its losses."""
    run = folder / "run"
    used = watch([
        sys.executable, "run_task_distill.py", "--pred_distill", "--student_model", str(folder / "student"),
        "--load_teacher_ckpt_path", str(folder / "teacher"), "--task_name", "SST-2", "--train_data_dir", str(records),
        "--do_eval", "false", "--save_ckpt_path", str(run), "--epoch_size", "3", "--batch_size", "32",
        "--buckets", "[]", "--device_target", "CPU", "--tensorboard", "false", "--log_interval", "1", "--resume",
        "false", "--logging.progress", "false", "--cache_teacher_logits", "true" if stored else "false"],
        stdout=subprocess.DEVNULL)
    lines = [json.loads(line) for line in (run / "phase2/metrics.jsonl").read_text().splitlines()]
    step = float(np.median(np.diff([line["seconds"] for line in lines])))
    return {"wall": used.seconds, "process": used.processor, "step": step}, [line["loss"] for line in lines]


def main() -> None:
    """Measure and print the ratios."""
    options = arguments(__doc__, rows=320, repeats=2)
    best: dict[str, dict[str, float]] = {}
    all_losses = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        records = make_records(folder, options.rows)
        make_models(folder, records)
        for repeat in range(options.repeats):
            shutil.rmtree(records / "teacher_logits", ignore_errors=True)
            for kind in KINDS:
                times, losses = distil(folder, records, kind != KINDS[0])
                all_losses.append(losses)
                best[kind] = {name: min(value, best.get(kind, times)[name]) for name, value in times.items()}
                shown = "".join(f"  {name} {value:7.2f} s" for name, value in times.items())
                print(f"{repeat + 1}/{options.repeats}  {kind:<24}{shown}", flush=True)
    for kind in KINDS[1:]:
        ratios = ", ".join(f"{name} {best[KINDS[0]][name] / value:.2f}x" for name, value in best[kind].items())
        print(f"teacher {KINDS[0]} / {kind:<22}  {ratios}")
    print(f"largest difference of a loss: {np.ptp(all_losses, axis=0).max():.1e}")


if __name__ == "__main__":
    main()
