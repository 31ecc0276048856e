# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Serve bundles over HTTP, and a page that compares them.

    python -m serving STUDENT [TEACHER ...] [--host 127.0.0.1] [--port 8080] [--examples FILE]

A bundle is a folder that export.py --file_format BUNDLE has written. The first one answers requests that name no model.
docs/SERVING.md has the forms of requests and all bounds. The token that requests must bear is read from the environment
variable SERVING_TOKEN.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from serving import Predictor, ServingError

TOKEN = "SERVING_TOKEN"


class Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """A wrong command line is one line, status 2."""
        raise ServingError(f"{message}; see python -m serving --help")


def whole_number(least: int) -> Callable[[str], int]:
    """Return what reads a whole number from `least` of a command line."""
    def read(text: str) -> int:
        if not text.isdecimal() or len(text) > 9 or int(text) < least:
            raise argparse.ArgumentTypeError(f"{text!r} is no whole number from {least}")
        return int(text)
    return read


def milliseconds(text: str) -> float:
    """Read seconds of a command line's milliseconds, up to a minute."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 60_000:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of milliseconds from 0 to 60000")
    return value / 1e3


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the command line.

    Raises:
        ServingError: it is wrong.
    """
    parser = Parser(prog="python -m serving", description=__doc__,
                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundles", nargs="+", metavar="BUNDLE", help="NAME=FOLDER names it otherwise than its folder")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: this machine alone)")
    parser.add_argument("--port", type=whole_number(0), default=8080, help="0: a free one (default: %(default)s)")
    parser.add_argument("--examples", type=Path, help="file of python -m serving.examples, shown on the page")
    parser.add_argument("--threads", type=whole_number(1), default=len(os.sched_getaffinity(0)),
                        help="threads of each model's computation (default: the processors, %(default)s)")
    parser.add_argument("--no_token", action="store_true", help=f"let other machines in without a {TOKEN}")
    group = parser.add_argument_group("bounds")
    for name, default, least, text in (
            ("max_batch", 32, 1, "most texts in a call of a model"),
            ("max_queue", 128, 1, "most requests that are under way; beyond: status 429"),
            ("max_texts", 32, 1, "most texts in a request; beyond: status 413"),
            ("max_characters", 20_000, 1, "most characters of a text or pair; beyond: status 413"),
            ("max_body", 1_000_000, 100, "most bytes of a body; beyond: status 413")):
        group.add_argument(f"--{name}", type=whole_number(least), default=default,
                           help=f"{text} (default: %(default)s)")
    group.add_argument("--max_wait", type=milliseconds, default="2",
                       help="milliseconds that a call waits for more texts, once requests come together "
                            "(default: %(default)s)")
    return parser.parse_args(arguments)


def named(bundles: Sequence[str]) -> dict[str, Path]:
    """Return the folders by name: NAME=FOLDER, or the name of the folder.

    Raises:
        ServingError: two have one name.
    """
    folders: dict[str, Path] = {}
    for given in bundles:
        name, separator, folder = given.partition("=")
        if not separator or "/" in name:
            folder, name = given, Path(given).resolve().name
        if not name or not name.isprintable():
            raise ServingError(f"{given!r} gives its model no name; write NAME=FOLDER")
        if name in folders:
            raise ServingError(f"two models are called {name}; name them: {name}1={folders[name]} {name}2={folder}")
        folders[name] = Path(folder)
    return folders


def check_comparable(predictors: dict[str, Predictor]) -> None:
    """Raise `ServingError` where models of different tasks, kinds or labels would stand side by side."""
    (first, one), *others = predictors.items()
    for name, other in others:
        for what, own, its in (("of task", one.task, other.task), ("of", one.kind, other.kind),
                               ("of labels", sorted(one.labels), sorted(other.labels))):
            if own != its:
                raise ServingError(f"{first} is a model {what} {_short(own)} and {name} {what} {_short(its)}; serve "
                                   "models of one task side by side, others by a server of their own")


def _short(value: Any) -> str:
    return f"{', '.join(value) if isinstance(value, list) else value:.60}"


def read_examples(path: Path | None) -> list[Any]:
    """Read the file of `python -m serving.examples`.

    Raises:
        ServingError: it is something else.
    """
    if path is None:
        return []
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ServingError(f"--examples {path} cannot be read ({error}); python -m serving.examples writes "
                           "one") from None
    if not isinstance(found, list) or not all(isinstance(entry, dict) and isinstance(entry.get("texts"), list)
                                              and all(isinstance(text, str) for text in entry["texts"])
                                              for entry in found):
        raise ServingError(f"--examples {path} holds no examples; python -m serving.examples writes them")
    return found


def token_of(host: str, is_loopback: bool, without: bool) -> str:
    """Return the token, "" for none.

    Raises:
        ServingError: it cannot stand in a header, or other machines could ask without one.
    """
    token = os.environ.get(TOKEN, "")
    if not token.isascii() or not token.isprintable() or " " in token:
        raise ServingError(f"{TOKEN} holds a space or what cannot stand in a header; use letters and digits")
    if not token and not is_loopback and not without:
        raise ServingError(f"--host {host} lets other machines in, and {TOKEN} is empty; set it to a long random text, "
                           "or add --no_token")
    return token


def main(arguments: Sequence[str]) -> None:
    """Load the models and serve them."""
    asked = parse(arguments)
    from serving.web.limits import Limits
    from serving.web.server import Options, bind, is_loopback, serve

    limits = Limits(asked.max_body, asked.max_texts, asked.max_characters, asked.max_queue)
    token = token_of(asked.host, is_loopback(asked.host), asked.no_token)
    folders, examples = named(asked.bundles), read_examples(asked.examples)
    with bind(asked.host, asked.port) as bound:
        predictors = {name: Predictor(folder, threads=asked.threads) for name, folder in folders.items()}
        check_comparable(predictors)
        for predictor in predictors.values():  # the first call of a session is slower than others
            takes = predictor.metadata["rows"]["takes"]
            predictor.predict(["a" if takes in ("text", "either") else ("a", "a")])
        serve(predictors, bound, Options(limits, asked.max_batch, asked.max_wait, token), examples)


def run(entry: Any, arguments: Sequence[str]) -> NoReturn:
    """Run an entry point; what the user gave wrong is one line on standard error, status 2."""
    try:
        entry(arguments)
    except ServingError as error:
        print("error: " + " ".join(str(error).split()), file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(0)


if __name__ == "__main__":
    run(main, sys.argv[1:])
