# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""What unlabelled rows are worth: the quick start with 10 %, 30 % and 100 % of its labels, with and without the rest.

    bash scripts/run_standalone_unlabelled.sh [--minutes N] [--fresh] [--teacher DIR] [--device_target CPU]

For each share and each of three seeds, which choose the rows that keep their labels too: a teacher is fine-tuned on
these rows (or is the one of `--teacher`, which may have seen all labels), and distilled into the quick start's student
on them alone, and on them with the others unlabelled, for the same number of steps. Dev, which chooses the best
students, and test are the quick start's. Two trainings run beside one another. Settings are those of
configs/quickstart.yaml; the downloads are shared with the quick start, everything else is written to output/unlabelled.
"""

from __future__ import annotations

from pathlib import Path

from experiments.pipeline.driver import Study
from experiments.pipeline.stages import Stage, scaled, script, tool
from experiments.quickstart.run import OUTPUT as QUICKSTART
from experiments.quickstart.run import RECIPE
from experiments.unlabelled.report import ALONE, SEEDS, SHARES, TEACHER, WITH_OTHERS, name_of, print_summary
from src.common.errors import run
from src.common.typed import to_plain
from src.config import Config

OUTPUT = Path("output/unlabelled")
DOWNLOAD = QUICKSTART / "download"


def unlabelled_stages(config: Config, share: float, device_target: str, teacher: str = "") -> list[Stage]:
    """Return the stages in order, with a share of the recipe's training steps."""
    output, minilm, pretrained, general = OUTPUT, DOWNLOAD / "minilm", OUTPUT / "pretrained", OUTPUT / "general_distill"
    data, subsets, records, tests = (output / name for name in ("data", "subsets", "records", "evaluation"))
    trained, distilled = output / "teachers", output / "students"
    recipe, device = ("--config_path", str(RECIPE)), ("--device_target", device_target)
    settings, phases = to_plain(config), config.task_distill

    cases = list(dict.fromkeys((part, seed, name_of(part, seed)) for part in SHARES for seed in SEEDS))
    folders = {name: (part, seed) for part, seed, name in reversed(cases)}
    stages = [
        Stage("fetch", "Fetch the teacher and the text, make the task", (
            tool("quickstart.data", "--download_dir", DOWNLOAD, "--data_dir", data, "--seed", config.seed),
        ), outputs=(data,)),
        Stage("convert", "Convert the teacher from Hugging Face to MindSpore", (
            script("convert_checkpoint.py", "--from", "hf", "--to", "mindspore", minilm, pretrained),
        ), inputs=(minilm,), outputs=(pretrained,)),
        Stage("records", "Take labels away, prepare records", (
            *(tool("unlabelled.split", "--data_dir", data / "task", "--share", part, "--seed", seed,
                   "--output_dir", subsets / name) for name, (part, seed) in folders.items()),
            *(script("prepare_data.py", "task", *recipe, "--data_dir", subsets / name, "--tokenizer", pretrained,
                     "--output_dir", records / name) for name in folders),
            script("prepare_data.py", "corpus", *recipe, "--input", data / "corpus.txt", "--tokenizer", pretrained,
                   "--output_dir", records / "corpus"),
        ), outputs=(subsets, records), settings=settings),
        Stage("general_distill", "General distillation: pretrained teacher -> student, on unlabelled text", (
            script("run_general_distill.py", *recipe, "--load_teacher_ckpt_path", pretrained,
                   "--data_dir", records / "corpus", "--train_steps", scaled(config.general_distill.train_steps, share),
                   "--save_ckpt_path", general, *device),
        ), outputs=(general,), results=(general / "model",), resumable=True, settings=settings),
    ]
    models, finetunings, distillations = {}, [], []
    for part, seed, folder in cases:
        rows, name = records / folder, f"{TEACHER}_{part:g}_{seed}"
        common = (*recipe, "--seed", seed, "--train_data_dir", rows / "train", "--eval_data_dir", rows / "dev", *device)
        models[name] = Path(teacher) if teacher else trained / name / "model"
        finetunings.append(script(
            "run_finetune.py", *common, "--load_ckpt_path", pretrained,
            "--train_steps", scaled(config.finetune.train_steps, share), "--save_ckpt_path", trained / name))
        for variant in (ALONE, WITH_OTHERS) if part < 1 else (ALONE,):
            student, others = f"{variant}_{part:g}_{seed}", variant == WITH_OTHERS
            models[student] = distilled / student / "model"
            distillations.append(script(
                "run_task_distill.py", *common, "--load_teacher_ckpt_path", models[name],
                "--load_gd_ckpt_path", general / "model",
                "--task_distill.phase1.train_steps", scaled(phases.phase1.train_steps, share),
                "--task_distill.phase2.train_steps", scaled(phases.phase2.train_steps, share),
                *(("--unlabelled_data_dir", rows / "unlabelled") if others else ()),
                "--save_ckpt_path", distilled / student))
    if not teacher:
        stages.append(Stage("teachers", "Fine-tune the teachers", tuple(finetunings), outputs=(trained,),
                            resumable=True, at_once=True, settings=settings))
    return [
        *stages,
        Stage("students", "Distil: a share of the labels, without and with the rest unlabelled", tuple(distillations),
              inputs=(Path(teacher),) if teacher else (), outputs=(distilled,), resumable=True, at_once=True,
              settings=settings),
        Stage("evaluation", "Evaluate all on test", tuple(script(
            "eval.py", *recipe, "--checkpoint", model, "--data_dir", records / name_of(1.0, SEEDS[0]), "--split",
            "test", "--metrics_path", tests / f"{name}.json", *device) for name, model in models.items()),
              outputs=(tests,), at_once=True, settings=settings),
        Stage("report", "Write the table", (
            tool("unlabelled.report", "--run_dir", output, "--seed", config.seed),
        ), outputs=(output / "results.json", output / "report.md")),
    ]


UNLABELLED = Study("run_standalone_unlabelled", "Distil with a part of the labels, without and with the other rows "
                   "unlabelled, and measure the students.", RECIPE, OUTPUT, 75.0, unlabelled_stages, print_summary,
                   {"teacher": "a teacher that is fine-tuned on the task, for all shares; empty: one for each"})
main = UNLABELLED.run


if __name__ == "__main__":
    run(main)
