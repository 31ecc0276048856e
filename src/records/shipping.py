# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""A job and this package, for Dask workers that have neither; and whether their other packages are the same."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

from src.common.errors import UserError

# What rows depend on, besides this package.
PACKAGES = ("numpy", "tokenizers")


def package_archive() -> bytes:
    """This package as a zip file; equal files give equal bytes."""
    root = Path(__file__).resolve().parents[1]
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(root.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                entry = zipfile.ZipInfo(str(path.relative_to(root.parent)))
                entry.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(entry, path.read_bytes())
    return packed.getvalue()


def job_plugin(packed_job: bytes, archive: bytes) -> Any:
    """A plugin through which every worker, also one that starts later, has the job and, from `archive`, the package.

    The class is a local one: that is why it is sent by its contents, and workers need not know this module for it.
    """
    from distributed import WorkerPlugin

    class Job(WorkerPlugin):
        def __init__(self) -> None:
            self.packed_job, self.archive, self.loaded = packed_job, archive, None

        def setup(self, worker: Any) -> None:
            import hashlib
            import importlib
            import io
            import os
            import signal
            import sys
            import zipfile

            if not self.archive:
                # A process of this machine: Ctrl-C reaches the whole group, and the parent ends its workers.
                signal.signal(signal.SIGINT, signal.SIG_IGN)
                return

            folder = os.path.join(worker.local_directory, hashlib.sha256(self.archive).hexdigest()[:16])
            if not os.path.isdir(folder):
                with zipfile.ZipFile(io.BytesIO(self.archive)) as files:
                    files.extractall(folder)
            if folder in sys.path:
                sys.path.remove(folder)
            sys.path.insert(0, folder)
            # A package of the same name that was loaded before, such as an earlier version of this one.
            for name, module in list(sys.modules.items()):
                if name.partition(".")[0] == "src" and not str(getattr(module, "__file__", "")).startswith(folder):
                    del sys.modules[name]
            importlib.invalidate_caches()

        def call(self, kind: str, *arguments: Any) -> Any:
            """Call a function of `src.records.worker` for the job; what keeps it from being loaded is told alike."""
            import pickle
            import platform

            try:
                if self.loaded is None:
                    self.loaded = pickle.loads(self.packed_job)
                from src.records import worker
            except Exception as error:  # such as a package that is not installed
                packed = pickle.dumps((True, (error, str(error), platform.node())), protocol=4)
                return (None, packed, True) if kind == "read" else packed
            return getattr(worker, kind)(self.loaded, *arguments)

    return Job()


def task_functions() -> dict[str, Any]:
    """The functions of tasks, by kind. All take the name of the job's plugin, then bytes and results of other tasks.

    Like the plugin they are local, and sent by their contents: a scheduler, which looks at them too, never has this
    package.
    """

    def run(name: str, arguments: bytes) -> bytes:
        from distributed import get_worker
        return get_worker().plugins[name].call("run", arguments)

    def read(name: str, arguments: bytes) -> tuple[Any, bytes, bool]:
        from distributed import get_worker
        return get_worker().plugins[name].call("read", arguments)

    def question(name: str, both: tuple[Any, bytes, bool]) -> bytes:
        del name
        return both[1]

    def make(name: str, both: tuple[Any, bytes, bool], decision: bytes) -> bytes:
        from distributed import get_worker
        return get_worker().plugins[name].call("make", both, decision)

    return {"run": run, "read": read, "question": question, "make": make}


def check_versions(client: Any, scheduler: str) -> None:
    """Compare the versions of the workers with those of this process.

    Raises:
        UserError: naming the worker and the first difference.
    """
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
