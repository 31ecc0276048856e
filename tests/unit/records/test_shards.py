# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Sets of shards in a folder, and paths that look like patterns or lists."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from src.common.patterns import local_path, matching, split_paths
from src.corpus.storage import find_files
from src.records.example import encode_examples
from src.records.reading import has_records, inspect
from src.records.writers import deal
from tests.refusals import refused

COLUMNS = ("input_ids", "input_mask", "segment_ids")
ODD = ("a[1]", "a,b", "a*", "a?", " a b ", "q'\"", "é中", "new\nline", "-x", "a{b,c}", "a%20b", "a\\b", "[", "]", ",")


def write(file: Path, rows: int = 2) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    messages = encode_examples({name: np.ones((rows, 4), np.int64) for name in COLUMNS})
    file.write_bytes(deal(messages, 1).parts[0])
    return file


@pytest.mark.parametrize("names", [
    ["wiki.tfrecord-00000-of-00002", "wiki.tfrecord-00001-of-00002"],
    ["tf_examples.tf_record-00000-of-00003", "tf_examples.tf_record-00001-of-00003",
     "tf_examples.tf_record-00002-of-00003"],
    ["wiki-00000-of-00002.tfrecord", "wiki-00001-of-00002.tfrecord"],
    [f"wiki.tfrecords-{index}-of-11" for index in range(11)],
    ["a.tfrecord", "b.tf_record"],
])
def test_shards_are_found_in_a_folder(tmp_path: Path, names: list[str]) -> None:
    for number, name in enumerate(names):
        write(tmp_path / name, number + 1)
    (tmp_path / "wiki.tfrecord.index").write_text("")
    found = inspect(tmp_path, kind="corpus")
    assert [file.name for file in found.files] == names
    assert found.rows == sum(range(len(names) + 1))
    assert has_records(tmp_path) and has_records(f"{tmp_path}/*") and has_records(tmp_path / names[0])


def test_a_set_of_shards_is_whole(tmp_path: Path) -> None:
    for index in (0, 2, 3):
        write(tmp_path / f"wiki.tfrecord-{index:05d}-of-00005")
    for place in (tmp_path, f"{tmp_path}/wiki*"):
        refused("of 5 shards of wiki.tfrecord, 2 are missing: wiki.tfrecord-00001-of-00005, wiki.tfrecord-00004-of-00",
                inspect, place)
    write(tmp_path / "wiki.tfrecord-00001-of-00005")
    write(tmp_path / "wiki.tfrecord-00004-of-00005")
    assert inspect(tmp_path).rows == 10
    assert inspect(f"{tmp_path}/*-0000[12]-of-*").rows == 4  # the others are there
    write(tmp_path / "wiki.tfrecord-00005-of-00005")
    refused("a shard 5 of 5, counted from 0", inspect, tmp_path)


def test_several_sets_in_one_folder(tmp_path: Path) -> None:
    for name, number in (("books.tfrecord", 1), ("wiki.tfrecord", 2)):
        for index in range(number):
            write(tmp_path / f"{name}-{index:05d}-of-{number:05d}")
    refused("several sets of records: books.tfrecord .1 shards., wiki.tfrecord .2 shards.", inspect, tmp_path)
    assert inspect(f"{tmp_path}/wiki*").rows == 4
    assert inspect(f"{tmp_path}/wiki*,{tmp_path}/books*").rows == 6
    (tmp_path / "books.tfrecord-00000-of-00001").rename(tmp_path / "books.tfrecord")
    refused("several sets", inspect, tmp_path)


def test_splits_of_one_folder(tmp_path: Path) -> None:
    for split, rows in (("train", 3), ("validation", 1)):
        write(tmp_path / f"sst-{split}.tfrecord-00000-of-00001", rows)
    assert [inspect(tmp_path, split=split).rows for split in ("train", "dev")] == [3, 1]
    refused("no records of the split 'test'", inspect, tmp_path, split="test")


@pytest.mark.parametrize("name", ODD)
def test_a_path_that_exists_is_taken_as_it_is(tmp_path: Path, name: str) -> None:
    file = write(tmp_path / name / "part.tfrecord")
    text = tmp_path / name / f"{name}.txt"
    text.write_text("a text\n")
    for place in (file.parent, file, f"{file.parent}/", f"{file.parent}//part.tfrecord", f"{file.parent}/*.tfrecord"):
        assert inspect(str(place)).rows == 2
    assert list(find_files([text, f"{tmp_path}/{name}/*.txt"])) == [str(text)]
    assert list(find_files(split_paths(f"{text},{text}"))) == [str(text)]
    assert list(find_files(split_paths(text))) == [str(text)]


def test_lists_of_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a", "b", "c,d", "c,d,e", "x[1]/y", "x1/y", "p q/r"):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text("x")
    for given, found in (("a,b", ["a", "b"]), (" a , b ,", ["a", "b"]), ("a,c,d", ["a", "c,d"]),
                         ("c,d,e", ["c,d,e"]), ("c,d,a", ["c,d", "a"]), ("z,a", ["z", "a"]), ("a,c,*", ["a", "c,*"]),
                         ("s3://x/a,b", ["s3://x/a", "b"]), (f"file://{tmp_path}/a,b", [f"{tmp_path}/a", "b"])):
        assert split_paths(given) == found
    assert matching("x[1]/*") == ["x[1]/y"]
    assert matching("x[1-9]/*") == ["x1/y"]
    assert matching(f"{tmp_path}/x[1]/y") == [f"{tmp_path}/x[1]/y"]
    (tmp_path / "a,b").write_text("x")
    assert split_paths("a,b") == ["a,b"]
    for url in (f"file://{tmp_path}/p%20q/r", f"file://localhost{tmp_path}/p q/r", f"FILE:{tmp_path}/p q/r"):
        assert local_path(url) == f"{tmp_path}/p q/r"
    assert local_path("file.txt") == "file.txt" and local_path("s3://x/file:/y") == "s3://x/file:/y"
    assert find_files([f"file://{tmp_path}/p q/*"]) == {f"{tmp_path}/p q/r": False}
