# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""How fast texts are augmented: batched, against one masked word a forward call as TinyBERT's script does it.

    python benchmarks/augment_throughput.py --data_dir MRPC --checkpoint DIR [--sample 32] [--words 1,6]

1,000 pairs of MRPC are augmented, 30 copies each, of which --sample in the slow way; --words are masked at once, by
each variant. --checkpoint has a masked-LM head.

Every variant has the same model, the same lengths of padding, the same choice of candidates and the same copies. "one
by one" gives the model one sentence with one masked word at a time and computes logits at all places; it runs on a
sample of the sentences, some after each part of the others' work, so that all meet the same load of the machine. The
compilations come before the clock starts. Speeds are original sentences a second, by the clock and by processor time.

Last, the whole command without a model (method rules) with 1 and 2 processes, and whether their files are the same.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
from mindspore import Tensor

from common import arguments, machine, watch
from src.augmentation.candidates import CandidateFinder
from src.augmentation.copies import ReplacedCopies, Row
from src.augmentation.masked_lm import MaskedLanguageModel, Query
from src.augmentation.resources import load_finder
from src.common.files import sha256_of
from src.config import Config, load_config
from src.tasks import get_task
from src.tasks.task import model_inputs

ROWS, COPIES, PART = 1000, 30, 64


class OneByOne(MaskedLanguageModel):
    """The same model, asked about one word at a time."""

    def logits(self, queries: Sequence[Query]) -> Iterator[tuple[int, np.ndarray]]:
        for number, query in enumerate(queries):
            values = model_inputs([query.input_ids], [query.first_length], self._shape(query)[1], self.pad_id)
            inputs = [Tensor(column.astype(np.int32)) for column in values.values()]
            yield number, self.model(*inputs).asnumpy()[0, list(query.places)]


def timed(work: Callable[[], object], sentences: int) -> np.ndarray:
    """Sentences, and the seconds that they took by the clock and of the processor."""
    began = time.perf_counter(), time.process_time()
    work()
    return np.array([sentences, time.perf_counter() - began[0], time.process_time() - began[1]])


def finders(config: Config, words_a_pass: Sequence[int]) -> dict[str, CandidateFinder]:
    """The variants; each has the weights of the checkpoint."""
    made: dict[str, CandidateFinder] = {}
    for words in (1, *words_a_pass):
        changed = replace(config, augment=replace(config.augment, words_a_pass=words))
        name = f"batched, {words} masked word" + "s a pass" * (words > 1) if made else "one by one"
        made[name] = load_finder(changed, "english")[0]
    made["one by one"].model.__class__ = OneByOne
    return made


def rows_of(data_dir: Path) -> list[Row]:
    """The first rows of MRPC's training set."""
    examples = islice(get_task("MRPC").resolve(data_dir).read(data_dir, "train"), ROWS)
    return [Row(index, (example.text_a, example.text_b or ""), str(example.label))
            for index, example in enumerate(examples)]


def augment_rows(finder: CandidateFinder, job: ReplacedCopies, rows: Sequence[Row]) -> None:
    """Candidates and copies of some rows."""
    slots, _ = finder.find([text for row in rows for text in row.texts])
    job([row._replace(slots=tuple(slots[text] for text in row.texts)) for row in rows])


def overlap(finder: CandidateFinder, reference: CandidateFinder, rows: Sequence[Row]) -> float:
    """Share of the candidates that masking one word at a time finds too, over the words of some rows."""
    texts = list(dict.fromkeys(text for row in rows for text in row.texts))
    found, right = finder.find(texts)[0], reference.find(texts)[0]
    pairs = [(set(own.candidates), set(exact.candidates)) for text in texts
             for own, exact in zip(found[text], right[text], strict=True)]
    return sum(len(own & exact) for own, exact in pairs) / sum(len(exact) for _, exact in pairs)


def measure(config: Config, rows: Sequence[Row], sample: int, words_a_pass: Sequence[int]) -> None:
    """Print the table of the variants."""
    made = finders(config, words_a_pass)
    job = ReplacedCopies(config.seed, config.augment.copies, config.augment.replace_probability)
    spent = {name: np.zeros(3) for name in made}
    began = time.perf_counter()
    for finder in made.values():
        assert finder.model is not None
        for length in finder.model.buckets:
            list(finder.model.logits([Query([1] * length, length // 2, (1,))]))
    print(f"compiled in {time.perf_counter() - began:.0f} s", flush=True)
    parts = [rows[first:first + PART] for first in range(0, len(rows), PART)]
    for number, part in enumerate(parts):
        for name, finder in made.items():
            if name != "one by one":
                spent[name] += timed(partial(augment_rows, finder, job, part), sum(len(row.texts) for row in part))
                continue
            for row in part[:: -(-len(part) * len(parts) // sample)]:
                spent[name] += timed(partial(augment_rows, finder, job, [row]), len(row.texts))
        print(f"part {number + 1} of {len(parts)}", end="\r", flush=True)
    reference = spent["one by one"][0] / spent["one by one"][1:]
    print(f"{'':<34}{'sentences':>10}{'a second':>10}{'ratio':>7}{'a second of processor':>24}{'ratio':>7}")
    for name, (sentences, *seconds) in spent.items():
        speed, processor = (sentences / passed for passed in seconds)
        print(f"{name:<34}{sentences:>10.0f}{speed:>10.2f}{speed / reference[0]:>7.1f}{processor:>24.2f}"
              f"{processor / reference[1]:>7.1f}", flush=True)
    for name, finder in made.items():
        if name != "one by one":
            share = overlap(finder, made["one by one"], rows[:: -(-len(rows) // sample)])
            print(f"{name}: {share:.1%} of the candidates are those of one by one")


RULES = """
import sys
from src.augmentation import augment
from src.config import load_config
augment.ROWS_A_PROCESS = 1
data, output, workers, copies = sys.argv[1:]
augment.augment(load_config(task__task_name="MRPC", augment__method="rules", augment__data_dir=data,
                            augment__output_dir=output, augment__num_workers=int(workers),
                            augment__copies=int(copies), logging__progress=False))
"""


def compare_workers(data_dir: Path, folder: Path) -> None:
    """Run the whole command without a model in 1 and in 2 processes."""
    digests = []
    for workers in (1, 2):
        output = folder / f"workers{workers}"
        used = watch([sys.executable, "-c", RULES, data_dir, output, str(workers), str(COPIES)],
                     stdout=subprocess.DEVNULL)
        print(f"rules, {workers} process{'es' * (workers > 1)}: {used.seconds:.1f} s", flush=True)
        digests.append(sha256_of(output / "train_aug.tsv"))
    print("files of 1 and 2 processes are " + ("identical" if digests[0] == digests[1] else "DIFFERENT"))


def main() -> None:
    """Command line."""
    options = arguments(__doc__, data_dir=Path, checkpoint=Path, sample=32, words="1,6")
    if options.data_dir is None or options.checkpoint is None:
        sys.exit("expected --data_dir, a folder with MRPC's train.tsv, and --checkpoint, a masked language model")
    config = load_config(augment__load_ckpt_path=str(options.checkpoint), augment__copies=COPIES)
    rows = rows_of(options.data_dir)
    print(f"{len(rows)} rows x {COPIES} copies; {machine()}", flush=True)
    measure(config, rows, options.sample, [int(words) for words in options.words.split(",")])
    with tempfile.TemporaryDirectory(prefix="augment_throughput.") as folder:
        compare_workers(options.data_dir.resolve(), Path(folder))


if __name__ == "__main__":
    main()
