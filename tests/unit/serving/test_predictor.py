# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Bundles answer what eval.py and src.predict do, also in a copied folder without MindSpore, and refuse the rest."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import eval as evaluation
from serving import Predictor, ServingError
from serving.bundle import DESCRIPTION, MODEL, TOKENIZER, VERSION
from src.predict import load
from src.tasks import get_task
from src.text.tokenization import load_tokenizer
from tests.bundles import ENCODER, HEADS, changed, make_bundle, make_model, to_bundle
from tests.small_vocabulary import GPT2, ROBERTA, write_byte_level
from tests.tiny import BAD, GOOD, PLAIN

REPOSITORY = Path(__file__).resolve().parents[3]


def texts(number: int, longest: int = 12, seed: int = 0) -> list[str]:
    """Texts with words that are not known, signs, marks, Chinese characters and more than one space."""
    generator = np.random.default_rng(seed)
    words = (*GOOD, *BAD, *PLAIN, "Ünknown", "e\u0301", "U.S.-based", "10km", "很好", "\u200b")
    return ["  ".join(generator.choice(words, int(generator.integers(1, longest)))) + "!" for _ in range(number)]


def asked(task: str) -> list[Any]:
    if task in ("RTE", "STS-B"):
        return list(zip(texts(7, 30), texts(7, 30, 1), strict=True))
    if task.startswith("SQuAD"):
        contexts = texts(5, 90)
        return list(zip(texts(7, 8, 1), [*contexts, contexts[0], contexts[2]], strict=True))
    return texts(7, 40)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bundle(tmp_path_factory.mktemp("bundle"))


def refused(match: str, call: Callable[..., object], *arguments: Any, **named: Any) -> None:
    with pytest.raises(ServingError, match=match) as raised:
        call(*arguments, **named)
    assert "\n" not in str(raised.value) and str(raised.value).isprintable()


@pytest.mark.medium
@pytest.mark.filterwarnings("ignore:.*longer than seq_length")
@pytest.mark.parametrize(("task", "special"), [
    ("tsv", ()), ("RTE", ()), ("STS-B", ()), ("ner", ()), ("SQuAD", ()), ("SQuAD2", ()),
    ("RTE", ROBERTA), ("ner", ROBERTA), ("SQuAD", ROBERTA), ("tsv", GPT2)])
def test_answers_are_those_of_mindspore(tmp_path: Path, task: str, special: tuple[str, ...]) -> None:
    tokenizer = write_byte_level(tmp_path / "bytes", special) if special else None
    if tokenizer:
        load_tokenizer(tokenizer).save(tokenizer)
    model, questions = make_model(tmp_path, task, tokenizer=tokenizer), asked(task)
    length = 72 if task.startswith("SQuAD") else 24
    reference = load(model, seq_length=length)
    served = Predictor(to_bundle(model, tmp_path / "bundle"), batch_size=3)
    assert (served.task, served.kind, served.labels) == (task, reference.kind, reference.labels)
    assert served.bundle.rows.separators == reference.tokenizer.separators == 1 + (special == ROBERTA)
    ours, theirs = served.logits(questions), reference.logits(questions)
    if ours.ndim == 3:  # filled up to the longest row here, to a bucket there
        theirs = theirs[:, : ours.shape[1]]
        real = ours.any(-1)
        assert real.sum() > len(questions) and len(ours) > len(questions), "some text has several windows"
        ours, theirs = ours[real], theirs[real]
    assert np.abs(ours - theirs).max() <= 1e-4
    for own, its in zip(served.predict(questions), reference(questions), strict=True):
        assert own.keys() == {*its, "truncated"}
        for name, value in its.items():
            if isinstance(value, (float, dict)):
                assert own[name] == pytest.approx(value, abs=1e-4)
            else:
                assert own[name] == value  # labels, tags, texts and offsets are the same
    json.dumps(served.predict(questions))


@pytest.mark.medium
def test_answers_are_those_of_eval(tmp_path: Path) -> None:
    model, rows = make_model(tmp_path, "SST-2"), [text.replace("\u200b", "x") for text in texts(6, 40)]
    lines = ["index\tsentence", *(f"{number}\t{row}" for number, row in enumerate(rows))]
    (tmp_path / "test.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    evaluation.main(["--checkpoint", str(model), "--data_dir", str(tmp_path), "--split", "test", "--seq_length", "24",
                     "--predictions_path", str(tmp_path / "p.jsonl"), "--device_target", "CPU"])
    expected = [json.loads(line) for line in (tmp_path / "p.jsonl").read_text(encoding="utf-8").splitlines()]
    served = Predictor(to_bundle(model, tmp_path / "bundle"))
    assert np.abs(served.logits(rows) - [each["logits"] for each in expected]).max() <= 1e-4
    answers = served.predict(rows)
    assert [each["label"] for each in answers] == [each["prediction"] for each in expected]
    assert [each["truncated"] for each in answers] == [len(served._encode([row])[0]) > 22 for row in rows]


@pytest.mark.large
@pytest.mark.parametrize(("task", "file"), [
    ("CoLA", "glue/CoLA/dev.tsv"), ("MRPC", "glue/MRPC/dev.tsv"), ("STS-B", "glue/STS-B/dev.tsv"),
    ("CLUENER", "cluener/dev.json"), ("SQuAD", "xquad/xquad.en.json")])
def test_answers_are_those_of_eval_on_every_row(tmp_path: Path, shared_data: Callable[[str], Path], task: str,
                                                file: str) -> None:
    source = shared_data(file)
    name = "dev-v1.1.json" if task == "SQuAD" else source.name
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / name).symlink_to(source)
    examples = list(get_task(task).resolve(tmp_path / "data", HEADS[task].labels).read(tmp_path / "data", "dev"))
    rows = [(each.question, each.context) for each in examples] if task == "SQuAD" else [
        each.text for each in examples] if task == "CLUENER" else [
        each.text_a if each.text_b is None else (each.text_a, each.text_b) for each in examples]
    model = make_model(tmp_path, task, replace(ENCODER, max_position_embeddings=96), seed=5,
                       tokenizer=write_byte_level(tmp_path / "bytes"))
    evaluation.main(["--checkpoint", str(model), "--data_dir", str(tmp_path / "data"), "--split", "dev", "--buckets",
                     "96", "--seq_length", "96", "--predictions_path", str(tmp_path / "p.jsonl"), "--device_target",
                     "CPU"])
    expected = [json.loads(line) for line in (tmp_path / "p.jsonl").read_text(encoding="utf-8").splitlines()]
    served = Predictor(to_bundle(model, tmp_path / "bundle"))
    answers = served.predict(rows)
    assert len(answers) == len(expected) == len(examples) > 250
    if served.kind in ("classification", "regression"):
        assert np.abs(served.logits(rows) - [each["logits"] for each in expected]).max() <= 1e-4
        return
    for own, its, row in zip(answers, expected, rows, strict=True):
        if served.kind == "tagging":
            assert (own["words"], own["tags"], own["entities"]) == (its["words"], its["prediction"], its["entities"])
        else:
            assert own["score"] == pytest.approx(its["score"], abs=1e-4)
            assert row[1][own["begin"]: own["end"]] == own["answer"] == its["prediction"]


def test_an_answer_depends_on_nothing_but_its_text(bundle: Path) -> None:
    rows = texts(9, 30)
    together, one_by_one = Predictor(bundle), Predictor(bundle, batch_size=1)
    assert np.abs(together.logits(rows) - np.concatenate([one_by_one.logits([row]) for row in rows])).max() < 1e-5
    assert together.predict([]) == [] and together.logits([]).shape == (0, 2) and together.size_bytes == sum(
        (bundle / name).stat().st_size for name in (MODEL, TOKENIZER, DESCRIPTION))
    assert together.metadata["bundle_version"] == 1 and together.predict(rows)[4] == together.predict(rows)[4]


def test_words_that_the_tokenizer_drops_and_texts_without_words(tmp_path: Path) -> None:
    served = Predictor(make_bundle(tmp_path, "ner"))
    first, second = served.predict(["good \x07 bad", "\u200b \x07"])
    assert first["words"] == ["good", "\x07", "bad"] and len(first["tags"]) == 3
    assert second["words"] == ["\u200b", "\x07"] and isinstance(second["entities"], list)


@pytest.mark.parametrize(("given", "message"), [
    ("good", "the inputs are 'good'; expected a list"), (None, "the inputs are None; expected a list"),
    (["good", None], "text 1 is None; expected a text, or a pair"), ([3], "text 0 is 3; expected a text"),
    ([{"text": "x"}], "text 0 is .* expected a text"), ([["a", "b", "c"]], "text 0 is .* expected a text"),
    ([("good", "bad")], r"this model .SST-2. takes a single text"), (["good", ""], "text 1 is empty"),
    ([" \n"], "text 0 is empty"), (["ok \ud83d"], r"text 0 has half of a surrogate pair at character 3 .'.ud83d'."),
])
def test_what_is_no_text(bundle: Path, given: Any, message: str) -> None:
    refused(message, Predictor(bundle).predict, given)


def test_pairs_are_asked_for_where_a_model_takes_them(tmp_path: Path) -> None:
    refused("text 0 is 'good'; this model .RTE. takes a pair of texts", Predictor(make_bundle(tmp_path, "RTE")).predict,
            ["good"])
    either = Predictor(make_bundle(tmp_path / "either", "tsv"))
    assert len(either.predict(["good", ("good", "bad"), ["good"]])) == 3


@pytest.mark.parametrize(("spoil", "message"), [
    (lambda place: shutil.rmtree(place), "does not exist; give the folder that export.py"),
    (lambda place: (place / DESCRIPTION).unlink(), "holds no bundle.json, so it is no bundle"),
    (lambda place: (place / MODEL).write_bytes(b"x"), "model.onnx is not what was written .*sha256"),
    (lambda place: (place / TOKENIZER).unlink(), "tokenizer.json is missing"),
    (lambda place: (place / DESCRIPTION).write_text("{"), "bundle.json is not valid JSON"),
    (lambda place: (place / DESCRIPTION).write_text("[" * 100_000), "bundle.json is not valid JSON"),
    (lambda place: (place / DESCRIPTION).write_text("[]"), "holds a list; expected the object"),
    (lambda place: (place / DESCRIPTION).write_bytes(b"\xff"), "bundle.json is not valid JSON"),
    (lambda place: changed(place, lambda values: values.update(bundle_version=VERSION + 1)),
     f"a bundle of version {VERSION + 1}, and this program reads up to {VERSION}; update"),
    (lambda place: changed(place, lambda values: values.pop("bundle_version")), "has no bundle_version"),
    (lambda place: changed(place, lambda values: values.update(head="none")), "head is 'none'; expected one of"),
    (lambda place: changed(place, lambda values: values.update(labels=["1"])), "labels are .'1'.; expected two"),
    (lambda place: changed(place, lambda values: values.update(labels=["0", "1", "2"])), "asks for 3 logits"),
    (lambda place: changed(place, lambda values: values["rows"].update(seq_length=True)),
     "rows.seq_length is True; expected a whole number"),
    (lambda place: changed(place, lambda values: values["rows"].update(seq_length=25)),
     "rows.seq_length is 25, but the model knows 24 positions"),
    (lambda place: changed(place, lambda values: values.update(tokenizer=None)), "tokenizer is None; expected an obj"),
])
def test_what_is_no_bundle(bundle: Path, tmp_path: Path, spoil: Callable[[Path], Any], message: str) -> None:
    place = Path(shutil.copytree(bundle, tmp_path / "bundle"))
    spoil(place)
    refused(message, Predictor, place)


def test_other_places(bundle: Path, tmp_path: Path) -> None:
    refused(r"is a model, and no bundle yet: python export.py --checkpoint .* --file_format BUNDLE", Predictor,
            make_model(tmp_path, "SST-2"))
    refused("is a file; give the folder", Predictor, bundle / MODEL)
    refused("the bundle is 5; expected the path", Predictor, 5)
    for name in ("threads", "batch_size"):
        refused(f"{name} is -1; expected a whole number", Predictor, bundle, **{name: -1})


def with_other_files(place: Path, name: str, content: bytes) -> Path:
    """Files that are not those of a model, whose hashes fit all the same."""
    import hashlib

    (place / name).write_bytes(content)
    changed(place, lambda values: values["files"].update({name: hashlib.sha256(content).hexdigest()}))
    return place


@pytest.mark.parametrize("name", [MODEL, TOKENIZER])
def test_files_that_the_libraries_cannot_read(bundle: Path, tmp_path: Path, name: str) -> None:
    place = Path(shutil.copytree(bundle, tmp_path / "bundle"))
    refused(f"{name} cannot be loaded", Predictor, with_other_files(place, name, b'{"model": 1}'))


ALONE = """
import sys
class Nothing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("mindspore", "tensorflow", "src", "onnx", "huggingface_hub", "yaml", "safetensors"):
            raise ImportError(f"{name} is not there")
sys.meta_path.insert(0, Nothing())
import serving
assert not {"onnxruntime", "tokenizers"} & sys.modules.keys(), "loaded before they are needed"
print(serving.__file__)
print(serving.Predictor("bundle").predict(["good w1"])[0]["label"])
"""


@pytest.mark.medium
def test_alone_in_a_copied_folder(bundle: Path, tmp_path: Path) -> None:
    shutil.copytree(REPOSITORY / "serving", tmp_path / "serving")
    shutil.copytree(bundle, tmp_path / "bundle")
    done = subprocess.run([sys.executable, "-c", ALONE], cwd=tmp_path, capture_output=True, text=True, timeout=120,
                          check=False, env={"PYTHONDONTWRITEBYTECODE": "1"})
    assert done.returncode == 0, done.stderr
    file, label = done.stdout.splitlines()
    assert Path(file).parent == tmp_path / "serving" and label in ("0", "1")


@pytest.mark.parametrize("types", [0, 1])
def test_models_of_one_segment(tmp_path: Path, types: int) -> None:
    encoder = replace(ENCODER, type_vocab_size=types, pooler="relu")
    served = Predictor(to_bundle(make_model(tmp_path, "RTE", encoder), tmp_path / "bundle"))
    assert len(served.predict([("good", "bad")])) == 1
