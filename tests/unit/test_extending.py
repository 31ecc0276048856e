# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""What one adds is one registered thing: it trains, and shows in logs, curves and --help, without any other change."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import mindspore as ms
import numpy as np
import pytest
from safetensors.numpy import load_file

import convert_checkpoint
import eval as evaluation
import export
import prepare_data
import run_finetune
import run_general_distill
from src.checkpoints.checkpoint import LoadedModel, load_model
from src.config import ModelConfig
from src.convert.families import FAMILIES, distilbert
from src.convert.name_map import PYTORCH
from src.distill import terms
from src.export.artefacts import FORMATS, Format, run_cell
from src.report import curves
from src.report.loss_curves import write_loss_curve
from src.tasks import registry
from src.tasks.metrics import METRICS
from src.tasks.texts import TextTask
from tests import tiny
from tests.tiny import HEAD, RUN_OPTIONS, STUDENT, STUDENT_OPTIONS, lines, save_random, write_vocabulary

pytestmark = pytest.mark.medium


def toy_lengths(student, teacher, batch, options):
    """Mean squared difference of the lengths of the last hidden states, whatever their width."""
    own = ms.ops.norm(student["hidden"][-1], dim=-1)  # (B, S)
    difference = own - ms.ops.norm(teacher["hidden"][-1], dim=-1)
    return (difference * difference * batch["input_mask"]).sum() / batch["token_count"]


TOY_TERM = terms.Term("toy_lengths", "Toy: lengths of the last hidden states", toy_lengths, ("teacher", "hidden"))


@pytest.fixture
def toy_term():
    terms.TERMS.append(TOY_TERM)
    yield TOY_TERM
    terms.TERMS.remove(TOY_TERM)


def test_a_loss_term(world, tmp_path, toy_term, monkeypatch, capsys):
    run = tmp_path / "run"
    run_general_distill.main([
        "--load_teacher_ckpt_path", str(world / "pretrained"), "--data_dir", str(world / "records/corpus"),
        "--save_ckpt_path", str(run), "--batch_size", "8", "--train_steps", "3", "--attention_weight", "0",
        "--terms", "toy_lengths=0.5", *STUDENT_OPTIONS, *RUN_OPTIONS])
    logged = lines(run)
    for line in logged:
        assert line["loss"] == pytest.approx(line["terms"]["hidden_mse"] + 0.5 * line["terms"]["toy_lengths"], rel=1e-5)
    assert len(logged) == 3 and ", toy_lengths: " in capsys.readouterr().out
    figures, save = [], curves.save_figure
    monkeypatch.setattr(curves, "save_figure", lambda figure, path: (figures.append(figure), save(figure, path)))
    write_loss_curve(run)
    assert toy_term.described in [axis.get_title() for axis in figures[0].axes]
    with pytest.raises(SystemExit):
        run_general_distill.main(["--help"])
    assert any(toy_term.described in line for line in capsys.readouterr().out.splitlines())


def test_a_family(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    # A DistilBERT with other names of parameters and settings.
    monkeypatch.setitem(FAMILIES, "toy", replace(
        distilbert.DISTILBERT, model_type="toy", prefix="toy.", cut_from=("toy",),
        encoder=PYTORCH.rules({name.replace("transformer.layer", "blocks"): own
                               for name, own in distilbert.MODULES.items()}),
        settings=tuple(replace(each, foreign=f"toy_{each.foreign}") for each in distilbert.DISTILBERT.settings)))

    config = ModelConfig(replace(STUDENT, type_vocab_size=0, pooler="relu"), HEAD, "SST-2", "toy")
    ours, theirs, back, student = (tmp_path / name for name in ("ours", "theirs", "back", "student"))
    save_random(ours, config, write_vocabulary(tmp_path / "vocabulary"))
    convert_checkpoint.main(["--from", "mindspore", "--to", "hf", str(ours), str(theirs)])
    assert "toy.blocks.1.attention.q_lin.weight" in load_file(theirs / "model.safetensors")
    assert '"toy_dim": 16' in (theirs / "config.json").read_text(encoding="utf-8")
    convert_checkpoint.main(["--from", "hf", "--to", "mindspore", str(theirs), str(back)])
    assert load_model(back).config == config
    assert all(np.array_equal(array, load_model(ours).parameters[name])
               for name, array in load_model(back).parameters.items())

    convert_checkpoint.main(["extract", str(back), str(student), "--head", "drop", "--model_type", "toy"])
    assert load_model(student).config.family == "toy"
    assert load_model(student).config.encoder.num_hidden_layers == 1
    with pytest.raises(SystemExit):
        convert_checkpoint.main(["extract", "--help"])
    assert "gpt2,toy}" in capsys.readouterr().out


def write_arrays(loaded: LoadedModel, path: Path, _graph: object) -> list[str]:
    np.savez(path, **loaded.parameters)
    return ["toy arrays"]


def test_an_export_format(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    monkeypatch.setitem(FORMATS, "ARRAYS", Format(
        "ARRAYS", ".npz", write_arrays,
        run=lambda path, config: run_cell(LoadedModel(path, config, dict(np.load(path)), None))))

    save_random(tmp_path / "model", ModelConfig(STUDENT, HEAD), None)
    options = ["--checkpoint", str(tmp_path / "model"), "--device_target", "CPU", "--seq_length", "8"]
    export.main([*options, "--file_format", "ARRAYS", "--output", str(tmp_path / "out")])
    output = capsys.readouterr().out
    assert "batch 2 x length 8: largest difference 0.00e+00" in output
    assert "note: toy arrays" in output
    assert sorted(np.load(tmp_path / "out.npz").files) == sorted(load_model(tmp_path / "model").parameters)
    with pytest.raises(SystemExit):
        export.main(["--help"])
    assert "| ARRAYS" in " ".join(capsys.readouterr().out.split())


@pytest.fixture
def toy_task(monkeypatch):
    monkeypatch.setattr(registry, "TASKS", dict(registry.TASKS))
    monkeypatch.setitem(METRICS, "toy_recall", lambda predictions, labels: float(np.mean(predictions[labels == 1])))
    registry.register(TextTask(name="ToyReviews", text_a="review", label="verdict", labels=("poor", "fine"),
                               metric_names=("toy_recall", "accuracy"), submission_files={"test": "toy.tsv"}))


def test_a_text_task(toy_task, tmp_path, capsys):
    generator, data, run = np.random.default_rng(0), tmp_path / "data", tmp_path / "run"
    data.mkdir()
    for split, rows in (("train", 48), ("dev", 16)):
        lines = [f"{tiny.sentence(generator, row % 2)}\t{('poor', 'fine')[row % 2]}" for row in range(rows)]
        (data / f"{split}.tsv").write_text("\n".join(["review\tverdict", *lines]) + "\n", encoding="utf-8")
    (data / "test.tsv").write_text("review\nw1 good\nw2 bad\n", encoding="utf-8")
    encoder = replace(tiny.TEACHER, num_hidden_layers=1)
    save_random(tmp_path / "model", ModelConfig(encoder), write_vocabulary(tmp_path / "vocabulary"))

    prepare_data.main(["task", "--task_name", "toy reviews", "--data_dir", str(data), "--seq_length", "16",
                       "--tokenizer", str(tmp_path / "vocabulary"), "--output_dir", str(tmp_path / "records")])
    run_finetune.main(["--load_ckpt_path", str(tmp_path / "model"), "--task_name", "ToyReviews", "--data_dir",
                       str(tmp_path / "records"), "--save_ckpt_path", str(run), "--epoch_size", "1",
                       "--batch_size", "16", *RUN_OPTIONS])
    assert "(toy_recall)" in capsys.readouterr().out
    assert {"toy_recall", "accuracy"} <= json.loads((run / "result.json").read_text())["metrics"].keys()
    evaluation.main(["--checkpoint", str(run / "model"), "--data_dir", str(data), "--split", "test", "--submit",
                     str(run), "--seq_length", "16", "--device_target", "CPU"])
    assert (run / "toy.tsv").read_text().startswith("index\tprediction\n0\t")
    with pytest.raises(SystemExit):
        prepare_data.main(["task", "--help"])
    assert "ToyReviews" in capsys.readouterr().out
