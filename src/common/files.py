# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Files and folders that appear all at once: written aside, synced to the disk, renamed; and their checksums.

Links are followed: a link stays, and what it leads to is written, on its own disk. What is aside meanwhile, beside the
place where it is to appear:

    .NAME.partial    a folder
    NAME.part        a file
    .NAME.old        the folder that is being replaced, until the new one has been checked
    .NAME.gone       a folder that is being removed

A folder that has to stay where it is (a mount point, the current folder, one that holds somebody else's files too) is
filled in place, see `src.common.in_place`.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from src.common import in_place
from src.common.errors import UserError
from src.common.in_place import LOCK
from src.common.places import PREFIX, check_folder, is_content, is_empty, is_fixed, is_replaceable, is_stream, resolved
from src.common.untrusted import MAX_JSON_BYTES, parse_json

LFS_POINTER = b"version https://git-lfs.github.com/spec/"
_STAYS = (errno.EBUSY, errno.EXDEV, errno.EPERM, errno.EACCES)
"""What systems say of a folder that cannot be renamed."""
_LONGEST = 240
"""Bytes of a name that leave room for what is appended; file systems know 255."""


@contextmanager
def atomic_folder(final: Path, replace: bool = False, keep: Callable[[Path, BaseException | None], bool] | None = None,
                  check: Callable[[Path], None] | None = None, goes: Callable[[str], bool] | None = None
                  ) -> Iterator[Path]:
    """Give a folder beside `final` to write into; it becomes `final` when the block ends without an error.

    After an error nothing is left, and an existing folder is as it was. What an earlier, killed process left aside is
    cleared, unless `keep` says otherwise. A folder that cannot be renamed is filled in place, with the same promises.

    Args:
        final: where the folder is to appear; absent or empty, unless `replace`.
        replace: an existing folder is replaced at the end.
        keep: whether the folder aside is worth continuing: asked with None at the beginning, about what is there
            already, and with the error when there is one.
        check: reads `final` in its place, and raises what is wrong with it; only then is the replaced one removed.
        goes: whether an entry of this name is part of what is replaced; others stay. None: all are.

    Raises:
        UserError: another process is writing the same folder, or the place is taken or cannot be written.
    """
    place = check_folder(final)
    restore(place)
    if not replace and not is_empty(place):
        raise UserError(f"{final} exists and is not empty; choose another output folder")
    goes = goes or (lambda _: True)
    stays = place.is_dir() and (is_fixed(place) or (place / in_place.PARTIAL).is_dir() or any(
        not is_content(entry.name) or not goes(entry.name) for entry in place.iterdir()))
    beside = _beside(place, "partial")
    partial = place / in_place.PARTIAL if stays else beside
    with alone(partial, final, "output folder"):
        try:
            if stays:
                _clear_other(beside, final)
            if keep is None or not keep(partial, None):
                _clear(partial)
            yield partial
            for path in sorted(partial.rglob("*")):
                if path.name != LOCK:
                    sync(path)
            sync(partial)
            if stays:
                in_place.exchange(place, goes, check, sync)
            else:
                _move(partial, place, replace, check)
        except BaseException as error:
            if keep is None or not keep(partial, error):
                shutil.rmtree(partial, ignore_errors=True)
            restore(place, is_mine=True)
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


def restore(final: Path, is_whole: Callable[[Path], bool] = Path.exists, is_mine: bool = False) -> None:
    """Undo a replacement of `final` that was cut off between its two renames, or before the new folder had been found
    to be whole; `is_mine`: by this process itself."""
    place = resolved(final)
    if place.is_dir():
        in_place.restore(place, is_whole, sync, is_mine)
    old = _beside(place, "old")
    if not os.path.lexists(old):
        return
    if is_whole(place):
        remove(old)
        return
    if place.exists():
        discard(place)
    old.rename(place)


def remove(path: Path) -> None:
    """Remove a file, a link (what it leads to stays), or a folder."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def clear_folder(folder: Path) -> None:
    """Remove a folder of results, which may be absent; one that has to stay, or that a link leads to, is emptied.

    Raises:
        OSError: something cannot be removed.
    """
    place = resolved(folder)
    if not place.is_dir():
        remove(place)
    elif folder.is_symlink() or is_fixed(place):
        for entry in place.iterdir():
            if is_content(entry.name) or entry.name.startswith(PREFIX):
                remove(entry)
    else:
        shutil.rmtree(place)


def discard(folder: Path) -> None:
    """Remove a folder such that a process killed meanwhile leaves no half of it under its name.

    Raises:
        OSError: it cannot be removed.
    """
    folder = resolved(folder)
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
        else:
            remove(path)
    for name in names:  # what a link leads to has what belongs to it elsewhere
        if (folder / name).is_dir():
            restore(folder / name, is_whole)
        elif (folder / name).is_symlink():
            _part(resolved(folder / name)).unlink(missing_ok=True)


def sync(path: Path) -> None:
    """fsync a file or a folder."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def atomic_file(path: str | Path) -> Iterator[Path]:
    """Give the name of a file to write, which replaces `path` when the block ends; folders are made. After an error
    nothing is left, and an existing file is as it was.

    A device, a pipe or /dev/stdout is written to directly; a file that cannot be renamed onto is filled in place.

    Raises:
        OSError: it cannot be written.
    """
    if is_stream(path):
        yield Path(path)
        return
    place = resolved(path)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(place.parent)) from error
    aside = _part(place)
    if not is_replaceable(place) and place.is_file():
        aside = Path(tempfile.mkdtemp(prefix="aside.")) / place.name
    try:
        yield aside
        put_file(aside, place)
    finally:
        aside.unlink(missing_ok=True)
        if aside.parent != place.parent:
            shutil.rmtree(aside.parent)


def put_file(written: Path, final: Path) -> None:
    """Let a file that is complete take the place of another one, or appear there; it is brought to the disk first.

    Raises:
        OSError: it cannot be written.
    """
    place = resolved(final)
    sync(written)
    try:
        if not is_replaceable(place) and place.is_file():
            raise OSError(errno.EBUSY, os.strerror(errno.EBUSY), str(place))
        os.replace(written, place)
    except OSError as error:
        if error.errno not in _STAYS or not place.is_file():
            raise
        with open(written, "rb") as source, open(place, "r+b") as target:
            shutil.copyfileobj(source, target)
            target.truncate()
            target.flush()
            os.fsync(target.fileno())
        written.unlink()
    sync(place.parent)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text under a temporary name, sync and rename it; folders are made. After an error nothing is left."""
    with atomic_file(path) as aside, open(aside, "a" if is_stream(aside) else "w", encoding="utf-8") as file:
        file.write(text)


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


def _beside(place: Path, what: str) -> Path:
    """The name of what is aside for a folder; shortened where no file may have such a long one."""
    return place.parent / f".{_short(place.name)}.{what}"


def _part(place: Path) -> Path:
    return place.with_name(f"{_short(place.name)}.part")


def _short(name: str) -> str:
    if len(os.fsencode(name)) <= _LONGEST:
        return name
    return hashlib.sha256(os.fsencode(name)).hexdigest()[:32]


def _clear_other(partial: Path, final: Path) -> None:
    """Remove what a killed process has left beside a folder that it could still rename."""
    if partial.is_dir():
        with alone(partial, final, "output folder"):
            shutil.rmtree(partial, ignore_errors=True)


def _clear(folder: Path) -> None:
    for entry in folder.iterdir():
        if entry.name != LOCK:
            remove(entry)


def _move(partial: Path, place: Path, replace: bool, check: Callable[[Path], None] | None) -> None:
    old = _beside(place, "old")
    try:
        if replace and place.exists():
            place.rename(old)
        (partial / LOCK).unlink()
        # Renaming onto an empty folder replaces it; onto any other fails.
        partial.rename(place)
    except OSError as error:
        if error.errno not in _STAYS or not place.is_dir():
            raise
        # A system without a list of its mount points, or one of layers.
        shutil.copytree(partial, place / in_place.PARTIAL)
        for path in sorted((place / in_place.PARTIAL).rglob("*")):
            sync(path)
        in_place.exchange(place, lambda _: True, check, sync)
        shutil.rmtree(partial)
        return
    sync(place.parent)
    if check is not None:
        try:
            check(place)
        except BaseException:
            place.rename(partial)  # which the caller removes, and puts the old one back
            raise
    shutil.rmtree(old, ignore_errors=True)
