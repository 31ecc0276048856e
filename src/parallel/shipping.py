# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""This package for Dask workers that do not have it; and whether their other packages are the same."""

from __future__ import annotations

import hashlib
import tempfile
import uuid
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from src.common.errors import UserError

# What rows depend on, besides this package.
PACKAGES = ("numpy", "tokenizers")


@contextmanager
def package_at(client: Any, scheduler: str) -> Iterator[None]:
    """Upload this package to all workers, also to those that start later, until the block ends.

    Raises:
        UserError: a worker has another version of it loaded, from an earlier job.
    """
    from distributed.diagnostics.plugin import UploadFile

    with tempfile.TemporaryDirectory(prefix="package.") as folder:
        archive = _package(Path(folder))
        name = f"{archive.name}-{uuid.uuid4().hex}"
        client.register_plugin(UploadFile(str(archive)), name=name)
    try:
        for address, places in sorted(client.run(_loaded_from()).items()):
            if not all(archive.name in place for place in places):
                raise UserError(f"the worker {address} of {scheduler} still has another version of this program "
                                "loaded; restart it")
        yield
    finally:
        # Whoever lost the connection has nobody to tell.
        with suppress(Exception):
            client.unregister_worker_plugin(name)


def _package(folder: Path) -> Path:
    """Write this package into a zip file, which is named after its contents."""
    root = Path(__file__).resolve().parents[1]
    sources = {str(path.relative_to(root.parent)): path.read_bytes() for path in sorted(root.rglob("*.py"))}
    digest = hashlib.sha256(repr(sources).encode()).hexdigest()[:16]
    archive = folder / f"distillation-{digest}.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        for name, source in sources.items():
            file.writestr(name, source)
    return archive


def _loaded_from() -> Callable[[], list[str]]:
    """Return a function that says where this package is found, and where it was loaded from.

    Local functions are sent by their contents: a module of this package is what workers may not have.
    """
    def loaded_from() -> list[str]:
        import src
        from src.parallel import worker
        return [*src.__path__, worker.__file__]

    return loaded_from


def remote_call() -> Callable[..., Any]:
    """Return `src.parallel.worker.call`, sent by its contents: a scheduler, which looks at it too, never has it."""
    def call(*arguments: Any) -> Any:
        from src.parallel import worker
        return worker.call(*arguments)

    return call


def check_versions(client: Any, scheduler: str) -> None:
    """Compare the versions of the workers with those of this process; raise `UserError` at the first difference."""
    # Local, so that it is sent by its contents.
    def versions(packages: tuple[str, ...]) -> dict[str, str]:
        import importlib.metadata
        import sys

        found = {"Python": "{}.{}".format(*sys.version_info)}
        for name in packages:
            try:
                found[name] = importlib.metadata.version(name)
            except importlib.metadata.PackageNotFoundError:
                found[name] = ""
        return found

    own = versions(PACKAGES)
    for address, theirs in sorted(client.run(versions, PACKAGES).items()):
        for name, version in own.items():
            if theirs[name] != version:
                raise UserError(f"the worker {address} of {scheduler} has {name} {theirs[name] or '(not installed)'}, "
                                f"this process {version}: the records would depend on who made them; install the same "
                                "requirements.txt on all machines")
