# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""XNLI (Conneau et al., arXiv:1809.05053): inference in fifteen languages, scored for each of them.

A model that was trained on one language (MNLI's English, or a file of the training set's translations) is evaluated
on all that the data has. Class order is MNLI's, so that a model of MNLI can be evaluated as it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from src.common.errors import UserError
from src.task_files.problems import Problems
from src.tasks.features import DecodeOptions, EncodeOptions, Features, Outputs
from src.tasks.glue import HUB_NLI, NLI_LABELS
from src.tasks.task import DEV_STEMS
from src.tasks.texts import SUFFIXES, TextExample, TextTask
from src.text.tokenization import Tokenizer

LANGUAGES = ("ar", "bg", "de", "el", "en", "es", "fr", "hi", "ru", "sw", "th", "tr", "ur", "vi", "zh")


@dataclass(frozen=True)
class XnliTask(TextTask):
    """Texts in several languages: a row's language is its place in LANGUAGES."""

    extra_columns: ClassVar[dict[str, int]] = {"language_ids": 1}

    def read(self, directory_or_file: str | Path, split: str,
             problems: Problems | None = None) -> Iterator[TextExample]:
        """See `TextTask.read`. Without a column of languages, a name like multinli.train.de.tsv says it; else it is
        English."""
        file = self.file(directory_or_file, split)
        parts = file.name.split(".")
        language = parts[-2] if len(parts) > 2 and parts[-2] in LANGUAGES else "en"
        for example in super().read(directory_or_file, split, problems):
            yield example if example.language else replace(example, language=language)

    def _example(self, row: dict[str, Any], line: int) -> TextExample:
        example = super()._example(row, line)
        if example.language and example.language not in LANGUAGES:
            raise UserError(f"unknown language {example.language!r}; task {self.name} has {', '.join(LANGUAGES)}")
        return example

    def encode(self, examples: Sequence[TextExample], tokenizer: Tokenizer, options: EncodeOptions,
               first_index: int = 0) -> Features:
        """Rows of `TextTask.encode`, and language_ids, int32 (rows, 1)."""
        features = super().encode(examples, tokenizer, options, first_index)
        languages = [LANGUAGES.index(example.language or "en") for example in examples]
        features.values["language_ids"] = np.array(languages, np.int32)[:, None]
        return features

    def predictions(self, outputs: Outputs, options: DecodeOptions) -> list[dict[str, Any]]:
        """Those of `TextTask`, with the language."""
        languages = outputs.values["language_ids"][:, 0]
        return [{**prediction, "language": LANGUAGES[language]}
                for prediction, language in zip(super().predictions(outputs, options), languages, strict=True)]

    def score(self, outputs: Outputs, options: DecodeOptions) -> dict[str, float]:
        """accuracy, the mean over the languages, and that of each one: accuracy_de, ..."""
        predictions, labels = self._values(outputs), outputs.values["label_ids"][:, 0]
        languages = outputs.values["language_ids"][:, 0]
        scores = {}
        for index in np.unique(languages):
            chosen = languages == index
            for name, value in self.metrics(predictions[chosen], labels[chosen]).items():
                scores[f"{name}_{LANGUAGES[index]}"] = value
        return {"accuracy": float(np.mean(list(scores.values()))), **scores}


XNLI = XnliTask(
    name="XNLI",
    text_a="sentence1",
    text_b="sentence2",
    label="gold_label",
    labels=NLI_LABELS,
    language="language",
    aliases={"premise": "sentence1", "hypo": "sentence2", "hypothesis": "sentence2", "label": "gold_label"},
    label_aliases={"contradictory": "contradiction"},
    hub_labels=HUB_NLI,
    takes_first=True,
    dropped_labels=("-",),
    # Of the training set's languages the first that is there, English before others.
    files={"train": (*(f"multinli.train.{language}.tsv" for language in sorted(LANGUAGES, key="en".__ne__)),
                     *(f"train{suffix}" for suffix in SUFFIXES)),
           "train_aug": ("train_aug.tsv",),
           **{split: tuple(stem + suffix for stem in stems for suffix in SUFFIXES) for split, stems in (
               ("dev", ("xnli.dev", *DEV_STEMS)), ("test", ("xnli.test", "test")))}},
    copies=10,
)
