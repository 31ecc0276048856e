# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""How long the server takes, how much it answers, and what it holds in memory.

python benchmarks/serving_load.py --bundle STUDENT --file test.tsv [--python .venv-serving/bin/python] [--seconds 5]

1. One client, which asks one text after the other, beside ONNX Runtime alone on rows that are ready (same threads); and
   ONNX Runtime alone on batches of --clients rows of like length: what batches can gain on this processor.
2. --clients that each ask the next text as soon as they have an answer (closed loop), with dynamic batching and with
   --max_batch 1, in turn, --repeats times.
3. Requests at random times (Poisson), at shares of the throughput of 2. with batching (open loop); the time is counted
   from when a request was due, so that a queue is not hidden.
4. An hour in bursts: 60 bursts of --burst requests of --clients, for each minute one, without the pauses between them;
   texts of all lengths up to 2,000 characters.

Server and clients share the processors. FILE has a header with the column text.
"""

from __future__ import annotations

import asyncio
import csv
import itertools
import json
import random
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from common import REPOSITORY, arguments, in_turn, machine, memory_of

BURSTS, LONGEST = 60, 2000
SHARES = (0.25, 0.5, 0.75)


class Server(NamedTuple):
    """A server that runs."""

    process: subprocess.Popen
    port: int


class Load(NamedTuple):
    """Seconds of each request, and by the clock of all."""

    each: list[float]
    total: float

    @property
    def rate(self) -> float:
        """Requests a second."""
        return len(self.each) / self.total

    def milliseconds(self, percent: float) -> float:
        """A percentile."""
        return float(np.percentile(self.each, percent)) * 1e3


def main() -> None:
    """Print the tables."""
    options = arguments(__doc__, bundle=str, file=str, python=sys.executable, seconds=5.0, clients=16, repeats=3,
                        threads=2, burst=600, max_wait="2", seed=42)
    with open(options.file, encoding="utf-8", newline="") as stream:
        texts = [row["text"] for row in csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE)]
    generator = random.Random(options.seed)
    generator.shuffle(texts)

    @contextmanager
    def served(*more: str) -> Iterator[Server]:
        command = [options.python, "-m", "serving", options.bundle, "--port", "0", "--threads", str(options.threads),
                   "--max_wait", options.max_wait, *more]
        process = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        found = re.search(r":(\d+)/", process.stdout.readline())
        if not found:
            sys.exit(2)
        try:
            yield Server(process, int(found[1]))
        finally:
            process.terminate()
            process.wait()

    raw = raw_seconds(options.bundle, texts[:300], options.threads, 1)
    together = raw_seconds(options.bundle, texts[:300], options.threads, options.clients)
    with served() as batching, served("--max_batch", "1") as single:
        version = subprocess.run([options.python, "-c", "import onnxruntime, fastapi, uvicorn; print('onnxruntime', "
                                  "onnxruntime.__version__, 'fastapi', fastapi.__version__, 'uvicorn', "
                                  "uvicorn.__version__)"], capture_output=True, text=True, check=True).stdout.strip()
        print(f"{options.bundle}, {len(texts)} texts of {options.file}, {options.threads} threads, {version}, "
              f"{machine()}\n")
        print("| What | Clients | Requests/s | p50 ms | p99 ms |\n| --- | ---: | ---: | ---: | ---: |")
        show("ONNX Runtime alone", 1, Load(raw, sum(raw)))
        show(f"ONNX Runtime alone, batches of {options.clients}", "-", Load(together, sum(together)))
        show("server", 1, closed(batching.port, texts, 1, options.seconds))
        runs: dict[str, Callable[[], Load]] = {
            name: lambda port=server.port: closed(port, texts, options.clients, options.seconds)  # type: ignore[misc]
            for name, server in (("batches of up to 32", batching), ("batches of 1", single))}
        loads = in_turn(runs, options.repeats)
        for name, found in loads.items():
            for load in found:
                show(name, options.clients, load)
        rates = {name: float(np.median([load.rate for load in found])) for name, found in loads.items()}
        for share in SHARES:
            rate = share * rates["batches of up to 32"]
            load = opened(batching.port, texts, rate, options.seconds, generator)
            show(f"open loop, {rate:.0f} requests/s", "-", load)
        print(f"\ntimes the throughput of batches of 1: {rates['batches of up to 32'] / rates['batches of 1']:.2f}; of "
              f"ONNX Runtime alone: {sum(raw) / sum(together):.2f}")
    with served() as server:
        print(f"memory: {bursts(server, texts, options.clients, options.burst, generator)}")


def show(name: str, clients: Any, load: Load) -> None:
    """Print a row."""
    print(f"| {name} | {clients} | {load.rate:.0f} | {load.milliseconds(50):.2f} | {load.milliseconds(99):.2f} |",
          flush=True)


def raw_seconds(bundle: str, texts: Sequence[str], threads: int, together: int) -> list[float]:
    """Seconds a text of ONNX Runtime, in batches of so many rows, which are sorted by their length."""
    import onnxruntime
    from tokenizers import Tokenizer

    from serving.bundle import MODEL, TOKENIZER, read_bundle
    from serving.rows import padded, text_row

    read = read_bundle(bundle)
    tokenizer = Tokenizer.from_file(str(read.folder / TOKENIZER))
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads, settings.inter_op_num_threads = threads, 1
    session = onnxruntime.InferenceSession(str(read.folder / MODEL), settings, providers=["CPUExecutionProvider"])
    rows = [text_row(tokenizer.encode(text, add_special_tokens=False).ids, None, read.rows.seq_length, read.special.cls,
                     read.special.sep) for text in texts]
    if together > 1:
        rows.sort(key=lambda row: len(row.ids))
    feeds = [(padded(part, read.special.pad)._asdict(), len(part))
             for part in (rows[begin: begin + together] for begin in range(0, len(rows), together))]
    for feed, _ in feeds[:20]:
        session.run(["logits"], feed)
    seconds: list[float] = []
    for feed, number in feeds:
        began = time.perf_counter()
        session.run(["logits"], feed)
        seconds += [(time.perf_counter() - began) / number] * number
    return seconds


def request(text: str) -> bytes:
    """The bytes of a request for one text."""
    body = json.dumps({"inputs": text}).encode()
    return (b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
            % len(body)) + body


class Connection:
    """A connection that is kept alive."""

    def __init__(self, port: int):
        self.port = port

    async def open(self) -> Connection:
        """Connect."""
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
        return self

    async def ask(self, sent: bytes) -> None:
        """Send a request and read the answer, which must be one."""
        self.writer.write(sent)
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head)
        assert head.startswith(b"HTTP/1.1 200") and length, head
        await self.reader.readexactly(int(length[1]))


async def _each(connection: Connection, requests: Iterator[bytes], until: float, seconds: list[float]) -> None:
    for sent in requests:
        began = time.perf_counter()
        if began > until:
            return
        await connection.ask(sent)
        seconds.append(time.perf_counter() - began)


def closed(port: int, texts: Sequence[str], clients: int, seconds: float, count: int = 0) -> Load:
    """Ask with so many clients for so long; or, of `count`, that many requests."""
    async def run() -> Load:
        connections = [await Connection(port).open() for _ in range(clients)]
        requests = map(request, itertools.islice(texts, count) if count else itertools.cycle(texts))
        found: list[float] = []
        began = time.perf_counter()
        until = float("inf") if count else began + seconds
        await asyncio.gather(*(_each(connection, requests, until, found) for connection in connections))
        total = time.perf_counter() - began
        for connection in connections:
            connection.writer.close()
        return Load(found, total)

    return asyncio.run(run())


def opened(port: int, texts: Sequence[str], rate: float, seconds: float, generator: random.Random) -> Load:
    """Ask at random times, `rate` times a second in the mean; a connection each that is free."""
    async def run() -> Load:
        free: list[Connection] = [await Connection(port).open() for _ in range(16)]
        found: list[float] = []

        async def ask(sent: bytes, due: float) -> None:
            connection = free.pop() if free else await Connection(port).open()
            await connection.ask(sent)
            found.append(time.perf_counter() - due)
            free.append(connection)

        began = due = time.perf_counter()
        tasks = []
        for text in itertools.cycle(texts):
            due += generator.expovariate(rate)
            if due > began + seconds:
                break
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            tasks.append(asyncio.create_task(ask(request(text), due)))
        await asyncio.gather(*tasks)
        return Load(found, time.perf_counter() - began)

    return asyncio.run(run())


def bursts(server: Server, texts: Sequence[str], clients: int, burst: int, generator: random.Random) -> str:
    """Ask in bursts; return what the server held after some of them."""
    words = " ".join(texts)
    held = []
    for _ in range(BURSTS):
        asked = []
        for _ in range(burst):
            begin = generator.randrange(len(words))
            asked.append(words[begin: begin + generator.randrange(20, LONGEST)].strip() or "a")
        closed(server.port, asked, clients, 0, burst)
        held.append(memory_of(server.process.pid, "rss") / 1e6)
    chosen = (0, 4, 14, 29, 44, BURSTS - 1)
    return (", ".join(f"{held[place]:.0f} MB after burst {place + 1}" for place in chosen)
            + f"; {burst * BURSTS} requests, {clients} clients")


if __name__ == "__main__":
    main()
