# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Fuzzing of the server over its socket: whatever comes is answered with a documented status, never with 500.

A text, a body or a whole request is changed; the memory must stay what it is after the first requests.
"""

from __future__ import annotations

import json
import re
import socket
import urllib.request
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("uvicorn", reason="the server's packages are not installed: requirements-serving.txt")

from tests.bundles import make_bundle
from tests.fuzz.mutations import as_json, files, fuzz, json_files
from tests.serving_process import served

pytestmark = pytest.mark.medium

LONGEST = 20_000
BODIES = ({"inputs": [["a good film", "b"]], "truncate": True}, {"inputs": ["a", "b"], "model": "pairs"},
          {"inputs": [["good", "a"], ["bad", "a"]], "raw_scores": False, "truncate": False},
          {"query": "good", "texts": ["a", "b"], "return_text": True, "raw_scores": True, "model": "pairs"})
DOCUMENTED = {200, 400, 404, 405, 408, 413}
GROWTH = 32 << 20


def request(body: bytes, path: str = "/predict") -> bytes:
    return (f"POST {path} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nConnection: close\r\n"
            f"Content-Length: {len(body)}\r\n\r\n").encode() + body


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """That of a server of a model of pairs; at the end it has no more memory than after the first requests."""
    bundle = make_bundle(tmp_path_factory.mktemp("pairs"), "STS-B")
    with served(f"pairs={bundle}", "--max_body", str(LONGEST)) as server:
        for body in BODIES * 20:
            answer(server.port, request(as_json(body)))
        before = memory(server.port)
        yield server.port
        assert memory(server.port) - before < GROWTH
        server.process.terminate()
        assert "stopped" in server.process.communicate(timeout=20)[0]


def answer(port: int, sent: bytes, patience: float = 20) -> tuple[int, bytes]:
    """Status and body; 0 where nothing has come within so many seconds, as to what is no whole request."""
    received = b""
    with socket.create_connection(("127.0.0.1", port), timeout=patience) as connection:
        try:
            connection.sendall(sent)
            while part := connection.recv(1 << 16):
                received += part
        except (ConnectionError, TimeoutError):  # it answered before it had read everything, or waits for more
            pass
    head, _, body = received.partition(b"\r\n\r\n")
    return (int(head.split()[1]) if head else 0), body


def memory(port: int) -> float:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as reply:
        text = reply.read().decode()
    statuses = {int(status) for status in re.findall(r'serving_requests_total\{.*status="(\d+)"', text)}
    assert statuses <= DOCUMENTED
    return float(re.search(r"^process_resident_memory_bytes (\S+)$", text, re.MULTILINE)[1])


@fuzz(60)
@given(body=st.one_of(json_files(*BODIES), files(*map(as_json, BODIES))),
       path=st.sampled_from(["/predict", "/predict", "/rerank", "/embed", "/info", "/x"]))
def test_bodies(port: int, body: bytes, path: str) -> None:
    status, said = answer(port, request(body, path))
    assert status in DOCUMENTED or (status == 0 and len(body) > LONGEST)
    if status not in (0, 200):
        assert set(json.loads(said)) == {"error", "error_type"}


WHOLE = request(as_json(BODIES[0]))
CHUNKED = WHOLE.partition(b"Content-Length")[0] + (
    b"Transfer-Encoding: chunked\r\n\r\n6\r\n{\"inpu\r\nE\r\nts\":[\"a\",\"b\"]}\r\n0\r\n\r\n")


@fuzz(15)
@given(sent=files(WHOLE, CHUNKED, raw=False))
def test_requests(port: int, sent: bytes) -> None:
    assert answer(port, sent, 0.2)[0] in DOCUMENTED | {0}


def test_the_requests_that_are_changed_are_right(port: int) -> None:
    assert [answer(port, sent)[0] for sent in (WHOLE, CHUNKED)] == [200, 200]


@fuzz(10)
@given(body=st.builds(lambda part, times: part * times, st.sampled_from([b"[", b"x", b'{"a":', b"\xff", b'"\\u0000']),
                      st.integers(LONGEST // 6, 3_000_000)))
def test_large_bodies(port: int, body: bytes) -> None:
    status, _ = answer(port, request(body))
    assert status == (413 if status else 0) or len(body) <= LONGEST
