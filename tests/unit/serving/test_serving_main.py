# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""What `python -m serving` and `python -m serving.examples` refuse, in one line, and what the latter writes."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from serving import ServingError, examples
from serving import __main__ as entry
from tests.bundles import changed, make_bundle
from tests.conftest import REPOSITORY


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Models of three tasks by name, as they are written on a command line."""
    folder = tmp_path_factory.mktemp("bundles")
    made = {name: make_bundle(folder / name, "SST-2", seed) for name, seed in (("student", 3), ("teacher", 4))}
    for name, other in (("topics", {"labels": ["film", "sports"]}), ("pairs", {"task_name": "RTE"})):
        made[name] = shutil.copytree(made["student"], folder / name)
        changed(made[name], lambda values, other=other: values.update(other))
    return {name: f"{name}={path}" for name, path in made.items()}


def refusal(arguments: list[str]) -> str:
    with pytest.raises(ServingError) as raised:
        entry.main(arguments)
    return str(raised.value)


@pytest.mark.parametrize(("other", "said"), [
    ("topics", "labels 0, 1 and topics of labels film, sports"), ("pairs", "task SST-2 and pairs of task RTE")])
def test_models_of_other_tasks(bundles: dict[str, str], other: str, said: str) -> None:
    pytest.importorskip("uvicorn", reason="the server's packages are not installed: requirements-serving.txt")
    assert said in refusal([bundles["student"], bundles[other], "--port", "0"])


@pytest.mark.parametrize(("arguments", "said"), [
    ([], "BUNDLE"), (["a", "--port", "x"], "'x' is no whole number from 0"), (["a", "--max_batch", "0"], "from 1"),
    (["a", "--max_wait", "nan"], "'nan' is no number of milliseconds"), (["a", "b/a"], "two models are called a"),
    (["=a"], "gives its model no name"), (["nowhere", "--port", "0"], "nowhere does not exist"),
    (["a", "--examples", "nowhere"], "nowhere cannot be read"),
    (["a", "--port", "0", "--host", "192.0.2.1", "--no_token"], "no such address"),
    (["a", "--host", "0.0.0.0"], "SERVING_TOKEN is empty"),
    (["a", "--port", "99999", "--host", "::1"], "--port is 99999")])
def test_command_lines(arguments: list[str], said: str) -> None:
    pytest.importorskip("uvicorn", reason="the server's packages are not installed: requirements-serving.txt")
    assert said in refusal(arguments)


def test_a_port_in_use_is_one_line(bundles: dict[str, str]) -> None:
    pytest.importorskip("uvicorn", reason="the server's packages are not installed: requirements-serving.txt")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ran = subprocess.run([sys.executable, "-m", "serving", bundles["student"], "--port", port], cwd=REPOSITORY,
                             capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr == f"error: port {port} of 127.0.0.1 is in use; choose another with --port, or 0 for a free one\n"


def test_small_answers_are_not_held_back() -> None:
    server = pytest.importorskip("serving.web.server", reason="the server's packages are not installed")
    with server.bind("127.0.0.1", 0) as bound:
        assert bound.proto == socket.IPPROTO_TCP  # asyncio's condition for TCP_NODELAY


@pytest.mark.parametrize("token", ["two words", "näme", "a\nb"])
def test_a_token_that_no_header_can_hold(token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(entry.TOKEN, token)
    with pytest.raises(ServingError, match="cannot stand in a header"):
        entry.token_of("127.0.0.1", True, False)


@pytest.mark.parametrize("text", ["{", "{}", "[1]", '[{"texts": [1]}]', "[" * 100_000])
def test_a_file_of_no_examples(text: str, tmp_path: Path) -> None:
    (tmp_path / "examples.json").write_text(text)
    with pytest.raises(ServingError, match="python -m serving.examples writes"):
        entry.read_examples(tmp_path / "examples.json")


@pytest.mark.parametrize(("name", "form"), [("t.tsv", "{0}\t{1}\n"), ("t.csv", '"{0}",{1}\n'),
                                            ("t.jsonl", '{{"text": "{0}", "label": "{1}"}}\n')])
def test_examples_are_the_texts_with_other_answers(name: str, form: str, bundles: dict[str, str], tmp_path: Path,
                                                   capsys: pytest.CaptureFixture[str]) -> None:
    texts = ["a lovely film", "dull", "a film", "paris", "good", ". bad"]
    lines = [form.format(text, "positive") for text in texts]
    (tmp_path / name).write_text("".join(([] if name.endswith("jsonl") else [form.format("text", "label")]) + lines))
    models = {each: entry.Predictor(bundles[each].partition("=")[2]) for each in ("student", "teacher")}
    said = {each: [answer["label"] for answer in model.predict(texts)] for each, model in models.items()}
    apart = [place for place in range(len(texts)) if said["student"][place] != said["teacher"][place]]
    examples.main([bundles["student"], bundles["teacher"], "--file", str(tmp_path / name), "--count", "1", "--output",
                   str(tmp_path / "out.json")])
    assert f"other answers for {len(apart)} of 6 texts" in capsys.readouterr().out and 0 < len(apart) < 6
    assert entry.read_examples(tmp_path / "out.json") == [{
        "texts": [texts[apart[0]]], "label": "positive", "answers": {each: said[each][apart[0]] for each in said}}]


@pytest.mark.parametrize(("name", "content", "said"), [
    ("t.txt", "a", "no .tsv, .csv or .jsonl"), ("t.tsv", "a\tb\n1\t2\n", "row 1 has no text 'text' (it has a, b)"),
    ("t.jsonl", "{", "cannot be read"), ("t.jsonl", "3\n", "it is no object"), ("u.tsv", None, "cannot be read")])
def test_files_without_texts(name: str, content: str | None, said: str, bundles: dict[str, str],
                             tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(ServingError) as raised:
        examples.main([bundles["student"], bundles["teacher"], "--file", str(tmp_path / name), "--output",
                       str(tmp_path / "out.json")])
    assert said in str(raised.value) and not (tmp_path / "out.json").exists()
