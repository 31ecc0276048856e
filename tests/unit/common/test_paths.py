# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Paths as users write them: home folders, what only a shell replaces, and what stands around a path."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from src.common.arguments import OneLineParser
from src.common.paths import path_of
from src.config import parse
from src.config.described import settings
from src.report.loss_curves import labelled
from src.report.runs import read_runs
from tests.refusals import refused

ME = pwd.getpwuid(os.getuid())
GD, CORPUS = "run_general_distill.py", "prepare_data.py corpus"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def test_home_folders(home: Path) -> None:
    for given, expected in (("~", f"{home}"), ("~/", f"{home}/"), ("~/a b/*.txt", f"{home}/a b/*.txt"),
                            (f"~{ME.pw_name}/x", f"{ME.pw_dir}/x"), ("a/~/x", "a/~/x"), ("./~x", "./~x"),
                            ("s3://~/x$A", "s3://~/x$A"), ("C:", "C:"), (".", "."), ("-", "-")):
        assert path_of(given) == expected


@pytest.mark.parametrize(("given", "message"), [
    ("", "is empty"), (" ", "begins or ends with a blank"), ("x ", "begins or ends"), ("x\r", r"'x\\r'"),
    ("\u3000x", "begins or ends"),
    ("~/x ", "begins or ends"), ("\ufeffx", "invisible"), ("'x'", "quotation mark"), ('"x"', "quotation mark"),
    ("“x”", "quotation mark"), ("$HOME/x", r"variables such as \$HOME"), ("a/${RUN}/x", r"variables such as \$\{RUN\}"),
    ("run_$RUN", r"\$RUN"), ("~no.such.user/x", "there is no user 'no.such.user'"), ("a\0b", "NUL"),
])
def test_what_is_no_path(given: str, message: str, empty_folder: Path) -> None:
    refused(f"^--output_dir .*{message}", path_of, given, "--output_dir")


def test_what_exists_is_taken_as_it_is(empty_folder: Path) -> None:
    for name in ("a ", " b", "'c'", "$HOME", "~no.such.user", "d\r"):
        Path(name).mkdir()
        assert path_of(name) == name
    assert path_of("$HOME/x/y") == "$HOME/x/y"
    refused("variables such as .X are", path_of, "$HOME/$X/y")


def test_every_setting_that_is_a_path_says_so() -> None:
    ends = ("_dir", "_path", "_file", "glove", "tokenizer", "checkpoint", "output", "input", "submit", "_counts",
            "_weights", "_config")
    texts = (str, tuple[str, ...])
    for path, setting in settings().items():
        assert setting.is_path or not (setting.kind in texts and path.endswith(ends)), path
        assert setting.kind in texts or not setting.is_path, path


def test_settings_that_are_paths(home: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("data: {data_dir: ~/records}\ncorpus: {input: [~/a, ~/b/*.txt, https://x/~y]}\n"
                      "teacher: {load_teacher_ckpt_path: '~'}\nstudent: {student_pretrained_weights: ''}\n")
    config = parse(GD, ["--config_path", "~/recipe.yaml", "--output_dir=~/x", "--schema_dir", "~/s.json"])
    assert config.corpus.input == (f"{home}/a", f"{home}/b/*.txt", "https://x/~y")
    assert (config.data.data_dir, config.checkpoint.save_ckpt_path) == (f"{home}/records", f"{home}/x")
    assert (config.data.schema_dir, config.teacher.load_teacher_ckpt_path) == (f"{home}/s.json", str(home))
    assert parse(CORPUS, ["--input", "~/a,b", "--tokenizer=~/t"]).corpus.input == (f"{home}/a", "b")
    recipe.write_text("checkpoint: {save_ckpt_path: ~}\n")
    refused("recipe.yaml: checkpoint.save_ckpt_path is null, as ~ alone", parse, GD, ["--config_path", str(recipe)])
    recipe.write_text("checkpoint: {save_ckpt_path: $HOME/x}\n")
    refused(r"recipe.yaml: checkpoint.save_ckpt_path is '\$HOME/x'", parse, GD, ["--config_path", str(recipe)])
    assert parse(CORPUS, ["--file_path", "a, b"]).corpus.input == ("a", "b")
    (home / "x,y").touch()
    assert parse(CORPUS, ["--file_path", "~/x,y"]).corpus.input == (f"{home}/x,y",)
    refused("^--file_path is '\"b'", parse, CORPUS, ["--file_path", 'a,"b'])


def test_an_empty_path_only_takes_back_another(tmp_path: Path) -> None:
    for words in (["--output_dir", ""], ["--data_dir="], ["--student_pretrained_weights", "", "--seed", "1"]):
        refused(f"^{words[0].rstrip('=')} is empty", parse, GD, words)
    refused("^--input is empty", parse, CORPUS, ["--input", ""])
    (tmp_path / "recipe.yaml").write_text("data: {data_dir: records}\n")
    recipe = ["--config_path", str(tmp_path / "recipe.yaml")]
    assert parse(GD, recipe).data.data_dir == "records"
    assert parse(GD, [*recipe, "--data_dir", ""]).data.data_dir == ""
    assert parse(GD, ["--dump_path", "x", "--dump_path", ""]).checkpoint.save_ckpt_path == ""


def test_runs_to_compare(home: Path) -> None:
    for tool in (read_runs, labelled):
        refused(f"{home}/run", tool, ["one=~/run"])
        refused("quotation mark", tool, ["one='run'"])


def test_arguments_that_are_paths(home: Path) -> None:
    parser = OneLineParser("tool")
    parser.add_argument("--output", type=Path)
    parser.add_argument("files", nargs="*", type=path_of)
    arguments = parser.parse_args(["~/a", "b", "--output=~/c"])
    assert (arguments.files, arguments.output) == ([f"{home}/a", "b"], home / "c")
    refused("is empty", parser.parse_args, ["--output", ""])
