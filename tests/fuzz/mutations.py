# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Inputs for fuzzing: valid files with a few changes, and raw bytes; and what a reader may do with them.

    python -m pytest tests/fuzz                        a few inputs for each reader, the same ones every time
    FUZZ_EXAMPLES=10000 python -m pytest tests/fuzz    that many for each, others at every call
    FUZZ_EXAMPLES=10000 FUZZ_SEED=7 python -m pytest tests/fuzz    the same ones again

A reader may return or raise UserError. It may not raise anything else, take longer than SECONDS for an input, or use
more than MEMORY bytes beyond what the process has before; a failing input is printed.
"""

from __future__ import annotations

import copy
import json
import os
import random
import resource
import signal
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import hypothesis
from hypothesis import HealthCheck
from hypothesis import strategies as st

from src.common.errors import UserError, one_line

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "0"))
SEED = os.environ.get("FUZZ_SEED")
# Of many inputs the first failing one is printed as it is: reducing it can take longer than finding it.
PHASES = (hypothesis.Phase.generate, *(() if EXAMPLES else (hypothesis.Phase.shrink,)))
SECONDS = 20
MEMORY = 1 << 30

# What breaks programs: limits, signs, and what means something to one of the formats.
PARTS = (
    b"", b"\0", b"\n", b"\r\n", b"\t", b" ", b"-1", b"0", b"1e999", b"NaN", b"9" * 5000, b"18446744073709551616", b'"',
    b"\\", b"{", b"}", b"[", b"]", b":", b",", b"\xff", b"\xef\xbb\xbf", b"\xed\xa0\x80", b"\\ud800", b"null",
    b"true", b"..", b"/", b"../../etc/passwd", b"&a ", b"*a", b"!!python/name:os.system", b"<<: ", b"- ", b"? ", b"#",
    b"%", b"<", b">", b"&lt;", b"&#x110000;", b"<!DOCTYPE a [<!ENTITY b 'c'>]>", b"[[", b"]]", b"{{", b"}}", b"{|",
    b"|}", b"<ref>", b"</text>", b"<page>", b"</page>", b"<doc>", b"</doc>", b"'''''", b"\xe2\x80\xae",
    b"\xf0\x9f\x98\x80", "中文。".encode())
VALUES = (None, True, False, 0, -1, 1, 2, 3.5, 1e308, float("inf"), float("nan"), 2**31, 2**63, 2**64, 10**30, "", "0",
          "x", "-1", "x" * 2000, "\u2028", "中文", "../../etc/passwd", [], {}, [[]], [{}], [0], ["a", None], {"": None},
          {"a": {"b": [1]}}, [1, "2", 3.0], [list(range(200))])


def fuzz(few: int) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Run a test on `few` inputs, or on FUZZ_EXAMPLES of them where that is set."""
    def decorate(test: Callable[..., None]) -> Callable[..., None]:
        chosen = hypothesis.settings(max_examples=EXAMPLES or few, derandomize=not EXAMPLES, deadline=None,
                                     database=None, phases=PHASES, print_blob=True,
                                     suppress_health_check=list(HealthCheck))(test)
        return hypothesis.seed(int(SEED))(chosen) if SEED else chosen
    return decorate


class TooSlow(BaseException):
    """An input took more of the processor's time than SECONDS, or waits; no reader catches it."""


class TooLarge(BaseException):
    """An input took more than MEMORY."""


def accepts(read: Callable[[], Any]) -> bool:
    """Whether a reader takes an input; False where it raises UserError with a message of one line."""
    try:
        with bounded(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            read()
    except UserError as error:
        message = one_line(error)
        assert message and "Traceback" not in message
        return False
    except MemoryError as error:
        raise TooLarge(str(error)) from error
    return True


@contextmanager
def bounded() -> Iterator[None]:
    """End what takes too long, or too much memory."""
    def stop(number: int, frame: Any) -> None:
        raise TooSlow(signal.Signals(number).name)

    limits = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    before = {number: signal.signal(number, stop) for number in (signal.SIGPROF, signal.SIGALRM)}
    # Of the processor's time, which does not depend on what else the machine does; and what waits for ever.
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    signal.setitimer(signal.ITIMER_REAL, 15 * SECONDS)
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, limits)
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in before.items():
            signal.signal(number, handler)


# Strategies


def files(*valid: bytes, raw: bool = True) -> st.SearchStrategy[bytes]:
    """Changed copies of valid files and, one time in some, bytes at random."""
    changed = st.builds(change_bytes, st.sampled_from(valid), seeds(), st.integers(0, 6), st.just(valid))
    return st.one_of(changed, changed, changed, st.binary(max_size=200)) if raw else changed


def json_files(*valid: Any) -> st.SearchStrategy[bytes]:
    """The texts of JSON values with changed members, and their texts with changed bytes."""
    trees = st.builds(lambda value, seed, count: as_json(change_value(value, seed, count)), st.sampled_from(valid),
                      seeds(), st.integers(0, 4))
    return st.one_of(trees, trees, files(*map(as_json, valid)))


def seeds() -> st.SearchStrategy[int]:
    return st.integers(0, 2**32)


def as_json(value: Any) -> bytes:
    return json.dumps(value).encode()


def change_bytes(content: bytes, seed: int, count: int, others: Sequence[bytes] = ()) -> bytes:
    """Return `content` after `count` changes of a few bytes or of whole parts."""
    generator = random.Random(seed)
    for _ in range(count):
        content = _changed(content, generator, others or (content,))
    return content


def _changed(content: bytes, generator: random.Random, others: Sequence[bytes]) -> bytes:
    begin = generator.randrange(len(content) + 1)
    end = min(len(content), begin + int(2 ** generator.uniform(0, 10)))
    before, part, after = content[:begin], content[begin:end], content[end:]
    kind = generator.randrange(9)
    if kind == 0:  # other bytes
        part = bytes(byte ^ 1 << generator.randrange(8) if generator.random() < 0.2 else byte for byte in part)
    elif kind == 1:  # cut short
        after = b""
    elif kind == 2:  # left out
        part = b""
    elif kind == 3:  # repeated
        part *= generator.choice((2, 3, 50))
    elif kind == 4:  # what means something
        part = generator.choice(PARTS) * generator.choice((1, 1, 1, 2, 1000))
    elif kind == 5:  # the same, in between
        before += generator.choice(PARTS)
    elif kind == 6:  # of another file
        other = generator.choice(others)
        start = generator.randrange(len(other) + 1)
        part = other[start:start + len(part)]
    elif kind == 7:  # exchanged with what follows
        part, after = after[:len(part)], part + after[len(part):]
    else:  # a number
        part = bytes(generator.randrange(256) for _ in range(min(8, len(part))))
    return before + part + after


def change_value(value: Any, seed: int, count: int) -> Any:
    """Return a copy of a JSON value in which `count` members are changed, removed, renamed or added."""
    generator = random.Random(seed)
    value = copy.deepcopy(value)
    for _ in range(count):
        places = list(_places(value))
        if not places:
            return copy.deepcopy(generator.choice(VALUES))
        holder, key = generator.choice(places)
        kind = generator.randrange(6)
        if kind == 0:
            del holder[key]
        elif kind == 1 and isinstance(holder, dict):
            holder[generator.choice(("", "x", "format", "input_ids", "encoder", str(key).upper()))] = holder.pop(key)
        elif kind == 2:
            holder[key] = [copy.deepcopy(holder[key]) for _ in range(generator.randrange(4))]
        elif kind == 3 and isinstance(holder[key], int | float) and not isinstance(holder[key], bool):
            holder[key] = generator.choice((-holder[key], holder[key] * 1000, holder[key] + 0.5, str(holder[key])))
        else:
            holder[key] = copy.deepcopy(generator.choice(VALUES))
    return value


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(value, dict | list):
        for key, child in value.items() if isinstance(value, dict) else enumerate(value):
            yield value, key
            yield from _places(child)
