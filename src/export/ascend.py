# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The folder for Ascend's own compilers, atc of CANN and converter_lite of MindSpore Lite:

    b1_s32.onnx ...     a graph of one shape (rows, tokens), one for each gear
    gears.onnx          one graph of free shapes, of which the compilers are told the gears
    atc.sh, lite.sh     the commands; lite_gears.cfg is the configuration of converter_lite
    client.py           runs what they make, and the .onnx files
    ascend.json         the card: inputs, outputs, gears, operators and the lists that these were checked against
    tokenizer.json      makes, cuts and fills up whole rows

What an operator must be in: ascend_operators.json, with its sources.
"""

from __future__ import annotations

import json
import shutil
import stat
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import mindspore as ms
import numpy as np
import onnx

from src.checkpoints.checkpoint import LoadedModel
from src.common.errors import UserError
from src.common.files import sha256_of, write_json, write_text
from src.config import ModelConfig
from src.config.model import INPUTS
from src.export import gears_client
from src.export.card import card_of, write_tokenizer
from src.export.gear_graph import GearGraph, build_gear, shape_arithmetic
from src.export.gears_client import Gear, Gears
from src.export.onnx_graph import build_onnx

MOST_GEARS = 100
"""What atc and converter_lite take in one file (--dynamic_dims)."""
MOST_ROWS = 2048
"""Largest number of rows of a gear that both document."""
_LISTS = Path(__file__).with_name("ascend_operators.json")


def choose_gears(batches: Sequence[int], buckets: Sequence[int], longest: int, are_given: bool, is_set: bool = False
                 ) -> list[Gear]:
    """Return each pair of a number of rows and a length.

    Args:
        batches, buckets: numbers of rows, and lengths, in rising order; no lengths for `longest` alone.
        longest: what the model takes, or with `is_set` what the user says, which is a length too then.
        are_given: whether the user has chosen the buckets; those of the default that are too long are left out.

    Raises:
        UserError: sizes that no gear can have.
    """
    if batches[-1] > MOST_ROWS:
        raise UserError(f"batches is {list(batches)}; atc and converter_lite take at most {MOST_ROWS} rows: give "
                        "smaller ones, such as --batches 1,8")
    if are_given and buckets and buckets[-1] > longest:
        raise UserError(f"the bucket {buckets[-1]} is longer than {longest} tokens, the longest that the model or "
                        "seq_length allows; give lengths up to it, such as --buckets 32,64")
    lengths = [each for each in buckets if each <= longest]
    if (is_set or not lengths or len(lengths) < len(buckets)) and longest not in lengths:
        lengths.append(longest)
    if len(batches) * len(lengths) > MOST_GEARS:
        raise UserError(f"{len(batches)} batches x {len(lengths)} buckets are {len(batches) * len(lengths)} gears; "
                        f"atc and converter_lite take at most {MOST_GEARS}: give fewer --batches or --buckets")
    return [Gear(rows, tokens) for rows, tokens in product(batches, lengths)]


@cache
def operator_lists() -> dict[str, dict[str, Any]]:
    """Return what is published of the operators: tool -> name, version, source, date, operators."""
    return json.loads(_LISTS.read_text(encoding="utf-8"))


def check_operators(model: onnx.ModelProto) -> list[str]:
    """Return the operators of a graph, sorted.

    Raises:
        UserError: one of them is missing in a list; it is named.
    """
    used = sorted({node.op_type if not node.domain else f"{node.domain}:{node.op_type}" for node in model.graph.node})
    for each in operator_lists().values():
        known = {name.lower() for name in each["operators"]}  # CANN writes Cumsum, ONNX CumSum
        if missing := [name for name in used if name.lower() not in known]:
            raise UserError(f"{each['name']} does not list the operators {', '.join(missing)} (version "
                            f"{each['version']}, read on {each['read']}: {each['source']}); nothing was written: "
                            "export MINDIR or ONNX")
    return used


def write_folder(loaded: LoadedModel, folder: Path, gears: Sequence[Gear], compute_type: ms.Type,
                 max_difference: float) -> list[str]:
    """Write the folder, and run each graph of one shape beside the float32 one of free shapes.

    Args:
        compute_type: float16 stores tables and dense weights, and takes their products, in it.
        max_difference: between the two.

    Returns:
        notes for the user.

    Raises:
        UserError: an operator that is not listed, a weight that float16 cannot hold, or graphs that differ.
    """
    half = compute_type == ms.float16
    if half:
        _check_half(loaded)
    folder.mkdir()
    free = _session(build_onnx(loaded.config, loaded.parameters))
    operators: set[str] = set()
    largest = 0.0
    for gear in gears:
        model = build_gear(loaded.config, loaded.parameters, gear, half)
        assert not (left := shape_arithmetic(model)), f"{gear} has arithmetic on shapes: {left}"
        operators |= set(check_operators(model))
        difference = _difference(free, _session(model), _example(loaded.config, gear))
        if not difference <= max_difference:
            raise UserError(f"the graph of {gear.rows} x {gear.tokens} tokens differs from the one of free shapes by "
                            f"{difference:.2e}, more than max_difference {max_difference:.0e}; nothing was written")
        largest = max(largest, difference)
        onnx.save(model, str(folder / f"{gear.name}.onnx"))
    model = build_gear(loaded.config, loaded.parameters, None, half)
    check_operators(model)
    onnx.save(model, str(folder / f"{gears_client.ALL}.onnx"))
    _write_commands(folder, gears)
    shutil.copyfile(gears_client.__file__, folder / "client.py")
    card = card_of(loaded, "ASCEND", "int32", tokenizer_file=write_tokenizer(loaded, folder / "tokenizer.json"))
    padding = card["tokenizer"]["special_tokens"].get("pad", {}).get("id", 0) if card["tokenizer"] else 0
    write_json(folder / gears_client.CARD, card | {
        "compute_type": str(compute_type).lower(), "opset": GearGraph.opset, "gears": [list(gear) for gear in gears],
        "padding_id": padding, "operators": sorted(operators),
        "operator_lists": [{key: value for key, value in each.items() if key != "operators"}
                           for each in operator_lists().values()],
        "largest_difference_from_free_shapes": largest,
        "files": {path.name: sha256_of(path) for path in sorted(folder.iterdir())}})
    names = ", ".join(f"{gear.rows} x {gear.tokens}" for gear in gears)
    return [f"gears (rows x tokens): {names}; each gives what the graph of free shapes does, within {largest:.2e}",
            f"{len(operators)} operators, all in the lists of " + " and of ".join(
                f"{each['name']}, read on {each['read']}" for each in operator_lists().values()),
            "no Ascend device compiled or ran it: bash atc.sh SOC_VERSION, or bash lite.sh, does that there"]


def open_folder(folder: Path) -> Callable[[dict[str, np.ndarray]], tuple[np.ndarray, ...]]:
    """Return what runs a folder with ONNX Runtime through its own client, from a batch to float32 outputs."""
    gears = Gears(folder)
    return lambda batch: gears.run(*(batch[name] for name in INPUTS))


def _check_half(loaded: LoadedModel) -> None:
    most = float(np.finfo(np.float16).max)
    for name, array in loaded.parameters.items():
        if array.ndim == 2 and np.abs(array).max() > most:
            raise UserError(f"{name} has the value {np.abs(array).max():.3g}, and float16 ends at {most:.0f}; leave "
                            "--compute_type float16 out")


def _session(model: onnx.ModelProto) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def _example(config: ModelConfig, gear: Gear, seed: int = 0) -> dict[str, np.ndarray]:
    """Random rows of a gear's shape, the first one full, the others of any length."""
    generator = np.random.default_rng(seed)
    lengths = generator.integers(1, gear.tokens + 1, (gear.rows, 1))
    lengths[0] = gear.tokens
    mask = (np.arange(gear.tokens) < lengths).astype(np.int64)
    segments = (np.arange(gear.tokens) >= lengths // 2) * mask
    return {"input_ids": generator.integers(0, config.encoder.vocab_size, gear) * mask, "input_mask": mask,
            "segment_ids": segments.astype(np.int64)}


def _difference(free: Any, fixed: Any, batch: dict[str, np.ndarray]) -> float:
    """Largest absolute difference of all outputs, padding included."""
    narrow = {name: array.astype(np.int32) for name, array in batch.items()}
    return max(float(np.abs(one - other).max())
               for one, other in zip(free.run(None, batch), fixed.run(None, narrow), strict=True))


def _write_commands(folder: Path, gears: Sequence[Gear]) -> None:
    """Write atc.sh, lite.sh and lite_gears.cfg, in the syntax of CANN 8 and MindSpore Lite 2.7 and later."""
    def shapes(rows: int, tokens: int) -> str:
        return ";".join(f"{name}:{rows},{tokens}" for name in INPUTS)

    def profiles() -> str:
        return ";".join(",".join(f"{gear.rows},{gear.tokens}" for _ in INPUTS) for gear in gears)

    def script(name: str, lines: Iterable[str]) -> None:
        path = folder / name
        write_text(path, "\n".join(("#!/usr/bin/env bash", *lines, "")))
        path.chmod(path.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)

    whole = len(gears) > 1  # one gear is no choice, and refused by both
    start = ["set -euo pipefail", 'cd "$(dirname "$0")"']
    one_by_one = [f'  compile {gear.name} --input_shape="{shapes(*gear)}"' for gear in gears]
    script("atc.sh", [
        "# One .om file a gear, or with `all` one .om file with all gears:  bash atc.sh SOC_VERSION [all] [OPTION ...]",
        "# SOC_VERSION as npu-smi info shows it, after Ascend: Ascend310P3. Options go to atc, such as",
        "# --precision_mode_v2=fp16.", *start,
        'soc=${1:?"usage: bash atc.sh SOC_VERSION [all] [OPTION ...]"}; shift',
        'compile() { atc --framework=5 --model="$1.onnx" --output="$1" --input_format=ND --soc_version="$soc" '
        '"${@:2}" "${more[@]}"; }',
        'which=each; if [ "${1:-}" = all ]; then which=all; shift; fi', 'more=("$@")',
        'if [ "$which" = all ]; then',
        f'  compile {gears_client.ALL} --input_shape="{shapes(-1, -1)}" --dynamic_dims="{profiles()}"' if whole else
        '  echo "there is one gear alone: leave all out" >&2; exit 2',
        "else", *one_by_one, "fi"])
    one_by_one = [f'  convert {gear.name} --inputShape="{shapes(*gear)}"' for gear in gears]
    script("lite.sh", [
        "# One .mindir file a gear, or with `all` one .mindir file with all gears:  bash lite.sh [all] [OPTION ...]",
        "# Options go to converter_lite.", *start,
        'convert() { converter_lite --fmk=ONNX --modelFile="$1.onnx" --outputFile="$1" --optimize=ascend_oriented '
        '"${@:2}" "${more[@]}"; }',
        'which=each; if [ "${1:-}" = all ]; then which=all; shift; fi', 'more=("$@")',
        'if [ "$which" = all ]; then',
        f"  convert {gears_client.ALL} --configFile=lite_gears.cfg" if whole else
        '  echo "there is one gear alone: leave all out" >&2; exit 2',
        "else", *one_by_one, "fi"])
    if whole:
        write_text(folder / "lite_gears.cfg", "[acl_build_options]\ninput_format=\"ND\"\n"
                                              f'input_shape="{shapes(-1, -1)}"\nge.dynamicDims="{profiles()}"\n')
