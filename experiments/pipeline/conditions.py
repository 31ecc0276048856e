# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The machine and the versions that a run was made with."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from pathlib import Path
from typing import Any

PACKAGES = ("mindspore", "tensorflow-cpu", "tensorflow", "numpy", "tokenizers", "safetensors", "onnx", "onnxruntime",
            "scikit-learn", "matplotlib")


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that take part."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def machine() -> dict[str, Any]:
    """Describe the processor, the usable cores, the memory and the system."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        processor = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    except OSError:
        processor = ""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    return {"processor": processor or platform.processor() or platform.machine(), "cores": cores,
            "memory_gb": round(memory, 1), "system": f"{platform.system()} {platform.machine()}"}


def machine_line(described: dict[str, Any]) -> str:
    """Return what `machine` found as a line of a report."""
    return (f"- Machine: {described['processor']}, {described['cores']} cores, {described['memory_gb']} GB, "
            f"{described['system']}")


def versions_line(found: dict[str, str]) -> str:
    """Return what `versions` found as a line of a report."""
    return "- Versions: " + ", ".join(f"{name} {version}" for name, version in found.items())
