# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The two kinds of failure that a user sees, and the one place that turns them into an exit status."""

from __future__ import annotations

import errno
import os
import re
import signal
import sys
import threading
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from typing import NoReturn, TextIO

from src.common.option_names import in_typed_names
from src.common.output import outlast_readers

MAX_MESSAGE = 2000
_OWN_ROOMS = ("serving", "src", "experiments", "maintenance", "benchmarks")
_DISTRIBUTIONS = {"yaml": "PyYAML", "sklearn": "scikit-learn", "google": "protobuf"}
_OF_THE_PLACE = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EISDIR,
                 errno.EIO, errno.EFBIG, errno.ESTALE)

HIDDEN = "***"
_USER = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*://)[^\s'\"]*@")
_QUERY = re.compile(r"(?P<start>[A-Za-z][A-Za-z0-9+.-]*://[^\s?#'\"]*)[?#][^\s'\"]*")
# Hugging Face, GitHub, AWS: forms that stand for a secret wherever they occur.
_TOKEN = re.compile(r"\b(?:hf_|ghp_|github_pat_|AKIA)[A-Za-z0-9_]{12,}")


class UserError(Exception):
    """What the user gave cannot be used: exit status 2.

    The message is one line that says what was given, what was expected and what to change.
    """


class TrainingError(Exception):
    """Something went wrong inside training; the last checkpoint can be resumed: exit status 1."""


class NotSaved(TrainingError):
    """A checkpoint, or what goes with it, could not be written; the one before it is as it was."""


class Interrupted(Exception):
    """A signal asked the run to stop, and it did, resumably: exit status 128 + the signal's number."""

    def __init__(self, message: str, signal_number: int):
        super().__init__(message)
        self.signal_number = signal_number


def nearest(name: str, candidates: Iterable[str]) -> str:
    """Return `; did you mean 'x'?` for the candidate closest to `name`, or an empty string."""
    if len(name) > 100:  # no misspelling, and comparing takes the square of its length
        return ""
    found = get_close_matches(name, list(candidates), n=1, cutoff=0.5)
    return f"; did you mean {found[0]!r}?" if found else ""


def one_line(text: object) -> str:
    """Fold a (library's) message of several lines into one."""
    return " ".join(str(text).split())


def run(main: Callable[[list[str]], None]) -> NoReturn:
    """Run an entry point's `main(argv)` and leave the process with the right status.

    Status 0 when `main` returns, 2 for a `UserError` or a place that is full or cannot be written, 1 for a
    `TrainingError`, 128 + n after signal n. Any other exception is a defect of this software and keeps its traceback
    (Python's status 1). SIGTERM is an exception as Ctrl-C is, so that what is being written is put away; a second one
    ends the process at once. A reader of the output that leaves, as `head` does, changes nothing. A package that is not
    installed is the user's to install: status 2.
    """
    _raise_at_sigterm()
    outlast_readers()
    try:
        try:
            main(sys.argv[1:])
        finally:
            if sys.stdout is not None:  # closed by the shell: >&-
                sys.stdout.flush()
    except UserError as error:
        fail(f"error: {one_line(error)}", 2)
    except ModuleNotFoundError as error:
        package = (error.name or "src").split(".")[0]
        if package in _OWN_ROOMS:
            raise
        fail(f"error: the package {_DISTRIBUTIONS.get(package, package)} is needed here, and {sys.executable} does not "
             "have it; run bash scripts/setup.sh, or install the version that constraints.txt names", 2)
    except TrainingError as error:
        fail(f"training stopped: {one_line(error)}", 1)
    except Interrupted as error:
        fail(one_line(error), 128 + error.signal_number)
    except OSError as error:
        if error.errno not in _OF_THE_PLACE:
            raise
        fail(f"error: {error.strerror or one_line(error)}: {error.filename or 'the output'}; free some space there, or "
             "choose another folder", 2)
    except KeyboardInterrupt:
        fail("interrupted; run the same command again to continue from the last checkpoint", 130)
    sys.exit(0)


def _raise_at_sigterm() -> None:
    own = os.getpid()

    def stop(number: int, _: object) -> None:
        signal.signal(number, signal.SIG_DFL)
        if os.getpid() != own:  # a child that has inherited this, such as a worker of a pool
            os.kill(os.getpid(), number)
            return
        raise Interrupted("stopped by SIGTERM; run the same command again to continue", number)

    # What the parent has told this process to ignore stays ignored.
    if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) == signal.SIG_DFL:
        signal.signal(signal.SIGTERM, stop)


def fail(message: str, status: int) -> NoReturn:
    """Print one line on standard error, without secrets and control characters, and leave with `status`.

    Settings are called by the options that the user typed.
    """
    message = in_typed_names(message)
    message = message if len(message) <= MAX_MESSAGE else message[:MAX_MESSAGE] + " ..."
    _flush(sys.stdout)
    try:
        print(printable(redact(message)), file=sys.stderr, flush=True)
    except OSError:  # a log on a full disk: the status says the rest
        _flush(sys.stderr)
    sys.exit(status)


def redact(text: str) -> str:
    """Replace user names with passwords, queries and fragments of URLs, and known forms of tokens, by `***`.

    `s3://KEY:SECRET@bucket/wiki.bz2?X-Amz-Signature=...` becomes `s3://***@bucket/wiki.bz2?***`. A query is hidden as
    a whole: which of its parts sign a request differs from store to store.
    """
    text = _USER.sub(rf"\g<scheme>{HIDDEN}@", text)
    text = _QUERY.sub(rf"\g<start>?{HIDDEN}", text)
    return _TOKEN.sub(HIDDEN, text)


def printable(text: str) -> str:
    r"""Write control characters and other invisible ones (escape, right-to-left override) as `\x1b`, `\u202e`."""
    return "".join(character if character.isprintable() else character.encode("unicode_escape").decode()
                   for character in text)


def _flush(stream: TextIO | None) -> None:
    """Write what a stream holds back; where that fails (full disk) drop it, or Python fails at its end."""
    if stream is None:
        return
    try:
        stream.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
