# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""How much memory `prepare_data.py corpus` takes for a large text, over all of its processes together.

    python benchmarks/memory_preparation.py                       # 1 GB, 2 worker processes
    python benchmarks/memory_preparation.py --megabytes 200

The text is some megabytes of made sentences, over and over, each time in another order, so that its documents differ;
it is written as a stream. Memory is counted as proportional set size (PSS: pages that processes share are divided
among them), every fifth of a second. Prints one JSON object; status 1 above --limit_megabytes.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
from prepare_throughput import REPOSITORY, make_text, make_vocabulary

BLOCK_BYTES = 4_000_000


def main(argv: list[str]) -> None:
    """Make the text, prepare it, and print the peak."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=float, default=1000.0)
    parser.add_argument("--num_workers", type=int, default=2)
    parser.add_argument("--num_shards", type=int, default=8)
    parser.add_argument("--dataset_type", choices=("tfrecord", "mindrecord"), default="tfrecord")
    parser.add_argument("--deduplicate", choices=("none", "documents"), default="documents")
    parser.add_argument("--limit_megabytes", type=float, default=2000.0)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="memory_preparation.") as folder:
        result = measure(options, Path(folder))
    print(json.dumps(result, indent=1))
    sys.exit(result["peak_megabytes"] > options.limit_megabytes)


def measure(options: argparse.Namespace, folder: Path) -> dict[str, object]:
    """Return the figures."""
    vocabulary, text = folder / "vocab.txt", folder / "text.txt"
    vocabulary.write_text("\n".join(make_vocabulary(options.seed)) + "\n", encoding="utf-8")
    repeat_text(text, vocabulary, int(options.megabytes * 1e6), options.seed)
    command = [sys.executable, str(REPOSITORY / "prepare_data.py"), "corpus", "--input", str(text), "--tokenizer",
               str(vocabulary), "--output_dir", str(folder / "records"), "--num_shards", str(options.num_shards),
               "--num_workers", str(options.num_workers), "--dataset_type", options.dataset_type, "--deduplicate",
               options.deduplicate, "--logging.progress", "false"]
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    peak, by_process = watch(process)
    seconds = time.perf_counter() - began
    summary = process.stdout.read() if process.stdout else ""
    if process.returncode:
        sys.exit(process.returncode)
    size = text.stat().st_size / 1e6
    return {"megabytes": round(size), "num_workers": options.num_workers, "peak_megabytes": round(peak / 1e6),
            "peak_of_each_process": [round(bytes_ / 1e6) for bytes_ in sorted(by_process.values(), reverse=True)],
            "seconds": round(seconds, 1), "megabytes_a_second": round(size / seconds, 2),
            "processors": os.cpu_count(), "load": os.getloadavg()[0], "summary": summary.strip().split("\n")}


def repeat_text(path: Path, vocabulary: Path, size: int, seed: int) -> None:
    """Write `size` bytes: the sentences of a few megabytes in another order each time, ten a document."""
    make_text(path, vocabulary, min(size, BLOCK_BYTES), seed)
    sentences = [line for line in path.read_text(encoding="utf-8").split("\n") if line]
    generator = random.Random(seed)
    written = 0
    with open(path, "w", encoding="utf-8") as stream:
        while written < size:
            generator.shuffle(sentences)
            for begin in range(0, len(sentences), 10):
                written += stream.write("\n".join(sentences[begin:begin + 10]) + "\n\n")
                if written >= size:
                    break


def watch(process: subprocess.Popen) -> tuple[int, dict[int, int]]:
    """Wait for a process; return the peak over it and its descendants together, and of each, in bytes."""
    peak = 0
    by_process: dict[int, int] = {}
    root = psutil.Process(process.pid)
    while process.poll() is None:
        total = 0
        try:
            family = [root, *root.children(recursive=True)]
        except psutil.NoSuchProcess:
            break
        for member in family:
            try:
                used = member.memory_full_info().pss
            except psutil.Error:
                continue
            total += used
            by_process[member.pid] = max(by_process.get(member.pid, 0), used)
        peak = max(peak, total)
        time.sleep(0.2)
    process.wait()
    return peak, by_process


if __name__ == "__main__":
    main(sys.argv[1:])
