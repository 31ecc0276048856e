# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Dask workers for one job: processes of this machine, or those of a cluster, to which this package is sent.

Dask runs the tasks of a worker that was killed again on another one.
"""

from __future__ import annotations

import logging
import pickle
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from operator import itemgetter
from pathlib import Path
from typing import Any

from src.common.errors import UserError, one_line
from src.parallel.environment import environment
from src.parallel.shipping import check_versions, package_at, remote_call
from src.parallel.worker import PROTOCOL, call

CONNECT_SECONDS = 10
# After this long without a result it is asked whether there are workers at all.
PATIENCE_SECONDS = 30
# A task that was running on this many workers when they were killed is taken for the cause.
KILLED_WORKERS = 3
CONTINUE = "run the same command again to continue"


class ClusterError(UserError):
    """The workers failed, not the job: what was done so far is good."""

    is_from_outside = True


class Workers:
    """The workers that are at a job's disposal."""

    def __init__(self, client: Any, job: Any, place: str, is_remote: bool):
        self.client, self.place, self.is_remote = client, place, is_remote
        self.number = sum(client.nthreads().values())
        self._name = uuid.uuid4().hex
        self._submitted = 0
        self._call = remote_call() if is_remote else call
        # Dask brings it to each worker once.
        self._job = client.submit(bytes, pickle.dumps(job, PROTOCOL), pure=False)

    def submit(self, item: Any) -> Any:
        """Future of the bytes of `job(item)`."""
        return self._submit("run", self._call, "run", self._job, pickle.dumps(item, PROTOCOL))

    def submit_read(self, item: Any) -> tuple[Any, Any]:
        """Futures of the two values of `job.read(item)`: the first stays at its worker."""
        both = self._submit("read", self._call, "read", self._job, pickle.dumps(item, PROTOCOL))
        return both, self._submit("question", itemgetter(1), both)

    def submit_make(self, read: Any, decision: Any) -> Any:
        """Future of the bytes of `job.make(read, decision)`, `read` being a future."""
        return self._submit("make", self._call, "make", self._job, read, pickle.dumps(decision, PROTOCOL))

    def _submit(self, kind: str, function: Any, *arguments: Any) -> Any:
        self._submitted += 1
        # Keys of one group are what Dask hands out one by one to workers that are free. Earlier items go first.
        key = (f"{kind}-{self._name}", self._submitted)
        return self.client.submit(function, *arguments, key=key, pure=False, priority=-self._submitted)

    def result(self, future: Any) -> Any:
        """Wait for a future of bytes; what the job raised is raised here.

        Raises:
            ClusterError: workers are killed by this task again and again, or all of them are gone.
        """
        from distributed.client import FutureCancelledError
        from distributed.scheduler import KilledWorker

        try:
            return pickle.loads(self._wait(future))
        except KilledWorker as error:
            raise ClusterError(f"{KILLED_WORKERS} worker processes died over the same piece of the input, most likely "
                               f"for want of memory; use fewer of them (--num_workers), and {CONTINUE}") from error
        except Exception as error:
            host = getattr(error, "host", None)
            if host is None and isinstance(error, (FutureCancelledError, OSError)):
                raise ClusterError(f"the connection to {self.place} is lost ({one_line(error)}); {CONTINUE}") from error
            if host is not None and self.is_remote:
                if isinstance(error, UserError):
                    raise UserError(f"{error} (worker on {host})") from error
                if isinstance(error, ModuleNotFoundError):
                    raise ClusterError(f"a worker of {self.place}, on {host}, lacks the package {error.name!r}; "
                                       "install requirements.txt there") from error
            raise

    def _wait(self, future: Any) -> bytes:
        from distributed import TimeoutError as Patience

        while True:
            try:
                return future.result(timeout=PATIENCE_SECONDS)
            except Patience:
                if not self.client.nthreads():
                    raise ClusterError(f"{self.place} has no workers any more; start some, and {CONTINUE}") from None


@contextmanager
def local_workers(job: Any, number: int, scratch: Path | None) -> Iterator[Workers]:
    """Start worker processes on this machine, and end them.

    They listen on its loopback interface only, and take part only with a certificate that no other process has: they
    run code that they are sent, and other users' processes reach that interface too.
    """
    from distributed import Client, LocalCluster
    from distributed.security import Security

    # No memory limit: Dask would write to the disk or restart a worker that uses its share.
    options = {"n_workers": number, "threads_per_worker": 1, "processes": True, "host": "127.0.0.1",
               "protocol": "tls", "security": Security.temporary(), "memory_limit": 0,
               "preload": ["src.parallel.worker"], "silence_logs": logging.CRITICAL, "dashboard_address": None,
               # Without a dashboard Dask listens all the same: at any port, not at the one that others look for.
               "scheduler_kwargs": {"dashboard_address": "127.0.0.1:0"}}
    with ExitStack() as stack:
        folder = str(scratch or stack.enter_context(tempfile.TemporaryDirectory(prefix="workers.")))
        stack.enter_context(_temporary_files_in(folder))
        stack.enter_context(_quiet_dask({"temporary-directory": folder}))
        try:
            cluster = stack.enter_context(LocalCluster(**options, local_directory=folder))
        except (OSError, RuntimeError) as error:
            raise ClusterError(f"cannot start {number} worker processes: {one_line(error)}; use fewer of them "
                               "(--num_workers)") from error
        client = stack.enter_context(Client(cluster, direct_to_workers=True, set_as_default=False))
        yield Workers(client, job, "the processes of this machine", is_remote=False)


@contextmanager
def _temporary_files_in(folder: str) -> Iterator[None]:
    """Let this process and those it starts make temporary files in `folder`.

    Dask gives its certificates to OpenSSL through files, which a process that is killed at that moment leaves.
    """
    Path(folder).mkdir(parents=True, exist_ok=True)
    before, tempfile.tempdir = tempfile.tempdir, folder
    try:
        with environment(TMPDIR=folder):
            yield
    finally:
        tempfile.tempdir = before


@contextmanager
def connect(job: Any, scheduler: str) -> Iterator[Workers]:
    """Take the workers of a cluster.

    Raises:
        ClusterError: nobody answers, there are no workers, or they have other versions of what rows depend on.
    """
    from distributed import Client

    with _quiet_dask({}):
        try:
            client = Client(scheduler, timeout=CONNECT_SECONDS, set_as_default=False)
        except (OSError, ValueError) as error:
            raise ClusterError(f"no Dask scheduler answers at {scheduler} ({one_line(error)}); start one (dask "
                               "scheduler), correct --scheduler, or leave it empty") from None
        with client:
            if not client.nthreads():
                raise ClusterError(f"the Dask scheduler at {scheduler} has no workers; start some (dask worker "
                                   f"{scheduler})")
            check_versions(client, scheduler)
            with package_at(client, scheduler):
                yield Workers(client, job, scheduler, is_remote=True)


def _quiet_dask(more: dict[str, Any]) -> Any:
    """A context in which Dask has the settings of a job, and `more`; its log is silent from now on."""
    import dask

    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    return dask.config.set({
        "distributed.scheduler.work-stealing": False, "distributed.scheduler.allowed-failures": KILLED_WORKERS - 1,
        "distributed.comm.timeouts.connect": CONNECT_SECONDS,
        # What Dask watches for its dashboard takes a quarter of its time.
        "distributed.worker.profile.enabled": False, "distributed.admin.tick.interval": "1s",
        "distributed.admin.system-monitor.interval": "10s",
        # Dask has workers give every free page back at once, and the next piece ask for it again.
        "distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_": 1 << 28,
        "distributed.nanny.pre-spawn-environ.MALLOC_MMAP_THRESHOLD_": 1 << 28,
        **{f"distributed.{role}.http.routes": [] for role in ("scheduler", "worker", "nanny")}, **more})
