# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""What the benchmarks share: command lines, runs in turn, processes that are watched, made texts and made models.

Importing it makes `src` importable and keeps MindSpore's log to errors, here and in the processes that are started.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from itertools import islice, product
from pathlib import Path
from string import ascii_lowercase
from typing import Any, NamedTuple

import psutil

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY))
os.environ.setdefault("GLOG_v", "3")

VOCABULARY, HEADS = 30522, 12
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def arguments(doc: str | None, **options: Any) -> argparse.Namespace:
    """Parse the command line: each option by its default (False: a flag), or by the type of one that has none."""
    from src.common.output import outlast_readers

    outlast_readers()
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in options.items():
        if default is False:
            parser.add_argument(f"--{name}", action="store_true")
        elif isinstance(default, type):
            parser.add_argument(f"--{name}", type=default)
        else:
            parser.add_argument(f"--{name}", type=type(default), default=default, help="default: %(default)s")
    return parser.parse_args()


def in_turn(runs: Mapping[Any, Callable[[], Any]], repeats: int) -> dict[Any, list]:
    """Run all in turn, `repeats` times, so that a drift of the machine's speed meets all; return their results."""
    results: dict[Any, list] = {name: [] for name in runs}
    for _ in range(repeats):
        for name, run in runs.items():
            results[name].append(run())
    return results


def seconds_of(run: Callable[[], object]) -> float:
    """The time of a call by the clock."""
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def machine() -> str:
    """The processors of this machine, and what else they have to do."""
    return f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}"


class Usage(NamedTuple):
    """Seconds by the clock and of the processor, and the most memory of all processes together in bytes."""

    seconds: float
    processor: float
    peak: int


def watch(command: Sequence[str | Path], memory: str = "", **options: Any) -> Usage:
    """Run a command in the repository's folder, and leave with its status where that is not 0.

    `memory` says what is added up over it and its children: "rss", which counts what they share several times, or
    "pss", which divides it among them; "" for nothing. `options` are those of Popen.
    """
    began, peak = time.perf_counter(), 0
    process = subprocess.Popen(list(map(str, command)), cwd=REPOSITORY, **options)
    while not (ended := os.wait4(process.pid, os.WNOHANG if memory else 0))[0]:
        peak = max(peak, memory_of(process.pid, memory))
        time.sleep(0.1)
    process.returncode = os.waitstatus_to_exitcode(ended[1])
    if process.returncode:
        sys.exit(process.returncode)
    return Usage(time.perf_counter() - began, ended[2].ru_utime + ended[2].ru_stime, peak)


def memory_of(pid: int, kind: str) -> int:
    """Bytes that a process and its descendants take."""
    used = 0
    with suppress(psutil.NoSuchProcess):
        root = psutil.Process(pid)
        for process in (root, *root.children(recursive=True)):
            with suppress(psutil.Error):
                info = process.memory_full_info() if kind == "pss" else process.memory_info()
                used += getattr(info, kind)
    return used


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of all files, by name."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


def kill(process: subprocess.Popen) -> list[psutil.Process]:
    """Kill a process alone (SIGKILL); return those of its children that have not noticed and ended in 20 seconds."""
    family = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.wait()
    return psutil.wait_procs(family, timeout=20)[1]


def preparation(text: Path, vocabulary: Path, output: Path, **options: Any) -> list[str]:
    """The command that makes TFRecord files of a text."""
    return [sys.executable, str(REPOSITORY / "prepare_data.py"), "corpus", "--input", str(text), "--tokenizer",
            str(vocabulary), "--output_dir", str(output), "--logging.progress", "false", "--dataset_type", "tfrecord",
            *(part for name, value in options.items() for part in (f"--{name}", str(value)))]


def write_vocabulary(folder: Path, size: int = VOCABULARY) -> list[str]:
    """Write vocab.txt into a new folder; return its tokens without the special ones."""
    letters = islice(product(ascii_lowercase, repeat=4), size - len(SPECIAL) - 1)
    words = ["q" + "".join(reversed(letter)) for letter in letters]
    folder.mkdir()
    (folder / "vocab.txt").write_text("\n".join((*SPECIAL, ".", *words)) + "\n", encoding="utf-8")
    return words


def encoder(layers: int, hidden: int, inner: int = 0, heads: int = HEADS, vocab_size: int = VOCABULARY,
            **others: Any) -> Any:
    """Return the configuration of a BERT, dropout 0.1; `inner` 0 is four times the width."""
    from src.config import EncoderConfig

    return EncoderConfig(vocab_size, hidden, layers, heads, inner or 4 * hidden, **{
        "hidden_act": "gelu", "hidden_dropout_prob": 0.1, "attention_probs_dropout_prob": 0.1,
        "max_position_embeddings": 512, "type_vocab_size": 2, "initializer_range": 0.02, "layer_norm_eps": 1e-12,
        **others})


def save_random(folder: Path, config: Any, tokenizer: Path) -> Path:
    """Save a model with random weights."""
    from src.checkpoints.checkpoint import parameters_of, save_model
    from src.models.heads import build_model

    return save_model(folder, config, parameters_of(build_model(config)), tokenizer)


def make_step(config: Any, stage: Any, student: Any, teacher: Any, pairs: tuple = ()) -> tuple[Any, Any]:
    """Return the train step of a stage that distils from and to random models, dropout as they say, and the device."""
    from src.device import set_up_device, share_parameters
    from src.distill.cell import DistillationCell, make_projection
    from src.distill.objectives import objective_of
    from src.models.dropout import make_dropout_stateless
    from src.models.heads import build_model
    from src.train.optim import make_optimizer
    from src.train.step import TrainStep

    device = set_up_device(config.device, config.seed)
    objective = objective_of(stage, student.head, pairs)
    cells = [build_model(model, device.compute_type) for model in (student, teacher)]
    projection = make_projection(objective, student.encoder, teacher.encoder, "shared")
    network = DistillationCell(cells[0], objective, cells[1], projection)
    make_dropout_stateless(cells[0], device.rank)
    step = TrainStep(network, make_optimizer(stage, network.trainable_params(), 1000), stage, device)
    step.set_train()
    share_parameters(step.get_parameters(), device)
    return step, device
