# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""A preparation that is stopped and continued makes the same bytes; duplicates; folders on remote file systems."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import fsspec
import pytest
from small_vocabulary import contents, write_vocabulary

from src.common.errors import Interrupted, UserError
from src.corpus.sources import Chunk, InputOptions, pieces
from src.records import journal, mindrecord, prepare
from src.records.manifest import load_manifest, verify
from src.records.options import CorpusOptions, SequenceOptions
from src.records.prepare import prepare_texts
from src.text.tokenization import Tokenizer, load_tokenizer

VOCABULARY = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "cat", "sat", "on", "mat", "dog", "and", "runs",
              "##s", "##ing", ".", ",")
PIECES = 20
MASKED = {"masked_lm_prob": 0.15, "max_predictions_per_seq": 5, "dupe_factor": 2, "seed": 3}
KINDS: dict[str, CorpusOptions | SequenceOptions] = {
    "plain": CorpusOptions(seq_length=32, num_shards=3),
    "masked": CorpusOptions(seq_length=32, num_shards=2, **MASKED),
    "deduplicated": CorpusOptions(seq_length=32, num_shards=2, deduplicate="documents", **MASKED),
    "sequences": SequenceOptions(seq_length=24, num_shards=2, min_length=5),
}
# Of the shards (and the token counts), from before they were written by our own code.
GOLDEN = {
    "plain": "5b42520f43422bea4437e16d51e93c2743ccb89457a0fbaa9cd64d76cfa3a0b7",
    "masked": "6274ab74c3ee6caef4fe2e2a815b718d86c825c8c3e360a71c0857932bf9af37",
    "sequences": "15122cd54e9a4db27421154c90b20348306489be7f7b25f7e6680871d0b20c8a",
}


def made_text(documents: int) -> str:
    """Documents of one to five lines; line 11 n + k of a length repeats line k."""
    words = "The cat sat on mats , dogs running and zebra .".split()
    lines = []
    for document in range(documents):
        for sentence in range(1 + document % 5):
            number = 3 + (document * 7 + sentence * 11) % 23
            lines.append(" ".join(words[(document + sentence * 3 + word * word) % 11] for word in range(number)))
        lines.append("")
    return "\n".join(lines)


@pytest.fixture
def tokenizer(tmp_path: Path) -> Tokenizer:
    return load_tokenizer(write_vocabulary(tmp_path / "vocab.txt", VOCABULARY))


@pytest.fixture
def inputs(tmp_path: Path) -> list[str]:
    """Two files; the second one is a single document."""
    (tmp_path / "a.txt").write_text(made_text(900), encoding="utf-8")
    (tmp_path / "b.txt").write_text(made_text(31).replace("\n\n", "\n"), encoding="utf-8")
    return [str(tmp_path / "a.txt"), str(tmp_path / "b.txt")]


@pytest.fixture
def stop_at(monkeypatch: pytest.MonkeyPatch) -> Callable[[int | None, Callable[[], None]], None]:
    """A function: what is to happen before the piece of a number is cut, from now on. A journal after every piece."""
    monkeypatch.setattr(journal, "INTERVAL", 0.0)
    monkeypatch.setattr(journal, "LARGEST_SHARE", 1e9)

    def install(number: int | None, action: Callable[[], None]) -> None:
        def cut(files: list[str], options: InputOptions) -> Iterator[Chunk]:
            for index, chunk in enumerate(pieces(files, options, 8000)):
                if index == number:
                    action()
                yield chunk

        monkeypatch.setattr(prepare, "pieces", cut)

    install(None, lambda: None)
    return install


def power_failure() -> None:
    """Ends a preparation as a kill does: an exception after which nothing is tidied up."""
    raise KeyboardInterrupt


@pytest.mark.parametrize("kind", GOLDEN)
def test_plain_text_makes_the_bytes_it_always_made(kind: str, tokenizer: Tokenizer, inputs: list[str],
                                                   tmp_path: Path) -> None:
    options = KINDS[kind]
    prepare_texts(inputs, tokenizer, tmp_path / "out", options)
    digest = hashlib.sha256()
    for name, content in contents(tmp_path / "out").items():
        if name.endswith(".tfrecord") or name == "token_counts.json":
            digest.update(content)
    assert digest.hexdigest() == GOLDEN[kind]


@pytest.mark.parametrize("kind", KINDS)
def test_stopped_at_every_piece(kind: str, tokenizer: Tokenizer, inputs: list[str], tmp_path: Path,
                                stop_at: Callable) -> None:
    options = KINDS[kind]
    prepare_texts(inputs, tokenizer, tmp_path / "whole", options)
    out, partial = tmp_path / "out", tmp_path / ".out.partial"
    for number in range(2, PIECES, 3):
        stop_at(number, power_failure)
        with pytest.raises(KeyboardInterrupt):
            prepare_texts(inputs, tokenizer, out, options)
        state = json.loads((partial / "progress.json").read_text(encoding="utf-8"))
        assert state["pieces"] == number and not out.exists()
        # What had been written behind the journal's back: rows of further pieces, or parts of them.
        for path in partial.glob("*.tfrecord"):
            with open(path, "ab") as file:
                file.write(b"half a row")
        if kind == "deduplicated":
            with open(partial / "documents", "ab") as file:
                file.write(b"half")
    stop_at(None, power_failure)
    report = prepare_texts(inputs, tokenizer, out, options)
    assert 0.5 < report.continued < 1 and "continued at" in report.summary()
    assert contents(out) == contents(tmp_path / "whole")
    assert sorted(os.listdir(tmp_path)) == ["a.txt", "b.txt", "out", "vocab.txt", "whole"]


@pytest.fixture
def heeded() -> Iterator[None]:
    """Ctrl-C is not ignored, whatever the tests were started with."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heeded")
def test_signals(tokenizer: Tokenizer, inputs: list[str], tmp_path: Path, stop_at: Callable,
                 capsys: pytest.CaptureFixture[str]) -> None:
    options = KINDS["plain"]
    prepare_texts(inputs, tokenizer, tmp_path / "whole", options)
    handlers = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    for number, name in ((signal.SIGTERM, "SIGTERM"), (signal.SIGINT, "SIGINT")):
        stop_at(5 if number == signal.SIGTERM else 7, lambda number=number: os.kill(os.getpid(), number))
        with pytest.raises(Interrupted, match=rf"stopped by {name}; out is done to \d\d%; run the same command again "
                                              "to continue") as caught:
            prepare_texts(inputs, tokenizer, tmp_path / "out", options, progress=True)
        assert caught.value.signal_number == number
        assert handlers == (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM))
    stop_at(None, power_failure)
    capsys.readouterr()
    report = prepare_texts(inputs, tokenizer, tmp_path / "out", options, progress=True)
    # The bar begins where the work does.
    assert f"out: {report.continued:4.0%}"[:9].replace("  ", " ") in capsys.readouterr().err.replace("  ", " ")
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


def test_an_ignored_signal_stays_ignored() -> None:
    """A preparation that nohup or a shell's & has started outlives a Ctrl-C that is meant for others."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with journal.stopping() as stop:
            assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
            assert signal.getsignal(signal.SIGTERM) == stop.note
            os.kill(os.getpid(), signal.SIGINT)
            assert not stop.received
        assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_what_was_left_by_other_work_is_thrown_away(tokenizer: Tokenizer, inputs: list[str], tmp_path: Path,
                                                    stop_at: Callable) -> None:
    options = KINDS["plain"]
    prepare_texts(inputs, tokenizer, tmp_path / "whole", options)
    progress = tmp_path / ".out.partial" / "progress.json"

    def stopped(options: CorpusOptions) -> None:
        stop_at(5, power_failure)
        with pytest.raises(KeyboardInterrupt):
            prepare_texts(inputs, tokenizer, tmp_path / "out", options)
        assert progress.is_file()
        stop_at(None, power_failure)

    for change in ("setting", "input", "journal"):
        if change == "setting":
            stopped(CorpusOptions(seq_length=16, num_shards=5))
        elif change == "input":
            Path(inputs[1]).write_text("the dog .\n", encoding="utf-8")
            stopped(options)
            Path(inputs[1]).write_text(made_text(31).replace("\n\n", "\n"), encoding="utf-8")
        else:
            stopped(options)
            progress.write_bytes(progress.read_bytes()[:-9])
        report = prepare_texts(inputs, tokenizer, tmp_path / "out", options)
        assert not report.continued and contents(tmp_path / "out") == contents(tmp_path / "whole"), change
        shutil.rmtree(tmp_path / "out")


def test_what_is_kept(tokenizer: Tokenizer, inputs: list[str], tmp_path: Path, stop_at: Callable) -> None:
    def fail(error: BaseException) -> Callable[[], None]:
        def action() -> None:
            raise error
        return action

    for error, is_kept in ((UserError("no text"), False), (RuntimeError("a defect"), False),
                           (OSError(28, "No space left on device"), True), (MemoryError(), True)):
        stop_at(5, fail(error))
        with pytest.raises(type(error)):
            prepare_texts(inputs, tokenizer, tmp_path / "out", CorpusOptions(seq_length=32))
        assert (tmp_path / ".out.partial").exists() is is_kept, error
        stop_at(None, power_failure)
        report = prepare_texts(inputs, tokenizer, tmp_path / "out", CorpusOptions(seq_length=32))
        assert bool(report.continued) is is_kept
        shutil.rmtree(tmp_path / "out")
    # A number of workers or a scheduler is no setting of the rows; few rows have no shards yet.
    stop_at(1, power_failure)
    with pytest.raises(KeyboardInterrupt):
        prepare_texts(inputs, tokenizer, tmp_path / "many", CorpusOptions(seq_length=512, num_shards=99999))
    assert not (tmp_path / ".many.partial").exists()


@pytest.mark.medium
@pytest.mark.parametrize("kind", ["plain", "sequences"])
def test_mindrecord_stopped_anywhere(kind: str, tokenizer: Tokenizer, inputs: list[str], tmp_path: Path,
                                     stop_at: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    """Among the rows, and before, in and after the first of the MindRecord files."""
    options = replace(KINDS[kind], dataset_type="mindrecord")
    prepare_texts(inputs, tokenizer, tmp_path / "whole", options)
    out, partial = tmp_path / "out", tmp_path / ".out.partial"

    stop_at(5, lambda: os.kill(os.getpid(), signal.SIGTERM))
    with pytest.raises(Interrupted, match=r"out is done to \d\d%; run the same command again to continue"):
        prepare_texts(inputs, tokenizer, out, options)
    stop_at(None, power_failure)
    batches = mindrecord._batches
    for finished in range(2):
        def stopped(*arguments: Any, finished: int = finished) -> Iterator[Any]:
            first, *others = batches(*arguments)
            yield first
            if len(list(partial.glob("*.mindrecord"))) == finished:
                power_failure() if finished else os.kill(os.getpid(), signal.SIGTERM)
            yield from others

        monkeypatch.setattr(mindrecord, "_batches", stopped)
        monkeypatch.setattr(mindrecord, "BATCH", 7)
        with pytest.raises(KeyboardInterrupt if finished else Interrupted) as caught:
            prepare_texts(inputs, tokenizer, out, options)
        assert finished or "of them are in MindRecord files; run the same command again" in str(caught.value)
        assert sorted(path.name for path in partial.glob("*.mindrecord*")) == [
            f"part-00000-of-{options.num_shards:05d}.mindrecord{end}" for end in ("", ".db")][:2 * finished]
    monkeypatch.undo()
    with monkeypatch.context() as context:
        def full(*_: Any) -> Iterator[Any]:
            raise RuntimeError("MindRecord: No space left on device")

        context.setattr(mindrecord, "_batches", full)
        with pytest.raises(OSError, match="No space left on device: '.*-of-0000[23].mindrecord'"):
            prepare_texts(inputs, tokenizer, out, options)
    report = prepare_texts(inputs, tokenizer, out, options)
    assert report.continued == 1
    verify(out, load_manifest(out))
    assert contents(out) == contents(tmp_path / "whole")
    assert sorted(os.listdir(tmp_path)) == ["a.txt", "b.txt", "out", "vocab.txt", "whole"]


# Duplicates


@pytest.mark.parametrize("kind", [CorpusOptions, SequenceOptions])
def test_duplicates_are_left_out(kind: type, tokenizer: Tokenizer, tmp_path: Path, stop_at: Callable) -> None:
    """A text with duplicates in and between pieces gives the rows of the text without them."""
    distinct = made_text(200).strip().split("\n\n")
    again = [f"{document.upper()} !" for document in distinct[:50]]
    (tmp_path / "all.txt").write_text("\n\n".join((*distinct[:3], *distinct, *again)), encoding="utf-8")
    (tmp_path / "distinct.txt").write_text("\n\n".join(distinct), encoding="utf-8")
    report = prepare_texts([tmp_path / "all.txt"], tokenizer, tmp_path / "all",
                           kind(seq_length=24, deduplicate="documents"))
    expected = prepare_texts([tmp_path / "distinct.txt"], tokenizer, tmp_path / "distinct", kind(seq_length=24))
    assert report.counts["dropped_duplicate"] == 53 and report.counts["pages"] == 253
    assert report.counts["documents"] == expected.counts["documents"] == len(distinct) == 200
    assert (report.counts["tokens"], report.rows) == (expected.counts["tokens"], expected.rows)
    assert "200 documents of 253; dropped: duplicate 53" in report.summary()
    summary = load_manifest(tmp_path / "all").summary
    assert (summary["pages"], summary["documents"], summary["dropped_duplicate"]) == (253, 200, 53)
    one, other = (contents(tmp_path / name) for name in ("all", "distinct"))
    assert one["part-00000-of-00001.tfrecord"] == other["part-00000-of-00001.tfrecord"]
    assert one.get("token_counts.json") == other.get("token_counts.json")


# Remote folders


@pytest.fixture
def memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """fsspec's file system in memory; temporary files go below the test's folder."""
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    filesystem = fsspec.filesystem("memory")
    filesystem.store.clear()
    yield filesystem
    filesystem.store.clear()


def test_remote_folder(memory, tokenizer: Tokenizer, inputs: list[str], tmp_path: Path, stop_at: Callable,
                       monkeypatch: pytest.MonkeyPatch) -> None:
    url, options = "memory://bucket/records", CorpusOptions(seq_length=32, num_shards=3)
    for path in inputs:
        memory.pipe_file(f"/texts/{Path(path).name}", Path(path).read_bytes())
    prepare_texts(inputs, tokenizer, tmp_path / "whole", options)
    whole, staging = contents(tmp_path / "whole"), tmp_path / "temporary"

    def stored() -> dict[str, bytes]:
        return {path.rpartition("/")[2]: memory.cat_file(path) for path in sorted(memory.find("/bucket/records"))}

    stop_at(5, power_failure)
    with pytest.raises(KeyboardInterrupt):
        prepare_texts(["memory://texts"], tokenizer, url, options)
    assert list(stored()) == ["unfinished"]
    stop_at(None, power_failure)
    put_file = type(memory).put_file

    def fail(self, local: str, remote: str, **how) -> None:
        if remote.endswith("schema.json"):
            raise TimeoutError("no answer")
        put_file(self, local, remote, **how)

    # Continued, made, and cut off while it is copied: no manifest, and all is still there for the next one.
    monkeypatch.setattr(type(memory), "put_file", fail)
    with pytest.raises(UserError, match="cannot write memory://bucket/records: no answer"):
        prepare_texts(["memory://texts"], tokenizer, url, options)
    assert "manifest.json" not in stored() and len(list(staging.rglob("*.tfrecord"))) == 3
    monkeypatch.setattr(type(memory), "put_file", put_file)
    stop_at(0, power_failure)
    report = prepare_texts(["memory://texts"], tokenizer, url, options)
    assert report.output_dir == url and stored() == whole and not list(staging.iterdir())
    # It is there now, and replaced by force alone.
    assert prepare_texts(["memory://texts"], tokenizer, url, options).skipped
    other = CorpusOptions(seq_length=16)
    with pytest.raises(UserError, match="memory://bucket/records exists and was made with .*; choose another"):
        prepare_texts(["memory://texts"], tokenizer, url, other)
    stop_at(None, power_failure)
    prepare_texts(["memory://texts"], tokenizer, url, other, force=True)
    assert sorted(stored()) == ["manifest.json", "part-00000-of-00001.tfrecord", "schema.json", "tokenizer.json",
                                "tokenizer_config.json", "vocab.txt"] or "part-00001-of-00003.tfrecord" not in stored()
    prepare_texts(["memory://texts"], tokenizer, f"file://{tmp_path}/by_url", options)
    assert contents(tmp_path / "by_url") == whole


def test_remote_folder_of_somebody_else(memory, tokenizer: Tokenizer, inputs: list[str], tmp_path: Path) -> None:
    memory.pipe_file("/bucket/records/thesis.txt", b"x")
    with pytest.raises(UserError, match="memory://bucket/records exists and is no folder of records"):
        prepare_texts(inputs, tokenizer, "memory://bucket/records", CorpusOptions(seq_length=32), force=True)
    Path(inputs[0]).write_bytes(b"caf\xe9\n")
    with pytest.raises(UserError, match="not UTF-8"):
        prepare_texts(inputs, tokenizer, "memory://bucket/other", CorpusOptions(seq_length=32))
    assert memory.find("/bucket") == ["/bucket/records/thesis.txt"]
