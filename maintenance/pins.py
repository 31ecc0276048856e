# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Make constraints.txt: one exact version of everything that the requirements bring along, on every platform.

    python -m maintenance.pins

requirements.txt and requirements-dev.txt say which versions may work; constraints.txt says which ones are installed and
tested (`scripts/setup.sh` installs these). pip resolves the requirements for each machine and Python, as in
maintenance/platforms.py; where the platforms differ, a line stands for those that its marker names. Nothing is
installed. It needs the package index and takes some minutes. Read what has changed (`git diff constraints.txt`), then
run the tests with it.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from maintenance.platforms import MACHINES, PYTHON_VERSIONS, SOURCE_ONLY, resolve
from src.common.arguments import OneLineParser
from src.common.errors import UserError, run
from src.common.files import write_text

Target = tuple[str, str]
"""Machine, version of Python."""
REPOSITORY = Path(__file__).resolve().parents[2]
HEADER = """# Exact versions of all that requirements.txt and requirements-dev.txt bring along, on x86-64 and aarch64,
# with Python 3.10 to 3.12. Made by `python -m maintenance.pins`. scripts/setup.sh installs these
# versions, and `UNPINNED=1 bash scripts/setup.sh` the newest ones that the requirements allow.

"""
TORCH, OF_TORCH = re.compile("^torch==.*$", re.MULTILINE), "filelock\njinja2\nnetworkx\nsympy"
"""torch has one exact version in requirements-dev.txt, which names exact versions of CUDA's libraries itself; pip would
download gigabytes to read that. What else it needs stands for it."""


def constraints(found: Mapping[Target, list[str]]) -> list[str]:
    """Return the lines of constraints.txt, in alphabetical order.

    Args:
        found: target -> `name==version` of each distribution there.
    """
    versions: dict[str, dict[str, list[Target]]] = {}
    for target, distributions in found.items():
        for distribution in distributions:
            name, _, version = distribution.partition("==")
            name = re.sub(r"[-_.]+", "-", name).lower()
            versions.setdefault(name, {}).setdefault(version.partition("+")[0], []).append(target)
    lines = []
    for name, by_version in sorted(versions.items()):
        if len(by_version) == 1:
            lines.append(f"{name}=={next(iter(by_version))}")
        else:
            lines += [f"{name}=={version} ; {_marker(targets, by_version)}"
                      for version, targets in sorted(by_version.items())]
    return lines


def _marker(targets: list[Target], by_version: Mapping[str, list[Target]]) -> str:
    """Return the condition under which a version is taken, and no other one."""
    others = [target for known in by_version.values() if known is not targets for target in known]
    for place, variable in ((1, "python_version"), (0, "platform_machine")):
        mine = {target[place] for target in targets}
        if not mine & {target[place] for target in others}:
            return " or ".join(f'{variable} == "{value}"' for value in sorted(mine))
    return " or ".join(f'platform_machine == "{machine}" and python_version == "{version}"'
                       for machine, version in sorted(targets))


def main(argv: list[str]) -> None:
    """Command line; writes constraints.txt, or says what does not resolve."""
    parser = OneLineParser("maintenance.pins", __doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=REPOSITORY / "constraints.txt")
    arguments = parser.parse_args(argv)
    found: dict[Target, list[str]] = {}
    with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as development:
        text = (REPOSITORY / "requirements-dev.txt").read_text(encoding="utf-8")
        development.write(TORCH.sub(OF_TORCH, text))
        development.flush()
        files = (str(REPOSITORY / "requirements.txt"), development.name)
        targets = [(machine, version) for machine in MACHINES for version in PYTHON_VERSIONS]
        # pip waits for the index most of the time.
        with ThreadPoolExecutor(len(targets)) as pool:
            for target, distributions in zip(targets, pool.map(lambda target: resolve(*target, *files), targets),
                                             strict=True):
                found[target] = distributions
                print(f"{target[0]}, Python {target[1]}: {len(distributions)} distributions", flush=True)
    lines = sorted([*constraints(found), *SOURCE_ONLY])
    try:
        write_text(arguments.output, HEADER + "\n".join(lines) + "\n")
    except OSError as error:
        raise UserError(f"cannot write {arguments.output}: {error.strerror}; choose another --output") from error
    print(f"{arguments.output}: {len(lines)} lines")


if __name__ == "__main__":
    run(main)
