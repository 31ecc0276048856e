# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""`python -m serving` in a process of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from tests.conftest import REPOSITORY


class Served(NamedTuple):
    """A server that runs, and its port on 127.0.0.1."""

    process: subprocess.Popen
    port: int

    @property
    def url(self) -> str:
        """Of the page."""
        return f"http://127.0.0.1:{self.port}/"


@contextmanager
def served(*arguments: str, **environment: str) -> Iterator[Served]:
    """Start a server and wait until it says where it is; it is killed at the end where it still runs."""
    process = subprocess.Popen([sys.executable, "-m", "serving", *arguments, "--port", "0", "--threads", "1"],
                               cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                               env={**os.environ, **environment})
    try:
        line = process.stdout.readline()
        found = re.search(r"http://127\.0\.0\.1:(\d+)/", line)
        assert found, line + process.stderr.read()
        yield Served(process, int(found[1]))
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        process.stderr.close()
