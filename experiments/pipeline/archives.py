# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Archives of other people: nothing is written outside of the folder that is named, and no more than is allowed.

A zip archive is unpacked member by member, a tar archive is only ever read in memory. Sizes are what the archive says
of itself, and no more than that is read; a small file that stands for a large one (a "bomb") is refused.
"""

from __future__ import annotations

import gzip
import io
import lzma
import os
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from src.common.errors import UserError, one_line

MAX_MEMBERS = 10_000
MAX_UNPACKED = 512 << 20
"""Bytes of a zip archive once unpacked; the largest wheel that is read here holds 91 MB."""
MAX_RATIO = 200
"""Unpacked to packed bytes; text reaches 10, weights 1.1, zeros 1000."""
MAX_TAR = 64 << 20
"""Bytes of a tar archive without its compression; the one that is read here has 0.4 MB."""


def unpack_folder(archive: Path, prefix: str, target: Path, expected: Sequence[str]) -> None:
    """Unpack the files of a zip archive below `prefix` to `target`, all or nothing.

    Args:
        archive: the file.
        prefix: such as "package/model/".
        target: the folder to make; one that is there is replaced.
        expected: names below `prefix` that must be there.

    Raises:
        UserError: not a zip archive, encrypted, unsafe member names, links, a missing member, or too much of it.
    """
    aside = target.with_name(target.name + ".part")
    shutil.rmtree(aside, ignore_errors=True)
    try:
        with zipfile.ZipFile(archive) as file:
            members = _members(file, prefix, archive)
            if missing := [name for name in expected if PurePosixPath(name) not in members]:
                raise UserError(f"{archive} has no {prefix}{missing[0]}")
            for path, info in members.items():
                (aside / path).parent.mkdir(parents=True, exist_ok=True)
                with file.open(info) as source, (aside / path).open("xb") as sink:
                    shutil.copyfileobj(source, sink)
                    if sink.tell() != info.file_size:
                        raise zipfile.BadZipFile(f"{info.filename} has {sink.tell()} bytes, not {info.file_size}")
        shutil.rmtree(target, ignore_errors=True)
        os.replace(aside, target)
    # RuntimeError: encrypted; NotImplementedError: an unknown compression; FileExistsError: a file is also a folder.
    except (zipfile.BadZipFile, RuntimeError, FileExistsError, NotADirectoryError, EOFError, zlib.error,
            lzma.LZMAError) as error:
        raise UserError(f"{archive} is not a readable zip archive ({one_line(error)}); delete it") from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _members(file: zipfile.ZipFile, prefix: str, archive: Path) -> dict[PurePosixPath, zipfile.ZipInfo]:
    """Return the files below `prefix` by their safe path."""
    infos = file.infolist()
    if len(infos) > MAX_MEMBERS:
        raise UserError(f"{archive} has {len(infos)} members; at most {MAX_MEMBERS} are unpacked")
    wanted = [info for info in infos if not info.is_dir() and info.filename.startswith(prefix)]
    size, packed = sum(info.file_size for info in wanted), sum(info.compress_size for info in wanted)
    if size > MAX_UNPACKED or size > MAX_RATIO * max(packed, 1024):
        raise UserError(f"{archive} would unpack {packed} bytes to {size}; at most {MAX_UNPACKED}, and {MAX_RATIO} "
                        "times as much, are unpacked")
    members: dict[PurePosixPath, zipfile.ZipInfo] = {}
    for info in wanted:
        kind = stat.S_IFMT(info.external_attr >> 16)
        if kind not in (0, stat.S_IFREG):
            what = "link" if kind == stat.S_IFLNK else "special file"
            raise UserError(f"{archive} has the {what} {info.filename!r}; nothing was unpacked")
        members[safe_member(info.filename, prefix, archive)] = info
    return members


def safe_member(name: str, prefix: str, archive: Path) -> PurePosixPath:
    """Return the path of member `name` below `prefix`.

    Raises:
        UserError: the name is absolute, climbs with `..`, or holds a backslash, a colon or a NUL, so that unpacking
            it could write outside of the target folder.
    """
    parts = name.split("/")
    if name.startswith("/") or ".." in parts or "" in parts or any(character in name for character in "\\:\0"):
        raise UserError(f"{archive} has a member with the unsafe name {name!r}; nothing was unpacked")
    return PurePosixPath(name).relative_to(PurePosixPath(prefix))


def read_tar(content: bytes, name: object) -> dict[str, bytes]:
    """Return the regular files of a tar.gz archive: path -> content. Links, folders and devices are left out.

    Raises:
        UserError: no such archive, truncated or damaged, or larger than MAX_TAR or MAX_MEMBERS.
    """
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as stream:
            unpacked = stream.read(MAX_TAR + 1)
        if len(unpacked) > MAX_TAR:
            raise UserError(f"{name} unpacks to more than {MAX_TAR} bytes, which is not what it should hold; delete it")
        return _files(unpacked, name)
    except (tarfile.TarError, EOFError, OSError, zlib.error, ValueError) as error:
        raise UserError(f"{name} cannot be read ({one_line(error)}); delete it, and it is downloaded again") from error


def _files(unpacked: bytes, name: object) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    left = MAX_TAR
    with tarfile.open(fileobj=io.BytesIO(unpacked), mode="r:") as archive:
        for number, member in enumerate(archive, 1):
            left -= member.size if member.isfile() else 0  # a sparse file is larger than what stands for it
            if number > MAX_MEMBERS or left < 0:
                raise UserError(f"{name} holds more than {MAX_MEMBERS} members or {MAX_TAR} bytes; delete it")
            content = archive.extractfile(member) if member.isfile() else None
            if content is not None:
                files[member.name] = content.read()
    return files


def member_of(files: dict[str, bytes], suffix: str, name: object) -> bytes:
    """Return the content of the one file whose path is `*/suffix`.

    Raises:
        UserError: there is no such file, or more than one.
    """
    found = [path for path in files if PurePosixPath(path).parts[1:] == PurePosixPath(suffix).parts]
    if len(found) != 1:
        raise UserError(f"{name} has {len(found)} files {suffix}, expected one")
    return files[found[0]]
