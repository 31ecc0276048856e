# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The end of output is no error: `command | head -1`, in all its ways."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[3]
PROGRAM = """
import sys
sys.path.insert(0, {repository!r})
from src.common.errors import UserError, run
def main(argv):
    {body}
run(main)
"""
LINES = "for number in range(50000): print('line', number)"
pytestmark = pytest.mark.medium


def piped(body: str, shell: str = "head -n 1", streams: str = "", **environment: str) -> tuple[list[str], str, int]:
    """Lines that the reader saw, standard error, and the status of the program."""
    program = PROGRAM.format(repository=str(REPOSITORY), body=body)
    pipe = f'"$0" -c "$1" {streams} | {shell}; exit "${{PIPESTATUS[0]}}"'
    result = subprocess.run(["bash", "-c", pipe, sys.executable, program], capture_output=True, text=True, check=False,
                            timeout=60, env={**os.environ, **environment})
    return result.stdout.splitlines(), result.stderr, result.returncode


@pytest.mark.parametrize("body", [
    LINES, "print('x' * 300000)", "print('x\\n' * 100000, end='')", "sys.stdout.write('x\\n' * 3); sys.exit(0)",
    "import time; time.sleep(0.5); print('late')",
    f"{LINES}\n    import subprocess; subprocess.run(['echo', 'x'], check=True)",
])
@pytest.mark.parametrize("shell", ["head -n 1", "true", "head -c 1"])
def test_a_reader_that_leaves_is_no_error(body: str, shell: str) -> None:
    _, error, status = piped(body, shell)
    assert (error, status) == ("", 0)


@pytest.mark.parametrize("streams", ["", "2>&1"])
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_the_work_goes_on_to_its_end(streams: str, unbuffered: str, tmp_path: Path) -> None:
    done = tmp_path / "done"
    body = f"{LINES}\n    print('word', file=sys.stderr)\n    open({str(done)!r}, 'w').write('done')"
    seen, error, status = piped(body, streams=streams, PYTHONUNBUFFERED=unbuffered)
    assert (seen, error, status) == (["line 0"], "" if streams else "word\n", 0)
    assert done.read_text() == "done"


def test_a_terminal_that_is_closed(tmp_path: Path) -> None:
    master, slave = os.openpty()
    done = tmp_path / "done"
    body = (f"print('begun', flush=True)\n    import time; time.sleep(0.5)\n    {LINES}\n"
            f"    open({str(done)!r}, 'w').write('done')")
    program = PROGRAM.format(repository=str(REPOSITORY), body=body)
    with subprocess.Popen([sys.executable, "-c", program], stdout=slave, stderr=subprocess.PIPE, text=True) as process:
        os.close(slave)
        assert os.read(master, 5) == b"begun"
        os.close(master)
        _, error = process.communicate(timeout=60)
    assert (error, process.returncode, done.read_text()) == ("", 0, "done")


def test_a_mistake_is_still_told() -> None:
    _, error, status = piped(f"{LINES}\n    raise UserError('wrong')")
    assert (error, status) == ("error: wrong\n", 2)


@pytest.mark.parametrize(("streams", "expected"), [(">&-", ("", 0)), (">/dev/full", ("No space left on device", 2))])
def test_other_ends_of_output(streams: str, expected: tuple[str, int]) -> None:
    _, error, status = piped(LINES, "cat", streams)
    assert status == expected[1] and expected[0] in error and error.count("\n") == bool(expected[0])
