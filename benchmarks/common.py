# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""What the benchmarks share: command lines, sizes of models, timing in turns; importing it puts `src` on the path."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY))
os.environ.setdefault("GLOG_v", "3")

VOCABULARY = 30522


def command_line(doc: str | None) -> argparse.ArgumentParser:
    """A parser whose help is the text of a benchmark's module."""
    return argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)


def machine() -> str:
    """Processors and how busy they are."""
    return f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}"


def bert(layers: int, hidden: int, heads: int = 12, inner: int = 0, types: int = 2, **others: Any) -> Any:
    """The `EncoderConfig` of a BERT: dropout 0.1, inner width 4 x `hidden` unless given, BERT's vocabulary."""
    from src.config import EncoderConfig

    return EncoderConfig(**{
        "vocab_size": VOCABULARY, "hidden_size": hidden, "num_hidden_layers": layers, "num_attention_heads": heads,
        "intermediate_size": inner or 4 * hidden, "hidden_act": "gelu", "hidden_dropout_prob": 0.1,
        "attention_probs_dropout_prob": 0.1, "max_position_embeddings": 512, "type_vocab_size": types,
        "initializer_range": 0.02, "layer_norm_eps": 1e-12, **others})


def in_turns(runs: Mapping[str, Callable[[], float]], repeats: int) -> dict[str, list[float]]:
    """Run all of `runs` one after the other, `repeats` times, so that a drift of the machine's speed meets all alike.

    Returns:
        what each run returned, in order.
    """
    found: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(repeats):
        for name, run in runs.items():
            found[name].append(run())
    return found


def run_command(command: list[str], **environment: str) -> float:
    """Run a command in the repository; return the seconds of processor time of it and its children."""
    process = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                               env={**os.environ, "PYTHONPATH": str(REPOSITORY), **environment})
    errors = process.stderr.read() if process.stderr else b""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{' '.join(command[:4])} failed: {errors.decode(errors='replace')[-2000:]}")
    return usage.ru_utime + usage.ru_stime
