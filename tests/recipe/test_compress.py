# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""run_compress.py from its command line to its results, stopped on the way; and what it refuses."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

import run_compress
from src.checkpoints.checkpoint import load_model
from src.common.files import read_json
from src.compress import latency, reach, run
from src.compress.search import Search
from src.records.reading import inspect
from tests.refusals import refused
from tests.tiny import RUN_OPTIONS, killed_after


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latency, "SECONDS_A_FILE", 0)


def command(world: Path, folder: Path, *options: str) -> list[str]:
    return [*RUN_OPTIONS, "--load_teacher_ckpt_path", str(world / "teacher"), "--task_name", "SST-2", "--data_dir",
            str(world / "records/task"), "--save_ckpt_path", str(folder), "--vocabularies", "30", "--max_size_mb",
            "0.059", "--candidates", "2", "--rung_steps", "2,3", "--batch_size", "8", *options]


@pytest.mark.large
def test_a_run_that_is_stopped_ends_where_it_would_have(world: Path, run_folder: Path, tmp_path: Path,
                                                        monkeypatch: pytest.MonkeyPatch,
                                                        capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "texts.txt").write_text("".join(f"w{number} good w{number % 7}\n" for number in range(40)))
    words = command(world, run_folder, "--max_drop", "1", "--data_dir", str(world / "tsv"), "--seq_length", "16",
                    "--augment_copies", "1", "--unlabelled_data_dir", str(tmp_path / "texts.txt"), "--student_dropout",
                    "0.05")
    of_all = reach.grid
    monkeypatch.setattr(reach, "grid", lambda *given: [each for each in of_all(*given) if each.vocab_size == 30])
    run_compress.main([*words, "--dry_run"])
    said = capsys.readouterr().out
    assert "candidates of the rungs: 2, 1; steps: 2, 3" in said and not run_folder.exists()
    assert "96 labelled and 40 unlabelled training rows" in said
    with killed_after(1):
        run_compress.main(words)
    planned = read_json(run_folder / "search.json")
    monkeypatch.setattr(run, "reachable", None)  # what was measured is not measured again
    save = Search.save

    def die(search: Search) -> None:
        save(search)
        if search.facts.rungs[0].metrics:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Search, "save", die)
        run_compress.main(words)
    run_compress.main(words)

    found = read_json(run_folder / "search.json")
    assert [found[name] for name in ("teacher", "candidates")] == [planned[name] for name in ("teacher", "candidates")]
    first, last = found["rungs"]
    assert (first["steps"], last["steps"]) == (2, 5) and len(first["names"]) == 2
    winner = max(first["names"], key=first["metrics"].get)
    results = read_json(run_folder / "results.json")
    assert results["winner"]["name"] == winner == last["names"][0]
    for name in ("teacher", "winner"):
        assert {"test", "dev", "onnx_latency_ms", "file_mb", "parameters"} <= results[name].keys()
    model = load_model(run_folder / "model")
    assert results["winner"]["parameters"] == model.parameter_count and model.config.encoder.hidden_dropout_prob == 0.05
    assert results["winner"]["file_mb"] == (run_folder / "model.onnx").stat().st_size / 1e6 <= 0.059
    entries = {entry["name"]: entry for entry in json.loads((run_folder / "pareto.json").read_text())}
    assert {name: entry["rung"] for name, entry in entries.items()} == {
        name: 1 + (name == winner) for name in first["names"]}
    assert (run_folder / "pareto.png").stat().st_size > 10_000 and winner in (run_folder / "report.md").read_text()

    session = onnxruntime.InferenceSession(str(run_folder / "model.onnx"))
    lines = [line.split("\t") for line in (world / "tsv/test.tsv").read_text().splitlines()[1:]]
    tokenizer, hits = load_model(run_folder / "model").tokenizer(), []
    assert tokenizer.vocab_size == 30
    for ids, (_, label) in zip(tokenizer.encode_batch([text for text, _ in lines]), lines, strict=True):
        row = np.array([[tokenizer.cls_id, *ids[:14], tokenizer.sep_id]])
        given = {"input_ids": row, "input_mask": np.ones_like(row), "segment_ids": np.zeros_like(row)}
        hits.append(session.run(None, given)[0].argmax() == int(label))
    assert results["winner"]["test"]["accuracy"] == np.mean(hits)
    assert inspect(run_folder / "vocabularies/30/train").rows > 96  # with copies
    assert inspect(run_folder / "vocabularies/30/unlabelled", is_labelled=False).rows == 40

    capsys.readouterr()
    run_compress.main(words)
    assert "rung" not in capsys.readouterr().out
    refused("holds a run with other settings", run_compress.main, [*words, "--batch_size", "4"])


@pytest.mark.medium
@pytest.mark.parametrize(("options", "message"), [
    (("--max_size_mb", "0"), "nothing says what the student may cost"),
    (("--max_size_mb", "0.001"), "no student of this teacher is within the budget: .* has 0.0"),
    (("--max_latency_ms", "1", "--min_speedup", "2"), "both bound the latency"),
    (("--eval_data_dir", "OTHER"), "holds records of tsv"),
    (("--rung_steps", "[]", "--minutes", "0.01"), "minutes is 0.01, .*: raise --minutes"),
    (("--terms", "cos=1"), "the terms compare more than logits"),
    (("--test_data_dir", "nowhere"), "nowhere"),
    (("--vocabularies", "30,60"), "vocabularies has 60, which .* 53 tokens"),
    (("--augment_copies", "3"), "copies are made of the task's own files"),
])
def test_one_line_where_it_cannot_be(options: tuple[str, ...], message: str, world: Path, tmp_path: Path) -> None:
    if "OTHER" in options:
        other = tmp_path / "other"
        shutil.copytree(world / "records/task/dev", other)
        text = (other / "manifest.json").read_text().replace('"SST-2"', '"tsv"')
        (other / "manifest.json").write_text(text)
        options = (options[0], str(other))
    refused(message, run_compress.main, [*command(world, tmp_path / "run"), *options])
    assert not (tmp_path / "run").exists()
