# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""What requests and answers look like: the forms of Hugging Face's text-embeddings-inference (TEI), and `model`.

Unlike TEI, texts that are longer than the model's longest input are cut as in training unless `truncate` is false;
taggers and models of answers read them in windows. Other fields of TEI mean nothing here and are ignored.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import BaseModel, Field, PlainValidator, WithJsonSchema

from serving.answers import Answer
from serving.predictor import Text
from serving.web.limits import Limits, Refused

_STRING, _PAIR = {"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 2, "maxItems": 2}
_ROW = {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 2}


class Given(list[Text]):
    """The texts of a request; `alone`: it asked for one, not for a list."""

    def __init__(self, texts: Sequence[Text], alone: bool):
        super().__init__(texts)
        self.alone = alone


def _shown(value: Any) -> str:
    if value is None or isinstance(value, bool | int | float):
        return f"{value!r:.40}"
    names: dict[type, str] = {str: "a text", list: "a list", dict: "an object"}
    return names.get(type(value), "no text")


def _text(value: Any, place: str) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{place} is {_shown(value)}; expected a text")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise ValueError(f"{place} holds half of a surrogate pair, which is no text") from None
    return value


def _row(value: Any, place: str) -> Text:
    if not isinstance(value, list) or not 1 <= len(value) <= 2:
        what = f"a list of {len(value)}" if isinstance(value, list) else _shown(value)
        raise ValueError(f"{place} is {what}; a batch is a list of [text] or [text, text]")
    texts = [_text(part, f"{place}[{number}]") for number, part in enumerate(value)]
    return texts[0] if len(texts) == 1 else (texts[0], texts[1])


def texts_or_pairs(value: Any) -> Given:
    """Read what TEI's /predict takes: "a", ["a", "b"] (one pair), or [["a"], ["a", "b"], ...] (a batch).

    Raises:
        ValueError: anything else.
    """
    if isinstance(value, str):
        return Given([_text(value, "inputs")], True)
    if isinstance(value, list) and value and not isinstance(value[0], list):
        return Given([_row(value, "inputs")], True)
    if isinstance(value, list) and value:
        return Given([_row(row, f"inputs[{number}]") for number, row in enumerate(value)], False)
    raise ValueError(f"inputs is {'an empty list' if value == [] else _shown(value)}; expected a text, a pair "
                     "[text, text], or a batch [[text], [text, text], ...]")


def _list_of_texts(value: Any) -> list[str]:
    if not isinstance(value, list) or not value:
        raise ValueError(f"texts is {'an empty list' if value == [] else _shown(value)}; expected a list of texts")
    return [_text(part, f"texts[{number}]") for number, part in enumerate(value)]


def texts_to_embed(value: Any) -> Given:
    """Read what TEI's /embed takes: "a", or ["a", "b", ...].

    Raises:
        ValueError: anything else.
    """
    if isinstance(value, str):
        return Given([_text(value, "inputs")], True)
    if isinstance(value, list) and value:
        return Given([_text(each, f"inputs[{number}]") for number, each in enumerate(value)], False)
    raise ValueError(f"inputs is {'an empty list' if value == [] else _shown(value)}; expected a text, or a list of "
                     "texts")


class Asked(BaseModel):
    """What all requests may hold."""

    model: str | None = Field(None, description="name of a model, see /info; by default the first one")
    truncate: bool | None = Field(None, description="false: a text that would be cut is refused (413)")


class PredictRequest(Asked):
    """TEI's request of /predict."""

    inputs: Annotated[Given, PlainValidator(texts_or_pairs), WithJsonSchema({
        "oneOf": [_STRING, _PAIR, {"type": "array", "items": _ROW}],
        "description": "a text, a pair of texts, or a batch: [[text], [text, text], ...]"})]
    raw_scores: bool = Field(False, description="refused where true: logits are not kept")


class EmbedRequest(Asked):
    """TEI's request of /embed."""

    inputs: Annotated[Given, PlainValidator(texts_to_embed), WithJsonSchema({
        "oneOf": [_STRING, {"type": "array", "items": _STRING, "minItems": 1}],
        "description": "a text, or a list of texts"})]
    normalize: bool = Field(True, description="divide each vector by its norm, whatever the model does")


class RerankRequest(Asked):
    """TEI's request of /rerank."""

    query: Annotated[str, PlainValidator(lambda value: _text(value, "query")), WithJsonSchema(_STRING)]
    texts: Annotated[list[str], PlainValidator(_list_of_texts),
                     WithJsonSchema({"type": "array", "items": _STRING, "minItems": 1})]
    raw_scores: bool = Field(False, description="scores as the model gives them, without the sigmoid")
    return_text: bool = False


def within(texts: Sequence[Text], limits: Limits) -> None:
    """Raise `Refused` (413) for too many or too long texts."""
    if len(texts) > limits.max_texts:
        raise Refused(413, f"{len(texts)} texts; at most {limits.max_texts} are taken, send several requests")
    for number, text in enumerate(texts):
        length = len(text) if isinstance(text, str) else len(text[0]) + len(text[1])
        if length > limits.max_characters:
            raise Refused(413, f"text {number} has {length} characters; at most {limits.max_characters} are taken")


def refuse_cut(answers: Sequence[Answer]) -> None:
    """Raise `Refused` (413) where a text was too long for a row."""
    for number, answer in enumerate(answers):
        if answer["truncated"]:
            raise Refused(413, f"text {number} is longer than the model's longest input; send truncate: true to have "
                               "it cut", "Tokenizer")


def predicted(answer: Answer) -> Any:
    """An answer in TEI's form, [{"score": 0.9, "label": "x"}, ...] with the best first, where its kind has one."""
    if "probabilities" in answer:
        ranked = sorted(answer["probabilities"].items(), key=lambda item: -item[1])
        return [{"score": score, "label": label} for label, score in ranked]
    return answer


def ranked(scores: Sequence[float], texts: Sequence[str], raw: bool, with_text: bool) -> list[dict[str, Any]]:
    """TEI's answer of /rerank: the best first."""
    shown = scores if raw else [sigmoid(score) for score in scores]
    entries: list[dict[str, Any]] = []
    for index in sorted(range(len(scores)), key=lambda place: -scores[place]):
        entries.append({"index": index, **({"text": texts[index]} if with_text else {}), "score": shown[index]})
    return entries


def normalized(vector: Sequence[float]) -> list[float]:
    """A vector divided by its norm; zeros stay."""
    norm = math.sqrt(math.fsum(value * value for value in vector)) or 1.0
    return [value / norm for value in vector]


def sigmoid(value: float) -> float:
    """1 / (1 + exp(-value)), without overflow."""
    return 1 / (1 + math.exp(-value)) if value >= 0 else math.exp(value) / (1 + math.exp(value))
