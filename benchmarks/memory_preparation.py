# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""How much memory `prepare_data.py corpus` takes for a large text, over all of its processes together.

    python benchmarks/memory_preparation.py                       # 1 GB, 2 worker processes
    python benchmarks/memory_preparation.py --megabytes 200

The text is some megabytes of made sentences, over and over, each time in another order, so that its documents differ;
it is written as a stream. Memory is counted as proportional set size (PSS: pages that processes share are divided
among them), every tenth of a second. Prints one JSON object.
"""

from __future__ import annotations

import json
import os
import random
import tempfile
from pathlib import Path

from prepare_throughput import make_text, make_vocabulary

from common import arguments, preparation, watch

BLOCK_BYTES = 4_000_000


def main() -> None:
    """Make the text, prepare it, and print the peak."""
    options = arguments(__doc__, megabytes=1000.0)
    with tempfile.TemporaryDirectory(prefix="memory_preparation.") as folder:
        print(json.dumps(measure(Path(folder), int(options.megabytes * 1e6)), indent=1))


def measure(folder: Path, size: int) -> dict[str, object]:
    """Return the figures."""
    vocabulary = make_vocabulary(folder)
    text = repeat_text(folder, vocabulary, size)
    command = preparation(text, vocabulary, folder / "records", num_workers=2, num_shards=8, deduplicate="documents")
    with open(folder / "summary", "w+", encoding="utf-8") as summary:
        used = watch(command, "pss", stdout=summary)
        summary.seek(0)
        lines = summary.read().strip().split("\n")
    megabytes = text.stat().st_size / 1e6
    return {"megabytes": round(megabytes), "peak_megabytes": round(used.peak / 1e6),
            "seconds": round(used.seconds, 1), "megabytes_a_second": round(megabytes / used.seconds, 2),
            "processors": os.cpu_count(), "load": os.getloadavg()[0], "summary": lines}


def repeat_text(folder: Path, vocabulary: Path, size: int) -> Path:
    """Write `size` bytes: the sentences of a few megabytes in another order each time, ten a document."""
    path = make_text(folder, vocabulary, min(size, BLOCK_BYTES))
    sentences = [line for line in path.read_text(encoding="utf-8").split("\n") if line]
    generator = random.Random(0)
    written = 0
    with open(path, "w", encoding="utf-8") as stream:
        while written < size:
            generator.shuffle(sentences)
            for begin in range(0, len(sentences), 10):
                written += stream.write("\n".join(sentences[begin:begin + 10]) + "\n\n")
                if written >= size:
                    break
    return path


if __name__ == "__main__":
    main()
