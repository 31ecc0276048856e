# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Inputs on remote file systems: found, read, and never shown with what they are opened by."""

from __future__ import annotations

import bz2
import gzip
import io
from pathlib import Path

import fsspec
import pytest

from src.common.errors import UserError
from src.corpus import storage
from src.corpus.compression import blocks, kind_of, stream_starts
from src.corpus.formats import look_at
from src.corpus.storage import file_system, find_files, is_url, name_of, read_range, reading, shown, size_of
from src.corpus.text import Span, chunks, fingerprint, read_lines

SECRETS = ("KEY", "SECRET", "SIGNATURE")


@pytest.fixture
def memory():
    """fsspec's file system in memory, with some files."""
    filesystem = fsspec.filesystem("memory")
    filesystem.store.clear()
    for name, content in {"/wiki/b.txt": b"zwei", "/wiki/a.txt": b"eins\nein\xc3\xa9", "/wiki/deep/c.txt": b"drei",
                          "/wiki/.hidden/d.txt": b"vier"}.items():
        filesystem.pipe_file(name, content)
    yield filesystem
    filesystem.store.clear()


def content(path: str | Path) -> bytes:
    with reading(path) as file:
        return file.read()


def test_remote_files_are_found_like_local_ones(memory, tmp_path: Path) -> None:
    for name in memory.find("/wiki"):
        path = tmp_path / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(memory.cat_file(name))

    def found(begin: str, *inputs: str) -> list[str]:
        return [path.removeprefix(begin) for path in find_files([begin + entry for entry in inputs])]

    for entry in ("/wiki", "/wiki/", "/wiki/*.txt", "/wiki/a.txt", "/wiki/deep", "/*/deep/*"):
        local = found(str(tmp_path), entry)
        # A file:// URL is a path of this machine.
        assert local and found("memory:/", entry) == local, entry
        assert list(find_files([f"file://{tmp_path}{entry}"])) == [f"{tmp_path}{path}" for path in local]
    assert found("memory:/", "/wiki/b.txt", "/wiki") == ["/wiki/b.txt", "/wiki/a.txt", "/wiki/deep/c.txt"]
    with pytest.raises(UserError, match="input 'memory://wiki/x' matches no file"):
        find_files(["memory://wiki/x"])


def test_reading(memory, tmp_path: Path) -> None:
    local = tmp_path / "a.txt"
    local.write_bytes(memory.cat_file("/wiki/a.txt"))
    for path in ("memory://wiki/a.txt", f"file://{local}", str(local), local):
        assert content(path) == "eins\neiné".encode()
        with reading(path) as file:
            assert file.seek(0, io.SEEK_END) == size_of(path) == 10
        assert read_range(path, 2, 6) == b"ns\ne" and read_range(path, 8, 99) == b"\xc3\xa9"
    assert fingerprint("memory://wiki/a.txt")["sha256"] == fingerprint(str(local))["sha256"]
    for read in (content, size_of, lambda path: read_range(path, 0, 1)):
        with pytest.raises(UserError, match="cannot read memory://wiki/x: no such file"):
            read("memory://wiki/x")


def test_a_remote_file_is_not_read_where_its_version_is_told(memory, monkeypatch: pytest.MonkeyPatch) -> None:
    info = type(memory).info
    monkeypatch.setattr(type(memory), "info", lambda self, path, **how: {**info(self, path, **how), "ETag": "v1"})
    monkeypatch.setattr(storage, "reading", None)
    assert fingerprint("memory://wiki/a.txt") == {"name": "a.txt", "bytes": 10, "version": "v1"}


@pytest.mark.parametrize(("url", "expected", "name"), [
    ("s3://KEY:SECRET@bucket/wiki/a.txt", "s3://bucket/wiki/a.txt", "a.txt"),
    ("s3://KEY:SECRET/@SECRET+=@bucket/wiki/a.txt", "s3://bucket/wiki/a.txt", "a.txt"),
    ("https://localhost:9/wiki/a@b.txt", "https://localhost:9/wiki/a@b.txt", "a@b.txt"),
    ("https://host/a.txt?X-Amz-Signature=SIGNATURE", "https://host/a.txt", "a.txt"),
    ("hdfs://KEY@namenode:8020/wiki/", "hdfs://namenode:8020/wiki/", "wiki"),
    ("ftp://KEY:SECRET@127.0.0.1:9/a.txt", "ftp://127.0.0.1:9/a.txt", "a.txt"),
    ("nowhere://KEY:SECRET@bucket/a.txt", "nowhere://bucket/a.txt", "a.txt"),
])
def test_credentials_are_never_shown(url: str, expected: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert is_url(url) and shown(url) == expected and name_of(url) == name

    def refuse(given: str, **options) -> None:
        raise PermissionError(f"cannot log in to {given} with {url}")

    for attempt in (lambda: find_files([url]), lambda: content(url), lambda: size_of(url)):
        with pytest.raises(UserError) as caught:
            attempt()
        with monkeypatch.context() as patch:
            patch.setattr(fsspec.core, "url_to_fs", refuse)
            with pytest.raises(UserError, match="cannot be reached") as refused:
                attempt()
        for error in (caught, refused):
            assert expected in str(error.value)
            assert not any(secret in str(error.value) for secret in SECRETS), error.value


def test_keys_and_missing_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {}
    monkeypatch.setattr(fsspec.core, "url_to_fs", lambda url, **options: given.update(options, url=url) or (None, url))
    file_system("s3://KEY:SE%2FCRET@bucket/a.txt")
    assert given == {"url": "s3://bucket/a.txt", "key": "KEY", "secret": "SE/CRET"}

    def missing(url: str, **options) -> None:
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr(fsspec.core, "url_to_fs", missing)
    for url, package in (("s3://bucket/a", "s3fs"), ("hdfs://host/a", "pyarrow")):
        with pytest.raises(UserError, match=f"is not installed; install it: pip install {package}$"):
            file_system(url)
    assert not is_url("C:/a") and not is_url("wiki/a.txt") and not is_url(Path("s3://bucket"))


TOLD = "failing://KEY:SECRET@host/a.txt"


class LibraryError(Exception):
    """What a file system's package raises, which is no OSError."""


class FailingFile(io.BytesIO):
    """A file that can be opened, and whose connection is lost then."""

    def read(self, size: int = -1) -> bytes:
        if FailingFileSystem.is_lost:
            raise LibraryError(f"403 for {TOLD}?sign=SIGNATURE")
        return super().read(size)


class FailingFileSystem(fsspec.AbstractFileSystem):
    protocol = "failing"
    cachable = False
    content = b"eight\nbytes"
    is_lost = True

    def _open(self, path: str, mode: str = "rb", **options) -> FailingFile:
        return FailingFile(self.content)

    def info(self, path: str, **options) -> dict:
        return {"name": path, "size": len(self.content), "type": "file"}


@pytest.fixture
def failing():
    """A remote file system whose files are opened, and then cannot be read."""
    fsspec.register_implementation("failing", FailingFileSystem, clobber=True)
    before = FailingFileSystem.content
    yield FailingFileSystem
    FailingFileSystem.content, FailingFileSystem.is_lost = before, True


def refused(attempt) -> str:
    """The message of a `UserError`, without what the file is opened by."""
    with pytest.raises(UserError) as caught:
        attempt()
    assert "failing://host/a.txt" in str(caught.value)
    assert not any(secret in str(caught.value) for secret in SECRETS), caught.value
    return str(caught.value)


@pytest.mark.parametrize("read", [
    lambda: look_at(TOLD, "auto"), lambda: fingerprint(TOLD), lambda: list(blocks(TOLD, "")),
    lambda: list(blocks(TOLD, "gz")), lambda: list(stream_starts(TOLD)), lambda: list(blocks(TOLD, "bz2", 0, 9)),
    lambda: list(blocks(TOLD, "", 0, 9)), lambda: list(chunks([TOLD], 4)), lambda: read_range(TOLD, 0, 9),
    lambda: read_lines(Span(TOLD, 0, 9)), lambda: content(TOLD),
])
def test_a_connection_that_is_lost_while_reading(failing, read) -> None:
    message = refused(read)
    assert message == "cannot read failing://host/a.txt: 403 for failing://host/a.txt"


def test_what_is_no_fault_of_the_file_is_not_said_to_be(failing, tmp_path: Path) -> None:
    with pytest.raises(KeyError), reading(TOLD):
        raise KeyError("a defect")
    with pytest.raises(UserError, match="cannot read .*none.txt: No such file"), reading(tmp_path / "none.txt"):
        pass


@pytest.mark.parametrize(("pack", "cut", "message"), [
    (gzip.compress, None, "damaged gz data near byte"), (bz2.compress, None, "damaged bz2 data near byte"),
    ("zst", None, "damaged zst data near byte"), (gzip.compress, 30, "ends within its gz data, at byte 30"),
])
def test_damaged_data_of_a_remote_file(failing, pack, cut: int | None, message: str) -> None:
    text = bytes(range(256)) * 40
    packed = bytearray(pytest.importorskip("zstandard").compress(text) if pack == "zst" else pack(text))
    if cut is None:
        packed[6:16] = b"\xff" * 10
    failing.content, failing.is_lost = bytes(packed[:cut]), False
    assert message in refused(lambda: list(blocks(TOLD, kind_of(packed))))


def test_bombs_and_encodings_of_a_remote_file(failing) -> None:
    failing.is_lost = False
    failing.content = gzip.compress(bytes(80 << 20))
    assert "which no text does" in refused(lambda: [None for _ in blocks(TOLD, "gz")])
    failing.content = b'<?xml version="1.0" encoding="x-unknown"?><mediawiki>'
    assert "unknown encoding 'x-unknown'" in refused(lambda: look_at(TOLD, "auto"))
    failing.content = b"<mediawiki>\xff\xfe"
    assert "not UTF-8 (byte 0xff)" in refused(lambda: read_lines(Span(TOLD, 0, 13)))
