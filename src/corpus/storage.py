# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Where texts lie: local paths, which are opened plainly, and URLs of any file system that fsspec knows.

    wiki/*.txt   hdfs://namenode:8020/wiki/*.txt   s3://bucket/wiki   memory://wiki/a.txt   file:///data/wiki.txt

A URL may carry a name and a password (`s3://key:secret@bucket/wiki`, `ftp://name:password@host/wiki`) or a signature
(`https://host/wiki.txt?signature=...`). They are used and passed on to worker processes; `shown` and `name_of` leave
them out, and messages, manifests and logs hold only what these two return.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO, Any
from urllib.parse import unquote

from src.common.errors import UserError, one_line
from src.common.patterns import joined_paths, local_path, matching

URL = re.compile(r"([a-z][a-z0-9+.-]*)://", re.IGNORECASE)
# A secret may hold "/" and "@", as those of S3 do; what follows a host's port is no secret.
_USER = r"(?:[^/@:\s]*:(?!\d+(?:/|$))[^@\s]*@(?:[^/\s]*@)?|[^/@\s]*@)"
CREDENTIALS = re.compile(rf"(?<=://){_USER}")
S3 = ("s3", "s3a")
QUERY = re.compile(r"(?<=://)([^?\s]*)\?\S*")
"""In a library's message, which may hold a URL with both: what follows a question mark."""


def is_url(path: str | Path) -> bool:
    """Whether a path names a file of another file system than the local one."""
    return isinstance(path, str) and URL.match(path) is not None


def shown(path: str | Path) -> str:
    """A path as messages and logs show it: without name, password and signature."""
    return CREDENTIALS.sub("", str(path)).partition("?")[0] if is_url(path) else str(path)


def name_of(path: str | Path) -> str:
    """The last part of a path, without what `shown` leaves out."""
    return os.path.basename(shown(path).rstrip("/"))


@contextmanager
def reading(path: str | Path) -> Iterator[IO[bytes]]:
    """Open a file for a `with` in which it is read; seekable wherever its file system can seek.

    Raises:
        UserError: cannot be opened or read.
    """
    try:
        opened: Any = _RemoteFile(path) if is_url(path) else open(path, "rb")
        with closing(opened) as stream:
            yield stream
    except OSError as error:
        raise UserError(f"cannot read {shown(path)}: {error.strerror or one_line(error)}") from error


def read_range(path: str | Path, start: int, end: int) -> bytes:
    """Bytes `start` to `end` of a file, no more than these; raises as `reading`."""
    if not is_url(path):
        with reading(path) as stream:
            stream.seek(start)
            return stream.read(end - start)
    return _ask(path, "cat_file", start=start, end=end)


def size_of(path: str | Path) -> int:
    """Size of a file in bytes; raises OSError where a local file cannot be read, and `UserError` for a URL."""
    if not is_url(path):
        return os.stat(path).st_size
    if (size := _ask(path, "size")) is None:
        raise UserError(f"{shown(path)}: its server does not say how large it is; copy the file to a disk first")
    return size


def version_of(path: str | Path) -> str | None:
    """What a remote file system says about the contents of a file (an ETag or a checksum); None where it says nothing.

    A file that changes gets another one, so that it need not be read to see whether it is the same.
    """
    if not is_url(path):
        return None
    details = _ask(path, "info")
    return next((str(details[name]) for name in ("ETag", "etag", "md5Hash", "content_md5") if details.get(name)), None)


def find_files(inputs: Sequence[str | Path]) -> dict[str, bool]:
    """Files of a list of files, folders (all files below) and globs (`**` goes down): path -> whether it was named
    itself.

    The order is that of `inputs`, sorted within a folder or a glob; a file that is found twice is taken once. What is
    there under the name as it stands is taken, before that is read as a pattern; so are entries that only together,
    with commas between them, are a path.

    Raises:
        UserError: an entry matches nothing, or the file system of a URL cannot be reached.
    """
    found: dict[str, bool] = {}
    for path in joined_paths([local_path(entry) for entry in inputs]):
        matches = _find_remote(path) if is_url(path) else _find_local(path)
        if not matches:
            raise UserError(f"input {shown(path)!r} matches no file; expected text files, folders or globs")
        for match in matches:
            found[match] = found.get(match, False) or match == path
    if not found:
        raise UserError("no input; set --input to text files, separated by commas")
    return found


def file_system(url: str | Path) -> tuple[Any, str]:
    """The fsspec file system of a URL, and the path that this file system calls it.

    Raises:
        UserError: an unknown protocol, or one whose package is not installed.
    """
    import fsspec

    url = str(url)
    protocol = url.partition(":")[0].lower()
    options = {}
    if protocol in S3 and (credentials := CREDENTIALS.search(url)):
        # s3fs takes the names of keys as options only.
        key, _, secret = credentials.group()[:-1].partition(":")
        options = {"key": unquote(key), "secret": unquote(secret)}
        url = CREDENTIALS.sub("", url)
    try:
        return fsspec.core.url_to_fs(url, **options)
    except ImportError as error:
        package = {"s3": "s3fs", "s3a": "s3fs", "hdfs": "pyarrow", "gs": "gcsfs", "abfs": "adlfs"}.get(protocol)
        what = f"install it: pip install {package}" if package else _without_credentials(error)
        raise UserError(f"{shown(url)}: {protocol}:// needs a package that is not installed; {what}") from None
    except ValueError as error:
        raise UserError(f"{shown(url)}: {_without_credentials(error)}; expected a local path, or a URL of a protocol "
                        "that fsspec knows, such as s3:// or hdfs://") from None
    except Exception as error:
        raise UserError(f"{shown(url)}: its file system cannot be reached ({_without_credentials(error)})") from None


def _find_local(path: str) -> list[str]:
    if os.path.isdir(path):
        # A hidden file is reported; what a hidden folder, such as .git, holds is nobody's text.
        return sorted(_files_below(path))
    if os.path.exists(path):
        return [path]
    return sorted(match for match in matching(path) if os.path.isfile(match))


def _files_below(folder: str) -> Iterator[str]:
    """Files in a folder and in what its links lead to, each folder once; links that lead nowhere are among them."""
    seen: set[str] = set()
    pending = [folder]
    for start in pending:
        for place, folders, names in os.walk(start):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            if (real := os.path.realpath(place)) in seen:
                folders.clear()
                continue
            seen.add(real)
            below = Path(place)
            pending += [str(below / name) for name in folders if (below / name).is_symlink()]
            yield from (str(below / name) for name in names
                        if (below / name).is_file() or not os.path.exists(below / name))


def _find_remote(url: str) -> list[str]:
    with reachable(url, "read"):
        filesystem, place = file_system(url)
        if filesystem.isdir(place):
            root = place.rstrip("/")
            matches = [match for match in filesystem.find(place)
                       if not any(part.startswith(".") for part in match[len(root):].split("/")[:-1])]
        elif filesystem.exists(place):
            matches = [place]
        else:
            matches = [match for match, details in filesystem.glob(place, detail=True).items()
                       if details["type"] == "file"]
    # What the file system leaves out of its paths: protocol, credentials, host.
    before = url.rstrip("/").removesuffix(place.rstrip("/"))
    return sorted(before + match for match in matches)


class _RemoteFile:
    """A remote file; what its file system raises while it is read is a message, as it is when the file is opened."""

    def __init__(self, url: str | Path):
        self._url = url
        self._file = _ask(url, "open", mode="rb")

    def __getattr__(self, method: str) -> Callable[..., Any]:
        def call(*arguments: int) -> Any:
            with reachable(self._url, "read"):
                return getattr(self._file, method)(*arguments)

        return call


def _ask(url: str | Path, method: str, **options: Any) -> Any:
    """Return what a method of a URL's file system says of it."""
    with reachable(url, "read"):
        filesystem, place = file_system(url)
        return getattr(filesystem, method)(place, **options)


@contextmanager
def reachable(url: str | Path, verb: str) -> Iterator[None]:
    """Turn what a remote file system raises while it is to `verb` into a message without credentials."""
    try:
        yield
    except (UserError, MemoryError):
        raise
    except FileNotFoundError:
        raise UserError(f"cannot {verb} {shown(url)}: no such file") from None
    except Exception as error:  # every file system's package has exceptions of its own
        raise UserError(f"cannot {verb} {shown(url)}: {_without_credentials(error)}") from None


def _without_credentials(error: Exception) -> str:
    return QUERY.sub(r"\1", CREDENTIALS.sub("", one_line(error))) or type(error).__name__
