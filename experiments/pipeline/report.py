# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""What all reports of studies have in common: sizes, times, commands, the machine, and results.json with report.md."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from src.common.arguments import OneLineParser
from src.common.errors import UserError
from src.common.files import read_json, write_json, write_text
from src.report.tables import markdown

PACKAGES = ("mindspore", "tensorflow-cpu", "tensorflow", "numpy", "tokenizers", "safetensors", "onnx", "onnxruntime",
            "scikit-learn", "matplotlib")


def read_stamps(run_dir: Path) -> dict[str, dict[str, Any]]:
    """Return the stamps that experiments/pipeline/driver.py left, by stage, in the order in which the stages ran."""
    stamps = {path.stem: read_json(path) for path in (run_dir / "stamps").glob("*.json")}
    return dict(sorted(stamps.items(), key=lambda item: item[1]["started"]))


def stage_seconds(run_dir: Path) -> dict[str, float]:
    """Return the seconds of each stage; of the one that still runs (the report), those until now."""
    return {name: round(stamp["seconds"] + (0.0 if stamp["finished"] else time.time() - stamp["started"]), 2)
            for name, stamp in read_stamps(run_dir).items()}


# --- conditions -------------------------------------------------------------------------------------------------------


def conditions(**given: Any) -> dict[str, Any]:
    """Describe the machine and the versions of Python and of the packages that take part; `given` comes first."""
    processor = ""
    with suppress(OSError):
        named = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(encoding="utf-8"), re.MULTILINE)
        processor = named[1].strip() if named else ""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    versions = {"python": platform.python_version()}
    for package in PACKAGES:
        with suppress(importlib.metadata.PackageNotFoundError):
            versions[package] = importlib.metadata.version(package)
    machine = {"processor": processor or platform.processor() or platform.machine(), "cores": cores,
               "memory_gb": round(memory, 1), "system": f"{platform.system()} {platform.machine()}"}
    return {**given, "machine": machine, "versions": versions}


def conditions_lines(found: Mapping[str, Any], words: Sequence[str] = ("Machine", "Versions", "cores")) -> list[str]:
    """Return what `conditions` found as lines of a page, in the words of its language."""
    machine = found["machine"]
    return [f"- {words[0]}: {machine['processor']}, {machine['cores']} {words[2]}, {machine['memory_gb']} GB, "
            f"{machine['system']}",
            f"- {words[1]}: " + ", ".join(f"{name} {version}" for name, version in found["versions"].items())]


# --- results.json and report.md ---------------------------------------------------------------------------------------


def write_report(run_dir: Path, seed: int, figures: Mapping[str, Any], lines: Sequence[str]) -> dict[str, Any]:
    """Write results.json (`figures`, times, conditions) and report.md (`lines`, the same); returns the former."""
    seconds = stage_seconds(run_dir)
    results = {**figures, "seconds": seconds, **conditions(seed=seed)}
    times = [(name, f"{value:,.1f}") for name, value in seconds.items()]
    lines = [*lines, "", "## Time", "",
             markdown(("Stage", "Seconds"), [*times, ("**all**", f"**{sum(seconds.values()):,.1f}**")]), "",
             "## Commands", ""]
    for name, stamp in read_stamps(run_dir).items():
        lines += [f"{name}:", "", "```bash", *stamp["commands"], "```", ""]
    lines += ["## Conditions", "", f"- Seed: {seed}", *conditions_lines(results)]
    write_text(run_dir / "report.md", "\n".join(lines) + "\n")
    write_json(run_dir / "results.json", results)
    return results


def report_from_command_line(argv: list[str], module: str, about: str,
                             write: Callable[[Path, int], dict[str, Any]]) -> None:
    """Write the report of the run that `--run_dir` names: `write(run_dir, seed)`."""
    parser = OneLineParser(module, about)
    parser.add_argument("--run_dir", type=Path, required=True, help="folder of the run")
    parser.add_argument("--seed", type=int, default=42, help="seed of the run, for the record")
    arguments = parser.parse_args(argv)
    if not arguments.run_dir.is_dir():
        raise UserError(f"--run_dir {arguments.run_dir} is not a folder")
    write(arguments.run_dir, arguments.seed)
    print(f"{arguments.run_dir / 'results.json'}, {arguments.run_dir / 'report.md'}")
