# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Record files: bytes that TensorFlow reads, damage that is found, and records made by other programs."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from src.common.errors import UserError
from src.corpus.sequences import Ragged
from src.records.columns import (
    VARIABLE,
    Column,
    check_columns,
    corpus_columns,
    read_schema,
    schema,
    sequence_columns,
    task_columns,
    write_schema,
)
from src.records.example import decode_example, encode_examples
from src.records.mindrecord import convert_shards
from src.records.reading import inspect
from src.records.tfrecord import framed, scan
from src.records.writers import RecordWriter, deal
from tests.refusals import refused

SEED_SCHEMA = """
{
 "datasetType": "TF",
 "numRows": 7680,
 "columns": {
  "input_ids": {
   "type": "int64",
   "rank": 1,
   "shape": [256]
  },
  "input_mask": {
   "type": "int64",
   "rank": 1,
   "shape": [256]
  },
  "segment_ids": {
   "type": "int64",
   "rank": 1,
   "shape": [256]
  }
 }
}
"""


@pytest.fixture(scope="module")
def tf():
    return pytest.importorskip("tensorflow")


@pytest.fixture
def columns() -> dict[str, np.ndarray]:
    """Columns with every length of varint, negative numbers, floats, and an empty list."""
    generator = np.random.default_rng(0)
    bits = generator.integers(0, 63, (50, 9))
    return {
        "input_ids": generator.integers(0, 30522, (50, 16)),
        "input_mask": np.ones((50, 16), np.uint8),
        "wide": np.left_shift(1, bits, dtype=np.int64) - generator.integers(0, 2, (50, 9)),
        "negative": generator.integers(-5, 5, (50, 3)),
        "int32": generator.integers(0, 2**31 - 1, (50, 2), dtype=np.int32),
        "weights": generator.random((50, 4), np.float32),
        "nothing": np.zeros((50, 0), np.int64),
    }


@pytest.mark.medium
def test_examples_are_what_tensorflow_reads(tf, columns: dict[str, np.ndarray]) -> None:
    features = {name: tf.io.FixedLenFeature(values.shape[1:], tf.float32 if name == "weights" else tf.int64)
                for name, values in columns.items() if name != "nothing"}
    for row, message in enumerate(encode_examples(columns)):
        parsed = tf.io.parse_single_example(message, features)
        for name in features:
            np.testing.assert_array_equal(parsed[name].numpy(), columns[name][row])
        example = tf.train.Example.FromString(message)
        assert set(example.features.feature) == set(columns)
        # The same length as TensorFlow's own: nothing is encoded in a longer form than necessary.
        assert len(message) == len(example.SerializeToString())
        for decoded in (decode_example(message), decode_example(example.SerializeToString())):
            assert {name: values.tolist() for name, values in decoded.items()} == {
                name: values[row].tolist() for name, values in columns.items()}


def ragged_columns(number: int, seed: int = 0) -> dict[str, Ragged]:
    """Rows of 0 to 9 values: small ones, every length of varint, negative ones, floats."""
    generator = np.random.default_rng(seed)

    def lengths() -> np.ndarray:
        return generator.integers(0, 10, number)

    def ragged(make) -> Ragged:
        sizes = lengths()
        return Ragged(make(int(sizes.sum())), sizes)

    return {
        "small": ragged(lambda size: generator.integers(0, 127, size, np.uint8)),
        "input_ids": ragged(lambda size: generator.integers(0, 119547, size, np.int32)),
        "wide": ragged(lambda size: np.left_shift(1, generator.integers(0, 63, size), dtype=np.int64)),
        "negative": ragged(lambda size: generator.integers(-300, 5, size)),
        "weights": ragged(lambda size: generator.random(size, np.float32)),
    }


def single_rows(column: Ragged) -> list[np.ndarray]:
    """Each row as an array of its own."""
    return np.split(column.values, column.ends)[:-1]


@pytest.mark.parametrize("number", [1, 60])
def test_rows_of_different_lengths_are_encoded_like_single_rows(number: int) -> None:
    columns = ragged_columns(number)
    messages = encode_examples(columns)
    rows = {name: single_rows(column) for name, column in columns.items()}
    for index, message in enumerate(messages):
        assert message == encode_examples({name: values[index][None] for name, values in rows.items()})[0]
        assert {name: values.tolist() for name, values in decode_example(message).items()} == {
            name: values[index].tolist() for name, values in rows.items()}


def test_ragged_rows_are_chosen_like_a_list() -> None:
    column = ragged_columns(23)["input_ids"]
    rows = [row.tolist() for row in single_rows(column)]
    keep = np.arange(23) % 3 == 1
    kept = [row.tolist() for row in single_rows(column.keep(keep))]
    assert kept == [row for row, is_kept in zip(rows, keep, strict=True) if is_kept]
    value = int(column.values[5])
    assert column.count(value).tolist() == [row.count(value) for row in rows]
    empty = column.keep(np.zeros(23, bool))
    assert len(empty) == 0 and single_rows(empty) == [] and empty.count(3).tolist() == []


def test_decoding_refuses_other_bytes(columns: dict[str, np.ndarray]) -> None:
    message = encode_examples(columns)[0]
    for broken in (b"", b"text that is no message", message[:-3], b"\x0a\xff"):
        with pytest.raises(ValueError, match="."):
            decode_example(broken)


@pytest.fixture
def record_file(tmp_path: Path) -> Path:
    """Five records."""
    path = tmp_path / "rows.tfrecord"
    messages = encode_examples({"input_ids": np.arange(20).reshape(5, 4)})
    path.write_bytes(b"".join(map(framed, messages)))
    return path


@pytest.mark.medium
def test_scanning_agrees_with_tensorflow(tf, record_file: Path) -> None:
    messages = [record.numpy() for record in tf.data.TFRecordDataset(str(record_file))]
    assert scan(record_file, check_payload=True) == (5, messages[0]) and len(messages) == 5
    with tf.io.TFRecordWriter(f"{record_file}.again") as writer:
        for message in messages:
            writer.write(message)
    assert Path(f"{record_file}.again").read_bytes() == record_file.read_bytes()


def test_damage_is_found_with_its_offset(record_file: Path) -> None:
    data = record_file.read_bytes()
    size = len(data) // 5

    def damaged(content: bytes, message: str, check_payload: bool = True) -> None:
        record_file.write_bytes(content)
        refused(message, scan, record_file, check_payload)

    damaged(b"", "rows.tfrecord is empty")
    damaged(gzip.compress(data), "compressed with gzip")
    damaged(b"this is a text and no record file", "is no TFRecord file: the CRC of the record length at byte 0")
    damaged(b"short", "truncated: record 1 begins at byte 0")
    damaged(data[:-1], f"truncated: record 5 begins at byte {4 * size} and needs bytes up to {5 * size}")
    damaged(data[:2 * size + 5], f"truncated: record 3 begins at byte {2 * size}, and the file ends inside")
    damaged(data[:size] + b"\x01" + data[size + 1:], f"damaged: the CRC of the record length at byte {size}", False)
    flipped = data[:3 * size + 20] + bytes([data[3 * size + 20] ^ 1]) + data[3 * size + 21:]
    damaged(flipped, f"damaged: the CRC of record 4 at byte {3 * size}")
    assert scan(record_file, check_payload=False)[0] == 5
    refused("cannot read .*absent: No such file", scan, record_file.parent / "absent", True)


def test_schema_has_the_documented_form(tmp_path: Path) -> None:
    assert schema(corpus_columns(256), 7680) == json.loads(SEED_SCHEMA)
    write_schema(tmp_path, corpus_columns(256), 7680)
    assert (tmp_path / "schema.json").read_text(encoding="utf-8").strip() == SEED_SCHEMA.strip()
    columns, rows = read_schema(tmp_path)
    assert tuple(columns.values()) == corpus_columns(256) and rows == 7680
    masked = schema(corpus_columns(64, 10), 1)["columns"]
    assert masked["masked_lm_positions"] == masked["masked_lm_ids"] == {"type": "int64", "rank": 1, "shape": [10]}
    assert masked["masked_lm_weights"] == {"type": "float32", "rank": 1, "shape": [10]}
    assert task_columns(64, is_regression=False)[-1] == Column("label_ids", "int64", (1,))
    assert task_columns(64, is_regression=True)[-1] == Column("label_ids", "float32", (1,))
    assert "label_ids" not in {column.name for column in task_columns(64, False, is_labelled=False)}


@pytest.mark.parametrize(("content", "message"), [
    ("{", "is not valid JSON"),
    ('{"datasetType": "TF"}', 'has no "columns"'),
    ('{"columns": {"input_ids": {"type": "int8", "rank": 1, "shape": [4]}}}', "'input_ids' has the type 'int8'"),
    ('{"columns": {"input_ids": {"type": "int64", "rank": 2, "shape": [4, 4]}}}', "has rank 2 and shape"),
    ('{"columns": {"input_ids": {"type": "int64", "rank": 1, "shape": null}}}', "shape None"),
    ('{"columns": {"input_ids": {"type": "int64", "rank": 1, "shape": [-1]}}}', r"shape \[-1\]"),
    ('{"numRows": "many", "columns": {"a": {"type": "int64", "rank": 1, "shape": [4]}}}', "numRows is 'many'"),
])
def test_faulty_schema(content: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "schema.json").write_text(content, encoding="utf-8")
    refused(message, read_schema, tmp_path / "schema.json")
    refused("cannot read .*absent.json", read_schema, tmp_path / "absent.json")


def test_missing_columns_and_wrong_shapes() -> None:
    columns = {column.name: column for column in task_columns(8, is_regression=False)}
    check_columns(columns, "task", "x")
    check_columns(columns, "corpus", "x")
    with pytest.raises(UserError, match="x has no column 'label_ids', which task data needs"):
        check_columns({name: columns[name] for name in ("input_ids", "input_mask", "segment_ids")}, "task", "x")
    renamed = {name if name != "segment_ids" else "segment_id": column for name, column in columns.items()}
    refused("no column 'segment_ids'.*did you mean 'segment_id'", check_columns, renamed, "corpus", "x")
    with pytest.raises(UserError, match=r"'input_mask' is int64 \[9\]; expected int64 \[8\]"):
        check_columns({**columns, "input_mask": Column("input_mask", "int64", (9,))}, "corpus", "x")
    with pytest.raises(UserError, match=r"'label_ids' has the shape \[3\]"):
        check_columns({**columns, "label_ids": Column("label_ids", "int64", (3,))}, "task", "x")


def test_schema_of_sequences_has_no_shape(tmp_path: Path) -> None:
    write_schema(tmp_path, sequence_columns(), 3)
    written = json.loads((tmp_path / "schema.json").read_text(encoding="utf-8"))
    assert written == {"datasetType": "TF", "numRows": 3, "columns": {"input_ids": {"type": "int64", "rank": 1}}}
    columns, _ = read_schema(tmp_path)
    assert columns == {"input_ids": Column("input_ids", "int64", VARIABLE)}
    check_columns(columns, "sequences", "x")
    padded = {column.name: column for column in corpus_columns(8)}
    with pytest.raises(UserError, match="'input_mask': its rows are filled up .*corpus --objective tokens"):
        check_columns(padded, "sequences", "x")
    with pytest.raises(UserError, match="'input_ids' has no fixed length; .*prepare_data.py corpus"):
        check_columns({**padded, **columns}, "corpus", "x")
    with pytest.raises(UserError, match="no column 'input_ids', which sequences data needs"):
        check_columns({"ids": Column("ids", "int64", VARIABLE)}, "sequences", "x")
    with pytest.raises(UserError, match="'input_ids' is float32"):
        check_columns({"input_ids": Column("input_ids", "float32", VARIABLE)}, "sequences", "x")


def rows_of(number: int, seq_length: int = 8) -> dict[str, np.ndarray]:
    """Rows of a task: input_ids count up."""
    ids = np.arange(number * seq_length).reshape(number, seq_length)
    return {"input_ids": ids, "input_mask": ids % 2, "segment_ids": ids % 3 % 2, "label_ids": ids[:, :1] % 5}


@pytest.mark.medium
@pytest.mark.parametrize("num_shards", [1, 3, 40])
def test_rows_are_dealt_to_shards_in_turn(tf, tmp_path: Path, num_shards: int) -> None:
    writer = RecordWriter(tmp_path, num_shards)
    values = rows_of(11)
    for begin, end in ((0, 1), (1, 5), (5, 5), (5, 11)):
        writer.write(deal(encode_examples({name: array[begin:end] for name, array in values.items()}), num_shards))
    counts = writer.finish()
    writer.close()
    used = min(num_shards, 11)
    # Never an empty shard, which MindSpore could not read.
    assert list(counts) == [f"part-{index:05d}-of-{used:05d}.tfrecord" for index in range(used)]
    assert sum(counts.values()) == 11
    for index, (name, rows) in enumerate(counts.items()):
        messages = [record.numpy() for record in tf.data.TFRecordDataset(str(tmp_path / name))]
        assert len(messages) == rows
        assert [decode_example(message)["input_ids"].tolist() for message in messages] == (
            values["input_ids"][index::used].tolist())


@pytest.fixture
def google_records(tf, tmp_path: Path) -> Iterator[Path]:
    """A folder as Google BERT's run_classifier.py leaves it: no manifest, no schema, a column more."""
    folder = tmp_path / "google"
    folder.mkdir()
    for name, number in (("train.tf_record", 12), ("eval.tf_record", 5)):
        with tf.io.TFRecordWriter(str(folder / name)) as writer:
            for row in range(number):
                integers = {name: values[row] for name, values in rows_of(number).items()} | {"is_real_example": [1]}
                features = {name: tf.train.Feature(int64_list=tf.train.Int64List(value=values))
                            for name, values in integers.items()}
                writer.write(tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString())
    yield folder


@pytest.mark.medium
def test_foreign_records_are_found_and_described(google_records: Path) -> None:
    train = inspect(google_records, kind="task", split="train")
    assert [file.name for file in train.files] == ["train.tf_record"]
    assert train.rows == 12 and train.manifest is None and train.tokenizer_path is None
    assert train.columns["input_ids"] == Column("input_ids", "int64", (8,))
    assert "is_real_example" in train.columns
    assert inspect(google_records, split="dev").rows == 5
    with pytest.raises(UserError, match="no records of the split 'test'; it has eval.tf_record, train.tf_record"):
        inspect(google_records, split="test")
    assert inspect(google_records).rows == 17
    both = f"{google_records}/eval.tf_record, {google_records}/train.tf_record"
    assert [file.name for file in inspect(both).files] == ["eval.tf_record", "train.tf_record"]
    assert inspect([google_records / "eval.tf_record"]).rows == inspect(f"{google_records}/ev*").rows == 5
    (google_records / "train.tf_record").rename(google_records / "wiki-00001")
    assert inspect(google_records / "wiki-00001").rows == 12


@pytest.mark.medium
def test_foreign_sequences(tf, tmp_path: Path) -> None:
    with tf.io.TFRecordWriter(str(tmp_path / "a.tfrecord")) as writer:
        for message in encode_examples({"input_ids": Ragged(np.arange(9), np.array([2, 4, 3]))}):
            writer.write(message)
    expected = Column("input_ids", "int64", VARIABLE)
    # The first row has two tokens; the others are not bound to that.
    assert inspect(tmp_path, kind="sequences").columns["input_ids"] == expected
    write_schema(tmp_path, sequence_columns(), 3)
    found = inspect(tmp_path, kind="sequences")
    assert found.columns["input_ids"] == expected and found.rows == 3
    refused("has no column 'input_mask'|no fixed length", inspect, tmp_path, kind="corpus")


@pytest.mark.medium
def test_schema_of_the_user_is_compared(google_records: Path) -> None:
    write_schema(google_records, task_columns(8, is_regression=False), 10)
    found = inspect(google_records, kind="task", split="train")
    # numRows limits the rows; columns that the schema leaves out are not read.
    assert found.rows == 10 and set(found.columns) == {"input_ids", "input_mask", "segment_ids", "label_ids"}
    other = google_records.parent / "schema.json"
    text = (google_records / "schema.json").read_text(encoding="utf-8")
    other.write_text(text.replace("int64", "int32"), encoding="utf-8")
    assert inspect(google_records, schema_path=other, split="train").columns["input_ids"].dtype == "int32"
    for old, new, message in (("[8]", "[128]", r"'input_ids' the shape \[128\], but rows of .*train.tf_record have"),
                              ('"segment_ids"', '"token_type_ids"', "the column 'token_type_ids', which .* does not"),
                              ("int64", "float32", "the type float32, but .* has int64")):
        other.write_text(text.replace(old, new), encoding="utf-8")
        refused(message, inspect, google_records, schema_path=other, split="train")
    write_schema(google_records.parent, corpus_columns(8), 10)
    with pytest.raises(UserError, match="schema.json has no column 'label_ids', which task data needs"):
        inspect(google_records, schema_path=google_records.parent, kind="task", split="train")
    assert inspect(google_records, schema_path=google_records.parent, kind="task", split="train",
                   is_labelled=False).rows == 10


@pytest.mark.medium
def test_what_cannot_be_records(google_records: Path, tmp_path: Path) -> None:
    refused("no records at .*absent", inspect, tmp_path / "absent")
    with pytest.raises(UserError, match="it holds tfrecord files: set --dataset_type tfrecord"):
        inspect(google_records, dataset_type="mindrecord")
    empty = tmp_path / "other"
    empty.mkdir()
    (empty / "notes.txt").write_text("x", encoding="utf-8")
    refused(r"has no \*.tfrecord or \*.tf_record files; it has notes.txt", inspect, empty)
    (empty / "bad.mindrecord").write_bytes(b"\x09\0\0\0\0\0\0\0no header")
    refused("has no index: bad.mindrecord.db is missing", inspect, empty, dataset_type="mindrecord")
    (empty / "bad.mindrecord.db").write_bytes(b"no database")
    for header in (b"no header", b"5", b'{"schema": [{"schema": 5}]}',
                   b'{"schema": [{"schema": {}}], "header_size": "1"}'):
        (empty / "bad.mindrecord").write_bytes(len(header).to_bytes(8, "little") + header)
        refused("bad.mindrecord is no MindRecord file", inspect, empty, dataset_type="mindrecord")


@pytest.mark.medium
def test_foreign_mindrecord(tmp_path: Path) -> None:
    pytest.importorskip("mindspore")
    columns = task_columns(8, is_regression=False)
    writer = RecordWriter(tmp_path / "rows", 1)
    writer.write(deal(encode_examples(rows_of(6)), 1))
    done = []
    counts = convert_shards(writer.finish(), columns, tmp_path / "rows", tmp_path / "scratch", tmp_path, done.append)
    writer.close()
    assert counts == {"part-00000-of-00001.mindrecord": 6, "part-00000-of-00001.mindrecord.db": 0} and done == [6]
    found = inspect(tmp_path, dataset_type="mindrecord", kind="task")
    assert found.rows == 6 and tuple(found.columns[column.name] for column in columns) == columns
    assert inspect(f"{tmp_path}/part*", dataset_type="mindrecord").rows == 6
    file = tmp_path / "part-00000-of-00001.mindrecord"
    index = Path(f"{file}.db")
    whole = index.read_bytes()
    index.write_bytes(whole.replace(b"CREATE TABLE", b"CREATE \xd9ABLE"))  # SQLite quotes it in its message
    refused(r"mindrecord.db is no index of a MindRecord file", inspect, tmp_path, dataset_type="mindrecord")
    index.write_bytes(whole)
    renamed = tmp_path / "x.mindrecord"
    file.rename(renamed)
    index.rename(f"{renamed}.db")
    with pytest.raises(UserError, match="x.mindrecord was renamed: its index belongs to 'part-00000-of-00001"):
        inspect(tmp_path, dataset_type="mindrecord")
    with open(renamed, "r+b") as stream:
        stream.truncate(1 << 20)
    refused("x.mindrecord is truncated", inspect, tmp_path, dataset_type="mindrecord")
