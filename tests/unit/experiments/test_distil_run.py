# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The DistilBERT run without its models: the text it holds out, its stages, and its report."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from experiments.distil import data as distil_data
from experiments.distil import report as distil_report
from experiments.distil import run as distil_run
from experiments.distil.data import documents, split_documents
from src.common.errors import UserError
from src.common.files import write_json
from src.config import load_config, parse
from tests.refusals import refused

REPOSITORY = Path(__file__).resolve().parents[3]


def test_documents_are_cut_at_empty_lines():
    assert documents(["", "a", "b ", "", " ", "c", ""]) == [["a", "b"], ["c"]]


def test_whole_documents_are_held_out_in_the_order_of_the_corpus():
    texts = [[f"{d}.{s}" for s in range(d % 4 + 1)] for d in range(100)]
    train, held_out = split_documents(texts, 0.1, seed=1)
    assert sorted(train + held_out) == sorted(sentence for text in texts for sentence in text)
    assert {s.split(".")[0] for s in train}.isdisjoint(s.split(".")[0] for s in held_out)
    assert 25 <= len(held_out) < 25 + 4  # 10 % of 250 sentences, up to the end of a document
    position = {sentence: i for i, sentence in enumerate(s for text in texts for s in text)}
    assert [position[s] for s in held_out] == sorted(position[s] for s in held_out)
    assert split_documents(texts, 0.1, seed=1) == (train, held_out) != split_documents(texts, 0.1, seed=2)


def test_a_sentence_that_is_held_out_is_nowhere_trained_on():
    texts = [["Good film."], ["good film.", "Own."], ["Other."], ["Another."], ["Last."]]
    for seed in range(6):
        train, held_out = split_documents(texts, 0.2, seed)
        assert {s.casefold() for s in train}.isdisjoint(s.casefold() for s in held_out)


@pytest.mark.parametrize("texts, message", [([["a", "b"]], "has 1 document"), ([["a"], ["A"]], "nothing to train on")])
def test_a_corpus_that_cannot_be_split(texts, message):
    refused(message, split_documents, texts, 0.5, seed=0)


def test_the_texts_are_written(tmp_path, capsys):
    (tmp_path / "corpus.txt").write_text("one\u0085still one\n\ntwo\ntwo b\n\nthree\n", encoding="utf-8")
    distil_data.main(["--corpus", str(tmp_path / "corpus.txt"), "--output_dir", str(tmp_path / "text")])
    lines = [(tmp_path / "text" / name).read_text(encoding="utf-8").split("\n")[:-1]
             for name in ("train.txt", "held_out.txt")]
    assert sorted(lines[0] + lines[1]) == ["one\u0085still one", "three", "two", "two b"]
    assert f"held_out.txt: {len(lines[1])} sentences" in capsys.readouterr().out
    with pytest.raises(UserError, match="cannot read"):
        distil_data.main(["--corpus", str(tmp_path / "absent"), "--output_dir", "y"])


@pytest.fixture
def config():
    return load_config(REPOSITORY / distil_run.RECIPE)


def test_the_students_differ_in_their_objective_alone(config):
    stages = {stage.name: stage for stage in distil_run.distil_stages(config, 1.0, "CPU")}
    parsed = [parse("run_general_distill.py", list(stages[name].commands[0][2:])) for name in
              ("distil", "masked_lm_alone")]
    assert parsed[0].token_distill.alphas["alpha_ce"] > 0 and parsed[0].token_distill.alphas["alpha_cos"] > 0
    assert [name for name, alpha in parsed[1].token_distill.alphas.items() if alpha] == ["alpha_mlm"]
    folders = {item.checkpoint.save_ckpt_path for item in parsed}
    assert len(folders) == 2
    for section in ("student", "teacher", "data", "seed"):
        assert getattr(parsed[0], section) == getattr(parsed[1], section)
    alike = {name: (getattr(parsed[0].token_distill, name), getattr(parsed[1].token_distill, name)) for name in
             ("train_steps", "batch_size", "warmup_proportion", "mlm_smoothing", "mlm_mask_prop")}
    assert all(a == b for a, b in alike.values())
    assert parsed[0].student.student_pretrained_weights == str(stages["student"].outputs[0])


@pytest.mark.parametrize("name, entry", [
    ("head", "run_finetune.py"), ("teacher", "run_finetune.py"), ("distil", "run_general_distill.py"),
    ("evaluate", "eval.py"), ("export", "export.py")])
def test_commands_are_accepted_by_the_entry_points(config, name, entry):
    stage = next(stage for stage in distil_run.distil_stages(config, 1.0, "CPU") if stage.name == name)
    for command in stage.commands:
        assert command[1] == entry and parse(entry, list(command[2:])).seed == config.seed


PERPLEXITY = {"head": 900.0, "teacher": 100.0, "student_at_start": 4000.0, "distilled": 150.0, "masked_lm_alone": 200.0}


@pytest.fixture
def made_run(tmp_path):
    for number, (name, perplexity) in enumerate(PERPLEXITY.items()):
        folder = tmp_path / distil_report.MODELS[name][1]
        folder.mkdir(parents=True)
        save_file({"encoder.layers.0.output.weight": np.zeros((4, 8 * (number + 1)), np.float32)},
                  str(folder / "model.safetensors"))
        write_json(tmp_path / f"evaluation/{name}.json", {"task": "mlm", "metrics": {
            "perplexity": perplexity, "accuracy": 0.25, "tokens": 812.0}})
    for name, stage in (("head", "mlm"), ("teacher", "mlm"), ("distilled", "distil"), ("masked_lm_alone", "distil")):
        lines = [{"stage": stage, "step": step, "loss": 9.0, "terms": {"mlm": 6.0 - step / 30}}
                 for step in range(5, 65, 5)]
        lines += [{"stage": stage, "step": step, "eval": {"perplexity": PERPLEXITY[name] * 60 / step, "accuracy": 0.25,
                                                          "tokens": 812.0}} for step in (30, 60)]
        (tmp_path / name / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    for number, name in enumerate(("head", "teacher", "distil", "masked_lm_alone")):
        write_json(tmp_path / f"stamps/{name}.json", {"finished": True, "started": time.time() + number,
                                                 "seconds": 10.0 + number, "commands": [f"python {name}.py --flag"]})
    return tmp_path


def test_figures_are_exact(made_run):
    results = distil_report.report(made_run, seed=7)
    assert json.loads((made_run / "results.json").read_text()) == results and results["seed"] == 7
    models = {model["name"]: model for model in results["models"]}
    assert {name: model["perplexity"] for name, model in models.items()} == PERPLEXITY
    assert [model["parameters"] for model in models.values()] == [32, 64, 96, 128, 160]
    assert [model["steps"] for model in models.values()] == [60, 60, 0, 60, 60]
    assert [model["seconds"] for model in models.values()] == [10.0, 11.0, 0.0, 12.0, 13.0]


def test_the_report_shows_table_verdict_and_curves(made_run, capsys):
    distil_report.report(made_run, seed=7)
    text = (made_run / "report.md").read_text()
    assert "| Student, distilled | 150.0 | 0.2500 | 0.00 M | 60 | 12 |" in text
    assert "| Student at the start | 4,000.0 | 0.2500 | 0.00 M | - | - |" in text
    assert "25.0% lower than" in text and "(150.0 against 200.0)" in text and "python distil.py --flag" in text
    assert (made_run / "curves.png").read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    distil_report.print_summary(made_run)
    assert "Student, masked-LM training alone" in capsys.readouterr().out
    models = distil_report.model_figures(made_run, {})
    models[3]["perplexity"] = 220.0
    assert "10.0% higher than" in distil_report.verdict(models)


def test_models_measured_on_different_tokens_are_refused(made_run):
    metrics = {"perplexity": 1.0, "accuracy": 0.0, "tokens": 811.0}
    write_json(made_run / "evaluation/distilled.json", {"metrics": metrics})
    refused("counts 811 predicted tokens, the first evaluation 812", distil_report.report, made_run, seed=7)
