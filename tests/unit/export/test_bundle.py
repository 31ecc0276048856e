# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Bundles: what is in them, their model card, and what cannot be one."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import huggingface_hub
import pytest

import export
from serving import Predictor
from src.common.files import sha256_of, write_json
from src.config import BiLstmConfig, HeadConfig, ModelConfig
from src.export.model_card import model_card
from tests.bundles import ENCODER, HEADS, make_bundle, make_model, to_bundle
from tests.refusals import refused
from tests.tiny import TEACHER, VOCABULARY, save_random, write_sst2, write_vocabulary

pytestmark = pytest.mark.usefixtures("graph_mode")
OPTIONS = ("--file_format", "BUNDLE", "--device_target", "CPU")


def run_around(model: Path, **settings: object) -> None:
    """Make the folder that a model lies in one of a run, which has learnt from a teacher."""
    write_json(model.parent / "run.json", {
        "settings": {"data.seq_length": 16, "teacher.load_teacher_ckpt_path": "runs/large/model", **settings},
        "inputs": {"teacher": "0123456789abcdef"}})
    write_json(model.parent / "result.json", {"task": "SST-2", "metrics": {"accuracy": 0.875}, "step": 3})
    (model.parent / "metrics.jsonl").write_text(json.dumps(
        {"stage": "finetune", "step": 3, "examples": 96, "loss": 0.5, "terms": {"cross_entropy": 0.5}}) + "\n")


@pytest.mark.medium
def test_a_bundle_of_a_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = make_model(tmp_path / "run", "SST-2")
    run_around(model)
    data = write_sst2(tmp_path / "tsv", {"dev": 8})
    export.main(["--checkpoint", str(tmp_path / "run"), "--output", str(tmp_path / "out"), *OPTIONS, "--license", "mit",
                 "--quantize", "int8", "--eval_data_dir", str(data), "--max_drop", "1"])
    printed = capsys.readouterr().out
    assert "batch 2 x length 24: largest difference" in printed and "note: rows of up to 16 tokens" in printed
    folder = tmp_path / "out"
    assert {path.name for path in folder.iterdir()} == {"README.md", "bundle.json", "model.onnx", "tokenizer.json"}
    values = json.loads((folder / "bundle.json").read_text(encoding="utf-8"))
    assert (values["bundle_version"], values["task_name"], values["head"], values["labels"], values["max_length"]) == (
        1, "SST-2", "classification", ["0", "1"], 24)
    assert values["rows"] == {"takes": "text", "seq_length": 16, "doc_stride": 128, "max_query_length": 64,
                              "by_character": False}
    assert values["files"] == {name: sha256_of(folder / name) for name in ("model.onnx", "tokenizer.json")}
    assert values["teacher"] == {"name": "large", "identity": "0123456789abcdef"}
    assert values["metrics"] == {"dev": {"accuracy": 0.875}} and values["model"]["name"] == "run"
    assert values["compute_type"] == "int8" and {"mindspore", "onnx", "tokenizers"} <= values["versions"].keys()
    assert Predictor(folder).batch_size == 1 and Predictor(folder).metadata == values
    card = huggingface_hub.ModelCard.load(folder / "README.md")
    assert (card.data.license, card.data.language, card.data.pipeline_tag, card.data.datasets, card.data.metrics) == (
        "mit", ["en"], "text-classification", ["nyu-mll/glue"], ["accuracy"])
    result, = card.data.eval_results
    assert result.metric_value == values["quantized"]["metrics"]["int8"]["accuracy"] and result.dataset_config == "sst2"
    assert "| Teacher | `large` |" in card.text and "Predictor(" in card.text
    refused("is not empty; choose another", export.main, ["--checkpoint", str(model), "--output", str(folder),
                                                          *OPTIONS])


def test_the_metric_on_dev_is_that_of_the_run_and_of_its_result(tmp_path: Path) -> None:
    model = make_model(tmp_path / "run", "SST-2")
    run_around(model)
    folder = to_bundle(model, tmp_path / "out", export__seq_length=20, export__language=("de",))
    result, = huggingface_hub.ModelCard.load(folder / "README.md").data.eval_results
    assert (result.metric_value, result.dataset_split, result.dataset_name) == (0.875, "validation", "SST-2")
    assert Predictor(folder).bundle.rows.seq_length == 20 and Predictor(folder).metadata["language"] == ["de"]


@pytest.mark.parametrize("task", list(HEADS))
def test_model_cards_of_all_kinds(tmp_path: Path, task: str) -> None:
    folder = make_bundle(tmp_path, task)
    card = huggingface_hub.ModelCard.load(folder / "README.md")
    assert card.data.license == "unknown" and card.data.library_name == "onnx" and card.data.eval_results is None
    assert card.data.pipeline_tag == {
        "tagging": "token-classification", "span": "question-answering", "embedding": "sentence-similarity"}.get(
        HEADS[task].kind, "text-ranking" if task == "reranking" else "text-classification")
    code = card.text.partition("```python\n")[2].partition("```")[0].replace("THIS_FOLDER", str(folder))
    exec(compile(code, "README.md", "exec"), {})


def test_names_in_a_model_card_end_nothing(tmp_path: Path) -> None:
    values = json.loads((make_bundle(tmp_path) / "bundle.json").read_text(encoding="utf-8"))
    text = model_card({**values, "labels": ["a`|b\n# c", *map(str, range(40))]})
    assert "`a b # c`, `0`" in text and "... (41 in all)" in text


@pytest.mark.parametrize("pooling", ["last", "max"])
def test_a_bilstm(tmp_path: Path, pooling: str) -> None:
    encoder = BiLstmConfig(len(VOCABULARY), 8, 8, 8, 1, pooling, 0.1)
    served = Predictor(to_bundle(make_model(tmp_path, "SST-2", encoder), tmp_path / "out"))
    assert served.bundle.rows.seq_length == 128 and len(served.predict(["good w1", "bad " * 60])) == 2


def test_models_that_cannot_be_bundles(tmp_path: Path) -> None:
    vocabulary = write_vocabulary(tmp_path / "v")
    for name, head, encoder in (("none", HeadConfig(), TEACHER),
                                ("masked_lm", HeadConfig("masked_lm"), replace(TEACHER, pooler="none"))):
        refused(f"has no head that answers for a text .{name}.; give a fine-tuned", to_bundle,
                save_random(tmp_path / name, ModelConfig(encoder, head), vocabulary), tmp_path / "out")
    refused("has no tokenizer", to_bundle, save_random(tmp_path / "bare", ModelConfig(ENCODER, HEADS["tsv"]), None),
            tmp_path / "out")
    cut = write_vocabulary(tmp_path / "cut")
    (cut / "tokenizer_config.json").write_text('{"segment": "jieba"}')
    refused("cuts texts into words by jieba first", to_bundle,
            save_random(tmp_path / "words", ModelConfig(ENCODER, HEADS["tsv"]), cut), tmp_path / "out")
    refused("rows of 24 tokens are too short for this model, which needs 68 .*lower --max_query_length", to_bundle,
            make_model(tmp_path / "span", "SQuAD", ENCODER), tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("options", "message"), [
    (["--license", "Apache 2.0"], "license is 'Apache 2.0'; expected an identifier"),
    (["--language", "english"], "language 'english' is none; expected codes"),
    (["--push_to_hub", "a/b/c"], "push_to_hub is 'a/b/c', which is no name of a repository"),
    (["--push_to_hub", "me/student"], "push_to_hub needs a token .*HF_TOKEN"),
    (["--optimize", "true", "--file_format", "HF"], "optimize is of ONNX Runtime's operators"),
    (["--license", "mit", "--file_format", "ONNX"], "--license has no effect in export.py: .*BUNDLE"),
    (["--doc_stride", "9", "--file_format", "ONNX"], "--doc_stride has no effect in export.py: .*BUNDLE"),
])
def test_options_that_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], message: str
                                  ) -> None:
    monkeypatch.setattr(huggingface_hub, "get_token", lambda: None)
    model = make_model(tmp_path, "SST-2")
    refused(message, export.main, ["--checkpoint", str(model), "--output", str(tmp_path / "out"), *OPTIONS, *options])
    assert not (tmp_path / "out").exists()


def test_uploading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from src.export.hub import check_repository, push

    monkeypatch.setattr(huggingface_hub, "get_token", lambda: "hf_x")
    check_repository("me/student")
    calls = []

    class Hub:
        def create_repo(self, name: str, exist_ok: bool) -> SimpleNamespace:
            calls.append((name, exist_ok))
            return SimpleNamespace(repo_id=name)

        def upload_folder(self, repo_id: str, folder_path: Path, commit_message: str) -> None:
            if repo_id == "me/other":
                raise OSError("403 for hf_abcdefghijklmnop\nnot allowed")
            calls.append((repo_id, folder_path))

    monkeypatch.setattr(huggingface_hub, "HfApi", Hub)
    push(tmp_path, "me/student")
    assert calls == [("me/student", True), ("me/student", tmp_path)]
    refused(r"could not be uploaded to me/other .OSError: 403 for \*\*\* not allowed.*hf upload me/other", push,
            tmp_path, "me/other")
