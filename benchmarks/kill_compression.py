# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Kill a compression again and again, and see whether it ends with the same winner.

    python benchmarks/kill_compression.py                  # 10 kills
    python benchmarks/kill_compression.py --kills 3 --seed 7

run_compress.py on a tiny teacher of random weights and sentences with a rule to learn runs once undisturbed. Another
run of the same command is killed (SIGKILL) at instants drawn at random, from its start to its end, and started again,
then left to end. The budget is a size, so that both runs have the same candidates however long files took; augmented
copies, two rungs, cut vocabularies, int8, dev and test rows are all in it. Checked: rungs, their metrics and the winner
are the same, its parameters and its file to the bit; nothing is left aside, and no process goes on. Prints a row for
each kill and the verdict; status 1 where something is not as it should be.
"""

from __future__ import annotations

import random
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np
from kills import differences, judge, last_line, launch, leftovers

from common import arguments, encoder, kill, save_random, write_vocabulary

LENGTH, WORDS, ROWS = 16, 400, {"train": 600, "dev": 100, "test": 100}
LAST = ("results.json", "model.onnx", "candidates", "starts", "vocabularies", "teacher_logits", "augmented",
        "search.json")
"""What a run makes, the last first: how far it is."""


def main() -> None:
    """Run all of it."""
    judge(arguments(__doc__, kills=10, seed=0), make_inputs, run_all,
          "the killed run ended with the same winner, to the bit")


def make_inputs(folder: Path) -> None:
    """Write a vocabulary, a task whose labels a word decides, and a teacher with random weights."""
    import mindspore as ms

    from src.config import HeadConfig, ModelConfig

    words, generator = write_vocabulary(folder / "vocab", WORDS), np.random.default_rng(0)
    (folder / "task").mkdir()
    for split, rows in ROWS.items():
        lines = ["sentence\tlabel"]
        for label in generator.integers(0, 2, rows):
            telling = words[generator.integers(10) + 10 * label]
            plain = generator.choice(words[20:], generator.integers(3, 10))
            lines.append(f"{' '.join(generator.permutation([*plain, telling]))}\t{label}")
        (folder / f"task/{split}.tsv").write_text("\n".join(lines) + "\n")
    ms.set_seed(0)
    model = encoder(3, 64, 128, heads=4, vocab_size=WORDS, max_position_embeddings=LENGTH, initializer_range=0.05)
    save_random(folder / "teacher", ModelConfig(model, HeadConfig("classification", ("0", "1")), "SST-2"),
                folder / "vocab")


def start(run: Path) -> subprocess.Popen:
    """Start the compression; its output goes to a log beside the run."""
    folder = run.parent
    return launch(folder, "run_compress.py", "--device_target", "CPU", "--load_teacher_ckpt_path", folder / "teacher",
                  "--task_name", "SST-2", "--data_dir", folder / "task", "--save_ckpt_path", run, "--seq_length",
                  LENGTH, "--buckets", "[]", "--vocabularies", 200, "--max_size_mb", 0.12, "--max_drop", 1,
                  "--candidates", 2, "--rung_steps", "40,60", "--batch_size", 16, "--augment_copies", 1,
                  "--save_checkpoint_step", 10, "--tensorboard", "false")


def run_all(folder: Path, kills: int, generator: random.Random) -> list[str]:
    """Run the undisturbed compression and the one that is killed; return what is not as it should be."""
    straight, killed = folder / "straight", folder / "killed"
    faults = []
    began = time.monotonic()
    process = start(straight)
    while not (straight / "search.json").is_file() and process.poll() is None:
        time.sleep(0.01)
    first = time.monotonic() - began
    if process.wait():
        return [f"the undisturbed run ended with status {process.returncode}: {last_line(folder)}"]
    whole = time.monotonic() - began
    print(f"undisturbed: {whole:.1f} s, of which {first:.1f} until latencies were measured\n"
          f"{'kill':>4} {'after s':>7}  {'made so far':16} left aside", flush=True)
    for number in range(1, kills + 1):
        process = start(killed)
        # Until latencies are measured two kills of five come before that; a start that goes on has less to do than the
        # whole, and is killed before its first new step or after it.
        wanted = generator.uniform(0, whole / 3 if (killed / "search.json").is_file() else 2.5 * first)
        try:
            process.wait(wanted)
            faults.append(f"kill {number}: the run had ended with status {process.returncode}: {last_line(folder)}")
            break
        except subprocess.TimeoutExpired:
            faults += [f"kill {number}: a process of the killed one goes on" for _ in kill(process)]
        made = next((name for name in LAST if (killed / name).exists()), "-")
        aside = " ".join(sorted(path.name for path in leftovers(killed))) if killed.exists() else ""
        print(f"{number:4} {wanted:7.1f}  {made:16} {aside or '-'}", flush=True)
    process = start(killed)
    if process.wait():
        faults.append(f"the last start ended with status {process.returncode}: {last_line(folder)}")
        return faults
    faults += differences(straight, killed, ("model/model.safetensors", "model.onnx"))
    ours, theirs = map(decided, (straight, killed))
    return faults + [f"{name} differs: {ours[name]} and {theirs[name]}" for name in ours if ours[name] != theirs[name]]


def decided(run: Path) -> dict[str, Any]:
    """What a run has found that does not depend on the time that anything took."""
    from src.common.files import read_json

    search, results = read_json(run / "search.json"), read_json(run / "results.json")
    return {"rungs": search["rungs"], "winner": results["winner"]["name"],
            **{split: results["winner"][split] for split in ("dev", "test")}}


if __name__ == "__main__":
    main()
