# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""int8 files: every head, measured by its own metric, and refused where they lose too much."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import onnx
import pytest

import eval as evaluation
from src.checkpoints.checkpoint import load_model, save_model
from src.config import BiLstmConfig, HeadConfig, ModelConfig, load_config
from src.evaluate.by_row import open_by_row
from src.export import quantization
from src.export.artefacts import run_onnx
from src.export.onnx_graph import build_onnx
from src.export.quantization import int8_instructions, quantize_file
from src.export.run import Exported, batches, export_model
from src.predict import load
from src.records.prepare import TaskOptions, prepare_task
from src.tasks import get_task
from src.text.tokenization import load_tokenizer
from tests.refusals import refused
from tests.tiny import BAD, CPU, GOOD, PLAIN, TEACHER, VOCABULARY, save_random, write_sst2, write_vocabulary
from tests.unit.export.test_export import CLASSES, ENCODER, FAMILIES, draw, only

SHORT = replace(TEACHER, num_hidden_layers=2, max_position_embeddings=32)
PRUNED = replace(ENCODER, num_attention_heads=2, head_size=8, layer_heads=(1, 2), layer_units=(12, 32))
LAYERED = {name: each for name, each in FAMILIES.items() if name != "static"}  # a table has no product of matrices
LONGER = replace(SHORT, max_position_embeddings=80)  # a question and a text
BILSTM = BiLstmConfig(vocab_size=len(VOCABULARY), embedding_size=16, hidden_size=12, num_layers=2, dense_size=16,
                      pooling="last", dropout=0.1)
TWO = HeadConfig("classification", ("a", "b"))


def export(checkpoint: Path, target: Path, **settings: object) -> Exported:
    """Export as the command does."""
    config = load_config(**{f"export__{name}": value for name, value in {
        "checkpoint": str(checkpoint), "output": str(target), "file_format": "ONNX", "quantize": "int8",
        **{name: str(value) if isinstance(value, Path) else value for name, value in settings.items()}}.items()})
    return export_model(config.export, rows_of=partial(open_by_row, config=config, device=CPU))


def words(number: int, longest: int = 12) -> list[list[str]]:
    generator = np.random.default_rng(number)
    return [list(map(str, generator.choice((*GOOD, *BAD, *PLAIN), generator.integers(1, longest))))
            for _ in range(number)]


def write_rows(folder: Path, kind: str) -> Path:
    """Labelled rows of dev, in the form of the kind's task; a language model's are a text file."""
    folder.mkdir()
    texts = [" ".join(row) for row in words(30)]
    if kind == "masked_lm":
        (folder / "text.txt").write_text("\n".join(texts) + "\n")
        return folder / "text.txt"
    if kind == "ner":
        (folder / "dev.conll").write_text("\n\n".join("\n".join(
            f"{word} {'B-GOOD' if word in GOOD else 'O'}" for word in row) for row in words(30)) + "\n")
    elif kind == "SQuAD":
        (folder / "dev.json").write_text(json.dumps({"data": [{"paragraphs": [{"context": text, "qas": [
            {"id": str(number), "question": "good w1", "answers": [{"text": text.split()[0], "answer_start": 0}]}]}]}
            for number, text in enumerate(texts)]}))
    elif kind == "RTE":
        (folder / "dev.tsv").write_text("\n".join(["index\tsentence1\tsentence2\tlabel", *(
            f"{number}\t{text}\tgood w1\t{('entailment', 'not_entailment')[number % 2]}"
            for number, text in enumerate(texts))]) + "\n")
    else:
        labels = [number / 7 for number in range(30)] if kind == "tsv-regression" else ["ab"[n % 2] for n in range(30)]
        (folder / "dev.tsv").write_text("\n".join(["text\tlabel", *(
            f"{text}\t{label}" for text, label in zip(texts, labels, strict=True))]) + "\n")
    return folder


def random_model(folder: Path, head: HeadConfig, encoder: object = SHORT, task: str = "tsv", **changed: np.ndarray
                 ) -> Path:
    """Weights whose answers depend on the words."""
    config, vocabulary = ModelConfig(encoder, head, task), write_vocabulary(folder.parent / "vocabulary")
    if encoder is BILSTM:
        return save_random(folder, config, vocabulary)
    return save_model(folder, config, {**draw(config), **changed}, vocabulary)


@pytest.mark.medium
@pytest.mark.parametrize(("head", "encoder"), [(CLASSES, ENCODER), (CLASSES, PRUNED), *LAYERED.values()],
                         ids=["classes", "pruned", *LAYERED])
def test_fused_and_quantized_graphs(tmp_path: Path, head: HeadConfig, encoder: object) -> None:
    config, runs, names = ModelConfig(encoder, head), {}, ("plain", "fused", "int8", "static")
    made = list(batches(encoder, 18))
    for name in ("plain", "fused"):
        onnx.save(build_onnx(config, draw(config), name == "fused"), str(tmp_path / name))
    feeds = [{name: values[row: row + 1] for name, values in batch.items()} for batch in made
             for row in range(len(batch["input_ids"]))]
    for name, rows in (("int8", ()), ("static", feeds)):
        # The table of a language model's output is the embedding: both are one int8 table.
        weights = quantize_file(tmp_path / "fused", tmp_path / name, rows)
        assert weights.share > 0.9 and weights.operators["MatMul"] >= 12
        assert weights.operators["Gather"] >= 1 + any("position_embeddings" in name for name in draw(config))
        stored = onnx.load(str(tmp_path / name)).graph.initializer
        assert not [each.name for each in stored if each.data_type == onnx.TensorProto.FLOAT and len(each.dims) > 1]
    operators = {node.op_type for node in onnx.load(str(tmp_path / "fused")).graph.node}
    assert "MultiHeadAttention" in operators and not operators & {"Softmax", "Erf", "Tanh"} - {"Tanh"}
    for name in names:
        runs[name] = run_onnx(tmp_path / name, config)
    for batch in made:
        expected, *others = (runs[name](batch)[0] for name in names)
        for name, found, limit in zip(names[1:], others, (1e-5, 0.1, 0.35), strict=True):
            difference = np.abs(found - expected)
            if difference.ndim == 3:
                difference = difference[batch["input_mask"] == 1]
            assert difference.max() <= limit * max(1.0, np.abs(expected).max()), name


@pytest.mark.medium
@pytest.mark.parametrize(("head", "task"), [
    (TWO, "tsv"), (TWO, "bilstm"), (HeadConfig("regression"), "tsv-regression"),
    (HeadConfig("classification", ("entailment", "not_entailment")), "RTE"), (HeadConfig("span"), "SQuAD"),
    (HeadConfig("tagging", ("O", "B-GOOD", "I-GOOD")), "ner"), (HeadConfig("masked_lm"), "masked_lm")],
    ids=lambda value: value if isinstance(value, str) else value.kind)
def test_every_head_by_its_own_metric(tmp_path: Path, head: HeadConfig, task: str) -> None:
    encoder = {"bilstm": BILSTM, "masked_lm": replace(LONGER, pooler="none")}.get(task, LONGER)
    name = {"bilstm": "tsv", "masked_lm": ""}.get(task, task)
    rows, model = write_rows(tmp_path / "rows", task), random_model(tmp_path / "model", head, encoder, name)
    exported = export(model, tmp_path / "out/m.onnx", eval_data_dir=rows, max_drop=0.5, optimize=task != "bilstm")
    evaluation.main(["--checkpoint", str(model), "--data_dir", str(rows), "--device_target", "CPU", "--buckets", "32",
                     "--seq_length", "80", "--metrics_path", str(tmp_path / "metrics.json")])
    measured = json.loads((tmp_path / "metrics.json").read_text())["metrics"]
    before, after = exported.quantized.metrics
    assert before == pytest.approx({name: measured[name] for name in before}, rel=1e-5)
    assert exported.quantized.agreement > 0.8 and exported.quantized.weights.share > 0.8
    assert exported.path.stat().st_size < sum(each.nbytes for each in load_model(model).parameters.values())
    card = json.loads((tmp_path / "out/m.onnx.json").read_text())
    assert card["quantized"]["metrics"]["int8"] == after and card["quantized"]["rows"] >= 30
    assert card["compute_type"] == "int8" and "processor" in card["quantized"]
    within = {each.key: each.value for each in onnx.load(str(exported.path)).metadata_props}
    assert json.loads(within["card"])["compute_type"] == "int8" and json.loads(within["labels"]) == list(head.labels)
    lines = exported.quantized.lines()
    assert "Gather" in lines[0] and "agreement" in lines[1] and "one thread" in lines[2]


@pytest.fixture
def judged(tmp_path: Path) -> Callable[..., tuple[Path, Path]]:
    """A function that writes a model, and rows whose labels are what it says in float32: accuracy 1."""

    def make(**changed: np.ndarray) -> tuple[Path, Path]:
        texts = [" ".join(row) for row in words(60)]
        changed["head.classifier.bias"] = np.zeros(2, np.float32)
        margins = np.diff(load(random_model(tmp_path / "model", TWO, **changed)).logits(texts))[:, 0]
        changed["head.classifier.bias"] = np.array([np.median(margins), 0], np.float32)  # as many of both
        rows = tmp_path / "rows"
        rows.mkdir()
        (rows / "dev.tsv").write_text("\n".join(["text\tlabel", *(
            f"{text}\t{'ab'[int(margin > np.median(margins))]}" for text, margin in zip(texts, margins, strict=True))]))
        return random_model(tmp_path / "model", TWO, **changed), rows

    return make


WORDS = "encoder.embeddings.word_embeddings.embedding_table"


@pytest.mark.medium
@pytest.mark.parametrize("where", ["table", "file"])
def test_a_student_with_a_corrupted_scale_is_refused(
        tmp_path: Path, judged: Callable[..., tuple[Path, Path]], where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A row of the table that no text reads takes all steps of int8 for itself; or the scale in the file is damaged."""
    if where == "table":
        table = draw(ModelConfig(SHORT, TWO))[WORDS]
        table[4] *= 1e3  # [MASK]
        model, rows = judged(**{WORDS: table})
    else:
        model, rows = judged()

        def corrupted(source: Path, target: Path, *others: object, **named: object) -> quantization.Weights:
            weights = quantize_file(source, target, *others, **named)
            made = onnx.load(str(target))
            scale = next(each for each in made.graph.initializer if each.name == f"{WORDS}_scale")
            scale.CopyFrom(onnx.numpy_helper.from_array(np.float32(50) * onnx.numpy_helper.to_array(scale), scale.name))
            onnx.save(made, str(target))
            return weights

        monkeypatch.setattr(quantization, "quantize_file", corrupted)
    (tmp_path / "out").mkdir()
    refused("int8 loses more than max_drop 0.01: accuracy 1.0000 in float32, 0.* in int8 .agreement 0.*; nothing was "
            "written", export, model, tmp_path / "out/m.onnx", eval_data_dir=rows)
    assert only(tmp_path / "out")


@pytest.mark.medium
def test_static_ranges(tmp_path: Path, judged: Callable[..., tuple[Path, Path]],
                       capsys: pytest.CaptureFixture) -> None:
    model, rows = judged()
    found = export(model, tmp_path / "m.onnx", quantize="int8-static", calibration_data_dir=rows / "dev.tsv",
                   max_drop=0.2)
    assert "the rows of calibration_data_dir verify the file too" in capsys.readouterr().out
    assert found.quantized.agreement >= 0.8 and found.quantized.rows == 60
    operators = [node.op_type for node in onnx.load(str(found.path)).graph.node]
    assert "DynamicQuantizeLinear" not in operators and "QuantizeLinear" in operators


def test_what_cannot_be_quantized(tmp_path: Path) -> None:
    rows, model = write_rows(tmp_path / "rows", "tsv"), random_model(tmp_path / "model", TWO)
    target = tmp_path / "out/m.onnx"
    refused("eval_data_dir is empty", export, model, target)
    refused("calibration_data_dir is empty", export, model, target, quantize="int8-static", eval_data_dir=rows)
    for file_format in ("MINDIR", "HF"):
        refused(f"quantize is int8, but file_format is {file_format}", export, model, tmp_path / "m",
                file_format=file_format, eval_data_dir=rows)
        refused(f"optimize is .* but file_format is {file_format}", export, model, tmp_path / "m",
                file_format=file_format, quantize="none", optimize=True)
    pairs = random_model(tmp_path / "pairs", HeadConfig("classification", ("a", "b")), task="RTE")
    other = write_rows(tmp_path / "other", "RTE")
    refused("predicts a, b; the task's labels are entailment", export, pairs, target, eval_data_dir=other)
    write_sst2(tmp_path / "sst2", {"train": 8, "dev": 8})
    prepare_task(get_task("SST-2"), tmp_path / "sst2", load_tokenizer(tmp_path / "vocabulary"), tmp_path / "records",
                 TaskOptions(seq_length=16))
    named = random_model(tmp_path / "named", HeadConfig("classification", ("0", "1")))
    refused("eval_data_dir .*records holds rows of task SST-2, but .*named is a model of tsv", export, named, target,
            eval_data_dir=tmp_path / "records")
    bare = random_model(tmp_path / "bare", HeadConfig(), task="")
    refused("has no head, so that no metric says what it loses", export, bare, target, eval_data_dir=rows)
    (tmp_path / "rows/dev.tsv").write_text("text\ngood w1\n")
    refused("dev.tsv.*label", export, model, target, eval_data_dir=rows)
    bilstm = random_model(tmp_path / "bilstm", TWO, BILSTM)
    refused("is a BiLSTM, and ONNX Runtime has no LSTM with fixed ranges", export, bilstm, target,
            quantize="int8-static", calibration_data_dir=rows)
    refused("--optimize", export, bilstm, target, quantize="none", optimize=True)
    assert not target.parent.exists()


def test_a_runtime_without_the_operator(tmp_path: Path) -> None:
    config = ModelConfig(ENCODER, CLASSES)
    model = build_onnx(config, draw(config), fused=True)
    next(node for node in model.graph.node if node.op_type == "MultiHeadAttention").op_type = "AttentionOfTomorrow"
    onnx.save(model, str(tmp_path / "m.onnx"))
    refused("ONNX Runtime .* cannot run the file: .*AttentionOfTomorrow.*leave --optimize and --quantize out", run_onnx,
            tmp_path / "m.onnx", config)


@pytest.mark.parametrize(("flags", "name"), [
    ("flags : fpu avx2 avx512_vnni", "AVX512-VNNI"), ("flags : avx2 avx_vnni", "AVX-VNNI"),
    ("Features : fp asimd asimddp", "dot product"), ("flags : fpu sse2 avx2", "")])
def test_instructions_of_the_processor(tmp_path: Path, flags: str, name: str) -> None:
    (tmp_path / "cpuinfo").write_text(f"processor : 0\n{flags}\n")
    assert int8_instructions(tmp_path / "cpuinfo") == name
    assert int8_instructions(tmp_path / "absent") == ""


def test_weights_of_seven_bits_do_not_saturate(tmp_path: Path) -> None:
    config = ModelConfig(ENCODER, CLASSES)
    onnx.save(build_onnx(config, draw(config)), str(tmp_path / "m.onnx"))
    for reduce, largest in ((False, 127), (True, 64)):
        quantize_file(tmp_path / "m.onnx", tmp_path / "q.onnx", reduce_range=reduce)
        stored = [onnx.numpy_helper.to_array(each) for each in onnx.load(str(tmp_path / "q.onnx")).graph.initializer
                  if each.data_type == onnx.TensorProto.INT8 and len(each.dims) == 2]
        assert stored and max(np.abs(each.astype(int)).max() for each in stored) == largest
