# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Labelled and unlabelled rows in one stream: none twice, each with its own label, weight and teacher's logits."""

from __future__ import annotations

from pathlib import Path

import mindspore as ms
import mindspore.dataset as ds
import numpy as np
import pytest
from mindspore import Tensor

from src.config import HeadConfig, load_config
from src.config.model import IGNORED
from src.dataset import JoinedLogits, TeacherLogits, TrainingBatches, open_records, with_unlabelled
from src.dataset.compatibility import check_unlabelled
from src.distill.batch import columns_of
from src.distill.objectives import label_objective
from src.records.prepare import TaskOptions, prepare_task
from src.records.reading import RecordSource
from src.tasks import get_task, of_unlabelled_file
from src.text.tokenization import load_tokenizer
from tests.refusals import refused
from tests.tiny import VOCABULARY, write_sst2, write_vocabulary

LABELLED, OTHERS = 37, 150
COLUMNS = columns_of(False, True, True)


def opened(folder: Path, labelled: bool = True) -> RecordSource:
    return open_records(str(folder), load_config().data, "train_data_dir", "task", "", labelled)


def prepared(folder: Path, text: str, name: str, task: str = "SST-2", length: int = 16, tokens=VOCABULARY
             ) -> RecordSource:
    """Unlabelled rows of a file."""
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    prepare_task(of_unlabelled_file(get_task(task), file), file, load_tokenizer(
        write_vocabulary(folder / "vocab", tokens)), folder / "records", TaskOptions(seq_length=length))
    return opened(folder / "records/unlabelled", labelled=False)


@pytest.fixture(scope="module")
def parts(tmp_path_factory) -> tuple[RecordSource, RecordSource]:
    """Labelled rows, and others, all of different texts."""
    folder = tmp_path_factory.mktemp("rows")
    tokenizer = load_tokenizer(write_vocabulary(folder / "vocab"))
    write_sst2(folder / "tsv", {"train": LABELLED, "dev": 9})
    prepare_task(get_task("SST-2"), folder / "tsv", tokenizer, folder / "records", TaskOptions(seq_length=16))
    texts = [f"w{number // 40} w{number % 40} bad w{number % 7}" for number in range(OTHERS)]
    return opened(folder / "records/train"), prepared(folder / "others", "\n".join(texts) + "\n", "texts.txt")


def batches(parts, size: int = 16, **settings) -> list[dict[str, np.ndarray]]:
    """Two epochs of batches, whose teacher's logits are the places of the rows."""
    source = with_unlabelled(*parts)
    values = np.arange(source.rows, dtype=np.float32)[:, None]
    logits = JoinedLogits(TeacherLogits(Path(), values[:LABELLED]), TeacherLogits(Path(), values[LABELLED:]))
    steps = 2 * (source.rows // 16)
    made = TrainingBatches(source, size, steps * settings.get("accumulation", 1), (8, 16), seed=3, bucket_window=3,
                           teacher_logits=logits, **settings)
    return [dict(zip(COLUMNS, columns, strict=True)) for columns in made]


def by_place(parts) -> dict[int, tuple]:
    """The tokens and the label of each place, read without shuffling."""
    found = {}
    for batch in batches(parts, shuffle=False)[:(LABELLED + OTHERS) // 16]:
        for row, place in enumerate(batch["teacher_logits"][:, 0].astype(int)):
            found[place] = (tuple(batch["input_ids"][row][batch["input_mask"][row] > 0]), batch["label_ids"][row, 0])
    return found


@pytest.mark.medium
def test_an_epoch_is_all_rows_once_in_random_order(parts) -> None:
    seed = ds.config.get_seed()
    made, known = batches(parts), by_place(parts)
    assert ds.config.get_seed() == seed
    assert [place for place in sorted(known) if place < LABELLED] == list(range(LABELLED))
    epochs = made[:11], made[11:]
    orders = [[int(place) for batch in epoch for place in batch["teacher_logits"][:, 0]] for epoch in epochs]
    assert orders[0] != orders[1] and all(len(set(order)) == len(order) == 176 for order in orders)
    for batch in made:
        places = batch["teacher_logits"][:, 0].astype(int)
        is_labelled = places < LABELLED
        weights = batch["row_weights"]
        assert weights[~is_labelled].sum() == 0 and weights.sum() == pytest.approx(float(is_labelled.any()))
        assert batch["label_ids"][~is_labelled].sum() == 0
        for row, place in enumerate(places):
            if place in known:
                assert known[place] == (tuple(batch["input_ids"][row][batch["input_mask"][row] > 0]),
                                        batch["label_ids"][row, 0])
    # The parts are mixed well: the labelled share of the first half of an epoch is near that of all.
    assert 0.1 < np.mean([place < LABELLED for place in orders[0][:88]]) < 0.32


@pytest.mark.medium
@pytest.mark.parametrize("settings", [{"size": 8, "ranks": 2}, {"size": 8, "accumulation": 2}, {"start": 15}])
def test_processes_micro_steps_and_a_later_start_give_the_same_rows(parts, settings: dict) -> None:
    whole, start = batches(parts), settings.get("start", 0)
    each = [batches(parts, rank=rank, **settings) for rank in range(settings.get("ranks", 1))]
    rows = [row for steps in zip(*each, strict=True) for part in steps for row in part["teacher_logits"][:, 0]]
    assert rows == [row for batch in whole[start:] for row in batch["teacher_logits"][:, 0]]
    parts_a_step = 16 // settings.get("size", 16)
    weights = [weight for steps in zip(*each, strict=True) for part in steps for weight in part["row_weights"]]
    np.testing.assert_allclose(weights, parts_a_step * np.concatenate([b["row_weights"] for b in whole[start:]]))


@pytest.mark.parametrize(("head", "shape", "classes"), [
    (HeadConfig("classification", ("a", "b", "c")), (6, 3), 3), (HeadConfig("regression"), (6, 1), 0),
    (HeadConfig("span"), (6, 5, 2), 5), (HeadConfig("tagging", ("a", "b", "c")), (6, 5, 3), 3)])
def test_losses_of_labels_are_means_over_labelled_rows(head, shape, classes) -> None:
    """Weighted, the loss of six rows is that of the four labelled ones alone."""
    generator = np.random.default_rng(0)
    logits = generator.normal(size=shape).astype(np.float32)
    width = {"span": 2, "tagging": 5}.get(head.kind, 1)
    labels = generator.integers(0, classes or 9, (6, width)).astype(np.int32 if classes else np.float32)
    if head.kind == "tagging":
        labels[:, ::2] = IGNORED
    mask = np.ones((6, 5), np.int32)
    is_labelled = np.array([1, 0, 1, 1, 0, 1], bool)
    objective = label_objective(head)

    def loss(rows: np.ndarray, **others: Tensor) -> float:
        batch = {"label_ids": Tensor(labels[rows]), "input_mask": Tensor(mask[rows]), **others}
        return float(objective.terms[0].function({"logits": Tensor(logits[rows])}, {}, batch, objective.options))

    count = np.count_nonzero(labels[is_labelled] != IGNORED)
    weights = Tensor((is_labelled / count).astype(np.float32), ms.float32)
    assert loss(np.ones(6, bool), row_weights=weights) == pytest.approx(loss(is_labelled), abs=1e-6)


@pytest.mark.parametrize(("name", "text", "options", "message"), [
    ("a.csv", "sentence,other\na w1,x\n", {"length": 12}, "have 12 tokens, the training rows of .* 16"),
    ("a.txt", "a w1\n", {"tokens": (*VOCABULARY, "more")}, "the vocabulary of"),
    ("a.txt", "a w1\n", {"task": "CoLA"}, "the task of .* is CoLA"),
])
def test_rows_of_other_kinds_are_refused(parts, tmp_path, name, text, options, message) -> None:
    other = prepared(tmp_path, text, name, **options)
    refused(message, check_unlabelled, parts[0], other, None, get_task("SST-2"))


def test_the_training_and_the_dev_rows_are_refused(parts) -> None:
    labelled, others = parts
    for held_out, given, message in ((None, labelled, "the training rows themselves"),
                                     (others, others, "the dev rows themselves")):
        refused(message, check_unlabelled, labelled, given, held_out, get_task("SST-2"))
    refused("lists of documents", check_unlabelled, labelled, others, None, get_task("reranking"))
