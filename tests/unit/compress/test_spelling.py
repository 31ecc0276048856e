# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Records in a smaller vocabulary are those that its tokenizer makes of the same files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from src.compress.spelling import respell_records
from src.dataset import concatenate, read_rows
from src.records.options import TaskOptions
from src.records.prepare import prepare_task
from src.records.reading import inspect
from src.tasks import get_task
from src.text.pruning import Pruning
from src.text.tokenization import load_tokenizer
from tests.small_vocabulary import SPECIAL, sentences, write_vocabulary

LETTERS = tuple("abcdefghijklmnopqrstuvwxyz.")
WORDS = ("the", "cat", "dog", "sat", "on", "mat", "run", "low", "lower", "hello", "world", "##ning", "##er", "##ed")


@pytest.mark.parametrize("shards", [1, 2])
@pytest.mark.parametrize("name", ["SST-2", "MRPC"])
def test_rows_are_those_of_the_smaller_tokenizer(name: str, shards: int, tmp_path: Path) -> None:
    task, texts = get_task(name), sentences(160, longest=9)
    if name == "SST-2":
        lines = ["sentence\tlabel", *(f"{text}\t{place % 2}" for place, text in enumerate(texts))]
    else:
        lines = ["Quality\t#1 ID\t#2 ID\t#1 String\t#2 String",
                 *(f"{place % 2}\t1\t2\t{text}\t{texts[-place]}" for place, text in enumerate(texts))]
    data = tmp_path / "data"
    data.mkdir()
    for split in ("train", "dev"):
        (data / f"{split}.tsv").write_text("\n".join(lines) + "\n")
    vocabulary = (*SPECIAL, *LETTERS, *(f"##{letter}" for letter in LETTERS), *WORDS)
    whole = load_tokenizer(write_vocabulary(tmp_path / "vocab.txt", vocabulary))
    options = TaskOptions(seq_length=128, num_shards=shards)  # no row is cut
    prepare_task(task, data, whole, tmp_path / "whole", options)
    counts = np.arange(len(vocabulary))[::-1].copy()
    pruning = Pruning(whole)
    needed = pruning.needed(counts)
    smaller = pruning.cut(pruning.choose(counts, len(needed) + 4, needed), "test")
    prepare_task(task, data, smaller, tmp_path / "expected", options)

    source = inspect(tmp_path / "whole", split="train")
    respell_records(source, task.with_labels(source.manifest.labels), smaller, tmp_path / "found/train")
    found, expected = (inspect(tmp_path / made, split="train") for made in ("found", "expected"))
    rows = [concatenate(list(read_rows(each))) for each in (found, expected)]
    for ours, theirs in zip(rows[0].columns, rows[1].columns, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert found.manifest.vocab_hash == smaller.vocab_hash and found.manifest.labels == expected.manifest.labels
    assert rows[0].input_mask.sum() > concatenate(list(read_rows(source))).input_mask.sum()
