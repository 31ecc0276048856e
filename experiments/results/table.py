# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The tasks that experiments/results/run.py measures distillation on: where their data lies, how much is used, steps.

One entry a task. All of it takes eight hours on two CPU cores, in as many parts as one likes. Both arms of a comparison
start from the same student and take the same number of optimiser steps: fine-tuning `student_steps`, distillation half
of them in each phase; each chooses its best model among as many evaluations on dev. Candidates for
the compressed student take half of them, the winner all of them after that.
"""

from __future__ import annotations

from dataclasses import dataclass

EVALUATIONS = 2
"""Evaluations on dev of each training; the best model is kept."""

PLAIN = ("finetuned", "distilled")
AUGMENTED = ("finetuned_aug", "distilled_aug")
BILSTM = ("bilstm", "bilstm_distilled")
COMPRESSED = "compressed"
VARIANTS = (*PLAIN, *AUGMENTED, *BILSTM, COMPRESSED)
PAIRS = (PLAIN, AUGMENTED, BILSTM)
"""What is compared: (without the teacher, with it)."""


@dataclass(frozen=True)
class TaskEntry:
    """One task."""

    name: str  # of its folder
    folder: str  # its data under --data_dir; "/NAME": that folder of the data that come with the base model
    base: str  # the pretrained model: "english" or "chinese"
    config: str  # recipe that holds the settings of its family
    rows: int  # training examples that are drawn (articles of questions are drawn whole, up to about as many)
    seq_length: int
    buckets: tuple[int, ...]  # lengths that batches are padded to
    teacher_steps: int
    student_steps: int
    variants: tuple[str, ...] = (*PLAIN, COMPRESSED)
    dev_rows: int = 0  # dev examples that are drawn; 0: all
    train_file: str = "train.tsv"
    dev_file: str = "dev.tsv"  # the same one as `train_file` is divided by article
    header: bool = True  # whether TSV files begin with the names of their columns
    dev_articles: int = 0  # articles that are held out where one file is divided
    bilstm_steps: int = 0
    by_default: bool = True  # whether it is run where no tasks are named
    task_name: str = ""  # as src/tasks/registry.py knows it; empty: its name

    @property
    def comes_with_base(self) -> bool:
        """Whether the stages of the base model bring its data."""
        return self.folder.startswith("/")


TASKS = (
    TaskEntry("Reviews", "/task", "english", "configs/results_glue.yaml", rows=8456, seq_length=64,
              buckets=(24, 40, 64), teacher_steps=300, student_steps=300, variants=(*PLAIN, *BILSTM, COMPRESSED),
              bilstm_steps=1000, task_name="tsv"),
    TaskEntry("Tweets", "/tweets", "english", "configs/results_glue.yaml", rows=0, seq_length=64, buckets=(40, 64),
              teacher_steps=200, student_steps=200, by_default=False, task_name="tsv"),
    TaskEntry("Editorials", "/editorials", "english", "configs/results_glue.yaml", rows=0, seq_length=64,
              buckets=(24, 40, 64), teacher_steps=200, student_steps=200, by_default=False, task_name="tsv"),
    TaskEntry("MRPC", "glue/MRPC", "english", "configs/results_glue_small.yaml", rows=3000, seq_length=80,
              buckets=(56, 80), teacher_steps=250, student_steps=200),
    TaskEntry("RTE", "glue/RTE", "english", "configs/results_glue_small.yaml", rows=2490, seq_length=96,
              buckets=(56, 96), teacher_steps=300, student_steps=200),
    TaskEntry("CoLA", "glue/CoLA", "english", "configs/results_glue.yaml", rows=8551, seq_length=32, buckets=(16, 32),
              teacher_steps=800, student_steps=600, header=False),
    TaskEntry("STS-B", "glue/STS-B", "english", "configs/results_glue.yaml", rows=3000, seq_length=48, buckets=(24, 48),
              teacher_steps=200, student_steps=500),
    TaskEntry("XQuAD", "xquad", "english", "configs/results_qa.yaml", rows=0, seq_length=192, buckets=(128, 192),
              teacher_steps=200, student_steps=140, train_file="xquad.en.json", dev_file="xquad.en.json",
              dev_articles=10),
    TaskEntry("ChnSentiCorp", "chnsenticorp", "chinese", "configs/results_clue.yaml", rows=9600, seq_length=64,
              buckets=(64,), teacher_steps=900, student_steps=300, variants=VARIANTS, header=False,
              bilstm_steps=500),
    TaskEntry("TNEWS", "tnews", "chinese", "configs/results_clue.yaml", rows=53360, seq_length=40, buckets=(24, 40),
              teacher_steps=5000, student_steps=600, dev_rows=2000, header=False),
    TaskEntry("CLUENER", "cluener", "chinese", "configs/results_ner.yaml", rows=10748, seq_length=64, buckets=(40, 64),
              teacher_steps=3400, student_steps=500, train_file="train.json", dev_file="dev.json"),
    TaskEntry("CMRC2018", "cmrc2018", "chinese", "configs/results_qa.yaml", rows=1000, seq_length=128,
              buckets=(96, 128), teacher_steps=200, student_steps=140, train_file="cmrc2018_dev.squad-style.json",
              dev_file="cmrc2018_trial.squad-style.json", by_default=False),
)
