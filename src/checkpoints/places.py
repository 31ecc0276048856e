# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Where models and runs are: the folder of a run stands for its model, and the model for its run."""

from __future__ import annotations

from pathlib import Path

MANIFEST, MODEL, RUN = "manifest.json", "model", "run.json"
"""In a checkpoint directory; in the folder of a run: its result, and what describes it."""
PHASES = ("phase1", "phase2")
"""Folders of a run that has several."""


def folder_of(location: str | Path, *inner: str) -> Path:
    """Return the checkpoint directory that a location means.

    It is the location itself, or of a run's folder the first of `inner` that it has; by default the run's result:
    its model, or what phase 1 left where no phase 2 followed. A folder `phase2` of a run stands for the model that it
    made. Any other location is returned as it is.
    """
    folder = Path(location)
    if (folder / MANIFEST).is_file():
        return folder
    if (folder / RUN).is_file() and (folder.parent / MODEL / MANIFEST).is_file() and not (folder / MODEL).exists():
        return folder.parent / MODEL
    wanted = inner or ((MODEL,) if (folder / "phase2").exists() else (MODEL, f"phase1/{MODEL}"))
    return next((folder / name for name in wanted if (folder / name).is_dir()), folder)


def fault_of(directory: Path) -> str:
    """What a folder without a manifest is, and what to give instead."""
    if (directory / "config.json").is_file():
        return ("looks like a Hugging Face directory; convert it first: python convert_checkpoint.py --from hf --to "
                f"mindspore {directory} OUT_DIR")
    if seeds := sorted(str(path.parent) for path in directory.glob(f"seed-*/{MODEL}")):
        return f"holds a run of each seed; give one of them: {', '.join(seeds[:4])}"
    if any((directory / name).is_file() for name in (RUN, f"phase1/{RUN}", f"phase2/{RUN}")):
        saved = saved_in(directory)
        return ("is a run that has left no model yet; run its command again to end it"
                + (f", or give what it has saved: {saved[-1]}" if saved else ""))
    return "holds no manifest.json; expected a checkpoint directory written by this repository, or the folder of a run"


def saved_in(run: Path) -> list[Path]:
    """The checkpoints that a run has saved between its steps, of one phase the oldest first."""
    return sorted(path.parent for path in run.glob(f"**/checkpoints/step-*/{MANIFEST}"))


def run_of(location: str | Path) -> Path:
    """Return the folder of the run that made a model: what `model` lies in; any other location as it is."""
    folder = Path(location)
    around = folder.resolve().parent
    is_result = folder.resolve().name == MODEL and any((around / name).is_file() for name in (RUN, f"phase2/{RUN}"))
    return around if is_result else folder
