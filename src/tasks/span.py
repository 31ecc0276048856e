# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Extractive question answering: the answer is a span of the text, given by its first and its last token."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np

from serving.rows import text_row
from serving.spans import BestSpans, best_spans
from serving.windows import windows
from src.common.errors import UserError
from src.task_files.columnar import and_more, columnar_kind
from src.task_files.forms import Form
from src.task_files.problems import Problems
from src.tasks.features import DecodeOptions, EncodeOptions, Features, Outputs
from src.tasks.span_files import SpanExample, is_csv, read_questions
from src.tasks.span_metrics import cmrc_scores, squad2_scores, squad_scores
from src.tasks.task import DEV_STEMS, UNLABELLED_SPLIT, Kind, Task, is_test, model_inputs, stack
from src.text.offsets import Located, locate
from src.text.tokenization import Tokenizer

SCORES = {"squad": squad_scores, "squad2": squad2_scores, "cmrc": cmrc_scores}
SQUAD2_METRICS = ("f1", "exact_match", "has_answer_f1", "has_answer_exact_match", "no_answer_f1",
                  "no_answer_exact_match")


@dataclass(frozen=True)
class SpanTask(Task):
    """A data set in SQuAD's JSON.

    Attributes:
        has_impossible: whether the text may lack the answer (SQuAD v2.0).
        scorer: whose official script is followed; all scores are from 0 to 1.
        submission_file: name of the file that the benchmark takes.
    """

    kind: Kind = "span"
    metric_names: tuple[str, ...] = ("f1", "exact_match")
    has_impossible: bool = False
    scorer: Literal["squad", "squad2", "cmrc"] = "squad"
    submission_file: str = "predictions.json"

    extra_columns: ClassVar[dict[str, int]] = {"example_ids": 1, "token_begins": 0, "token_ends": 0}
    label_field: ClassVar[str] = "answers"
    kept_example: ClassVar[Any] = SpanExample

    @property
    def takes(self) -> str:
        return "question"

    @property
    def splits(self) -> tuple[str, ...]:
        return tuple(self.files)

    def read(self, directory_or_file: str | Path, split: str,
             problems: Problems | None = None) -> Iterator[SpanExample]:
        """Yield a split's questions; see `read_questions` for what `problems` counts."""
        file, problems = self.file(directory_or_file, split), problems or Problems()
        counts = Counter[str]()
        for example in read_questions(file, split.startswith("train"), is_test(split), self.has_impossible, problems):
            if split == UNLABELLED_SPLIT:
                example = replace(example, answers=None)
            counts.update(("labelled",) * (example.answers is not None), questions=1, answered=bool(example.answers),
                          elsewhere=bool(example.answers) and example.place() is None)
            yield example
        understood, kind = problems.understood, columnar_kind(file)
        form = f"questions in {Form(kind).name if kind else 'CSV' if is_csv(file) else 'JSON'}"
        understood.file, understood.form, understood.encoding = f"{file}{and_more(file)}", form, "utf-8"
        understood.columns = {"questions": str(counts["questions"])}
        if counts["labelled"]:
            understood.columns |= {"with an answer": str(counts["answered"]),
                                   "without": str(counts["questions"] - counts["answered"])}
        if counts["elsewhere"]:
            understood.notes.append(f"answers of {counts['elsewhere']} questions do not stand where answer_start says; "
                                    "their texts are scored")
        if problems.number:
            understood.left_out["faulty questions"] = problems.number

    def encode(self, examples: Sequence[SpanExample], tokenizer: Tokenizer, options: EncodeOptions,
               first_index: int = 0) -> Features:
        """[CLS] question [SEP] window of the context [SEP], a row for each window; see `text_row`.

        label_ids (rows, 2) are the first and the last token of the answer, (0, 0) in windows that do not hold all of
        it. example_ids (rows, 1); token_begins and token_ends (rows, seq_length) are the characters of the context
        that a token stands for, -1 outside of the context.

        Raises:
            UserError: a question of `max_query_length` tokens leaves no room for the context.
        """
        length, longest = options.seq_length, options.max_query_length
        special = 2 + tokenizer.separators
        if length <= longest + special:
            raise UserError(f"seq_length is {length}; a question of max_query_length {longest} and {special} "
                            f"special tokens leave no room for the text; raise seq_length, or lower max_query_length")
        questions = tokenizer.encode_batch([example.question.strip() for example in examples])
        # A paragraph has several questions.
        contexts = list(dict.fromkeys(example.context for example in examples))
        located = dict(zip(contexts, locate(contexts, tokenizer), strict=True))
        rows = [(index, span) for index, example in enumerate(examples)
                for span in windows(len(located[example.context].ids), length - special
                                    - min(len(questions[index]), longest), options.doc_stride)]
        cut_rows, begins, ends, labels = [], [], [], []
        answers = [_answer(example, located[example.context]) for example in examples]
        for index, (begin, end) in rows:
            question, context, answer = questions[index][:longest], located[examples[index].context], answers[index]
            row = text_row(question, context.ids[begin:end], length, tokenizer.cls_id, tokenizer.sep_id,
                           tokenizer.separators)
            cut_rows.append(row)
            outside = [-1] * row.second
            begins.append([*outside, *context.begins[begin:end]])
            ends.append([*outside, *context.ends[begin:end]])
            is_inside = answer is not None and begin <= answer[0] and answer[1] < end
            labels.append([place - begin + row.second for place in answer or ()] if is_inside else (0, 0))
        indices = np.array([index for index, _ in rows], np.int64)
        tokens = [row.ids for row in cut_rows]
        values = {**model_inputs(tokens, [row.first for row in cut_rows], length, tokenizer.pad_id),
                  "token_begins": stack(begins, length, -1), "token_ends": stack(ends, length, -1),
                  "example_ids": (indices[:, None] + first_index).astype(np.int32)}
        if self.is_labelled(examples):
            values["label_ids"] = np.array(labels, np.int32)
        cut = np.array([len(question) > longest for question in questions], bool)
        shortened = cut | (np.bincount(indices, minlength=len(examples)) > 1)
        return Features(values, tokens=sum(map(len, tokens)) - special * len(rows),
                        unknown=tokenizer.count_unknown(values["input_ids"]), shortened=int(shortened.sum()))

    def predictions(self, outputs: Outputs, options: DecodeOptions) -> list[dict[str, Any]]:
        """index, id, prediction (text, "" for no answer), label (right answers, [] for none), score of the span, and
        null_score where questions may have no answer.

        score is None, and the prediction "", where no pair of a start and an end was valid.
        """
        best = spans_of(outputs, options)
        is_null = best.is_null(options.null_score_threshold)
        entries = []
        for index, example in enumerate(outputs.examples):
            score, null_score = float(best.scores[index]), float(best.null_scores[index])
            text = example.context[best.begins[index]: best.ends[index]]
            entry = {"index": index, "id": example.id,
                     "prediction": "" if self.has_impossible and is_null[index] else text,
                     "label": None if example.answers is None else example.golds,
                     "score": score if np.isfinite(score) else None}
            if self.has_impossible:
                entry["null_score"] = null_score if np.isfinite(null_score) else None
            entries.append(entry)
        return entries

    def score(self, outputs: Outputs, options: DecodeOptions) -> dict[str, float]:
        """The official scores, from 0 to 1 like all metrics here (the official scripts print percent)."""
        entries = self.predictions(outputs, options)
        return SCORES[self.scorer]([entry["prediction"] for entry in entries], [entry["label"] for entry in entries])

    def submission(self, outputs: Outputs, options: DecodeOptions, split: str) -> dict[str, str]:
        """{id: answer}, which the official scripts and servers take."""
        answers = {entry["id"]: entry["prediction"] for entry in self.predictions(outputs, options)}
        return {self.submission_file: json.dumps(answers, ensure_ascii=False, indent=1) + "\n"}


def spans_of(outputs: Outputs, options: DecodeOptions) -> BestSpans:
    """Return the best span of each of `outputs.examples`."""
    values = outputs.values
    return best_spans(outputs.logits, values["example_ids"], values["token_begins"], values["token_ends"],
                      len(outputs.examples), options.n_best_size, options.max_answer_length)


def _answer(example: SpanExample, context: Located) -> tuple[int, int] | None:
    """First and last token of the answer that is trained on, without the spaces at its ends."""
    place = example.place()
    if place is None:
        return None
    text = example.context[slice(*place)]
    begin = place[0] + len(text) - len(text.lstrip())
    return context.tokens_of(begin, begin + len(text.strip())) if text.strip() else None


def _files(*names: str) -> tuple[str, ...]:
    return tuple(name + suffix for name in names for suffix in (".json", ".squad-style.json", ".jsonl"))


def _of_split(own: str, split: str) -> tuple[str, ...]:
    """Names of a split's file: its own, and those of the hub's tables."""
    stems = DEV_STEMS if split == "dev" else (split,)
    return _files(own, split) + tuple(stem + suffix for stem in stems for suffix in (".csv", ".parquet", ".arrow"))


def _by_version(version: str, *splits: str) -> dict[str, tuple[str, ...]]:
    return {split: _of_split(f"{split}-{version}", split) for split in splits}


XQUAD_LANGUAGES = ("en", "ar", "de", "el", "es", "hi", "ro", "ru", "th", "tr", "vi", "zh")

SPAN = (
    SpanTask(name="SQuAD", files=_by_version("v1.1", "train", "dev", "test")),
    SpanTask(name="SQuAD2", files=_by_version("v2.0", "train", "dev", "test"), has_impossible=True, scorer="squad2",
             metric_names=SQUAD2_METRICS),
    SpanTask(name="CMRC2018", scorer="cmrc", submission_file="cmrc2018_predict.json",
             files={split: _of_split(f"cmrc2018_{split}", split) for split in ("train", "dev", "trial", "test")}),
    # Artetxe et al., arXiv:1910.11856: trained on SQuAD, tested on translations of a part of its dev set.
    SpanTask(name="XQuAD", files={**_by_version("v1.1", "train", "dev"),
                                  **{f"test_{language}": _files(f"xquad.{language}") for language in XQUAD_LANGUAGES}}),
)
