# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""From text to folders of records: what is in the rows, that they do not depend on chance, and what goes wrong."""

from __future__ import annotations

import io
import json
import os
import pickle
import re
from pathlib import Path

import numpy as np
import pytest
from small_vocabulary import GPT2, VOCABULARY, contents, sentences, write_byte_level, write_corpus, write_vocabulary
from tokenizers import normalizers

import prepare_data
from serving.rows import truncated_lengths
from src.common import files
from src.common.errors import UserError
from src.config import load_config
from src.corpus import text as corpus_text
from src.corpus.masking import Masking, mask_rows
from src.corpus.packing import PackedRows, pack
from src.corpus.sources import pieces
from src.corpus.storage import find_files
from src.corpus.text import chunks, fingerprint, read_lines
from src.records import prepare
from src.records.manifest import load_manifest, verify
from src.records.prepare import CorpusOptions, TaskOptions, prepare_task, prepare_texts
from src.records.reading import inspect
from src.tasks import get_task
from src.text.tokenization import Tokenizer, load_tokenizer
from tests.refusals import refused

PAD, UNK, CLS, SEP, MASK = range(5)
INPUTS = ("input_ids", "input_mask", "segment_ids")


@pytest.fixture
def tokenizer(tmp_path: Path) -> Tokenizer:
    return load_tokenizer(write_vocabulary(tmp_path / "vocab.txt"))


def read(directory: Path, dataset_type: str = "tfrecord") -> dict[str, np.ndarray]:
    """All rows of a folder through MindSpore's readers, ordered by content."""
    dataset = pytest.importorskip("mindspore.dataset")
    files = [str(file) for file in inspect(directory, dataset_type).files]
    if dataset_type == "tfrecord":
        rows = dataset.TFRecordDataset(files, str(directory / "schema.json"), shuffle=False)
    else:
        rows = dataset.MindDataset(files, shuffle=False)
    listed = list(rows.create_dict_iterator(num_epochs=1, output_numpy=True))
    listed.sort(key=lambda row: [row[name].tolist() for name in sorted(row)])
    return {name: np.stack([row[name] for row in listed]) for name in sorted(listed[0])}


def in_small_pieces(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    """Pieces of some thousand bytes, and worker processes for so little."""
    monkeypatch.setattr(prepare, "pieces", lambda files, options: pieces(files, options, size))
    monkeypatch.setattr(prepare, "BYTES_A_PROCESS", 1)


# Packing


def test_packing_against_a_plain_loop() -> None:
    generator = np.random.default_rng(0)
    for _ in range(200):
        number, seq_length = int(generator.integers(0, 12)), int(generator.integers(3, 10))
        lengths = generator.integers(0, 15, number)
        ends = generator.random(number) < 0.2
        tokens = np.arange(10, 10 + lengths.sum())
        packed = pack(tokens, lengths, ends, seq_length, CLS, SEP, PAD)
        expected, row, begin = [], [], 0
        for length, end in zip(lengths.tolist(), ends, strict=True):
            sentence = tokens[begin:begin + length].tolist()
            begin += length
            for start in range(0, length, seq_length - 2):
                piece = sentence[start:start + seq_length - 2]
                if len(row) + len(piece) > seq_length - 2:
                    expected.append(row)
                    row = []
                row = row + piece
            if end and row:
                expected.append(row)
                row = []
        expected += [row] if row else []
        assert packed.input_ids.tolist() == [
            [CLS, *row, SEP] + [PAD] * (seq_length - 2 - len(row)) for row in expected]
        assert packed.lengths.tolist() == [len(row) + 2 for row in expected]
        assert packed.input_mask.sum(axis=1).tolist() == packed.lengths.tolist()


def masked_rows(whole_word: bool) -> tuple[PackedRows, dict[str, np.ndarray], np.ndarray]:
    tokens = np.random.default_rng(1).integers(10, 1000, 60000)
    rows = pack(tokens, np.full(6000, 10), np.zeros(6000, bool), 64, CLS, SEP, PAD)
    continues = np.arange(1000) % 3 == 0
    masking = Masking(0.15, 12, whole_word, MASK, 1000, continues)
    return rows, mask_rows(rows, masking, np.random.default_rng(0)), continues


@pytest.mark.parametrize("whole_word", [False, True])
def test_masked_tokens(whole_word: bool) -> None:
    rows, masked, continues = masked_rows(whole_word)
    used = masked["masked_lm_weights"] == 1
    wanted = np.clip(np.rint(rows.lengths * 0.15), 1, 12)
    number = used.sum(axis=1)
    assert (number <= wanted).all() and (number == wanted).mean() > (0.9 if whole_word else 0.999)
    row = np.arange(len(used))[:, None]
    positions = masked["masked_lm_positions"]
    np.testing.assert_array_equal(masked["masked_lm_ids"][used], rows.input_ids[row, positions][used])
    assert not masked["masked_lm_ids"][~used].any() and not positions[~used].any()
    assert all((np.diff(place[:count]) > 0).all() for place, count in zip(positions, number, strict=True))
    assert not np.isin(masked["masked_lm_ids"][used], (CLS, SEP, PAD)).any()
    # Nothing but the chosen places has changed, and those in the proportions 80 : 10 : 10.
    chosen = np.zeros(rows.input_ids.shape, bool)
    chosen[np.broadcast_to(row, used.shape)[used], positions[used]] = True
    np.testing.assert_array_equal(masked["input_ids"][~chosen], rows.input_ids[~chosen])
    now, before = masked["input_ids"][chosen], rows.input_ids[chosen]
    assert (now == MASK).mean() == pytest.approx(0.8, abs=0.02)
    assert (now == before).mean() == pytest.approx(0.1, abs=0.02)
    if whole_word:
        # A continuation is chosen exactly when the piece before it is, unless a row begins with it.
        inside = continues[rows.input_ids] & (np.arange(64) > 1) & (np.arange(64) < rows.lengths[:, None] - 1)
        np.testing.assert_array_equal(chosen[:, 1:][inside[:, 1:]], chosen[:, :-1][inside[:, 1:]])
    else:
        # Every place of the 60 tokens is as likely as any other: 9 of 62 a row.
        assert np.abs(chosen[:, 1:61].mean(axis=0) - 0.15).max() < 0.05


# Text files


def test_inputs_are_found_once_and_in_order(tmp_path: Path) -> None:
    for name in ("b.txt", "a.txt", "deep/c.txt", "deep/.hidden"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x", encoding="utf-8")
    names = [Path(file).name for file in find_files([f"{tmp_path}/b.txt", f"{tmp_path}/*.txt", tmp_path / "deep"])]
    assert names == ["b.txt", "a.txt", ".hidden", "c.txt"]
    assert len(find_files([tmp_path])) == len(find_files([f"{tmp_path}/**/*.txt"])) + 1 == 4
    refused(r"input '.*\*.md' matches no file", find_files, [f"{tmp_path}/*.md"])
    (tmp_path / "elsewhere").symlink_to(tmp_path / "deep")
    (tmp_path / "deep/elsewhere").symlink_to(tmp_path)
    assert len(find_files([tmp_path])) == 4
    assert [Path(file).name for file in find_files([tmp_path / "elsewhere"])] == [
        ".hidden", "c.txt", "a.txt", "b.txt"]
    (tmp_path / "deep/gone.txt").symlink_to("nowhere")
    assert str(tmp_path / "deep/gone.txt") in find_files([tmp_path / "deep"])
    refused("no input", find_files, [])
    refused("cannot read .*deep: Is a directory", fingerprint, str(tmp_path / "deep"))


def test_chunks_hold_every_line_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = [str(write_corpus(tmp_path / f"{index}.txt", 300, index)) for index in range(3)]
    unbroken = tmp_path / "unbroken.txt"
    unbroken.write_text("\n".join(sentences(300)), encoding="utf-8")
    files.append(str(unbroken))
    cut = list(chunks(files, chunk_bytes=1000))
    assert len(cut) > 20
    for file in files:
        lines = [line for spans in cut for span in spans if span.path == file for line in read_lines(span)]
        expected = [line.strip() for line in Path(file).read_text(encoding="utf-8").split("\n")]
        assert [line for line in lines if line] == [line for line in expected if line]
    # Small files come together, and where there are empty lines near, a chunk ends at one.
    assert len(list(chunks(files, chunk_bytes=1 << 20))) == 1
    ends = [Path(span.path).read_bytes()[:span.end] for spans in cut for span in spans
            if span.path == files[0]]
    assert sum(text.endswith(b"\n\n") for text in ends) > len(ends) // 2
    monkeypatch.setattr(corpus_text, "LONGEST_LINE", 1000)
    unbroken.write_bytes(b"x" * 3_000_000)
    refused("unbroken.txt: no line ends within", list, chunks([str(unbroken)], chunk_bytes=1000))


# Corpora


@pytest.mark.medium
def test_rows_of_a_corpus(tokenizer: Tokenizer, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes("\ufeffThe cat sat.\r\nthe dog\r\n\r\nhello world zebra\r\n".encode())
    (tmp_path / "b.txt").write_text("我爱北京天安门。\nthe mat", encoding="utf-8")
    report = prepare_texts([tmp_path / "a.txt", tmp_path / "b.txt"], tokenizer, tmp_path / "out",
                           CorpusOptions(seq_length=9))
    texts = ("[CLS] the cat sat . the dog [SEP] [PAD]", "[CLS] hello world [UNK] [SEP] [PAD] [PAD] [PAD] [PAD]",
             "[CLS] 我 爱 北 京 天 安 门 [SEP]", "[CLS] 。 the mat [SEP] [PAD] [PAD] [PAD] [PAD]")
    expected = sorted([VOCABULARY.index(token) for token in text.split()] for text in texts)
    rows = read(tmp_path / "out")
    assert set(rows) == set(INPUTS)
    assert rows["input_ids"].tolist() == expected
    assert rows["input_mask"].tolist() == [[int(token != PAD) for token in row] for row in expected]
    assert not rows["segment_ids"].any() and rows["segment_ids"].dtype == np.int64
    assert report.rows == 4 and report.all_counts() == {
        "sentences": 5, "tokens": 19, "unknown": 1, "places": 36, "padding": sum(row.count(PAD) for row in expected),
        "shortened": 1, "dropped_short": 0, "dropped_unknown": 0, "pages": 3, "documents": 3}
    assert re.search(r"4 rows of 9, 5 sentences, 19 tokens, padding 25.0%, unknown tokens 5.3%", report.summary())
    assert "sentences/s" in report.summary()


@pytest.mark.medium
def test_folder_describes_itself(tokenizer: Tokenizer, tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "a.txt", 100)
    prepare_texts([corpus], tokenizer, tmp_path / "out", CorpusOptions(seq_length=32, num_shards=3))
    manifest = load_manifest(tmp_path / "out")
    assert manifest.kind == "corpus" and manifest.seq_length == 32 and "label_ids" not in manifest.columns
    assert manifest.vocab_hash == tokenizer.vocab_hash and manifest.vocab_size == len(VOCABULARY)
    assert list(manifest.files) == [f"part-0000{index}-of-00003.tfrecord" for index in range(3)]
    assert sum(entry.rows for entry in manifest.files.values()) == manifest.rows
    assert json.loads((tmp_path / "out" / "schema.json").read_text(encoding="utf-8"))["numRows"] == manifest.rows
    verify(tmp_path / "out", manifest)
    source = inspect(tmp_path / "out", kind="corpus")
    assert source.rows == manifest.rows and source.manifest == manifest
    assert load_tokenizer(source.tokenizer_path).vocab_hash == tokenizer.vocab_hash
    assert not [name for name in os.listdir(tmp_path) if name.startswith(".")]
    refused("holds corpus records; expected task records", inspect, tmp_path / "out", kind="task")
    with pytest.raises(UserError, match="dataset_type is mindrecord; set --dataset_type tfrecord"):
        inspect(tmp_path / "out", "mindrecord")


@pytest.mark.medium
def test_a_text_in_another_language_is_refused(tmp_path: Path) -> None:
    """All of its rows would be [UNK], and the general distillation of them an afternoon lost."""
    corpus, out = tmp_path / "a.txt", tmp_path / "new" / "out"
    corpus.write_text("中文文本没有一个字在词表里。\n" * 20, encoding="utf-8")
    words = ["corpus", "--input", str(corpus), "--tokenizer", str(write_vocabulary(tmp_path / "vocab.txt")),
             "--output_dir", str(out), "--seq_length", "32"]
    with pytest.raises(UserError, match="of the tokens of out are unknown to .*vocab.txt, more than max_unknown 50%"):
        prepare_data.main(words)
    assert not out.exists()
    assert sorted(os.listdir(tmp_path)) == ["a.txt", "vocab.txt"]
    prepare_data.main([*words, "--max_unknown", "1"])
    prepare_data.main(words)  # the same rows: it decides nothing but whether they are made
    assert load_manifest(out).summary["unknown"]


@pytest.mark.medium
def test_changed_records_are_noticed(tokenizer: Tokenizer, tmp_path: Path) -> None:
    out = tmp_path / "out"
    prepare_texts([write_corpus(tmp_path / "a.txt", 50)], tokenizer, out, CorpusOptions(seq_length=32))
    file = out / "part-00000-of-00001.tfrecord"
    data = file.read_bytes()
    file.write_bytes(data[:100] + bytes([data[100] ^ 1]) + data[101:])
    assert inspect(out, contents=False).rows
    refused("part-00000-of-00001.tfrecord has changed since it was written", inspect, out)
    file.write_bytes(data[:-10])
    refused(f"has {len(data) - 10} bytes; the manifest says {len(data)}", inspect, out)
    file.unlink()
    refused("cannot read .*which the manifest lists", inspect, out)
    for text, message in (("{}", "has the format None; this version reads 1"), ("{", "is not valid JSON"),
                          ('{"format": 1, "rows": 3}', "is not a manifest of records")):
        (out / "manifest.json").write_text(text, encoding="utf-8")
        refused(message, load_manifest, out)


@pytest.mark.medium
def test_number_of_processes_changes_nothing(tokenizer: Tokenizer, tmp_path: Path,
                                             monkeypatch: pytest.MonkeyPatch) -> None:
    in_small_pieces(monkeypatch, 4000)
    corpus = write_corpus(tmp_path / "a.txt", 1000)
    made = {}
    for name, workers, seed in (("one", 1, 3), ("two", 2, 3), ("seed", 1, 4)):
        options = CorpusOptions(seq_length=32, num_shards=2, num_workers=workers, masked_lm_prob=0.15,
                                max_predictions_per_seq=5, dupe_factor=2, seed=seed)
        report = prepare_texts([corpus], tokenizer, tmp_path / name, options)
        made[name] = contents(tmp_path / name)
        assert load_manifest(tmp_path / name).rows == report.rows > 300
    assert made["one"] == made["two"]
    assert made["one"]["part-00000-of-00002.tfrecord"] != made["seed"]["part-00000-of-00002.tfrecord"]


@pytest.mark.medium
@pytest.mark.parametrize("prob", [0.0, 0.15])
def test_tfrecord_and_mindrecord_hold_the_same_rows(tokenizer: Tokenizer, tmp_path: Path, prob: float) -> None:
    corpus = write_corpus(tmp_path / "a.txt", 200)
    rows = {}
    for kind in ("tfrecord", "mindrecord"):
        options = CorpusOptions(seq_length=32, dataset_type=kind, num_shards=2, masked_lm_prob=prob)
        prepare_texts([corpus], tokenizer, tmp_path / kind, options)
        assert inspect(tmp_path / kind, kind, kind="corpus").rows == load_manifest(tmp_path / kind).rows
        rows[kind] = read(tmp_path / kind, kind)
    assert set(rows["tfrecord"]) == {*INPUTS, *(("masked_lm_positions", "masked_lm_ids", "masked_lm_weights")
                                                if prob else ())}
    for name, values in rows["tfrecord"].items():
        assert values.dtype == rows["mindrecord"][name].dtype
        np.testing.assert_array_equal(values, rows["mindrecord"][name])


@pytest.mark.medium
def test_tensorflow_reads_a_corpus_with_its_schema(tokenizer: Tokenizer, tmp_path: Path) -> None:
    tf = pytest.importorskip("tensorflow")
    prepare_texts([write_corpus(tmp_path / "a.txt", 60)], tokenizer, tmp_path / "out",
                  CorpusOptions(seq_length=16, masked_lm_prob=0.15, max_predictions_per_seq=4))
    entries = json.loads((tmp_path / "out" / "schema.json").read_text(encoding="utf-8"))["columns"]
    features = {name: tf.io.FixedLenFeature(entry["shape"], tf.as_dtype(entry["type"]))
                for name, entry in entries.items()}
    records = tf.data.TFRecordDataset(str(tmp_path / "out" / "part-00000-of-00001.tfrecord"))
    parsed = [tf.io.parse_single_example(record, features) for record in records]
    rows = read(tmp_path / "out")
    for name in entries:
        assert sorted(row[name].numpy().tolist() for row in parsed) == sorted(rows[name].tolist())


# Tasks


def test_longest_text_is_cut_first() -> None:
    def plain(length_a: int, length_b: int, room: int) -> tuple[int, int]:
        while length_a + length_b > room:
            if length_a > length_b:
                length_a -= 1
            else:
                length_b -= 1
        return length_a, length_b

    for room in range(1, 9):
        for length_a in range(12):
            for length_b in range(12):
                assert truncated_lengths(length_a, length_b, room) == plain(length_a, length_b, room)


def write_task(folder: Path, rows: int = 9) -> Path:
    """RTE with three splits."""
    folder.mkdir()
    texts = sentences(2 * rows)
    for split in ("train", "dev", "test"):
        label = "" if split == "test" else "\tlabel"
        lines = [f"index\tsentence1\tsentence2{label}"]
        for index in range(rows):
            value = "" if split == "test" else f"\t{('entailment', 'not_entailment')[index % 2]}"
            lines.append(f"{index}\t{texts[2 * index]}\t{texts[2 * index + 1]}{value}")
        (folder / f"{split}.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


@pytest.mark.medium
@pytest.mark.parametrize("dataset_type", ["tfrecord", "mindrecord"])
def test_splits_of_a_pair_task(tokenizer: Tokenizer, tmp_path: Path, dataset_type: str) -> None:
    data = write_task(tmp_path / "rte")
    task = get_task("rte")
    reports = prepare_task(task, data, tokenizer, tmp_path / "out",
                           TaskOptions(seq_length=16, dataset_type=dataset_type))
    assert [report.output_dir.name for report in reports] == ["train", "dev", "test"]
    rows = read(tmp_path / "out" / "dev", dataset_type)
    expected = []
    for example in task.read(data, "dev"):
        a, b = tokenizer.encode_batch([example.text_a, example.text_b])
        keep_a, keep_b = truncated_lengths(len(a), len(b), 13)
        first, second = [CLS, *a[:keep_a], SEP], [*b[:keep_b], SEP]
        padding = [0] * (16 - len(first) - len(second))
        expected.append((first + second + padding, [1] * (16 - len(padding)) + padding,
                         [task.label_id(example.label)], [0] * len(first) + [1] * len(second) + padding))
    got = zip(*(rows[name].tolist() for name in ("input_ids", "input_mask", "label_ids", "segment_ids")), strict=True)
    assert sorted(got) == sorted(expected)
    manifest = load_manifest(tmp_path / "out" / "dev")
    assert (manifest.task_name, manifest.labels, manifest.split) == ("RTE", ("entailment", "not_entailment"), "dev")
    assert "label_ids" in manifest.columns and not manifest.is_regression
    source = inspect(tmp_path / "out", dataset_type, kind="task", split="dev")
    assert source.manifest == manifest and source.rows == 9
    test = inspect(tmp_path / "out", dataset_type, split="test")
    assert "label_ids" not in test.manifest.columns and "label_ids" not in test.columns
    refused("no column 'label_ids'", inspect, tmp_path / "out", dataset_type, kind="task", split="test")
    refused("it has the subfolders dev, test, train", inspect, tmp_path / "out", dataset_type)
    with pytest.raises(UserError, match="holds the split 'dev'; expected 'train'"):
        inspect(tmp_path / "out" / "dev", dataset_type, split="train")


@pytest.mark.medium
def test_regression_and_plain_tasks(tokenizer: Tokenizer, tmp_path: Path) -> None:
    data = tmp_path / "sts"
    data.mkdir()
    (data / "dev.tsv").write_text("sentence1\tsentence2\tscore\nthe cat\ta dog\t2.75\na mat\tthe mat\t5\n",
                                  encoding="utf-8")
    prepare_task(get_task("STS-B"), data, tokenizer, tmp_path / "sts_records", TaskOptions(seq_length=8))
    labels = read(tmp_path / "sts_records" / "dev")["label_ids"]
    assert labels.dtype == np.float32 and sorted(labels[:, 0].tolist()) == [2.75, 5.0]
    assert load_manifest(tmp_path / "sts_records" / "dev").is_regression
    (tmp_path / "own.tsv").write_text("the cat\tyes\nthe dog\tno\nthe mat\tmaybe\n", encoding="utf-8")
    prepare_task(get_task("tsv"), tmp_path / "own.tsv", tokenizer, tmp_path / "own", TaskOptions(seq_length=8))
    manifest = load_manifest(tmp_path / "own" / "train")
    assert manifest.labels == ("maybe", "no", "yes")
    rows = read(tmp_path / "own" / "train")
    names = {VOCABULARY[row[2]]: manifest.labels[label] for row, (label,) in zip(
        rows["input_ids"].tolist(), rows["label_ids"].tolist(), strict=True)}
    assert names == {"cat": "yes", "dog": "no", "mat": "maybe"}


def test_all_splits_are_checked_before_anything_is_written(tokenizer: Tokenizer, tmp_path: Path) -> None:
    data = write_task(tmp_path / "rte")
    with open(data / "test.tsv", "a", encoding="utf-8") as stream:
        stream.write("9\tonly one\n")
    with pytest.raises(UserError, match="test.tsv:11: 2 tab-separated columns; expected 3"):
        prepare_task(get_task("rte"), data, tokenizer, tmp_path / "out", TaskOptions(seq_length=16))
    assert not (tmp_path / "out").exists()


# Output folders and faults


@pytest.mark.medium
def test_existing_folder(tokenizer: Tokenizer, tmp_path: Path) -> None:
    corpus, out = write_corpus(tmp_path / "a.txt", 50), tmp_path / "out"
    prepare_texts([corpus], tokenizer, out, CorpusOptions(seq_length=16))
    before = contents(out)
    report = prepare_texts([corpus], tokenizer, out, CorpusOptions(seq_length=16, num_workers=2, seed=9))
    assert report.skipped and "nothing to do" in report.summary() and contents(out) == before
    with pytest.raises(UserError, match="made with seq_length 16, not 32; .*--force true"):
        prepare_texts([corpus], tokenizer, out, CorpusOptions(seq_length=32))
    other = pickle.loads(pickle.dumps(tokenizer))
    other.backend.normalizer = normalizers.BertNormalizer(strip_accents=False)
    with pytest.raises(UserError, match="made with the same vocabulary, but with other rules of the tokenizer"):
        prepare_texts([corpus], other, out, CorpusOptions(seq_length=16))
    write_corpus(corpus, 51)
    with pytest.raises(UserError, match="made with other input files"):
        prepare_texts([corpus], tokenizer, out, CorpusOptions(seq_length=16))
    assert contents(out) == before
    assert not prepare_texts([corpus], tokenizer, out, CorpusOptions(seq_length=32), force=True).skipped
    assert load_manifest(out).seq_length == 32
    (out / "part-00000-of-00001.tfrecord").write_bytes(b"")
    with pytest.raises(UserError, match="has 0 bytes; the manifest says .*--force true"):
        prepare_texts([corpus], tokenizer, out, CorpusOptions(seq_length=32))
    # A folder that holds anything else is never touched.
    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.txt").write_text("x", encoding="utf-8")
    with pytest.raises(UserError, match="other exists and is no folder of records"):
        prepare_texts([corpus], tokenizer, other, CorpusOptions(seq_length=32), force=True)
    assert (other / "thesis.txt").exists()
    # A model, and a page of the web, have a manifest.json too.
    for values in ({"files": {"model.safetensors": "0"}}, {"name": "page"}):
        (other / "manifest.json").write_text(json.dumps(values), encoding="utf-8")
        with pytest.raises(UserError, match="other exists and is no folder of records"):
            prepare_texts([corpus], tokenizer, other, CorpusOptions(seq_length=32), force=True)
        assert json.loads((other / "manifest.json").read_text(encoding="utf-8")) == values
    (out / "manifest.json").write_text("{", encoding="utf-8")
    assert prepare_texts([corpus], tokenizer, out, CorpusOptions(seq_length=32), force=True).rows
    with pytest.raises(UserError, match="output_dir .* holds the input"):
        prepare_texts([tmp_path], tokenizer, tmp_path, CorpusOptions(seq_length=32))
    (tmp_path / "link").symlink_to(tmp_path / "new")
    assert prepare_texts([corpus], tokenizer, tmp_path / "link", CorpusOptions(seq_length=16)).rows
    assert load_manifest(tmp_path / "new") and (tmp_path / "link").is_symlink()
    (tmp_path / "empty").mkdir()
    assert prepare_texts([corpus], tokenizer, tmp_path / "empty", CorpusOptions(seq_length=16)).rows


def test_nothing_is_left_after_an_error(tokenizer: Tokenizer, tmp_path: Path,
                                        monkeypatch: pytest.MonkeyPatch) -> None:
    in_small_pieces(monkeypatch, 2000)
    corpus = write_corpus(tmp_path / "a.txt", 200)
    lines = corpus.read_bytes().count(b"\n")
    with open(corpus, "ab") as stream:
        stream.write(b"the c\xe9t\n")
    with pytest.raises(UserError, match=rf"a.txt:{lines + 1}: not UTF-8 \(byte 0xe9\)"):
        prepare_texts([corpus], tokenizer, tmp_path / "out", CorpusOptions(seq_length=16))
    corpus.write_text("\n \n\n", encoding="utf-8")
    (tmp_path / "b.txt").touch()
    with pytest.raises(UserError, match="the input holds no text"):
        prepare_texts([corpus, tmp_path / "b.txt"], tokenizer, tmp_path / "out", CorpusOptions())
    assert sorted(os.listdir(tmp_path)) == ["a.txt", "b.txt", "vocab.txt"]


def test_masking_needs_a_mask_token(tmp_path: Path) -> None:
    gpt2 = load_tokenizer(write_byte_level(tmp_path / "bpe", GPT2))
    corpus = write_corpus(tmp_path / "a.txt", 20)
    with pytest.raises(UserError, match="masked_lm_prob needs a mask token"):
        prepare_texts([corpus], gpt2, tmp_path / "out", CorpusOptions(seq_length=32, masked_lm_prob=0.15))
    roberta = load_tokenizer(write_byte_level(tmp_path / "roberta"))
    with pytest.raises(UserError, match="whole_word_mask needs a WordPiece vocabulary, which .*vocab.json is not"):
        prepare_texts([corpus], roberta, tmp_path / "out",
                      CorpusOptions(seq_length=32, masked_lm_prob=0.15, whole_word_mask=True))
    assert not (tmp_path / "out").exists()
    assert prepare_texts([corpus], gpt2, tmp_path / "out", CorpusOptions(seq_length=32)).counts["unknown"] == 0


def test_folder_appears_at_once(tmp_path: Path) -> None:
    final = tmp_path / "deep" / "out"
    with files.atomic_folder(final) as folder:
        (folder / "a").write_text("new", encoding="utf-8")
        assert not final.exists()
        with pytest.raises(UserError, match="another process is writing"), files.atomic_folder(final):
            raise AssertionError("two writers in one folder")
    assert os.listdir(final) == ["a"] and os.listdir(final.parent) == ["out"]
    with pytest.raises(RuntimeError, match="stop"), files.atomic_folder(final, replace=True) as folder:
        (folder / "a").write_text("newer", encoding="utf-8")
        raise RuntimeError("stop")
    assert (final / "a").read_text(encoding="utf-8") == "new" and os.listdir(final.parent) == ["out"]
    # What a killed process left is cleared.
    (final.parent / ".out.partial" / "sub").mkdir(parents=True)
    (final.parent / ".out.partial" / "old").write_text("half", encoding="utf-8")
    with files.atomic_folder(final, replace=True) as folder:
        (folder / "b").write_text("x", encoding="utf-8")
    assert os.listdir(final) == ["b"] and os.listdir(final.parent) == ["out"]
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(UserError, match="output folder .* cannot be written: .*file is a file; choose another"):
        with files.atomic_folder(tmp_path / "file" / "out"):
            raise AssertionError("a folder below a file")


@pytest.mark.parametrize(("objective", "settings", "message"), [
    ("layers", {"data__seq_length": 2}, "seq_length is 2; it must be at least 3"),
    ("layers", {"corpus__num_shards": 0}, "num_shards is 0"),
    ("layers", {"corpus__num_workers": 0}, "num_workers is 0"),
    ("layers", {"corpus__scheduler": "10.0.0.1"}, "'10.0.0.1'; expected the address of a Dask scheduler"),
    ("layers", {"corpus__masked_lm_prob": 1.0}, "masked_lm_prob is 1.0"),
    ("layers", {"corpus__dupe_factor": 0}, "dupe_factor is 0"),
    ("layers", {"corpus__dupe_factor": 2}, "without masked tokens all copies are the same"),
    ("layers", {"corpus__max_unknown": 0.0}, "max_unknown is 0.0"),
    ("tokens", {"corpus__masked_lm_prob": 0.15}, "masked in training"),
    ("tokens", {"data__seq_length": 8}, r"min_length is 12; it must be from 3 .* to seq_length, 8"),
    ("tokens", {"corpus__min_length": 2}, "min_length is 2; it must be at least 3"),
    ("tokens", {"corpus__max_unknown": float("nan")}, "max_unknown is nan; it must be above 0"),
])
def test_options_out_of_range(objective: str, settings: dict, message: str) -> None:
    refused(message, lambda: prepare_data._corpus_options(load_config(objective=objective, **settings)))


@pytest.mark.parametrize(("error", "expected"), [
    (RuntimeError("No space left on device"), OSError), (RuntimeError("something else\nin two lines"), UserError)])
def test_failing_writers(error: Exception, expected: type[Exception], tokenizer: Tokenizer, tmp_path: Path,
                         monkeypatch: pytest.MonkeyPatch) -> None:
    class Shard(io.BytesIO):
        def write(self, rows: bytes) -> int:
            raise error

    monkeypatch.setattr("src.records.writers.open", lambda *_, **__: Shard(), raising=False)
    with pytest.raises(expected, match="part-00000-of-00001.tfrecord"):
        prepare_texts([write_corpus(tmp_path / "a.txt", 9)], tokenizer, tmp_path / "out", CorpusOptions(seq_length=9))
    assert sorted(os.listdir(tmp_path)) == ["a.txt", "vocab.txt"]


# The command


@pytest.mark.medium
def test_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    vocabulary = write_vocabulary(tmp_path / "vocab.txt")
    write_corpus(tmp_path / "a.txt", 50)
    arguments = ["--tokenizer", str(vocabulary), "--output_dir", str(tmp_path / "wiki"), "--seq_length", "32",
                 "--num_shards", "2", "--num_workers", "1", "--input", f"{tmp_path}/a.txt,{tmp_path}/b*.txt"]
    write_corpus(tmp_path / "b1.txt", 50, seed=1)
    prepare_data.main(["corpus", *arguments])
    printed = capsys.readouterr().out
    assert re.search(r"wiki: \d+ rows of 32, 100 sentences", printed)
    prepare_data.main(["corpus", *arguments])
    assert "nothing to do" in capsys.readouterr().out
    prepare_data.main(["task", "--task_name", "RTE", "--data_dir", str(write_task(tmp_path / "rte")), "--tokenizer",
                       str(tmp_path / "wiki"), "--output_dir", str(tmp_path / "rte_records"), "--seq_length", "16"])
    assert capsys.readouterr().out.count("9 rows of 16") == 3


@pytest.mark.parametrize(("arguments", "message"), [
    ([], "corpus, task, augment, vocab, lists; got 'nothing'"),
    (["corpsu"], "did you mean 'corpus'"),
    (["corpus", "--output_dir", "out"], "--input is not set"),
    (["corpus", "--input", "a.txt", "--output_dir", "out"], "--tokenizer is not set"),
    (["corpus", "--input", "a.txt", "--tokenizer", "absent", "--output_dir", "out"], "no tokenizer in 'absent'"),
    (["corpus", "--seq_lenght", "64"], "seq_lenght"),
    (["task", "--data_dir", "x"], "--task_name is not set"),
])
def test_wrong_commands(arguments: list[str], message: str, empty_folder: Path) -> None:
    refused(message, prepare_data.main, arguments)
    assert not list(empty_folder.iterdir())
