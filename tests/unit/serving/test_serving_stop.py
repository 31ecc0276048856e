# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""SIGTERM under load: every request that the server has begun with is answered, and the status is 0."""

from __future__ import annotations

import http.client
import json
import re
import signal
import socket
import threading
import time
from pathlib import Path

import pytest

pytest.importorskip("uvicorn", reason="the server's packages are not installed: requirements-serving.txt")

from tests.bundles import make_bundle
from tests.serving_process import served

BODY = json.dumps({"inputs": [["a lovely film " * 20]] * 8}).encode()
CLIENTS = 8


@pytest.mark.medium
def test_sigterm_under_load(tmp_path: Path) -> None:
    answers, broken = [0] * CLIENTS, [0] * CLIENTS

    def client(number: int) -> None:
        while True:
            connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
            try:
                connection.connect()
            except OSError:  # the server listens no more
                return
            try:
                while True:
                    connection.request("POST", "/predict", BODY, {"Content-Type": "application/json"})
                    reply = connection.getresponse()
                    assert reply.status == 200 and len(json.loads(reply.read())) == 8
                    answers[number] += 1
            except (http.client.RemoteDisconnected, ConnectionError):  # before the server had begun with it
                continue
            except Exception:
                broken[number] += 1
                raise
            finally:
                connection.close()

    with served(str(make_bundle(tmp_path))) as server:
        threads = [threading.Thread(target=client, args=(number,)) for number in range(CLIENTS)]
        for thread in threads:
            thread.start()
        with socket.create_connection(("127.0.0.1", server.port)) as half:
            half.sendall(b"POST /predict HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
                         b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY[:100])
            while not all(answers):
                time.sleep(0.02)
            server.process.send_signal(signal.SIGTERM)
            time.sleep(0.3)
            half.sendall(BODY[100:])
            assert half.makefile("rb").readline().split()[1] == b"200"
        for thread in threads:
            thread.join(30)
        last, errors = server.process.communicate(timeout=30)
    assert server.process.returncode == 0 and not errors and not any(broken)
    assert int(re.search(r"stopped; all (\d+) requests", last)[1]) == sum(answers) + 1
