# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Files of students that nobody has trained: they are the ones that the export would write, called in turn."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from src.checkpoints.checkpoint import LoadedModel, load_model, save_model
from src.compress import latency
from src.compress.latency import PLACES, Bench, cut_anywhere, in_turn, write_file
from src.compress.shapes import Shape, grid
from src.compress.spelling import Spelling
from src.compress.vocabularies import possible_vocabularies
from src.config import ModelConfig, load_config
from src.dataset import Batch
from src.evaluate.by_row import open_by_row, orders
from src.export.artefacts import run_onnx
from src.export.run import export_model
from src.pruning.counted_text import count_records
from tests.tiny import CPU, TEACHER
from tests.unit.pruning.test_cut import FAMILIES, draw


def saved(folder: Path, config: ModelConfig, tokenizer: Path | None = None) -> LoadedModel:
    return load_model(save_model(folder, config, draw(config), tokenizer))


@pytest.mark.medium
@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_is_cut_written_and_run(name: str, tmp_path: Path) -> None:
    teacher = saved(tmp_path / "teacher", FAMILIES[name])
    uneven = Shape((1, 3), (48, 16), 32, 30, True)
    for shape in (uneven, replace(uneven, quantized=False)):
        config = shape.config(teacher.config)
        path = write_file(teacher, shape, tmp_path, fused=not shape.quantized)
        ids = np.arange(6)[None, :] + 20
        [logits] = run_onnx(path, config, threads=1)(
            {"input_ids": ids, "input_mask": np.ones_like(ids), "segment_ids": np.zeros_like(ids)})
        assert np.isfinite(logits).all() and logits.shape[0] == 1
        held = {tensor.name: tuple(tensor.dims) for tensor in onnx.load(str(path)).graph.initializer}
        assert (32, 48) in held.values() and (16, 32) in held.values()  # units of each layer, of either type
        parameters = cut_anywhere(teacher, shape).parameters
        assert sum(value.size for value in parameters.values()) == shape.parameters(teacher.config)


@pytest.mark.medium
def test_the_size_is_that_of_the_exported_file(world: Path, tmp_path: Path) -> None:
    teacher = load_model(world / "teacher")
    shape = Shape((2, 2), (32, 32), 32, TEACHER.vocab_size, True)
    bench = Bench(teacher, {TEACHER.vocab_size: [4, 7, 9]})
    [measured] = bench.measure([shape])
    student = cut_anywhere(teacher, shape)
    settings = load_config(
        export__checkpoint=str(save_model(tmp_path / "student", student.config, student.parameters, world / "vocab")),
        export__output=str(tmp_path / "model.onnx"), export__file_format="ONNX", export__quantize="int8",
        export__eval_data_dir=str(world / "tsv"), export__max_drop="1.0")
    exported = export_model(settings.export, rows_of=lambda *given: open_by_row(*given, config=settings, device=CPU))
    assert measured.file_mb * 1e6 == pytest.approx(exported.size, abs=200)  # names in the card
    assert measured.parameters == student.parameter_count
    assert bench.teacher.parameters == teacher.parameter_count and bench.teacher.latency_ms > 0


def test_files_are_called_in_turn_and_a_slow_moment_meets_all(monkeypatch: pytest.MonkeyPatch) -> None:
    now, called = itertools.count(), []
    times = {"a": 0.002, "b": 0.006, "t": 0.02}
    clock = [0.0]

    def file(name: str) -> latency._File:
        def run(feed: dict[str, np.ndarray]) -> tuple[np.ndarray, ...]:
            called.append(name)
            slow = 10.0 if next(now) % 7 == 0 else 1.0
            clock[0] += slow * times[name] * feed["input_ids"].shape[1] / 10
            return ()

        return latency._File(run, latency._feeds(50, [20, 5, 10]), 0)

    monkeypatch.setattr(latency, "SECONDS_A_FILE", 0.0)
    own, reference = in_turn([file("a"), file("b")], file("t"), lambda: clock[0])
    assert own == pytest.approx([2.0, 6.0]) and reference == pytest.approx(20.0)
    rest, rounds = "".join(called)[9:], PLACES * latency.LEAST_ROUNDS
    assert rest in ("tatb" * rounds, "tbta" * rounds)  # each after the teacher


def test_no_model_follows_itself_and_each_follows_any_other() -> None:
    called = [each for order in itertools.islice(orders(4), 100) for each in order]
    assert [called.count(each) for each in range(4)] == [100] * 4
    assert set(itertools.pairwise(called)) == set(itertools.permutations(range(4), 2))
    assert list(itertools.islice(orders(1), 3)) == [[0]] * 3


def test_groups_are_scaled_by_the_teachers_file(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine is half as fast for the second group: what is told is as if it were not."""
    passes = iter([([3.0, 2.0], 8.0), ([2.0], 8.0), ([4.0], 16.0)])
    monkeypatch.setattr(latency, "in_turn", lambda *files: next(passes))
    monkeypatch.setattr(latency, "FILES_AT_ONCE", 1)
    teacher = load_model(world / "teacher")
    bench = Bench(teacher, {TEACHER.vocab_size: [4]})
    shapes = grid(teacher.config, [TEACHER.vocab_size], quantized=[False])[-2:]
    bench.choose_operators(shapes[0])
    assert bench.fused and bench.teacher.latency_ms == 8.0
    assert [(each.latency_ms, each.fused) for each in bench.measure(shapes)] == [(2.0, True), (2.0, True)]
    assert [each.shape for each in bench.measure([])] == []


def test_rows_in_a_smaller_vocabulary(world: Path) -> None:
    teacher = load_model(world / "teacher")
    text = count_records(str(world / "records/task"), teacher)
    size = len(teacher.tokenizer().tokens)
    found = possible_vocabularies(teacher, text, (size, 30, 4))
    assert list(found) == [30]  # nothing smaller than the special tokens, nothing as large as the whole
    whole = teacher.tokenizer()
    rows = [[whole.cls_id, *ids, whole.sep_id] for ids in whole.encode_batch(["good w1 w2 w39", "w3"])]
    ids, mask = np.zeros((2, 2, 6), np.int32)
    for place, row in enumerate(rows):
        ids[place, :len(row)], mask[place, :len(row)] = row, 1
    respelled, first_lengths, cut = Spelling(whole, found[30])(Batch(ids, mask, 0 * ids, ids[:, :1]))
    assert list(map(len, respelled)) == first_lengths == [6, 3] and not cut
