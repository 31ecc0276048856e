# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Worker processes: order, errors, workers that die, and a cluster whose workers do not have this package."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from distributed import Security
from distributed.comm import connect
from small_vocabulary import write_corpus, write_vocabulary

from src.common.errors import UserError
from src.corpus.sources import Chunk, InputOptions, pieces
from src.parallel import cluster, shipping
from src.parallel.ordered import map_ordered
from src.parallel.shipping import PACKAGES, check_versions
from src.records import prepare
from src.records.options import CorpusOptions
from src.records.prepare import prepare_texts
from src.text.tokenization import load_tokenizer


class Squares:
    """A job that kills its process at one number the first time, at another one always."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, number: int) -> tuple[int, int]:
        killed = self.folder / f"{number}.killed"
        if number == 7 and not killed.exists() or number == 30:
            killed.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return number * number, os.getpid()


def test_one_process_needs_no_dask(tmp_path: Path) -> None:
    code = ("import sys; from src.parallel.ordered import map_ordered\n"
            "print(list(map_ordered(abs, [-1, 2], 1)), list(map_ordered(abs, [-3], 2)))\n"
            "print([name for name in ('dask', 'distributed', 'tensorflow', 'mindspore') if name in sys.modules])")
    done = subprocess.run([sys.executable, "-c", "import src.records.prepare; " + code], capture_output=True, text=True,
                          check=True, cwd=Path(__file__).parents[3])
    assert done.stdout.split("\n")[:2] == ["[1, 2] [3]", "[]"]


@pytest.mark.medium
def test_processes_of_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A killed worker's items are computed again; one that kills every worker is given up."""
    children = psutil.Process().children
    before = set(children(recursive=True))
    monkeypatch.setattr(cluster, "KILLED_WORKERS", 2)
    results = map_ordered(Squares(tmp_path), range(40), 2, scratch=tmp_path / "scratch")
    first, pid = next(results)
    assert listening_at([psutil.Process(), *children(recursive=True)]) == {"127.0.0.1"} and pid != os.getpid()
    squares: list[int] = [first]
    with pytest.raises(UserError, match="2 worker processes died over the same piece .*use fewer of them") as caught:
        for square, _ in results:
            squares.append(square)
    # Items go to the workers four by four.
    assert squares == [number * number for number in range(len(squares))] and 20 <= len(squares) <= 28
    assert (tmp_path / "7.killed").exists() and isinstance(caught.value, cluster.ClusterError)
    _, alive = psutil.wait_procs([process for process in children(recursive=True) if process not in before
                                  and not is_resource_tracker(process)], timeout=10)
    assert not alive


@pytest.mark.medium
def test_only_who_has_the_certificate_talks_to_processes_of_this_machine(tmp_path: Path) -> None:
    def answers(address: str, security: Security) -> bool:
        async def connects() -> None:
            comm = await connect(address, timeout=1, **security.get_connection_args("client"))
            await comm.close()

        try:
            asyncio.run(connects())
        except OSError:
            return False
        return True

    with cluster.local_workers(Squares(tmp_path), 1, tmp_path / "scratch") as workers:
        addresses = [workers.client.scheduler.address, *workers.client.nthreads()]
        assert len(addresses) == 2
        for address in addresses:
            assert answers(address, workers.client.security)
            assert not answers(address, Security.temporary())
            assert not answers(address.replace("tls://", "tcp://"), Security())


class Failing:
    """A job whose exceptions cannot be pickled."""

    class Error(Exception):
        def __init__(self, one: str, other: str) -> None:
            super().__init__(f"{one} {other}")

    def __call__(self, number: int) -> int:
        raise self.Error("some", f"defect {number}")


@pytest.mark.medium
def test_exceptions_of_a_job_arrive() -> None:
    with pytest.raises(Exception, match="some defect 0"):
        list(map_ordered(Failing(), range(20), 2))


def listening_at(processes: list[psutil.Process]) -> set[str]:
    """Addresses at which processes wait for connections."""
    found = set()
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            found |= {connection.laddr.ip for connection in process.net_connections()
                      if connection.status == psutil.CONN_LISTEN}
    return found


def is_resource_tracker(process: psutil.Process) -> bool:
    """Python's own, which ends with the process that started it."""
    try:
        return "resource_tracker" in " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return False


# A cluster


@pytest.fixture
def scheduler(tmp_path: Path) -> Iterator[str]:
    """Address of a scheduler in a process of its own, without workers."""
    yield from started(tmp_path, "dask_scheduler", "--port", "0", "--no-dashboard", "--host", "127.0.0.1")


def started(tmp_path: Path, name: str, *arguments: str) -> Iterator[str]:
    """Run the scheduler in an empty folder, where this package cannot be imported; yield its address."""
    (tmp_path / "elsewhere").mkdir(exist_ok=True)
    told = tmp_path / "scheduler.json"
    process = dask_process(tmp_path, name, *arguments, "--scheduler-file", str(told))
    try:
        for _ in range(600):
            if told.exists() and told.stat().st_size:
                break
            assert process.poll() is None, "the scheduler did not start"
            time.sleep(0.1)
        yield json.loads(told.read_text(encoding="utf-8"))["address"]
    finally:
        process.kill()
        process.wait()


def dask_process(tmp_path: Path, name: str, *arguments: str) -> subprocess.Popen:
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    return subprocess.Popen([sys.executable, "-m", f"distributed.cli.{name}", *arguments], cwd=tmp_path / "elsewhere",
                            env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


@pytest.mark.medium
def test_workers_of_a_cluster(scheduler: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They do not have this package, and one is killed on the way: the records are those of one process here."""
    tokenizer = load_tokenizer(write_vocabulary(tmp_path / "vocab.txt"))
    corpus = write_corpus(tmp_path / "a.txt", 3000)
    corpus.write_text(corpus.read_text(encoding="utf-8") * 2, encoding="utf-8")
    settings = {"seq_length": 32, "num_shards": 3, "masked_lm_prob": 0.15, "max_predictions_per_seq": 5,
                "deduplicate": "documents"}
    with pytest.raises(UserError, match=rf"the Dask scheduler at {scheduler} has no workers; start some"):
        prepare_texts([corpus], tokenizer, tmp_path / "out", CorpusOptions(**settings, scheduler=scheduler))
    worker = ("--nthreads", "1", "--no-dashboard", "--no-nanny", "--local-directory", str(tmp_path / "workers"))
    workers = [dask_process(tmp_path, "dask_worker", scheduler, *worker) for _ in range(2)]
    cut: list[int] = []

    def small_pieces(files: list[str], options: InputOptions) -> Iterator[Chunk]:
        for chunk in pieces(files, options, 2000):
            cut.append(chunk.index)
            if len(cut) == 40:
                workers[0].kill()
            yield chunk

    monkeypatch.setattr(prepare, "pieces", small_pieces)
    try:
        wait_for_workers(scheduler, 2)
        prepare_texts([corpus], tokenizer, tmp_path / "cluster", CorpusOptions(**settings, scheduler=scheduler))
        assert len(cut) > 60 and workers[0].wait() == -signal.SIGKILL and workers[1].poll() is None
        with pytest.raises(UserError, match="a worker of .* lacks the package 'test_cluster'; install requirements"):
            list(map_ordered(Squares(tmp_path), range(20), 1, scheduler))
        (tmp_path / "bad.txt").write_bytes(b"caf\xe9\n" * 9)
        with pytest.raises(UserError, match=r"bad.txt:1: not UTF-8 .* \(worker on "):
            prepare_texts([tmp_path / "bad.txt"], tokenizer, tmp_path / "bad", CorpusOptions(scheduler=scheduler))
        package = shipping._package
        monkeypatch.setattr(shipping, "_package", lambda folder: package(folder).rename(folder / "other.zip"))
        with pytest.raises(UserError, match="another version of this program loaded; restart it"):
            list(map_ordered(abs, range(20), 1, scheduler))
    finally:
        for process in workers:
            process.kill()
            process.wait()
    cut.clear()
    monkeypatch.setattr(workers[0], "kill", lambda: None)
    report = prepare_texts([corpus], tokenizer, tmp_path / "here", CorpusOptions(**settings))
    assert report.counts["dropped_duplicate"] > 300 < report.counts["documents"]
    one, other = ({path.name: path.read_bytes() for path in sorted((tmp_path / name).iterdir())}
                  for name in ("cluster", "here"))
    assert one == other and not (tmp_path / "bad").exists()


def wait_for_workers(scheduler: str, number: int) -> None:
    from distributed import Client

    with Client(scheduler, set_as_default=False) as client:
        client.wait_for_workers(number, timeout=60)


def test_nobody_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "CONNECT_SECONDS", 0.5)
    with pytest.raises(UserError, match="no Dask scheduler answers at tcp://127.0.0.1:9 .*; start one") as caught:
        list(map_ordered(abs, [1, 2], 1, "tcp://127.0.0.1:9"))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("name", "version", "told"), [
    ("Python", "3.4", "has Python 3.4, this process "), ("tokenizers", "", r"has tokenizers \(not installed\), this"),
    ("numpy", "0.1", "has numpy 0.1, this process ")])
def test_other_versions(name: str, version: str, told: str) -> None:
    class Client:
        def __init__(self, changed: dict[str, str]) -> None:
            self.changed = changed

        def run(self, function, *arguments):
            return {"tcp://10.0.0.2:1": function(*arguments), "tcp://10.0.0.1:1": function(*arguments) | self.changed}

    check_versions(Client({}), "tcp://10.0.0.9:8786")
    assert "tokenizers" in PACKAGES
    with pytest.raises(UserError, match=f"the worker tcp://10.0.0.1:1 of tcp://10.0.0.9:8786 {told}"):
        check_versions(Client({name: version}), "tcp://10.0.0.9:8786")
