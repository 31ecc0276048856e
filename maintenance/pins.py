# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Make constraints.txt: one exact version of everything that the requirements bring along, on every platform.

    python -m maintenance.pins               what is missing; versions that are there and still allowed stay
    python -m maintenance.pins --upgrade     the newest versions that are allowed

requirements.txt and requirements-dev.txt say which versions may work; constraints.txt says which ones are installed
and tested (`scripts/setup.sh` installs these). uv, which comes with `bash scripts/setup.sh --dev`, resolves for all
platforms of pyproject.toml ([tool.uv]) at once. Nothing is installed. It needs the package index. Read what has changed
(`git diff constraints.txt`), then run the tests with it.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

from src.common.arguments import OneLineParser
from src.common.errors import UserError, one_line, run

REPOSITORY = Path(__file__).resolve().parents[1]
COMMAND = "python -m maintenance.pins"


def compile_requirements(*arguments: str) -> str:
    """Run `uv pip compile` in the repository's folder; returns what it prints, without comments.

    Raises:
        UserError: uv is not installed, or the requirements do not resolve; the message is uv's.
    """
    if importlib.util.find_spec("uv") is None:
        raise UserError("uv is not installed; run bash scripts/setup.sh --dev, or pip install uv")
    command = [sys.executable, "-m", "uv", "pip", "compile", "--no-annotate", "--strip-extras", *arguments]
    result = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise UserError(f"uv cannot resolve {arguments[-1]}: {one_line(result.stderr[-1000:])}")
    return "".join(line + "\n" for line in result.stdout.splitlines() if not line.startswith("#"))


def main(argv: list[str]) -> None:
    """Command line; writes constraints.txt, or says what does not resolve."""
    parser = OneLineParser("maintenance.pins", __doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=REPOSITORY / "constraints.txt")
    parser.add_argument("--upgrade", action="store_true", help="take newer versions where the requirements allow them")
    arguments = parser.parse_args(argv)
    pinned = compile_requirements("--universal", "--python-version", "3.10", "--custom-compile-command", COMMAND,
                                  "--output-file", str(arguments.output.absolute()),
                                  *(["--upgrade"] if arguments.upgrade else []), "requirements-dev.txt")
    print(f"{arguments.output}: {len(pinned.splitlines())} lines")


if __name__ == "__main__":
    run(main)
