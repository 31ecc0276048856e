# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Do the requirements resolve to wheels on other platforms than this one?

    python -m maintenance.platforms                            requirements.txt, each machine and Python version
    python -m maintenance.platforms --machine aarch64 --python_version 3.11 --file requirements-dev.txt

uv chooses wheels of the platform that it is given, and evaluates environment markers for it. The versions are those of
constraints.txt. Nothing is installed. It needs the package index and takes some seconds a platform.
"""

from __future__ import annotations

from pathlib import Path

from maintenance.pins import compile_requirements
from src.common.arguments import OneLineParser
from src.common.errors import UserError, run

MACHINES = ("x86_64", "aarch64")
PYTHON_VERSIONS = ("3.10", "3.11", "3.12")
GLIBC = "manylinux_2_28"
"""Wheels for glibc up to 2.28 (Debian 10, openEuler 20.03) are taken; hosts of Ascend devices have that or newer."""
SOURCE_ONLY = ("jieba", "seqeval")
"""Packages of Python alone without a wheel, which pip builds."""


def main(argv: list[str]) -> None:
    """Command line; prints what each platform would get, and fails on the first where something is missing."""
    parser = OneLineParser("maintenance.platforms", __doc__.splitlines()[0])
    parser.add_argument("--file", default="requirements.txt")
    parser.add_argument("--machine", choices=MACHINES, help="default: each")
    parser.add_argument("--python_version", choices=PYTHON_VERSIONS, help="default: each")
    arguments = parser.parse_args(argv)
    if not Path(arguments.file).is_file():
        raise UserError(f"--file {arguments.file} is not there; give a requirements file")
    sources = [option for name in SOURCE_ONLY for option in ("--no-binary", name)]
    for machine in [arguments.machine] if arguments.machine else MACHINES:
        for version in [arguments.python_version] if arguments.python_version else PYTHON_VERSIONS:
            found = compile_requirements(
                "--python-platform", f"{machine}-{GLIBC}", "--python-version", version, "--only-binary", ":all:",
                *sources, "--constraint", "constraints.txt", str(Path(arguments.file).absolute())).splitlines()
            print(f"{machine}, Python {version}: {len(found)} distributions: {' '.join(found)}", flush=True)


if __name__ == "__main__":
    run(main)
