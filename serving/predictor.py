# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Texts in, answers out: a bundle on ONNX Runtime.

The rows are those of eval.py, and so are the answers; what a dictionary holds: serving/answers.py, and besides
`truncated`, whether a text (of questions, the question) was too long for a row and has been cut. Taggers and models of
answers read long texts in windows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from serving.answers import Answer, answered, classes, embeddings, scores, tagged
from serving.bundle import MODEL, TAKES, TOKENIZER, Bundle, ServingError, read_bundle
from serving.offsets import places_of
from serving.rows import Row, padded, text_row
from serving.spans import best_spans
from serving.tags import by_word
from serving.windows import decided, windows
from serving.words import as_encoded, split_words

Text = str | tuple[str, str]
"""What is asked about: a text, or a pair; of a model of answers (question, text)."""
BATCH_SIZE = 32
"""Rows that are run together, unless something else is asked for."""
PADDED = 1.2
"""Most tokens of a batch, padding included, for each that is none: on processors, padding costs what tokens do."""


class Predictor:
    """A bundle that takes texts. Several threads may ask it at a time.

    Attributes:
        task: name of the task; "" where none is known.
        kind: classification, regression, tagging, span or embedding.
        labels: classes in the order of the logits; () for scores and answers.
        size_bytes: of the files that are needed.
        metadata: bundle.json.
    """

    def __init__(self, folder: str | Path, threads: int = 1, batch_size: int = 0):
        """Load a bundle.

        Args:
            threads: of ONNX Runtime, for one call.
            batch_size: most rows that are run together; they are sorted by length. 0: 32, but 1 for a model in int8
                whose ranges are those of each call: there an answer depends on all that is in the batch.

        Raises:
            ServingError: no bundle, one of a newer version, or one that is damaged.
        """
        for name, value, least in (("threads", threads, 1), ("batch_size", batch_size, 0)):
            if type(value) is not int or value < least:
                raise ServingError(f"{name} is {value!r:.60}; expected a whole number, {least} or more")
        self.bundle: Bundle = read_bundle(folder)
        self.task, self.kind, self.labels = self.bundle.task, self.bundle.kind, self.bundle.labels
        self.metadata, self.size_bytes = self.bundle.metadata, self.bundle.size_bytes
        self.batch_size = batch_size or (1 if self.bundle.compute_type == "int8" else BATCH_SIZE)
        self._tokenizer = _tokenizer(self.bundle.folder / TOKENIZER)
        self._session = _session(self.bundle.folder / MODEL, threads, self.bundle.outputs)

    def predict(self, inputs: Sequence[Text]) -> list[Answer]:
        """Return the answers for a list of texts or pairs, in their order.

        Raises:
            ServingError: an input is no text, or not what this model takes.
        """
        texts = self.checked(inputs)
        return _READERS[self.kind](self, texts) if texts else []

    def logits(self, inputs: Sequence[Text]) -> np.ndarray:
        """Return the raw outputs for a list, float32: (rows, labels), embeddings (rows, width), of a tagger or a model
        of answers (rows, tokens of the longest row, labels), where a long text has several rows."""
        texts = self.checked(inputs)
        return self._run(_ROWS[self.kind](self, texts)[0] if texts else [])

    def checked(self, inputs: Sequence[Text]) -> list[tuple[str, ...]]:
        """Return the inputs as tuples of one text or two; raises `ServingError` as `predict` does."""
        if isinstance(inputs, str) or not isinstance(inputs, Sequence):
            raise ServingError(f"the inputs are {inputs!r:.60}; expected a list of texts, or of pairs of texts")
        return [self._checked(each, place) for place, each in enumerate(inputs)]

    def _checked(self, given: Any, place: int) -> tuple[str, ...]:
        parts = (given,) if isinstance(given, str) else given
        if not isinstance(parts, (tuple, list)) or not all(isinstance(part, str) for part in parts) or (
                len(parts) not in (1, 2)):
            raise ServingError(f"text {place} is {given!r:.60}; expected a text, or a pair of texts")
        takes = self.bundle.rows.takes
        if takes != "either" and len(parts) != 1 + (takes != "text"):
            raise ServingError(f"text {place} is {given!r:.60}; this model ({self.task or self.kind}) takes "
                               f"{TAKES[takes]}")
        for part in parts:
            if not part.strip():
                raise ServingError(f"text {place} is empty; give one with something in it")
            try:
                part.encode("utf-8")
            except UnicodeEncodeError as error:
                raise ServingError(f"text {place} has half of a surrogate pair at character {error.start} "
                                   f"({part[error.start]!r}), which is no text; give valid Unicode") from None
        return tuple(parts)

    def _encode(self, texts: Sequence[str]) -> list[list[int]]:
        return [encoding.ids for encoding in self._tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)]

    def _row(self, first: Sequence[int], second: Sequence[int] | None = None) -> Row:
        rows, special = self.bundle.rows, self.bundle.special
        return text_row(first, second, rows.seq_length, special.cls, special.sep, rows.separators)

    def _run(self, rows: Sequence[Row]) -> np.ndarray:
        """Logits of rows, in their order; of tokens filled up with zeros to the longest row."""
        order = sorted(range(len(rows)), key=lambda place: len(rows[place].ids))
        found: np.ndarray | None = None
        for start, end in _parts([len(rows[place].ids) for place in order], self.batch_size):
            places = order[start:end]
            batch = padded([rows[place] for place in places], self.bundle.special.pad)
            own = self._session.run(["logits"], batch._asdict())[0]
            if found is None:
                longest = (len(rows[order[-1]].ids),) if own.ndim == 3 else ()
                found = np.zeros((len(rows), *longest, own.shape[-1]), np.float32)
            if own.ndim == 3:
                found[places, : own.shape[1]] = own
            else:
                found[places] = own
        return np.zeros((0, self.bundle.outputs), np.float32) if found is None else found


def _parts(lengths: Sequence[int], most: int) -> Iterator[tuple[int, int]]:
    """Cut rows, sorted by their lengths, into batches of `most` at most, of which little is padding."""
    start, tokens = 0, 0
    for place, length in enumerate(lengths):
        if place - start == most or (place - start + 1) * length > PADDED * (tokens + length):
            yield start, place
            start, tokens = place, 0
        tokens += length
    if lengths:
        yield start, len(lengths)


def _text_rows(model: Predictor, texts: list[tuple[str, ...]]) -> tuple[list[Row], None]:
    ids = iter(model._encode(list(chain.from_iterable(texts))))
    return [model._row(next(ids), next(ids) if len(parts) > 1 else None) for parts in texts], None


def _of_texts(model: Predictor, texts: list[tuple[str, ...]]) -> list[Answer]:
    rows, _ = _text_rows(model, texts)
    logits = model._run(rows)
    if model.kind == "classification":
        answers = classes(logits, model.labels)
    else:
        answers = scores(logits) if model.kind == "regression" else embeddings(logits)
    return [{**answer, "truncated": row.is_cut} for answer, row in zip(answers, rows, strict=True)]


def _word_rows(model: Predictor, texts: list[tuple[str, ...]]) -> tuple[list[Row], tuple[Any, ...]]:
    """Rows of the windows of texts; the words of each text, the word that each token decides, and whose a row is."""
    bundle = model.bundle
    spans = [split_words(text, bundle.rows.by_character) for text, in texts]
    pieces = model._encode([word for (text,), own in zip(texts, spans, strict=True)
                            for word in as_encoded(text, own, bundle.is_byte_level)])
    pieces = [ids or [bundle.special.unk] for ids in pieces]  # a word that the tokenizer drops
    ids = np.array(list(chain.from_iterable(pieces)), np.int64)
    lengths = np.fromiter(map(len, pieces), np.int64, len(pieces))
    words = np.full(len(ids), -1, np.int64)
    counts = [len(own) for own in spans]
    words[np.cumsum(lengths) - lengths] = [number for count in counts for number in range(count)]
    ends = np.cumsum([0, *counts])
    sizes = [int(lengths[begin:end].sum()) for begin, end in zip(ends, ends[1:], strict=False)]
    cut = list(decided(sizes, bundle.rows.seq_length - 2, bundle.rows.doc_stride))
    rows = [model._row(ids[begin:end].tolist()) for _, begin, end, _ in cut]
    word_ids = np.full((len(rows), max(len(row.ids) for row in rows)), -1, np.int64)
    for row, (_, begin, end, own) in enumerate(cut):
        word_ids[row, 1: 1 + end - begin] = np.where(own, words[begin:end], -1)
    return rows, (spans, word_ids, np.array([index for index, *_ in cut], np.int64))


def _of_words(model: Predictor, texts: list[tuple[str, ...]]) -> list[Answer]:
    rows, (spans, word_ids, examples) = _word_rows(model, texts)
    found = by_word(model._run(rows).argmax(-1), word_ids, examples)
    return [{**tagged(text, own, [model.labels[value] for value in values]), "truncated": False}
            for (text,), own, values in zip(texts, spans, found, strict=True)]


def _question_rows(model: Predictor, texts: list[tuple[str, ...]]) -> tuple[list[Row], tuple[Any, ...]]:
    """Rows of the windows of contexts; characters that each token stands for, whose a row is, and cut questions."""
    reads = model.bundle.rows
    questions = model._encode([question.strip() for question, _ in texts])
    contexts = list(dict.fromkeys(context for _, context in texts))
    located = {context: (encoding.ids, *places_of(context, encoding.offsets)) for context, encoding in zip(
        contexts, model._tokenizer.encode_batch(contexts, add_special_tokens=False), strict=True)}
    rows, examples, places = [], [], []
    for index, ((_, context), whole) in enumerate(zip(texts, questions, strict=True)):
        ids, begins, ends = located[context]
        question = whole[: reads.max_query_length]
        for begin, end in windows(len(ids), reads.seq_length - 2 - reads.separators - len(question), reads.doc_stride):
            rows.append(model._row(question, ids[begin:end]))
            examples.append(index)
            places.append((begins[begin:end], ends[begin:end]))
    characters = np.full((2, len(rows), max(len(row.ids) for row in rows)), -1, np.int64)
    for row, (own, sides) in enumerate(zip(rows, places, strict=True)):
        for side, values in enumerate(sides):
            characters[side, row, own.second: own.second + len(values)] = values
    cut = [len(question) > reads.max_query_length for question in questions]
    return rows, (characters, np.array(examples, np.int64), cut)


def _of_questions(model: Predictor, texts: list[tuple[str, ...]]) -> list[Answer]:
    rows, ((begins, ends), examples, cut) = _question_rows(model, texts)
    settings = model.bundle.answers
    best = best_spans(model._run(rows), examples, begins, ends, len(texts), settings.n_best_size,
                      settings.max_answer_length)
    answers = answered([context for _, context in texts], best, settings.has_impossible, settings.null_score_threshold)
    return [{**answer, "truncated": own} for answer, own in zip(answers, cut, strict=True)]


_Texts = list[tuple[str, ...]]
_ROWS: dict[str, Callable[[Predictor, _Texts], tuple[list[Row], Any]]] = {
    "classification": _text_rows, "regression": _text_rows, "tagging": _word_rows, "span": _question_rows,
    "embedding": _text_rows}
_READERS: dict[str, Callable[[Predictor, _Texts], list[Answer]]] = {
    "classification": _of_texts, "regression": _of_texts, "tagging": _of_words, "span": _of_questions,
    "embedding": _of_texts}
"""Kind of head -> what makes rows of texts, and answers of them."""


@contextmanager
def _faults_of_library(path: Path) -> Iterator[None]:
    """Raise ServingError for what the libraries raise at a file that they cannot read: of `tokenizers` also a
    PanicException, which is no Exception."""
    try:
        yield
    except ServingError:
        raise
    except BaseException as error:
        if isinstance(error, Exception) and not isinstance(error, ImportError) or (
                type(error).__name__ == "PanicException"):
            raise ServingError(f"{path} cannot be loaded: {' '.join(str(error).split())[:300]}; install the versions "
                               "of requirements-serving.txt, or export the model again") from error
        raise


def _tokenizer(path: Path) -> Any:
    from tokenizers import Tokenizer

    with _faults_of_library(path):
        tokenizer = Tokenizer.from_file(str(path))
    # Rows are cut and filled up here, as in training.
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def _session(path: Path, threads: int, outputs: int) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 3  # it warns of each operator that a processor runs otherwise
    with _faults_of_library(path):
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    shapes = {each.name: each.shape for each in session.get_outputs()}
    if shapes.get("logits", [None])[-1] != outputs:
        raise ServingError(f"{path} has the outputs {shapes}; bundle.json asks for {outputs} logits; export the model "
                           "again")
    return session
