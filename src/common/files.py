# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Files and folders that appear all at once: written aside, synced to the disk, renamed; and their checksums.

What is aside while it is written, beside the place where it is to appear:

    .NAME.partial    a folder
    NAME.part        a file
    .NAME.old        the folder that is being replaced, until the new one has been checked
    .NAME.gone       a folder that is being removed
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from src.common.errors import UserError
from src.common.untrusted import MAX_JSON_BYTES, parse_json

LOCK = ".lock"
LFS_POINTER = b"version https://git-lfs.github.com/spec/"


@contextmanager
def atomic_folder(final: Path, replace: bool = False, keep: Callable[[Path, BaseException | None], bool] | None = None,
                  check: Callable[[Path], None] | None = None) -> Iterator[Path]:
    """Give a folder beside `final` to write into; it becomes `final` when the block ends without an error.

    After an error nothing is left, and an existing folder is as it was. What an earlier, killed process left aside is
    cleared, unless `keep` says otherwise.

    Args:
        final: where the folder is to appear; absent or empty, unless `replace`.
        replace: an existing folder is replaced at the end.
        keep: whether the folder aside is worth continuing: asked with None at the beginning, about what is there
            already, and with the error when there is one.
        check: reads `final` in its place, and raises what is wrong with it; only then is the replaced one removed.

    Raises:
        UserError: another process is writing the same folder, or the place cannot be written.
    """
    final = Path(os.path.abspath(final))
    restore(final)
    partial = final.parent / f".{final.name}.partial"
    with alone(partial, final, "output folder"):
        try:
            if keep is None or not keep(partial, None):
                _clear(partial)
            yield partial
            (partial / LOCK).unlink()
            for path in sorted(partial.rglob("*")):
                sync(path)
            sync(partial)
            _move(partial, final, replace, check)
        except BaseException as error:
            if keep is None or not keep(partial, error):
                shutil.rmtree(partial, ignore_errors=True)
            restore(final)
            raise


@contextmanager
def alone(folder: Path, final: Path, setting: str) -> Iterator[None]:
    """Make a folder in which `final` is prepared, and keep other processes out of it until the block ends.

    After an error the folders above it that were made for it are removed, where nothing is in them.

    Args:
        folder: holds the lock.
        final: what is made, for messages.
        setting: what the user may change, for messages.

    Raises:
        UserError: another process is at work there, or the place cannot be written.
    """
    made = [parent for parent in folder.parents if not parent.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = open(folder / LOCK, "w")  # noqa: SIM115 - held until the block ends
    except OSError as error:
        raise UserError(f"cannot write {final}: {error.strerror}; choose another {setting}") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(f"another process is writing {final}; wait for it, or choose another {setting}") from None
        try:
            yield
        except BaseException:
            with suppress(OSError):  # of the first one that holds something
                for parent in made:
                    parent.rmdir()
            raise


def restore(final: Path, is_whole: Callable[[Path], bool] = Path.exists) -> None:
    """Undo a replacement of `final` that was cut off between its two renames, or before the new folder had been found
    to be whole."""
    old = _old(final)
    if not old.exists():
        return
    if is_whole(final):
        shutil.rmtree(old)
        return
    if final.exists():
        discard(final)
    old.rename(final)


def discard(folder: Path) -> None:
    """Remove a folder such that a process killed meanwhile leaves no half of it under its name.

    Raises:
        OSError: it cannot be removed.
    """
    gone = folder.parent / f".{folder.name}.gone"
    if gone.exists():
        shutil.rmtree(gone)
    folder.rename(gone)
    sync(gone.parent)
    shutil.rmtree(gone)


def clear_leftovers(folder: Path, *names: str, is_whole: Callable[[Path], bool] = Path.exists) -> None:
    """Finish, in a folder (which may be absent), what killed processes have left half done.

    Args:
        names: the files and folders that are looked after; none: all.
        is_whole: whether a folder that has replaced another may stay.

    Raises:
        OSError: something cannot be removed.
    """
    endings = (".*.old", ".*.partial", ".*.gone", "*.part")
    for path in (path for ending in endings for path in folder.glob(ending)):
        name = path.stem.removeprefix(".") if path.suffix != ".part" else path.stem
        if names and name not in names:
            continue
        if path.suffix == ".old":
            restore(folder / name, is_whole)
        elif path.suffix == ".part":
            path.unlink()
        else:
            shutil.rmtree(path)


def sync(path: Path) -> None:
    """fsync a file or a folder."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text under a temporary name, sync and rename it; folders are made. After an error nothing is left."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(path.name + ".part")
    try:
        with open(aside, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(aside, path)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise
    sync(path.parent)


def read_text(file: Path) -> str:
    """Return all of a UTF-8 file, without a byte order mark.

    Raises:
        UserError: the file cannot be read, is a pointer of Git LFS, or is not UTF-8 (with the line).
    """
    try:
        raw = file.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {file}: {error.strerror}") from error
    check_pointer(file, raw)
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise UserError(f"{file}:{line}: not UTF-8 (byte 0x{raw[error.start]:02x}); convert the file to "
                        "UTF-8") from error


def check_pointer(file: Path, start: bytes) -> None:
    """Raise UserError for what Git leaves in the place of a file that Git LFS has not fetched."""
    if start.startswith(LFS_POINTER):
        raise UserError(f"{file} is a pointer of Git LFS, not the file itself; fetch it: git lfs pull")


def write_json(path: Path, value: Any) -> None:
    """Write indented UTF-8 JSON, as `write_text` does."""
    write_text(path, json.dumps(value, indent=1, ensure_ascii=False) + "\n")


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object, as `read_mapping` does."""
    return read_mapping(path, parse_json, MAX_JSON_BYTES, "JSON", "a JSON object")


def read_mapping(path: Path, parse: Callable[[str], Any], most: int, form: str, expected: str) -> dict[str, Any]:
    """Read names with values, of at most `most` bytes, with `parse`, which raises ValueError; `form` and `expected` are
    for messages. A missing, unreadable, malformed or oversized file raises `UserError`."""
    try:
        size = path.stat().st_size
        if size > most:
            raise UserError(f"{path} has {size} bytes; expected {expected} of at most {most}")
        raw = path.read_bytes()
        check_pointer(path, raw)
        values = parse(raw.decode("utf-8-sig"))
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise UserError(f"{path} is not valid {form} ({error}); it is damaged or not what its name says") from error
    if not isinstance(values, dict):
        raise UserError(f"{path} holds a {type(values).__name__}; expected {expected}")
    return values


def sha256_of(path: str | Path, from_disk: bool = False) -> str:
    """SHA-256 (hex) of a file's contents; `from_disk`: have the system read it again, not take what it holds in memory
    of a file just written (where the file system allows to ask for that)."""
    digest = hashlib.sha256()
    with open(path, "rb", buffering=0) as stream:
        if from_disk and hasattr(os, "posix_fadvise"):
            os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _old(final: Path) -> Path:
    return final.parent / f".{final.name}.old"


def _clear(folder: Path) -> None:
    for entry in folder.iterdir():
        if entry.is_dir():
            shutil.rmtree(entry)
        elif entry.name != LOCK:
            entry.unlink()


def _move(partial: Path, final: Path, replace: bool, check: Callable[[Path], None] | None) -> None:
    old = _old(final)
    if replace and final.exists():
        final.rename(old)
    # Renaming onto an empty folder replaces it; onto any other fails.
    partial.rename(final)
    sync(final.parent)
    if check is not None:
        try:
            check(final)
        except BaseException:
            final.rename(partial)  # which the caller removes, and puts the old one back
            raise
    shutil.rmtree(old, ignore_errors=True)
