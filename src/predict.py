# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Ask a trained model in Python: texts in, labels with probabilities out.

    from src.predict import load

    model = load("runs/student")
    model("A lovely film.")                       # {"label": "1", "probability": 0.98, "probabilities": {"0": ...}}
    model(["A lovely film.", "Dull."])            # a list: one such dictionary a text, in their order
    model(("A man sleeps.", "He is awake."))      # a tuple is a pair of texts; a list of tuples is several

What a dictionary holds depends on the head, and is ready for JSON:

    classification  label, probability, probabilities (label -> probability, in the order of the logits)
    regression      score
    tagging         words, tags (one a word), entities (type, begin and end (exclusive) in characters, text)
    span            answer, begin and end (exclusive) in the text, score; asked with (question, text)
    embedding       embedding (a list of numbers); `logits` returns the same as an array

The rows are those of eval.py, whose predictions these are.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from serving.answers import answered, classes, embeddings, scores, tagged
from serving.words import split_words
from src.checkpoints.checkpoint import LoadedModel, load_model
from src.common.errors import UserError
from src.common.paths import path_of
from src.config import load_config
from src.dataset import resolve_buckets
from src.evaluate.tasks import Predictor, Rows, batch_of, decode_options
from src.tasks.candidate_lists import Candidates
from src.tasks.features import EncodeOptions, Outputs
from src.tasks.plain import PlainTask
from src.tasks.registry import WITHOUT_A_TASK, task_of_model
from src.tasks.reranking import RerankingTask
from src.tasks.span import SpanTask, spans_of
from src.tasks.span_files import SpanExample
from src.tasks.tagging import TaggingTask
from src.tasks.tagging_formats import TaggingExample
from src.tasks.texts import TextExample, TextTask

Text = str | tuple[str, str]
"""What is asked about: a text, or a pair; of an extractive model (question, text)."""

_SHORTEST = 5
"""A pair of texts with its three special tokens."""


def load(directory: str | Path, seq_length: int = 0, batch_size: int = 32) -> TextModel:
    """Load a model with its tokenizer.

    Args:
        directory: a checkpoint directory, or the folder of a run, whose model is taken.
        seq_length: longest row in tokens; 0 takes the default of eval.py, 128, or what the model knows where that is
            less; of an embedding always what it was made for. Longer texts are cut, which is warned of; taggers and
            extractive models read them in windows.
        batch_size: rows that are run together; they are sorted by length.

    Raises:
        UserError: no such model, one without a head for a task or without a tokenizer, or too long a `seq_length`.
    """
    if not isinstance(directory, (str, Path)):
        raise UserError(f"directory is {directory!r:.60}; expected the path of a model or of a run")
    return TextModel(load_model(path_of(str(directory), "directory"), "checkpoint"), seq_length, batch_size)


class TextModel:
    """A model that takes texts; see the head of this file. It runs on MindSpore's current device, in its current mode.

    Attributes:
        labels: classes in the order of the logits; () for scores and answers.
        kind: classification, regression, tagging, span or embedding.
    """

    def __init__(self, loaded: LoadedModel, seq_length: int = 0, batch_size: int = 32):
        for name, value, least in (("seq_length", seq_length or _SHORTEST, _SHORTEST), ("batch_size", batch_size, 1)):
            if not isinstance(value, int) or value < least:
                raise UserError(f"{name} is {value!r}; expected a whole number, {least} or more")
        settings, head = load_config(), loaded.config.head
        self.kind, self.labels = head.kind, head.labels
        if self.kind not in WITHOUT_A_TASK:
            raise UserError(f"{loaded.directory} has no head that answers for a text ({self.kind}); give a "
                            "fine-tuned or task-distilled checkpoint")
        self.tokenizer, self.batch_size = loaded.tokenizer(), batch_size
        length = seq_length or loaded.config.row_length(settings.data.seq_length)
        loaded.check_length(length)
        self.task = task_of_model(loaded.config.task_name, head)
        self.encoding = EncodeOptions(length, settings.task.doc_stride, settings.task.max_query_length)
        self.decoding = decode_options(settings.task)
        self.buckets = resolve_buckets(settings.data.buckets, length)
        self.predictor = Predictor(loaded.config).load(loaded.parameters, loaded.directory)

    def __call__(self, texts: Text | Sequence[Text]) -> Any:
        """Return the answer for a text or a pair, a list of answers for a list.

        Raises:
            UserError: neither, or a pair where the model takes single texts, and the other way round.
        """
        if isinstance(texts, list):
            return self._answers(texts)
        return self._answers([texts])[0]  # type: ignore[list-item]  # what it is not, is refused there

    def logits(self, texts: Sequence[Text]) -> np.ndarray:
        """Return the raw outputs of a list, float32: (rows, labels), of a tagger or an extractive model
        (rows, seq_length, labels), where a long text has several rows."""
        return self._outputs(list(texts)).logits

    def _answers(self, texts: list[Text]) -> list[dict[str, Any]]:
        return READERS[self.kind](self, self._outputs(texts)) if texts else []

    def _outputs(self, texts: list[Text]) -> Outputs:
        examples = [self._example(text, place) for place, text in enumerate(texts)]
        if len({isinstance(text, tuple) for text in texts}) > 1:
            raise UserError("single texts and pairs stand in one list; ask for each by itself")
        features = self.task.encode(examples, self.tokenizer, self.encoding)
        if features.shortened and isinstance(self.task, TextTask | RerankingTask):
            warnings.warn(f"{features.shortened} of {len(texts)} texts are longer than seq_length "
                          f"{self.encoding.seq_length} and were cut", stacklevel=4)
        batch = batch_of(features.values)
        columns = {name: features.values[name] for name in self.task.extra_columns}
        rows = Rows(self.task, lambda: [batch], self.encoding.seq_length, False, columns, examples)
        return rows.complete(self.predictor.predict(rows.chunks(), min(self.batch_size, len(batch.input_ids)),
                                                    self.buckets))

    def _example(self, text: Any, place: int) -> TextExample | TaggingExample | SpanExample | Candidates:
        is_pair = isinstance(text, tuple) and len(text) == 2 and all(isinstance(part, str) for part in text)
        if not (is_pair or isinstance(text, str)):
            raise UserError(f"text {place} is {text!r:.60}; expected a text (str), or a pair of texts (a tuple of two)")
        if isinstance(self.task, SpanTask):
            self._require(is_pair, text, place, "a pair (question, text)")
            return SpanExample(str(place), text[0], text[1], None)
        if isinstance(self.task, RerankingTask):
            self._require(is_pair, text, place, "a pair (query, document)")
            return Candidates(text[0], (text[1],))
        if isinstance(self.task, TaggingTask):
            self._require(not is_pair, text, place, "a single text")
            return TaggingExample(text, split_words(text, self.task.by_character), None, place + 1)
        if isinstance(self.task, TextTask) and not isinstance(self.task, PlainTask):
            wants_pair = bool(self.task.text_b)
            self._require(is_pair == wants_pair, text, place, "a pair of texts" if wants_pair else "a single text")
        first, second = text if is_pair else (text, None)
        return TextExample(first, second, None, place + 1)

    def _require(self, holds: bool, text: Any, place: int, expected: str) -> None:
        if not holds:
            raise UserError(f"text {place} is {text!r:.60}; this model ({self.task.name}) takes {expected}")


def _entities(model: TextModel, outputs: Outputs) -> list[dict[str, Any]]:
    return [tagged(example.text, example.spans, entry["prediction"]) for example, entry in zip(
        outputs.examples, model.task.predictions(outputs, model.decoding), strict=True)]


def _spans(model: TextModel, outputs: Outputs) -> list[dict[str, Any]]:
    return answered([example.context for example in outputs.examples], spans_of(outputs, model.decoding),
                    getattr(model.task, "has_impossible", False), model.decoding.null_score_threshold)


READERS: dict[str, Callable[[TextModel, Outputs], list[dict[str, Any]]]] = {
    "classification": lambda model, outputs: classes(outputs.logits, model.labels),
    "regression": lambda model, outputs: scores(outputs.logits), "tagging": _entities, "span": _spans,
    "embedding": lambda model, outputs: embeddings(outputs.logits)}
"""Kind of head -> what makes answers of the outputs."""
