# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""What a model that embeds texts is fine-tuned on: the tasks `sts`, `pairs` and `triplets`.

    sts        sentence1, sentence2, score: the cosine of the two texts is drawn to the score
    pairs      anchor, positive: a text, and one that belongs to it: an answer, a paraphrase, a translation
    triplets   anchor, positive, negative: besides, one that looks alike and does not belong to it

in files with a header (TSV, CSV), JSON lines, Parquet or Arrow. Each text is a row; the rows of an example stay
together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np

from src.common.errors import UserError
from src.config import HeadConfig, TaskConfig
from src.config.model import POSITIVE_PAIRS, SCORED_PAIRS
from src.task_files.forms import Form
from src.task_files.headers import cut
from src.task_files.tables import Row
from src.tasks.features import DecodeOptions, EncodeOptions, Features, Outputs
from src.tasks.ranking_metrics import NAMES, means, of_ranking
from src.tasks.similarity import cosines, search
from src.tasks.task import Kind
from src.tasks.text_encoding import encode_texts
from src.tasks.text_layout import Layout, by_number, places_given
from src.tasks.texts import TextExample, TextTask
from src.text.tokenization import Tokenizer

NEGATIVE, SCORE = "negative", "score"
KEYS = "text_keys"
_FIRST = ("query", "question", "text", "text_a", "text1", "sentence", "sentence1", "sentence_a", "english")
_SECOND = ("document", "answer", "passage", "paraphrase", "translation", "text_b", "text2", "sentence2", "sentence_b",
           "non_english")


class _Text(NamedTuple):
    text_a: str
    text_b: None = None


@dataclass(frozen=True)
class PairTask(TextTask):
    """Pairs or triplets of texts.

    Attributes:
        label: the column of the score, or of the third text; "" for neither.
        learns: what is learnt of them, one of LEARNT_PAIRS.
        score_scale: the highest score; scores are from 0 to it, and are divided by it.
    """

    kind: Kind = "embedding"
    metric_names: tuple[str, ...] = NAMES
    learns: str = POSITIVE_PAIRS
    score_scale: float = TaskConfig.score_scale

    extra_columns: ClassVar[dict[str, int]] = {KEYS: 2}
    keeps_lists: ClassVar[bool] = True

    @property
    def is_regression(self) -> bool:
        """Whether labels are numbers, float32 in records; see `encode` for what they say of a row."""
        return True

    @property
    def takes(self) -> str:
        return "text"

    def is_pair(self, example: Any) -> bool:
        return False

    @property
    def is_scored(self) -> bool:
        return self.learns == SCORED_PAIRS

    @property
    def texts(self) -> int:
        """Rows of an example."""
        return 3 if self.label == NEGATIVE else 2

    def head(self, pooled_activation: str = "none") -> HeadConfig:
        """An embedding; which pooling it has is the model's."""
        return HeadConfig("embedding")

    def with_settings(self, settings: TaskConfig, seed: int = 0) -> PairTask:
        task = super().with_settings(settings, seed)
        assert isinstance(task, PairTask)
        if settings.label_column and not self.label:
            raise UserError(f"--label_column {settings.label_column}: task {self.name} has two texts and nothing else; "
                            "take sts for scores, triplets for negatives, or leave it out")
        return replace(task, score_scale=settings.score_scale) if self.is_scored else task

    def how_read(self, split: str) -> dict[str, Any]:
        return {**super().how_read(split), "list_size": self.texts,
                **({"score_scale": self.score_scale} if self.is_scored else {})}

    def is_labelled(self, examples: Sequence[Any]) -> bool:
        """Whether examples have what is learnt of them; a test set of scores may lack them."""
        return bool(examples) and not (self.is_scored and examples[0].label is None)

    @property
    def _roles(self) -> dict[str, str]:
        return {name: name for name in (self.text_a, self.text_b, self.label)}

    def _may_be_quoted(self, file: Path, is_own: bool) -> bool:
        return not is_own

    def _columns(self, file: Path, form: Form, first: Row, may_lack_labels: bool) -> Layout:
        line, cells = first
        columns, named = [cut(str(cell)) for cell in cells], self._named()
        try:
            if places_given(columns, form, named.values()):
                needed = [name for name in (self.text_a, self.text_b, self.label) if name]
                return by_number(columns, form, {name: (self._option(name), named.get(name, "")) for name in needed},
                                 needed)
        except UserError as error:
            raise UserError(f"{file}:{line}: {error}") from None
        return super()._columns(file, form, first, not self.label or self.is_scored and may_lack_labels)

    def _option(self, name: str) -> str:
        return {self.text_a: "--text_column", self.text_b: "--text_b_column"}.get(name, "--label_column")

    def _named(self) -> dict[str, str]:
        return {own: name for own, name in super()._named().items() if own}

    def _is_unlabelled(self, cell: Any) -> bool:
        return self.is_scored and super()._is_unlabelled(cell)

    def _label(self, cell: Any) -> str | float:
        """Return a score as a share of `score_scale`, or the third text."""
        if not self.is_scored:
            return self._text({NEGATIVE: cell}, NEGATIVE)
        score = super()._label(cell)
        assert isinstance(score, float)
        if not 0 <= score <= self.score_scale:
            raise UserError(f"the score is {score:g}; expected a number from 0 to {self.score_scale:g} "
                            "(--score_scale sets the highest)")
        return score / self.score_scale

    def _example(self, row: dict[str, Any], line: int) -> TextExample:
        """See `TextTask`; an empty text is faulty, as is a score that is out of range."""
        example = super()._example(row, line)
        names = (self.text_a, self.text_b, NEGATIVE)
        for name, text in zip(names, self._texts_of(example), strict=False):
            if not cut(text):
                raise UserError(f"the {name} is empty; expected a text on each side")
        return example

    def _texts_of(self, example: TextExample) -> tuple[str, ...]:
        third = (str(example.label),) if self.label == NEGATIVE else ()
        return (example.text_a, example.text_b or "", *third)

    def encode(self, examples: Sequence[TextExample], tokenizer: Tokenizer, options: EncodeOptions,
               first_index: int = 0) -> Features:
        """[CLS] text [SEP], a row a text.

        label_ids float32 (rows, 1): the score of a row's pair, from 0 to 1; without scores 0 for an anchor, 1 for its
        positive, -1 for its negative. text_keys int32 (rows, 2): equal for equal texts.
        """
        texts = [text for example in examples for text in self._texts_of(example)]
        features = encode_texts([_Text(text) for text in texts], tokenizer, options.seq_length)
        if self.is_labelled(examples):
            labels = [[example.label] * 2 if self.is_scored else [0, 1, -1][: self.texts] for example in examples]
            features.values["label_ids"] = np.array(labels, np.float32).reshape(-1, 1)
        keys = b"".join(blake2b(text.encode(), digest_size=8).digest() for text in texts)
        features.values[KEYS] = np.frombuffer(keys, ">u4").reshape(-1, 2).astype(np.int64) >> 1  # below 2^31
        return features

    def predictions(self, outputs: Outputs, options: DecodeOptions) -> list[dict[str, Any]]:
        """An entry an example: index, prediction (the cosine of its first two texts), of triplets negative (that of the
        first and the third), and label (the score as a share of its scale; None where there is none)."""
        found = [self._cosines(outputs, place) for place in range(1, self.texts)]
        labels = outputs.values["label_ids"][0::2, 0] if self.is_scored and "label_ids" in outputs.values else None
        return [{"index": index, "prediction": float(values[0]),
                 **({NEGATIVE: float(values[1])} if len(values) > 1 else {}),
                 "label": None if labels is None else float(labels[index])}
                for index, values in enumerate(zip(*found, strict=True))]

    def score(self, outputs: Outputs, options: DecodeOptions) -> dict[str, float]:
        """Correlations of cosines and scores; or how well each anchor's positives are found among all texts that are
        nobody's anchor (`ranking_metrics`), and of triplets the share whose positive is nearer than the negative."""
        near = self._cosines(outputs, 1)
        if self.is_scored:
            return self.metrics(near, outputs.values["label_ids"][0::2, 0])
        found = self._retrieval(outputs)
        if self.texts > 2:
            found["accuracy"] = float(np.mean(near > self._cosines(outputs, 2)))
        return found

    def _cosines(self, outputs: Outputs, place: int) -> np.ndarray:
        """Cosine of each example's first text and the one at a place."""
        return cosines(outputs.logits[0::self.texts], outputs.logits[place::self.texts])

    def _retrieval(self, outputs: Outputs) -> dict[str, float]:
        """Metrics of a search for the positives of each anchor; equal texts are one."""
        size, keys = self.texts, [tuple(key) for key in outputs.values[KEYS].tolist()]
        documents, queries = (dict[tuple[int, ...], int]() for _ in range(2))  # key -> its first row
        positives: dict[tuple[int, ...], set[tuple[int, ...]]] = {}
        for row, key in enumerate(keys):
            (documents if row % size else queries).setdefault(key, row)
            if row % size == 1:
                positives.setdefault(keys[row - 1], set()).add(key)
        numbers, _ = search(outputs.logits[list(queries.values())], [outputs.logits[list(documents.values())]])
        names = list(documents)
        return means(of_ranking(np.array([float(names[number] in positives[query]) for number in its]),
                                np.ones(len(positives[query])))
                     for query, its in zip(queries, numbers.tolist(), strict=True))


TEXT_PAIRS = (
    PairTask("sts", text_a="sentence1", text_b="sentence2", label=SCORE, learns=SCORED_PAIRS,
             metric_names=("spearman", "pearson"),
             aliases={"text_a": "sentence1", "text_b": "sentence2", "text1": "sentence1", "text2": "sentence2",
                      "sentence_a": "sentence1", "sentence_b": "sentence2", "label": SCORE}),
    *(PairTask(name, text_a="anchor", text_b="positive", label=label, metric_names=(*NAMES, *more),
               aliases=dict.fromkeys(_FIRST, "anchor") | dict.fromkeys(_SECOND, "positive"))
      for name, label, more in (("pairs", "", ()), ("triplets", NEGATIVE, ("accuracy",)))),
)
