# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The DistilBERT run on real text: is a student that learns from its teacher better than one that learns from the text?

    bash scripts/run_standalone_distil.sh [--minutes N] [--fresh] [--device_target CPU]

A 6-layer encoder becomes a masked language model: a head is trained on the frozen encoder, then all of it, since the
last states of a sentence encoder tell little of the words that stood there. Three of its layers, its embeddings and its
head are cut out as a student; the student is distilled, and beside it trained on the text alone: from the same weights,
for the same steps, on the same batches with the same masks, each with the learning rate that suits it best. All models
are measured on the same masked tokens of held-out text.

Stages run, are skipped and continue as experiments/pipeline/driver.py says. The downloads are shared with the quick
start; everything else is written to output/distil.
"""

from __future__ import annotations

from pathlib import Path

from experiments.distil.report import print_summary
from experiments.pipeline.driver import Study
from experiments.pipeline.stages import Stage, scaled, script, tool
from experiments.quickstart.run import OUTPUT as QUICKSTART
from src.common.errors import run
from src.common.typed import to_plain
from src.config import Config

OUTPUT = Path("output/distil")
DOWNLOAD = QUICKSTART / "download"
RECIPE = Path("configs/distil_quick.yaml")
HEAD = ("--freeze_encoder", "true", "--learning_rate", "5e-3")
HEAD_STEPS = 100
ALONE = ("--alpha_ce", "0", "--alpha_cos", "0", "--learning_rate", "3e-4")
"""What is left of the objective is masked-LM training; of 3e-4, 5e-4 and 1e-3 the first suits it best."""


def distil_stages(config: Config, share: float, device_target: str) -> list[Stage]:
    """Return the stages in order, with a share of the recipe's training steps."""
    output, minilm, head = OUTPUT, DOWNLOAD / "minilm", OUTPUT / "head"
    text, records = output / "text", output / "records"
    pretrained, initial = output / "pretrained", output / "student_at_start"
    teacher_run, distilled, alone = output / "teacher", output / "distilled", output / "masked_lm_alone"
    teacher, evaluation, export = teacher_run / "model", output / "evaluation", output / "export"
    recipe = ("--config_path", str(RECIPE))
    device = ("--device_target", device_target)
    plain = to_plain(config)

    def settings(*changed: str) -> dict[str, object]:
        """The recipe and the defaults but for sections of other stages: a new student needs no new teacher."""
        return {name: value for name, value in plain.items() if name not in changed}

    def masked_lm(start: Path, folder: Path, steps: int, *changed: str) -> tuple[str, ...]:
        return script("run_finetune.py", *recipe, "--task", "mlm", "--load_ckpt_path", start,
                      "--train_file", text / "train.txt", "--validation_file", text / "held_out.txt",
                      "--train_steps", scaled(steps, share), *changed, "--save_ckpt_path", folder,
                      *device)

    def student(folder: Path, *objective: str) -> tuple[str, ...]:
        return script("run_general_distill.py", *recipe, "--load_teacher_ckpt_path", teacher,
                      "--student_pretrained_weights", initial, "--data_dir", records / "train",
                      "--eval_data_dir", records / "held_out",
                      "--train_steps", scaled(config.token_distill.train_steps, share),
                      *objective, "--save_ckpt_path", folder, *device)

    def evaluate(name: str, checkpoint: Path) -> tuple[str, ...]:
        return script("eval.py", *recipe, "--checkpoint", checkpoint, "--task_name", "mlm",
                      "--data_dir", records / "held_out", "--metrics_path", evaluation / f"{name}.json", *device)

    def prepare(name: str) -> tuple[str, ...]:
        return script("prepare_data.py", "corpus", *recipe, "--input", text / f"{name}.txt", "--tokenizer", pretrained,
                      "--output_dir", records / name)

    return [
        Stage("fetch", "Fetch the pretrained encoder and the text, hold text out", (
            tool("quickstart.data", "--download_dir", DOWNLOAD, "--data_dir", output / "data", "--seed", config.seed),
            tool("distil.data", "--corpus", output / "data/corpus.txt", "--output_dir", text, "--seed", config.seed),
        ), outputs=(output / "data", text)),
        Stage("convert", "Convert the encoder from Hugging Face to MindSpore", (
            script("convert_checkpoint.py", "--from", "hf", "--to", "mindspore", minilm, pretrained),
        ), inputs=(minilm,), outputs=(pretrained,)),
        Stage("records", "Prepare sequences and count their tokens", (
            prepare("train"), prepare("held_out"),
        ), inputs=(text,), outputs=(records,), settings=settings("mlm", "token_distill", "student", "evaluate",
                                                                "checkpoint", "logging")),
        Stage("head", "Train a masked-LM head on the frozen encoder", (
            masked_lm(pretrained, head, HEAD_STEPS, *HEAD),
        ), outputs=(head,), results=(head / "model",), resumable=True, settings=settings("token_distill", "student")),
        Stage("teacher", "Train the teacher, encoder and head", (
            masked_lm(head / "model", teacher_run, config.mlm.train_steps),
        ), outputs=(teacher_run,), results=(teacher,), resumable=True, settings=settings("token_distill", "student")),
        Stage("student", "Cut the student out of the teacher", (
            script("convert_checkpoint.py", "extract", teacher, initial, "--num_layers",
                   config.student.num_hidden_layers, "--family", "distilbert"),
        ), outputs=(initial,)),
        Stage("distil", "Distil: masked-LM loss, the teacher's predictions, its hidden states", (
            student(distilled),
        ), outputs=(distilled,), results=(distilled / "model",), resumable=True, settings=settings()),
        Stage("masked_lm_alone", "Train the same student with the masked-LM loss alone", (
            student(alone, *ALONE),
        ), outputs=(alone,), results=(alone / "model",), resumable=True, settings=settings()),
        Stage("evaluate", "Evaluate the five models on held-out text", (
            evaluate("head", head / "model"), evaluate("teacher", teacher), evaluate("student_at_start", initial),
            evaluate("distilled", distilled / "model"), evaluate("masked_lm_alone", alone / "model"),
        ), outputs=(evaluation,), settings=settings()),
        Stage("export", "Export the distilled student to transformers and run it again", (
            script("export.py", *recipe, "--checkpoint", distilled / "model", "--file_format", "HF",
                   "--output", export / "huggingface", *device),
        ), outputs=(export,)),
        Stage("report", "Write the table and draw the curves", (
            tool("distil.report", "--run_dir", output, "--seed", config.seed),
        ), outputs=(output / "results.json", output / "report.md", output / "curves.png")),
    ]


DISTIL = Study("run_standalone_distil",
               "Distil a 6-layer masked language model into a 3-layer DistilBERT, and measure what that is worth.",
               RECIPE, OUTPUT, 10.0, distil_stages, print_summary)
main = DISTIL.run


if __name__ == "__main__":
    run(main)
