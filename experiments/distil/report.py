# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Table and curves of a run of experiments/distil/run.py: results.json, report.md, curves.png.

    python -m experiments.distil.report --run_dir output/distil

Everything is read from what the stages left behind: perplexity and accuracy from eval.py's files, sizes from the
checkpoints' headers, curves from metrics.jsonl, times from the stages' stamps.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from experiments.pipeline.report import report_from_command_line, stage_seconds, write_report
from src.common.errors import UserError, run
from src.common.files import read_json
from src.report.curves import plot_runs
from src.report.loss_curves import curves_of
from src.report.runs import count_parameters
from src.report.tables import align, markdown

MODELS = {
    "head": ("Frozen encoder, trained head", "head/model", "head"),
    "teacher": ("Teacher", "teacher/model", "teacher"),
    "student_at_start": ("Student at the start", "student_at_start", ""),
    "distilled": ("Student, distilled", "distilled/model", "distil"),
    "masked_lm_alone": ("Student, masked-LM training alone", "masked_lm_alone/model", "masked_lm_alone"),
}
"""name -> title, checkpoint, stage of the run that trains it; the training's folder is `name`."""
COLUMNS = ("Model", "Held-out perplexity", "Top-1 accuracy", "Parameters", "Steps", "Seconds")


def model_figures(run_dir: Path, seconds: dict[str, float]) -> list[dict[str, Any]]:
    """Return the figures of each model; raises UserError where two were measured on different tokens."""
    figures = []
    for name, (_, checkpoint, stage) in MODELS.items():
        path = run_dir / "evaluation" / f"{name}.json"
        metrics = read_json(path)["metrics"]
        figures.append({"name": name, "perplexity": metrics["perplexity"], "accuracy": metrics["accuracy"],
                        "tokens": int(metrics["tokens"]), "parameters": count_parameters(run_dir / checkpoint)[0],
                        "steps": curves_of(run_dir / name)[1].last_step if stage else 0,
                        "seconds": seconds.get(stage, 0.0)})
        if figures[-1]["tokens"] != figures[0]["tokens"]:
            raise UserError(f"{path} counts {figures[-1]['tokens']} predicted tokens, the first evaluation "
                            f"{figures[0]['tokens']}; run the stage that writes them again")
    return figures


def table_rows(models: Sequence[dict[str, Any]]) -> list[tuple[str, ...]]:
    """Return the cells of the table, one tuple per model."""
    return [(MODELS[model["name"]][0], f"{model['perplexity']:,.1f}", f"{model['accuracy']:.4f}",
             f"{model['parameters'] / 1e6:.2f} M", f"{model['steps']:,}" if model["steps"] else "-",
             f"{model['seconds']:,.0f}" if model["seconds"] else "-") for model in models]


def verdict(models: Sequence[dict[str, Any]]) -> str:
    """Say which of the two students predicts held-out text better, and by how much."""
    found = {model["name"]: model for model in models}
    distilled, alone = found["distilled"]["perplexity"], found["masked_lm_alone"]["perplexity"]
    share = distilled / alone - 1
    comparison = f"{abs(share):.1%} {'lower' if share < 0 else 'higher'} than"
    return (f"After {found['distilled']['steps']} steps the distilled student's perplexity is {comparison} that of the "
            f"student trained on the text alone ({distilled:,.1f} against {alone:,.1f}).")


def draw(run_dir: Path, models: Sequence[dict[str, Any]], path: Path) -> None:
    """Draw both students' masked-LM loss, and their perplexity on held-out text with the teacher's."""
    found = {model["name"]: model for model in models}
    runs = {MODELS[name][0]: curves_of(run_dir / name)[1] for name in ("distilled", "masked_lm_alone")}
    for curves in runs.values():
        # The weights that both start from, before the first step.
        curves.evaluations["perplexity"].insert(0, (0, found["student_at_start"]["perplexity"]))
    plot_runs(runs, ("mlm", "perplexity"), path, {"Teacher": found["teacher"]["perplexity"]},
              "Distillation against masked-LM training alone")


def print_summary(run_dir: Path) -> None:
    """Print the table of a finished run, its totals, and where the report lies."""
    results = read_json(run_dir / "results.json")
    models = results["models"]
    print(f"\n{models[0]['tokens']:,} masked tokens of held-out text, the same for all\n")
    print(align([COLUMNS, *table_rows(models)]))
    print(f"\n{verdict(models)}\nAll stages: {sum(results['seconds'].values()) / 60:.1f} min.\n"
          f"Curves: {run_dir / 'curves.png'}, report: {run_dir / 'report.md'}")


NOTES = """\
- **Perplexity** is exp(mean of -log p) over {tokens:,} masked tokens of documents that no model was trained on; all
  models see the same masks. **Top-1 accuracy** is the share of these tokens that are the most likely prediction; its
  standard error is about {error:.4f}.
- **Both students** start from the same weights and see the same batches with the same masks. Each has the learning
  rate that suits its objective, the best of several for masked-LM training alone.
- **Seconds** are those of the whole stage: compilation, evaluations and checkpoints are in them."""


def report(run_dir: Path, seed: int) -> dict[str, Any]:
    """Write results.json, report.md and curves.png to `run_dir`; returns what is in results.json."""
    models = model_figures(run_dir, stage_seconds(run_dir))
    draw(run_dir, models, run_dir / "curves.png")
    tokens, accuracy = models[0]["tokens"], models[1]["accuracy"]
    error = math.sqrt(accuracy * (1 - accuracy) / tokens)
    lines = ["# Distillation of a masked language model: results", "", markdown(COLUMNS, table_rows(models)), "",
             verdict(models), "", "![Loss and held-out perplexity](curves.png)", "",
             NOTES.format(tokens=tokens, error=error)]
    return write_report(run_dir, seed, {"models": models}, lines)


def main(argv: list[str]) -> None:
    """Command line: write the report of a run."""
    report_from_command_line(argv, "experiments.distil.report", __doc__.splitlines()[0], report)


if __name__ == "__main__":
    run(main)
