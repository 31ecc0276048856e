# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Embeddings in small: students of 3 layers, of 2, and of none learn what all-MiniLM-L6-v2 makes of texts.

    bash scripts/run_standalone_embedding.sh [--minutes N] [--fresh] [--sts_dir DIR] [--device_target CPU]

Each student of layers begins as some of its teacher's, and learns its embeddings from sentences alone. Beside it is
measured what it was before: the same layers, untrained. The static student is a table of the vectors that the teacher
gives to its tokens, weighted by how often the sentences have them. Stages run, are skipped and continue as
experiments/pipeline/driver.py says; both students are trained beside one another. The downloads are shared with the
quick start; everything else is written to output/embedding.
"""

from __future__ import annotations

from pathlib import Path

from experiments.embedding.measure import scored_split
from experiments.embedding.report import print_summary
from experiments.pipeline.driver import Study
from experiments.pipeline.stages import Stage, scaled, script, tool
from experiments.quickstart.run import OUTPUT as QUICKSTART
from src.common.errors import run
from src.common.typed import to_plain
from src.config import Config

OUTPUT = Path("output/embedding")
DOWNLOAD = QUICKSTART / "download"
RECIPE = Path("configs/embedding_quick.yaml")
STUDENTS = {"student_3": (0, 2, 5), "student_2": (0, 5)}
"""Name -> the teacher's layers, from 0, that it begins as."""
STATIC_WIDTH = 256


def embedding_stages(config: Config, share: float, device_target: str, sts_dir: str = "") -> list[Stage]:
    """Return the stages in order, with a share of the recipe's training steps."""
    output, minilm, teacher = OUTPUT, DOWNLOAD / "minilm", OUTPUT / "teacher"
    text, records, export, static = (output / name for name in ("text", "records", "export", "static"))
    recipe, device = ("--config_path", str(RECIPE)), ("--device_target", device_target)
    settings = to_plain(config)
    if sts_dir:
        scored_split(sts_dir)  # a folder that does not serve is refused before anything is begun

    def layers(chosen: tuple[int, ...]) -> str:
        return ",".join(map(str, chosen))

    models = {"teacher": teacher}
    cut, trainings = [], []
    for name, chosen in STUDENTS.items():
        start, trained = output / f"{name}_at_start", output / name
        models |= {f"{name}_at_start": start, name: trained / "model"}
        cut.append(script("convert_checkpoint.py", "extract", teacher, start, "--layers", layers(chosen)))
        trainings.append(script(
            "run_general_distill.py", *recipe, "--load_teacher_ckpt_path", teacher, "--data_dir", records,
            "--num_hidden_layers", len(chosen), "--student_init", layers(chosen),
            "--train_steps", scaled(config.general_distill.train_steps, share), "--save_ckpt_path", trained, *device))
    models["static"] = static
    onnx = {name: export / f"{name}.onnx" for name in ("teacher", *STUDENTS, "static")}
    measured = [word for name, checkpoint in models.items()
                for word in ("--model", name, checkpoint, onnx.get(name, "-"))]
    return [
        Stage("fetch", "Fetch the teacher and the text, hold text out", (
            tool("quickstart.data", "--download_dir", DOWNLOAD, "--data_dir", output / "data", "--seed", config.seed),
            tool("distil.data", "--corpus", output / "data/corpus.txt", "--output_dir", text, "--seed", config.seed),
        ), outputs=(output / "data", text)),
        Stage("convert", "Convert the teacher, with its pooling, from Hugging Face to MindSpore", (
            script("convert_checkpoint.py", "--from", "hf", "--to", "mindspore", minilm, teacher, "--pooling", "mean",
                   "--normalize", "true", "--max_seq_length", 256),
        ), inputs=(minilm,), outputs=(teacher,)),
        Stage("records", "Prepare records with a sentence a row", (
            script("prepare_data.py", "corpus", *recipe, "--input", text / "train.txt", "--tokenizer", teacher,
                   "--output_dir", records),
        ), outputs=(records,), results=(records / "manifest.json",), settings=settings),
        Stage("cut", "Cut layers out of the teacher, and make a static student: a vector a token", (
            script("convert_checkpoint.py", "static", teacher, static, "--dim", STATIC_WIDTH,
                   "--text", text / "train.txt"), *cut,
        ), outputs=(static, *(output / f"{name}_at_start" for name in STUDENTS)), at_once=True),
        Stage("students", "Distil the embeddings into fewer layers", tuple(trainings),
              outputs=tuple(output / name for name in STUDENTS),
              results=tuple(output / name / "model" for name in STUDENTS), resumable=True, at_once=True,
              settings=settings),
        Stage("export", "Export ONNX files and run them again", tuple(
            script("export.py", *recipe, "--checkpoint", models[name], "--file_format", "ONNX", "--output", path,
                   *device) for name, path in onnx.items()), outputs=(export,), at_once=True),
        Stage("measure", "Measure all models on held-out sentences, and the files in int8 too", (
            tool("embedding.measure", *measured, "--text", text / "held_out.txt", "--seed", config.seed,
                 "--output", output / "measured.json", *(("--sts_dir", sts_dir) if sts_dir else ())),
        ), inputs=(Path(sts_dir),) if sts_dir else (), outputs=(output / "measured.json",)),
        Stage("report", "Write the table and draw the curves", (
            tool("embedding.report", "--run_dir", output, "--seed", config.seed),
        ), outputs=(output / "results.json", output / "report.md", output / "curves.png")),
    ]


EMBEDDING = Study("run_standalone_embedding",
                  "Distil all-MiniLM-L6-v2 into embedding students of 3 layers, of 2 and of none, and measure them.",
                  RECIPE, OUTPUT, 8.0, embedding_stages, print_summary,
                  {"sts_dir": "folder of STS-B, whose scores the cosines are compared with"})
main = EMBEDDING.run


if __name__ == "__main__":
    run(main)
