# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""JSON and YAML that are bigger than they look, or nest too deeply; and messages without secrets."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from src.common import errors
from src.common.errors import UserError, nearest, printable, redact
from src.common.files import read_json
from src.common.untrusted import MAX_DEPTH, MAX_YAML_BYTES, MAX_YAML_VALUES, parse_json, parse_yaml
from src.config import load_config, parse
from src.launch import rank_table
from src.records.columns import read_schema
from src.records.manifest import load_manifest
from tests.refusals import refused

LAUGHS = "a0: &a0 [lol, lol]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]\n" for i in range(1, 60))
FAULTY_YAML = {
    "billion laughs": (LAUGHS, "more than 10000 values, each alias written out"),
    "merged laughs": ("a0: &a0 {x: 1}\n" + "".join(f"a{i}: &a{i} {{<<: [*a{i - 1}, *a{i - 1}]}}\n"
                                                  for i in range(1, 60)), "more than 10000 values"),
    "an alias of itself": ("&a [*a]", "an alias stands within what it stands for"),
    "deep": ("[" * 5000, "nested more than 100 deep"),
    "deep keys": ("? " * 5000, "nested more than 100 deep"),
    "long": ("- a\n" * (MAX_YAML_VALUES + 1), "more than 10000 values"),
    "huge": ("#" * (MAX_YAML_BYTES + 1), "at most 1048576"),
    "many digits": ("seed: " + "9" * 5000, "Exceeds the limit"),
    "no such day": ("seed: 2026-99-99", "month must be in 1..12"),
    "no number": ("seed: !!int x", "invalid literal for int"),
    "no boolean": ("seed: !!bool x", "x"),
    "no time": ("seed: !!timestamp x", "NoneType"),
    "a list as a key": ("{[1]: 2}", "unhashable key"),
    "half a character": ('seed: "\\ud800"', "half of a surrogate pair"),
    "control character": ("seed: \0", "special characters are not allowed"),
}


@pytest.mark.parametrize("name", FAULTY_YAML)
def test_faulty_yaml(name: str, tmp_path: Path) -> None:
    text, message = FAULTY_YAML[name]
    began = time.monotonic()
    with pytest.raises(ValueError, match=message):
        parse_yaml(text)
    (tmp_path / "config.yaml").write_text(text)
    refused(message, load_config, tmp_path / "config.yaml")
    assert time.monotonic() - began < 10


def test_yaml_within_the_bounds() -> None:
    assert parse_yaml("a: &a {b: 1}\nc: {<<: *a, d: [2, 1e-5, true, null]}\ne: *a") == {
        "a": {"b": 1}, "c": {"b": 1, "d": [2, "1e-5", True, None]}, "e": {"b": 1}}
    assert parse_yaml("") is None and parse_yaml("- a\n" * 9000) == ["a"] * 9000
    assert parse_yaml("[" * MAX_DEPTH + "]" * MAX_DEPTH)[0]


FAULTY_JSON = {
    "deep": ("[" * 100_000, "nested more than 100 deep"),
    "closed, deep": ('{"a":' * 101 + "1" + "}" * 101, "nested more than 100 deep"),
    "many digits": ('{"columns": ' + "9" * 5000 + "}", "Exceeds the limit"),
    "half a character": ('{"version": "\\uD800"}', "half of a surrogate pair"),
    "no JSON": ("{", "Expecting property name"),
    "not UTF-8": (b'"\xff"', "invalid start byte"),
}


@pytest.mark.parametrize("name", FAULTY_JSON)
def test_faulty_json(name: str) -> None:
    text, message = FAULTY_JSON[name]
    with pytest.raises(ValueError, match=message):
        parse_json(text)


@pytest.mark.parametrize("read", [read_json, read_schema, lambda path: load_manifest(path.parent), rank_table.load],
                         ids=["file", "schema", "manifest", "rank table"])
@pytest.mark.parametrize("name", FAULTY_JSON)
def test_files_of_faulty_json(read: Callable[[Path], Any], name: str, tmp_path: Path) -> None:
    text = FAULTY_JSON[name][0]
    (tmp_path / "manifest.json").write_bytes(text if isinstance(text, bytes) else text.encode())
    refused(r"manifest.json", read, tmp_path / "manifest.json")


def test_json_within_the_bounds() -> None:
    assert parse_json(b'{"a": [1, 2.5, null, "\\ud83d\\ude00"]}') == {"a": [1, 2.5, None, "\U0001f600"]}
    assert parse_json("[" * MAX_DEPTH + "]" * MAX_DEPTH)[0]
    assert len(parse_json("[" + "[]," * 1000 + "[]]")) == 1001


def test_oversized_json_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("src.common.files.MAX_JSON_BYTES", 10)
    (tmp_path / "a.json").write_text('{"a": 12345}')
    refused("has 12 bytes; expected a JSON object of at most 10", read_json, tmp_path / "a.json")


@pytest.mark.parametrize(("option", "text"), [
    ("--seed", "9" * 5000), ("--seed", "[" * 5000), ("--seed", LAUGHS), ("--seed", "!!python/name:os.system"),
    ("--buckets", "8,2026-99-99"), ("--buckets", "&a [*a]"), ("--" + "x" * 100_000, "1")])
def test_values_on_the_command_line(option: str, text: str) -> None:
    with pytest.raises(UserError):
        parse("run_general_distill.py", [option, text])


def test_a_number_too_large_for_a_float(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(f"general_distill:\n  learning_rate: {10**400}\n")
    refused("learning_rate", load_config, tmp_path / "config.yaml")


def test_long_names_are_not_compared() -> None:
    began = time.monotonic()
    assert nearest("x" * 1_000_000, ["y" * 100_000]) == ""
    assert time.monotonic() - began < 1
    assert nearest("sed", ["seed"]) == "; did you mean 'seed'?"


@pytest.mark.parametrize(("text", "shown"), [
    ("s3://KEY:SECRET@bucket/wiki.bz2 is empty", "s3://***@bucket/wiki.bz2 is empty"),
    ("s3://KEY:SEC/RET+=@bucket/wiki.bz2", "s3://***@bucket/wiki.bz2"),
    ("'ftp://user:p@ss@host/a', line 3", "'ftp://***@host/a', line 3"),
    ("https://host/a?X-Amz-Signature=12ab&x=1: denied", "https://host/a?*** denied"),
    ("token hf_abcdefghijKLMNOP is wrong", "token *** is wrong"),
    ("https://host:8080/a/b.txt:3: a@b.c", "https://host:8080/a/b.txt:3: a@b.c"),
    ("what is a?b in /data/x@y.txt", "what is a?b in /data/x@y.txt")])
def test_secrets_are_hidden(text: str, shown: str) -> None:
    assert redact(text) == shown


def test_control_characters_are_written_out() -> None:
    assert printable("a\x1b[2Jb\u202ec\x07") == "a\\x1b[2Jb\\u202ec\\x07"
    assert printable("中文 — é “x”") == "中文 — é “x”"


def test_error_line(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def main(argv: list[str]) -> None:
        raise UserError("cannot read s3://KEY:SECRET@bucket/a\n\x1b[31m" + "x" * 10_000)

    monkeypatch.setattr(sys, "argv", ["prepare_data.py"])
    with pytest.raises(SystemExit) as left:
        errors.run(main)
    printed = capfd.readouterr().err
    assert left.value.code == 2
    assert printed.startswith("error: cannot read s3://***@bucket/a \\x1b[31mxxx") and printed.endswith("x ...\n")
    assert printed.count("\n") == 1 and len(printed) < 2100
