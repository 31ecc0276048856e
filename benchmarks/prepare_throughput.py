# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""How fast text becomes records: `prepare_data.py corpus` against a tokeniser in pure Python.

    python benchmarks/prepare_throughput.py [--megabytes 100] [--repeat 1]

Prints sentences of made text a second of (1) the baseline, the tokeniser of `transformers` in pure Python, which
tokenises only, (2) the whole command with 1 process and (3) with 2 (start-up, reading, packing, serialising and writing
included), of --repeat runs the fastest; their ratios; and the peak of the memory of all processes together (resident
sizes added, so that what they share counts several times). The speeds are by the clock on the wall; on a machine that
is busy otherwise, compare the sentences a second of processor time, which stand beside. Needs requirements-dev.txt.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np

from common import SPECIAL, arguments, digests, machine, preparation, watch


def main() -> None:
    """Measure and print."""
    options = arguments(__doc__, megabytes=100.0, repeat=1)
    with tempfile.TemporaryDirectory(prefix="prepare_throughput.") as folder:
        measure(Path(folder), int(options.megabytes * 1e6), options.repeat)


def measure(folder: Path, size: int, repeat: int) -> None:
    """Run the three and print the table."""
    vocabulary = make_vocabulary(folder)
    text = make_text(folder, vocabulary, size)
    with open(text, encoding="utf-8") as stream:
        sentences = sum(1 for line in stream if line.strip())
    print(f"{text.stat().st_size / 1e6:.0f} MB, {sentences} sentences of {text.stat().st_size / sentences:.0f} bytes; "
          f"{machine()}", flush=True)

    number, seconds, processor = min((baseline(text, vocabulary) for _ in range(repeat)), key=lambda run: run[1])
    table = [("transformers, Python", number / seconds, number / processor, "tokenising only")]
    found = []
    for workers in (1, 2):
        runs = []
        for _ in range(repeat):
            shutil.rmtree(folder / "records", ignore_errors=True)
            command = preparation(text, vocabulary, folder / "records", seq_length=128, num_shards=4,
                                  num_workers=workers)
            runs.append(watch(command, "rss", stdout=subprocess.DEVNULL))
        found.append(digests(folder / "records"))
        seconds, processor, _ = min(runs)
        table.append((f"prepare_data.py, {workers} process" + "es" * (workers > 1), sentences / seconds,
                      sentences / processor, f"{seconds:.1f} s, peak {max(run.peak for run in runs) / 1e6:.0f} MB"))
    for name, speed, processor_speed, note in table:
        print(f"{name:<28}{speed:>9,.0f} sentences/s {speed / table[0][1]:>5.1f} x baseline "
              f"{speed / table[1][1]:>5.2f} x 1 process {processor_speed:>9,.0f} sentences per processor second   "
              f"{note}")
    print("files of 1 and 2 processes are " + ("identical" if found[0] == found[1] else "DIFFERENT"))


def make_vocabulary(folder: Path, size: int = 30000) -> Path:
    """Write vocab.txt of made words and pieces with the proportions of BERT's."""
    generator = np.random.default_rng(0)
    letters = np.array(list("etaoinshrdlucmfwypvbgkqjxz"))
    likely = np.arange(26, 0, -1) / 351
    tokens = dict.fromkeys((*SPECIAL, *".,!?;:'-()|\"", *letters, *(f"##{letter}" for letter in letters)))
    while len(tokens) < size:
        for length in generator.integers(2, 10, size):
            word = "".join(generator.choice(letters, length, p=likely))
            tokens[word if generator.random() < 0.8 else f"##{word[:4]}"] = None
            if len(tokens) == size:
                break
    file = folder / "vocab.txt"
    file.write_text("\n".join(tokens) + "\n", encoding="utf-8")
    return file


def make_text(folder: Path, vocabulary: Path, size: int) -> Path:
    """Write text.txt: sentences of 4 to 16 words, ten a document; word frequencies follow Zipf's law with an exponent
    at which new word forms turn up about as fast as in English text."""
    generator = np.random.default_rng(0)
    tokens = vocabulary.read_text(encoding="utf-8").split("\n")
    words = np.array([token for token in tokens if token.isalpha() and len(token) > 1], object)
    pieces = np.array([token[2:] for token in tokens if token.startswith("##") and len(token) > 3], object)
    forms = np.concatenate([words, generator.choice(words, 500_000) + generator.choice(pieces, 500_000)])
    frequency = (np.arange(len(forms)) + 5.0) ** -1.35
    cumulative = np.cumsum(frequency / frequency.sum())
    path, written = folder / "text.txt", 0
    with open(path, "w", encoding="utf-8") as stream:
        while written < size:
            lengths = generator.integers(4, 17, 10000)
            chosen = forms[np.searchsorted(cumulative, generator.random(lengths.sum()))]
            ends = np.cumsum(lengths)
            lines = [" ".join(chosen[end - length:end]).capitalize() + "." for end, length
                     in zip(ends.tolist(), lengths.tolist(), strict=True)]
            block = "".join(line + ("\n\n" if index % 10 == 9 else "\n") for index, line in enumerate(lines))
            written += stream.write(block)
    return path


def baseline(text: Path, vocabulary: Path, limit: float = 5.0) -> tuple[int, float, float]:
    """Tokenise the beginning of a text for `limit` seconds; return sentences, seconds, seconds of processor time."""
    from transformers.models.bert.tokenization_bert_legacy import BertTokenizerLegacy

    tokenizer = BertTokenizerLegacy(str(vocabulary))
    number = 0
    with open(text, encoding="utf-8") as stream:
        began, processor = time.perf_counter(), time.process_time()
        for line in stream:
            if line.strip():
                tokenizer.convert_tokens_to_ids(tokenizer.tokenize(line.strip()))
                number += 1
                if number % 1000 == 0 and time.perf_counter() - began > limit:
                    break
        return number, time.perf_counter() - began, time.process_time() - processor


if __name__ == "__main__":
    main()
