# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""What differs between the versions of MindSpore that will do, and the private names of it that are used.

    python -m src.versions      whether this Python has a MindSpore that will do, and the packages of requirements.txt

Importing this module loads no library, so that entry points can refuse a version before they load MindSpore.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterable, MutableMapping
from importlib import import_module
from importlib.metadata import distributions
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NoReturn

from src.common.arguments import OneLineParser
from src.common.errors import UserError, one_line, run

REQUIREMENTS = Path(__file__).resolve().parents[1] / "requirements.txt"

OLDEST, TOO_NEW = (2, 7), (2, 11)
"""Major and minor version from which, and below which, MindSpore is tested; those of requirements.txt."""


def run_entry(name: str) -> NoReturn:
    """Import the entry point `name` and run its `main(argv)` as `src.common.errors.run` does.

    An entry point calls this before its own imports, so that a MindSpore that will not do, or a package that is not
    installed, is one line and not a traceback.
    """
    def check_and_load(argv: list[str]) -> None:
        check_version()
        choose_protobuf(os.environ)
        import_module(name).main(argv)

    run(check_and_load)


def main(argv: list[str]) -> None:
    """Command line, for scripts that run with a Python of the user's: one line where something is missing."""
    OneLineParser("src.versions", "Check MindSpore and the packages.").parse_args(argv)
    check_version()
    if missing := missing_packages(REQUIREMENTS.read_text(encoding="utf-8").splitlines()):
        raise UserError(f"{sys.executable} has MindSpore {installed_version()}, but not {', '.join(missing)}; run bash "
                        "scripts/setup.sh, which keeps its MindSpore and adds what is missing")


def missing_packages(requirements: Iterable[str]) -> list[str]:
    """Return the distributions of requirement lines that are not installed, in whichever version; MindSpore's and
    TensorFlow's have several names."""
    from packaging.requirements import Requirement

    found = (Requirement(line) for line in requirements if re.match(r"\w", line) and not line.startswith("mindspore"))
    names = [each.name for each in found if each.marker is None or each.marker.evaluate()]
    installed = {re.sub("[-_.]+", "-", each.name).lower() for each in distributions()}
    return [name for name in names if name.lower().replace("_", "-") not in installed
            and not (name.startswith("tensorflow") and installed & {"tensorflow", "tensorflow-cpu"})]


def check_version() -> None:
    """Raise `UserError` for a MindSpore that is too old or too new; one that is not installed fails at its import."""
    version = installed_version()
    if version is None:
        return
    if not OLDEST <= _numbers(version) < TOO_NEW:
        oldest, too_new = (".".join(map(str, limit)) for limit in (OLDEST, TOO_NEW))
        raise UserError(f"MindSpore {version} is installed, and versions from {oldest} to below {too_new} will do; use "
                        f"a Python that has one of these, or let bash scripts/setup.sh make .venv with one")


def choose_protobuf(environment: MutableMapping[str, str]) -> None:
    """Let protobuf be the one in Python where MindSpore is older than 2.10.

    Its generated code refuses the faster one. MindSpore sees to that when it is imported, which is too late where
    protobuf is there already: the records and ONNX bring it along.
    """
    version = installed_version()
    if version is not None and _numbers(version) < (2, 10):
        environment.setdefault("PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION", "python")


def _numbers(version: str) -> tuple[int, ...]:
    """`2.10.0` -> (2, 10)."""
    return tuple(int(part) for part in version.split(".")[:2] if part.isdecimal())


def installed_version() -> str | None:
    """Return MindSpore's version as it says it itself, without loading it; None: there is no MindSpore, or it does not
    say. The name of its distribution differs (mindspore, mindspore-ascend, mindspore-dev), that of its folder does not.
    """
    source = _source("version.py")
    if source is None:
        return None
    value = source.partition("__version__")[2].partition("=")[2].strip().split("\n")[0].strip("'\" ")
    return value or None


def msrun_knows(option: str) -> bool:
    """Return whether the installed msrun has an option; it takes one that it does not know for the script.

    Those of 2.7.0 to 2.10.0 have `--bind_core` (documented from 2.7.2 on); `--bind_numa` came with 2.9.
    """
    return f'"{option}"' in (_source("parallel/cluster/run.py") or "")


def _source(name: str) -> str | None:
    """Return the text of one of MindSpore's files, without loading MindSpore; None where there is none."""
    mindspore = find_spec("mindspore")
    if mindspore is None or mindspore.origin is None:
        return None
    path = Path(mindspore.origin).parent / name
    return path.read_text(encoding="utf-8") if path.is_file() else None


def cann_warning() -> str:
    """Return what MindSpore warns of the CANN of this machine ("": nothing), which its own log shows to those alone who
    let it show warnings (GLOG_v of 2 or less; the scripts set 3)."""
    if int(os.environ.get("GLOG_v") or 2) <= 2:
        return ""
    from mindspore.run_check import _check_version

    said: list[str] = []
    log = _check_version.logger
    _check_version.logger = _Listener(said)
    try:
        _check_version.AscendEnvChecker(None).check_version()
    finally:
        _check_version.logger = log
    return one_line(" ".join(said))


class _Listener:
    """Stands in for MindSpore's logger."""

    def __init__(self, said: list[str]):
        self.warning = self.error = self.critical = said.append


def register_callback(key: int, function: Callable[..., Any]) -> None:
    """Let graphs call a Python function by a key of our choice (`ops.Custom`, its attribute `fn_id`).

    MindSpore registers a callback under id(function), which a graph that comes out of the compile cache in another
    process does not find; the registry itself takes any key.
    """
    from mindspore.ops.operations._pyfunc_registry import add_pyfunc

    add_pyfunc(key, function)


if __name__ == "__main__":
    run(main)
