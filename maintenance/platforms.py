# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Do the requirements resolve to wheels on other platforms than this one?

    python -m maintenance.platforms                            requirements.txt, each machine and Python version
    python -m maintenance.platforms --machine aarch64 --python_version 3.11 --file requirements-dev.txt

`pip install --platform ... --dry-run` chooses wheels of the platform that it is given, but evaluates environment
markers, such as `platform_machine == "x86_64"`, for the machine it runs on. Here pip therefore runs in a process in
which `platform` answers for the target; so the markers of the requirements and of all they depend on are the target's.
Nothing is installed. It needs the package index and takes some seconds a platform.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from src.common.arguments import OneLineParser
from src.common.errors import UserError, run

MACHINES = ("x86_64", "aarch64")
PYTHON_VERSIONS = ("3.10", "3.11", "3.12")

GLIBC_MINORS = range(17, 29)
"""Wheels for glibc up to 2.28 (Debian 10, openEuler 20.03) are taken; hosts of Ascend devices have that or newer."""

SOURCE_ONLY = ("jieba==0.42.1", "seqeval==1.2.2")
"""Packages without a wheel, which pip builds for its own platform only. They are of Python alone, and all that they
need is required anyway."""

PIP_FOR_TARGET = """
import platform, runpy, sys
machine, version = sys.argv[1:3]
platform.machine = lambda: machine
platform.python_version = lambda: version + ".0"
platform.python_version_tuple = lambda: (*version.split("."), "0")
sys.argv = ["pip", *sys.argv[3:]]
runpy.run_module("pip", run_name="__main__")
"""
"""Runs pip with the answers that the markers platform_machine, python_version and python_full_version are read from."""


def pip_arguments(machine: str, python_version: str, file: str) -> list[str]:
    """Return pip's arguments for a dry run that takes wheels of the target only."""
    abi = "cp" + python_version.replace(".", "")
    tags = ["manylinux2014", *(f"manylinux_2_{minor}" for minor in GLIBC_MINORS)]
    return ["--disable-pip-version-check", "--no-input", "install", "--dry-run", "--ignore-installed", "--quiet",
            "--report", "-", "--only-binary=:all:", "--implementation", "cp", "--python-version", python_version,
            *(part for tag in (abi, "abi3", "none") for part in ("--abi", tag)),
            *(part for tag in tags for part in ("--platform", f"{tag}_{machine}")),
            # pip wants a folder with --platform; a dry run does not write to it.
            "--target", "unused", "-r", file]


def distributions(report: str) -> list[str]:
    """Return `name==version` of each entry of pip's installation report (JSON), in alphabetical order."""
    entries = [entry["metadata"] for entry in json.loads(report)["install"]]
    return sorted(f"{metadata['name']}=={metadata['version']}" for metadata in entries)


def without_source_only(text: str) -> str:
    """Return requirements without the lines of packages that have no wheel, and without references to other files."""
    names = {pin.partition("==")[0] for pin in SOURCE_ONLY}
    return "".join(line + "\n" for line in text.splitlines()
                   if not line.startswith("-r ") and re.match(r"[\w.-]*", line)[0].lower() not in names)


def resolve(machine: str, python_version: str, *files: str) -> list[str]:
    """Return the distributions that pip would install on the target for all files together, but SOURCE_ONLY.

    Raises:
        UserError: a file cannot be read, or the requirements do not resolve there; the message is pip's.
    """
    try:
        texts = [Path(file).read_text(encoding="utf-8") for file in files]
    except OSError as error:
        raise UserError(f"cannot read {error.filename}: {error.strerror}; give a requirements file") from error
    with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as together:
        together.write(without_source_only("\n".join(texts)))
        together.flush()
        command = [sys.executable, "-c", PIP_FOR_TARGET, machine, python_version,
                   *pip_arguments(machine, python_version, together.name)]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        errors = [line for line in result.stderr.splitlines() if line.startswith("ERROR: ") and "Ignored" not in line]
        message = " ".join(errors) or result.stderr[-500:]
        raise UserError(f"{', '.join(files)} does not resolve on {machine} with Python {python_version}: {message}")
    return distributions(result.stdout)


def main(argv: list[str]) -> None:
    """Command line; prints what each platform would get, and fails on the first where something is missing."""
    parser = OneLineParser("maintenance.platforms", __doc__.splitlines()[0])
    parser.add_argument("--file", default="requirements.txt")
    parser.add_argument("--machine", choices=MACHINES, help="default: each")
    parser.add_argument("--python_version", choices=PYTHON_VERSIONS, help="default: each")
    arguments = parser.parse_args(argv)
    for machine in [arguments.machine] if arguments.machine else MACHINES:
        for version in [arguments.python_version] if arguments.python_version else PYTHON_VERSIONS:
            found = resolve(machine, version, arguments.file)
            print(f"{machine}, Python {version}: {len(found)} distributions: {' '.join(found)}", flush=True)


if __name__ == "__main__":
    run(main)
