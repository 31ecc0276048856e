# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Where results may go: links are followed, and a place that cannot take them is refused before any work."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

from src.common.errors import UserError

PREFIX = ".~"
"""Begins the names of what `src.common.in_place` keeps within a folder that it fills."""
OF_SYSTEMS = ("lost+found", ".DS_Store", "Thumbs.db", "desktop.ini", ".directory")
"""What file systems and their browsers leave in a folder, which is empty all the same."""
_MOUNTS = Path("/proc/self/mountinfo")
_REMOTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:(?=/)")  # not C:/, and Path makes one slash of two
_STREAMS = ("/dev/stdout", "/dev/stderr", "/dev/fd/", "/proc/")


def resolved(path: str | Path, setting: str = "output folder") -> Path:
    """Return the place that a path names: a link stays, and what it leads to, there or not, is the place.

    Raises:
        UserError: a circle of links, a name that no file can have, a path from a current folder that is gone, or a URL.
    """
    if (remote := _REMOTE.match(str(path))) and not os.path.lexists(remote[0]):
        raise UserError(f"{setting} {path} is a URL; give a path of this machine (URLs are for prepare_data.py corpus "
                        "and task alone)")
    try:
        place = Path(os.path.realpath(path))
        is_circle = stat.S_ISLNK(place.lstat().st_mode)
    except FileNotFoundError:
        if not os.path.isabs(path) and current_folder() is None:
            raise UserError(f"{setting} {path} is in the current folder, which has been removed") from None
        return place
    except NotADirectoryError:
        return place
    except (OSError, ValueError) as error:  # ValueError: a NUL
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"{setting} {path} cannot be written: {reason}; choose another") from error
    if is_circle:
        raise UserError(f"{setting} {path} cannot be written: it is a link that leads back to itself; choose another")
    return place


def current_folder() -> Path | None:
    """The folder of this process; None where it has been removed."""
    try:
        return Path(os.path.realpath(os.getcwd()))
    except FileNotFoundError:
        return None


def is_empty(folder: Path) -> bool:
    """Whether a folder is absent or holds nothing but what systems, and results that were cut off, leave in one."""
    if not os.path.isdir(folder):
        return not os.path.lexists(folder)
    return not any(is_content(entry.name) for entry in folder.iterdir())


def is_content(name: str) -> bool:
    """Whether an entry of a folder is more than what systems, and results that were cut off, leave there."""
    return name not in OF_SYSTEMS and not name.startswith(PREFIX)


def is_fixed(folder: Path) -> bool:
    """Whether a folder cannot be renamed, or must not be since somebody stands in it: a mount point, the current folder
    or one around it, a folder within one that is write-protected."""
    here = current_folder()
    return (os.path.ismount(folder) or str(folder) in mounts() or not _takes(folder.parent) or _is_sticky(folder)
            or here is not None and here.is_relative_to(folder))


def mounts() -> frozenset[str]:
    """The mount points that the system lists, among them folders of one file system mounted in another place of it."""
    try:
        lines = _MOUNTS.read_bytes().splitlines()
    except OSError:  # not Linux
        return frozenset()
    octal = re.compile(rb"\\([0-7]{3})")
    return frozenset(os.fsdecode(octal.sub(lambda code: bytes((int(code[1], 8),)), line.split(b" ")[4]))
                     for line in lines)


def check_folder(path: str | Path, setting: str = "output folder") -> Path:
    """Return the place of a folder that is to be made or filled.

    Raises:
        UserError: it is a file or below one, cannot be written, or holds a mount point that would have to be moved.
    """
    place = resolved(path, setting)
    if os.path.lexists(place) and not place.is_dir():
        raise UserError(f"{setting} {path} is a file; give a folder")
    around = next(folder for folder in (place, *place.parents) if os.path.lexists(folder))
    if not around.is_dir():
        raise UserError(f"{setting} {path} cannot be written: {around} is a file; choose another")
    if around == place and not is_fixed(place):
        around = place.parent
    if not _takes(around):
        raise UserError(f"{setting} {path} cannot be written: no permission to write to {around}; choose another")
    if around == place and (below := sorted(mount for mount in mounts() if Path(mount).parent == place)):
        raise UserError(f"{setting} {path} cannot be written: {below[0]} in it is a mount point; choose another")
    return place


def is_stream(path: str | Path) -> bool:
    """Whether a path names a device, a pipe, or what this process has open (/dev/stdout): never replaced."""
    name = os.path.abspath(path)
    try:
        mode = os.stat(name).st_mode
    except OSError:
        return False
    return name.startswith(_STREAMS) or not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)


def check_file(path: str | Path, setting: str) -> Path:
    """Return the place of a file that is to be made or replaced.

    Raises:
        UserError: it is a folder or below a file, or cannot be written.
    """
    if is_stream(path):
        return Path(path)
    place = resolved(path, setting)
    if place.is_dir() or str(path).endswith(os.sep):
        raise UserError(f"{setting} {path} is a folder; give the name of a file")
    around = next(folder for folder in place.parents if os.path.lexists(folder))
    if not around.is_dir():
        raise UserError(f"{setting} {path} cannot be written: {around} is a file; choose another")
    if not (_takes(around) or place.exists() and os.access(place, os.W_OK)):
        raise UserError(f"{setting} {path} cannot be written: no permission to write to {around}; choose another")
    return place


def is_replaceable(file: Path) -> bool:
    """Whether a file, there or not, can be renamed onto: no mount point, in a folder that can be written."""
    return _takes(file.parent) and not _is_sticky(file) and str(file) not in mounts()


def _takes(folder: Path) -> bool:
    return os.access(folder, os.W_OK | os.X_OK)


def _is_sticky(path: Path) -> bool:
    """Whether somebody else's file or folder stands where, as in /tmp, only its owner may rename it."""
    try:
        around, own = path.parent.stat(), path.stat()
    except OSError:
        return False
    return bool(around.st_mode & stat.S_ISVTX) and os.geteuid() not in (0, around.st_uid, own.st_uid)
