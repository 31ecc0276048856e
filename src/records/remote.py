# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""A folder of records on a remote file system: made on this machine, then copied file by file, manifest.json last.

Whoever reads a folder takes it for records when there is a manifest. Before the first file a folder is marked, so that
what a killed preparation left is told from somebody else's files.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from src.common.errors import UserError
from src.corpus.storage import file_system, name_of, reachable, shown
from src.records import manifest as manifests
from src.records.manifest import Manifest, load_manifest

MARK = "unfinished"


class RemoteFolder:
    """A folder with a URL."""

    def __init__(self, url: str):
        self.url = url
        self.filesystem, place = file_system(url)
        self.place = place.rstrip("/")

    def manifest(self) -> Manifest | None:
        """What the folder holds; None where there is no manifest.

        Raises:
            UserError: it cannot be read, or is none of this version.
        """
        with reachable(self.url, "read"):
            if not self.filesystem.exists(f"{self.place}/{manifests.NAME}"):
                return None
            content = self.filesystem.cat_file(f"{self.place}/{manifests.NAME}")
        with tempfile.TemporaryDirectory(prefix="manifest.") as folder:
            (Path(folder) / manifests.NAME).write_bytes(content)
            return load_manifest(folder)

    @contextmanager
    def replaced(self, force: bool) -> Iterator[Path]:
        """Give a place for the folder on this machine; what stands there when the block ends is copied.

        The place, below the folder for temporary files (TMPDIR), is the same at every call with this URL, so that a
        preparation that was killed is continued. It is removed once all is copied.

        Raises:
            UserError: there is something else, without `force` records too, or the file system cannot be written.
        """
        self._mark(force)
        local = self._staging() / name_of(self.url)
        try:
            yield local
        except UserError as error:
            if not getattr(error, "is_from_outside", False):
                self._unmark()
            raise
        self._copy(local)
        shutil.rmtree(local.parent)

    def _mark(self, force: bool) -> None:
        with reachable(self.url, "write"):
            there = self._names()
            if there and not there & {manifests.NAME, MARK}:
                raise UserError(f"{shown(self.url)} exists and is no folder of records made by prepare_data.py; choose "
                                "another output_dir")
            if manifests.NAME in there and not force:
                raise UserError(f"{shown(self.url)} exists; choose another output_dir, or set --force true")
            self.filesystem.makedirs(self.place, exist_ok=True)
            self.filesystem.pipe_file(f"{self.place}/{MARK}", b"")

    def _unmark(self) -> None:
        """The mark goes, and with it a folder that holds nothing else."""
        with suppress(Exception):  # the error that led here is the one to tell
            self.filesystem.rm_file(f"{self.place}/{MARK}")
            if not self._names():
                self.filesystem.rmdir(self.place)

    def _copy(self, local: Path) -> None:
        files = sorted(path.name for path in local.iterdir() if path.name != manifests.NAME)
        with reachable(self.url, "write"):
            before = self._names()
            if manifests.NAME in before:
                self.filesystem.rm_file(f"{self.place}/{manifests.NAME}")
            for name in (*files, manifests.NAME):
                self.filesystem.put_file(str(local / name), f"{self.place}/{name}")
                size = self.filesystem.size(f"{self.place}/{name}")
                if size != (local / name).stat().st_size:
                    raise UserError(f"{shown(self.url)}/{name} has {size} bytes after copying, not "
                                    f"{(local / name).stat().st_size}; run the same command again")
            for name in before - {*files, manifests.NAME}:
                self.filesystem.rm_file(f"{self.place}/{name}")

    def _names(self) -> set[str]:
        """Names of what is in the folder."""
        self.filesystem.invalidate_cache()
        try:
            found = self.filesystem.ls(self.place, detail=False)
        except FileNotFoundError:
            return set()
        return {name_of(path) for path in found} - {""}

    def _staging(self) -> Path:
        """A folder that only this user can enter."""
        known = hashlib.sha256(self.url.encode()).hexdigest()[:16]
        folder = Path(tempfile.gettempdir()) / f"records-{os.getuid()}-{known}"
        folder.mkdir(mode=0o700, exist_ok=True)
        if folder.is_symlink() or folder.stat().st_uid != os.getuid():
            raise UserError(f"{folder} belongs to somebody else; set TMPDIR to a folder of your own")
        return folder
