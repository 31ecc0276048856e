# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Sequences for distilling language models, against a plain re-statement of DistilBERT's rules; token counts."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from small_vocabulary import GPT2, ROBERTA, sentences, write_byte_level, write_vocabulary

import prepare_data
from src.common.errors import UserError
from src.common.files import sha256_of
from src.corpus.sequences import Ragged, add_special_tokens, split_long, truncate
from src.corpus.sources import InputOptions, pieces
from src.records import prepare, text_jobs
from src.records.columns import VARIABLE
from src.records.example import decode_example
from src.records.manifest import load_manifest, verify
from src.records.options import CorpusOptions, SequenceOptions
from src.records.prepare import prepare_texts
from src.records.reading import inspect
from src.records.token_counts import load_token_counts
from src.text.tokenization import Tokenizer, load_tokenizer
from tests.refusals import refused


@pytest.fixture(params=["bert", "roberta", "gpt2"])
def tokenizer(tmp_path: Path, request: pytest.FixtureRequest) -> Tokenizer:
    if request.param == "bert":
        return load_tokenizer(write_vocabulary(tmp_path / "vocab.txt"))
    return load_tokenizer(write_byte_level(tmp_path / "bpe", ROBERTA if request.param == "roberta" else GPT2))


def test_type_of_a_tokenizer(tokenizer: Tokenizer, request: pytest.FixtureRequest) -> None:
    assert tokenizer.type == request.node.callspec.params["tokenizer"]


@pytest.fixture
def bert(tmp_path: Path) -> Tokenizer:
    return load_tokenizer(write_vocabulary(tmp_path / "vocab.txt"))


def ragged(rows: list[list[int]]) -> Ragged:
    return Ragged(np.array(sum(rows, []), np.int32), np.array([len(row) for row in rows], np.int64))


def listed(rows: Ragged) -> list[list[int]]:
    return [row.tolist() for row in np.split(rows.values, rows.ends)[:-1]]


def plain_split(sequence: list[int], limit: int, cls_id: int, sep_id: int) -> list[list[int]]:
    """One sequence at a time, part after part."""
    if len(sequence) <= limit:
        return [sequence]
    parts = []
    for start in range(0, len(sequence), limit - 2):
        part = sequence[start:start + limit - 2]
        if part[0] != cls_id:
            part = [cls_id] + part
        if part[-1] != sep_id:
            part = part + [sep_id]
        assert len(part) <= limit
        parts.append(part)
    return parts


class Expected:
    """What the rules make of binarized sequences."""

    def __init__(self, sequences: list[list[int]], tokenizer: Tokenizer, options: SequenceOptions):
        self.counts = Counter(token for sequence in sequences for token in sequence)
        self.too_long = sum(len(sequence) > options.seq_length for sequence in sequences)
        parts = [part for sequence in sequences
                 for part in plain_split(sequence, options.seq_length, tokenizer.cls_id, tokenizer.sep_id)]
        longer = [part for part in parts if len(part) > options.min_length - 1]
        self.dropped_short = len(parts) - len(longer)
        self.rows = longer
        if tokenizer.unk_id is not None:
            self.rows = [part for part in longer if part.count(tokenizer.unk_id) / len(part) < options.max_unknown]
        self.dropped_unknown = len(longer) - len(self.rows)


def lines_of(number: int, seed: int) -> list[str]:
    """Lines of 0 to 40 words, some of them unknown to the small vocabulary, with spaces around."""
    generator = np.random.default_rng(seed)
    known = sentences(200, seed, longest=40)
    unknown = ["zebra", "quux", "zebra , zebra", "[SEP] the", "<|endoftext|> a"]
    lines = []
    for index in range(number):
        words = known[index % 200].split()
        share = generator.choice([0.0, 0.05, 0.5, 0.9])
        words = [str(generator.choice(unknown)) if generator.random() < share else word for word in words]
        lines.append(" " * int(generator.integers(0, 3)) + " ".join(words) + "\t" * int(generator.integers(0, 2)))
        if generator.random() < 0.1:
            lines.append(" " * int(generator.integers(0, 3)))
    return lines


def binarized(lines: list[str], tokenizer: Tokenizer) -> list[list[int]]:
    encoded = tokenizer.encode_batch([line.strip() for line in lines if line.strip()])
    return [[tokenizer.cls_id, *ids, tokenizer.sep_id] for ids in encoded]


def write_lines(path: Path, lines: list[str]) -> Path:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def read(directory: Path, dataset_type: str = "tfrecord") -> list[list[int]]:
    """All rows of a folder, file after file, through MindSpore's readers."""
    dataset = pytest.importorskip("mindspore.dataset")
    rows = []
    for file in inspect(directory, dataset_type, kind="sequences").files:
        if dataset_type == "tfrecord":
            source = dataset.TFRecordDataset(str(file), str(directory / "schema.json"), shuffle=False)
        else:
            source = dataset.MindDataset(str(file), shuffle=False)
        rows += [row["input_ids"] for row in source.create_dict_iterator(num_epochs=1, output_numpy=True)]
    assert all(row.dtype == np.int64 and row.ndim == 1 for row in rows)
    return [row.tolist() for row in rows]


@pytest.mark.parametrize(("cls_id", "sep_id"), [(0, 1), (0, 0)])
def test_special_tokens_and_parts_against_a_plain_loop(cls_id: int, sep_id: int) -> None:
    generator = np.random.default_rng(0)
    for _ in range(300):
        # Few ids, so that parts often begin or end with a special token by themselves.
        rows = [generator.integers(0, 5, generator.integers(0, 30)).tolist() for _ in range(generator.integers(1, 9))]
        limit = int(generator.integers(3, 14))
        whole = add_special_tokens(ragged(rows), cls_id, sep_id)
        expected = [[cls_id, *row, sep_id] for row in rows]
        assert listed(whole) == expected and whole.values.dtype == np.int32
        assert listed(split_long(whole, limit, cls_id, sep_id)) == sum(
            (plain_split(row, limit, cls_id, sep_id) for row in expected), [])
        assert listed(truncate(ragged(rows), limit)) == [row[:limit] for row in rows]


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(("seq_length", "min_length", "max_unknown"), [(32, 12, 0.5), (14, 12, 0.2), (9, 3, 0.4),
                                                                       (512, 12, 0.5), (16, 5, 1.01)])
def test_job_follows_the_rules(tmp_path: Path, bert: Tokenizer, seed: int, seq_length: int, min_length: int,
                               max_unknown: float, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = lines_of(60, seed)
    options = SequenceOptions(seq_length=seq_length, min_length=min_length, max_unknown=max_unknown)
    expected = Expected(binarized(lines, bert), bert, options)
    (chunk,) = pieces([str(write_lines(tmp_path / "a.txt", lines))], InputOptions())
    monkeypatch.setattr(text_jobs, "deal", lambda messages, number: messages)
    piece = text_jobs.SequenceJob(bert, options)(chunk)
    assert [decode_example(row)["input_ids"].tolist() for row in piece.rows] == expected.rows
    assert {key: piece.counts[key] for key in ("shortened", "dropped_short", "dropped_unknown", "sentences")} == {
        "shortened": expected.too_long, "dropped_short": expected.dropped_short,
        "dropped_unknown": expected.dropped_unknown, "sentences": sum(bool(line.strip()) for line in lines)}
    assert dict(zip(piece.token_ids.tolist(), piece.token_counts.tolist(), strict=True)) == expected.counts


@pytest.mark.medium
@pytest.mark.parametrize("dataset_type", ["tfrecord", "mindrecord"])
def test_records_read_back_by_mindspore(tokenizer: Tokenizer, tmp_path: Path, dataset_type: str) -> None:
    lines = lines_of(150, 7)
    options = SequenceOptions(seq_length=24, num_shards=1, dataset_type=dataset_type)
    expected = Expected(binarized(lines, tokenizer), tokenizer, options)
    out = tmp_path / "out"
    report = prepare_texts([write_lines(tmp_path / "a.txt", lines)], tokenizer, out, options)
    rows = read(out, dataset_type)
    assert rows == expected.rows and len({len(row) for row in rows}) > 5
    assert max(map(len, rows)) <= 24 and min(map(len, rows)) >= 12
    counts = load_token_counts(out, tokenizer.vocab_size, tokenizer.vocab_hash)
    assert counts.dtype == np.int64 and counts.tolist() == [expected.counts[token]
                                                            for token in range(tokenizer.vocab_size)]
    manifest = load_manifest(out)
    verify(out, manifest)
    assert (manifest.kind, manifest.seq_length, manifest.rows) == ("sequences", 24, len(rows))
    assert manifest.column_table()["input_ids"].shape == VARIABLE
    assert manifest.files["token_counts.json"].sha256 == sha256_of(out / "token_counts.json")
    assert manifest.record_files == (f"part-00000-of-00001.{dataset_type}",)
    assert manifest.settings["min_length"] == 12 and manifest.settings["max_unknown"] == 0.5
    assert (manifest.summary["shortened"], manifest.summary["dropped_short"], manifest.summary["dropped_unknown"]) == (
        expected.too_long, expected.dropped_short, expected.dropped_unknown)
    assert (report.counts["shortened"], report.counts["dropped_short"], report.counts["dropped_unknown"]) == (
        expected.too_long, expected.dropped_short, expected.dropped_unknown)
    assert re.search(rf"{len(rows)} sequences of \d+\.\d tokens on average from \d+ lines .* too long "
                     rf"{expected.too_long}, dropped as too short {expected.dropped_short}, dropped as unknown "
                     rf"{expected.dropped_unknown}\n", report.summary())
    source = inspect(out, dataset_type, kind="sequences")
    assert source.columns["input_ids"].shape == VARIABLE and source.rows == len(rows)
    assert load_tokenizer(source.tokenizer_path).vocab_hash == tokenizer.vocab_hash
    with pytest.raises(UserError, match=r"holds sequences records; expected corpus records \(prepare_data.py corpus\)"):
        inspect(out, dataset_type, kind="corpus")


@pytest.mark.medium
def test_sequences_are_dealt_out_over_all_pieces(tokenizer: Tokenizer, tmp_path: Path,
                                                 monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepare, "pieces", lambda files, options: pieces(files, options, 4000))
    lines = lines_of(400, 3)
    options = SequenceOptions(seq_length=24, num_shards=2)
    prepare_texts([write_lines(tmp_path / "a.txt", lines)], tokenizer, tmp_path / "out", options)
    expected = Expected(binarized(lines, tokenizer), tokenizer, options).rows
    assert read(tmp_path / "out") == expected[::2] + expected[1::2]


@pytest.mark.medium
def test_truncated_lines_without_filters(bert: Tokenizer, tmp_path: Path) -> None:
    lines = ["the cat", "", "zebra", "the dog sat on the mat and"]
    options = SequenceOptions(seq_length=6, min_length=3, max_unknown=1.01, too_long="truncate")
    report = prepare_texts([write_lines(tmp_path / "a.txt", lines)], bert, tmp_path / "out", options)
    expected = [[bert.cls_id, *ids[:4], bert.sep_id] for ids in bert.encode_batch([line for line in lines if line])]
    assert read(tmp_path / "out") == expected
    assert [report.counts[name] for name in ("shortened", "dropped_short", "dropped_unknown")] == [1, 0, 0]


@pytest.mark.medium
def test_existing_folder_and_empty_results(bert: Tokenizer, tmp_path: Path) -> None:
    corpus, out = write_lines(tmp_path / "a.txt", lines_of(40, 0)), tmp_path / "out"
    options = SequenceOptions(seq_length=24)
    assert prepare_texts([corpus], bert, out, options).rows
    with pytest.raises(UserError, match="out exists and holds sequences records, not corpus"):
        prepare_texts([corpus], bert, out, CorpusOptions(seq_length=24))
    counts = out / "token_counts.json"
    counts.write_text(counts.read_text(encoding="utf-8").replace("[0,", "[1,"), encoding="utf-8")
    refused("token_counts.json has changed", inspect, out, kind="sequences")
    short = write_lines(tmp_path / "b.txt", ["the cat", "", "zebra " * 15])
    with pytest.raises(UserError, match="no sequence is left of 2 lines: 1 are shorter than min_length, 1 are mostly"):
        prepare_texts([short], bert, tmp_path / "none", options)
    assert not (tmp_path / "none").exists()


def test_token_counts_of_another_kind(tmp_path: Path) -> None:
    file = tmp_path / "token_counts.json"

    def faulty(content: object, message: str) -> None:
        file.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
        refused(message, load_token_counts, tmp_path, 3, "a")

    with pytest.raises(UserError, match="no token counts at .*token_counts.json; expected .*--objective tokens"):
        load_token_counts(tmp_path, 3, "a")
    good = {"vocab_size": 3, "vocab_hash": "a", "counts": [1, 0, 2**40]}
    file.write_text(json.dumps(good), encoding="utf-8")
    for location, vocab_hash in ((tmp_path, "a"), (file, "a"), (file, None)):
        assert load_token_counts(location, 3, vocab_hash).tolist() == [1, 0, 2**40]
    faulty("{", "is not valid JSON")
    faulty([1, 2], "holds a list; expected a JSON object")
    faulty({**good, "counts": None}, 'has no list of "counts"')
    faulty({**good, "counts": [1, 2]}, "counts 2 tokens, but the vocabulary has 3")
    faulty({**good, "vocab_hash": "b"}, "another vocabulary of 3 .vocab_hash 'b', not 'a'")
    faulty({**good, "counts": [1, -2, 3]}, "the count of token 1 is -2; expected a whole number")
    faulty({**good, "counts": [1, 2, 3.5]}, "the count of token 2 is 3.5")
    faulty({**good, "counts": [True, 2, 3]}, "the count of token 0 is True")
    pickled = tmp_path / "token_counts.pickle"
    pickled.write_bytes(b"\x80\x04")
    refused("is a pickle, which is never loaded here", load_token_counts, pickled, 3, "a")


@pytest.mark.medium
def test_command(bert: Tokenizer, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = lines_of(80, 1)
    write_lines(tmp_path / "dump.txt", lines)
    arguments = ["corpus", "--objective", "tokens", "--input", str(tmp_path / "dump.txt"), "--tokenizer",
                 str(tmp_path / "vocab.txt"), "--output_dir", str(tmp_path / "out"), "--seq_length", "24",
                 "--num_workers", "1"]
    prepare_data.main(arguments)
    expected = Expected(binarized(lines, bert), bert, SequenceOptions(seq_length=24))
    assert f"{len(expected.rows)} sequences of" in capsys.readouterr().out
    assert read(tmp_path / "out") == expected.rows
    prepare_data.main(arguments)
    assert "nothing to do" in capsys.readouterr().out
    with pytest.raises(UserError, match="sequences of --objective tokens are masked in training"):
        prepare_data.main([*arguments, "--masked_lm_prob", "0.15"])
    prepare_data.main([*arguments, "--tokenizer_type", "bert"])
    with pytest.raises(UserError, match="tokenizer_type is gpt2, but .*vocab.txt is one of a bert; correct the one or"):
        prepare_data.main([*arguments, "--tokenizer_type", "gpt2"])
