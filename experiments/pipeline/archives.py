# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Archives of other people: only files that are asked for by name are read, and no more of them than is allowed.

No member's name or kind decides where anything is written. Sizes are what the archive says of itself, and no more than
that is read; a small file that stands for a large one (a "bomb") is refused.
"""

from __future__ import annotations

import gzip
import io
import lzma
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from src.common.errors import UserError, one_line
from src.common.files import atomic_folder

MAX_MEMBERS = 10_000
MAX_UNPACKED = 512 << 20
"""Bytes of a zip archive once unpacked; the largest wheel that is read here holds 91 MB."""
MAX_RATIO = 200
"""Unpacked to packed bytes; text reaches 10, weights 1.1, zeros 1000."""
MAX_TAR = 64 << 20
"""Bytes of a tar archive without its compression; the one that is read here has 0.4 MB."""


def unpack_files(archive: Path, prefix: str, names: Sequence[str], target: Path) -> None:
    """Unpack the files PREFIX/NAME of a zip archive to TARGET/NAME, all or nothing; a TARGET that is there is replaced.

    A missing, encrypted or too large file, or another archive, raises UserError.
    """
    try:
        with zipfile.ZipFile(archive) as file, atomic_folder(target, replace=True) as folder:
            members = {info.filename: info for info in file.infolist()}
            if len(file.infolist()) > MAX_MEMBERS:
                raise UserError(f"{archive} has {len(file.infolist())} members; at most {MAX_MEMBERS} are read")
            if missing := [name for name in names if prefix + name not in members]:
                raise UserError(f"{archive} has no {prefix}{missing[0]}")
            wanted = {name: members[prefix + name] for name in names}
            size = sum(info.file_size for info in wanted.values())
            packed = sum(info.compress_size for info in wanted.values())
            if size > MAX_UNPACKED or size > MAX_RATIO * max(packed, 1024):
                raise UserError(f"{archive} would unpack {packed} bytes to {size}; at most {MAX_UNPACKED}, and "
                                f"{MAX_RATIO} times as much, are unpacked")
            for name, info in wanted.items():
                with file.open(info) as source, (folder / name).open("xb") as sink:
                    shutil.copyfileobj(source, sink)
                    if sink.tell() != info.file_size:
                        raise zipfile.BadZipFile(f"{info.filename} has {sink.tell()} bytes, not {info.file_size}")
    # RuntimeError: encrypted; NotImplementedError, which is one: an unknown compression.
    except (zipfile.BadZipFile, RuntimeError, EOFError, zlib.error, lzma.LZMAError) as error:
        raise UserError(f"{archive} is not a readable zip archive ({one_line(error)}); delete it") from error


def read_tar(content: bytes, names: Sequence[str], source: object) -> dict[str, bytes]:
    """Return the content of the files */NAME of a tar.gz archive, which is read in memory.

    A file that is not there exactly once, too much content, or another archive raises UserError.
    """
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as stream:
            unpacked = stream.read(MAX_TAR + 1)
        if len(unpacked) > MAX_TAR:
            raise UserError(f"{source} unpacks to more than {MAX_TAR} bytes, which is not what it should hold; "
                            "delete it")
        with tarfile.open(fileobj=io.BytesIO(unpacked), mode="r:") as archive:
            members = [member for member in archive if member.isfile()]
            # A sparse file is larger than what stands for it.
            if len(archive.getmembers()) > MAX_MEMBERS or sum(member.size for member in members) > MAX_TAR:
                raise UserError(f"{source} holds more than {MAX_MEMBERS} members or {MAX_TAR} bytes; delete it")
            files = {}
            for name in names:
                found = [member for member in members
                         if PurePosixPath(member.name).parts[1:] == PurePosixPath(name).parts]
                if len(found) != 1:
                    raise UserError(f"{source} has {len(found)} files {name}, expected one")
                opened = archive.extractfile(found[0])
                files[name] = opened.read() if opened else b""
            return files
    except (tarfile.TarError, EOFError, OSError, zlib.error, ValueError) as error:
        raise UserError(f"{source} cannot be read ({one_line(error)}); delete it and download it again") from error
