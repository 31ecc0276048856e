# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Sentences of JSON records: a text with entities given in characters, or words with a tag each.

    {"text": ..., "label": {type: {surface: [[begin, end], ...]}}}                      CLUENER, end inclusive
    {"text": ..., "entities": [{"start": ..., "end": ..., "label": ...}, ...]}          end exclusive, as below
    {"text": ..., "entities": [{"start_offset": ..., "end_offset": ..., "label": ...}]}     doccano, relations
    {"text": ..., "label": [[begin, end, type], ...]}                                   doccano; also "labels", spaCy's
                                                                                        "entities", prodigy's "spans"
    {"data": {"text": ...}, "annotations": [{"result": [{"value": {..., "labels": [type]}}]}]}    Label Studio
    {"tokens": [...], "ner_tags": [...]}                    Hugging Face's data sets; tags are strings, or numbers of a
                                                            list of names; also "words", "tags", "labels"
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from src.task_files.json_records import is_whole, short

EXPECTED = ('"label": {type: {surface: [[begin, end]]}} (end inclusive), "entities": [{"start", "end", "label"}] or '
            '"label": [[begin, end, type]] (end exclusive), or "tokens" and "ner_tags"')
ENTITIES = ("label", "labels", "entities", "spans")
TOKENS = ("tokens", "words")
TAGS = ("ner_tags", "tags", "labels", "ner", "label")
BOUNDS = (("start", "end"), ("start_offset", "end_offset"))
SURFACES = ("entity", "word", "mention", "surface", "name", "value", "span")
TYPES = ("label", "labels", "type", "entity_group")

Found = tuple[str, int, int]
"""Type, begin and end (exclusive) in characters."""


class NeedsNames(ValueError):
    """Tags are numbers, and no list says what they stand for."""


@dataclass(frozen=True)
class TextRecord:
    """A text with its entities, None where it is not labelled; `form` says how they are written."""

    text: str
    found: list[Found] | None
    form: str


@dataclass(frozen=True)
class TokensRecord:
    """Words with their tags as they are written, None where they are not labelled."""

    words: list[str]
    tags: list[str] | None
    form: str


def parse_record(record: Any, names: Sequence[str]) -> TextRecord | TokensRecord:
    """Return what a record holds; ValueError says what is wrong.

    Args:
        names: what tags that are numbers stand for; () where that is not known.
    """
    if isinstance(record, dict) and "annotations" in record and isinstance(record.get("data"), dict):
        record = _label_studio(record)
    words = [name for name in TOKENS if _is_list_of(record, name, str)]
    text = record.get("text") if isinstance(record, dict) else None
    if words and not (isinstance(text, str) and any(_spans(record, name) for name in ENTITIES)):
        return _tokens(record, words, names)
    if not isinstance(text, str):
        raise ValueError(f'expected an object with "text", or with "tokens" and "ner_tags", found {short(record)}')
    if (answer := record.get("answer", "accept")) != "accept" and isinstance(answer, str):
        raise ValueError(f'"answer" is {short(answer)}: who labelled this text did not accept it')
    return _text(record, text)


def _is_list_of(record: Any, name: str, kind: type) -> bool:
    value = record.get(name) if isinstance(record, dict) else None
    return isinstance(value, list) and all(isinstance(part, kind) for part in value)


def _spans(record: dict[str, Any], name: str) -> bool:
    """Whether a field holds entities, not a tag for each word."""
    value = record.get(name)
    return isinstance(value, dict) or (isinstance(value, list) and bool(value) and isinstance(value[0], dict | list))


def _one_of(record: dict[str, Any], names: Sequence[str], what: str) -> str | None:
    """The one of several fields that a record has a value for."""
    given = [name for name in names if record.get(name) is not None]
    if len(given) > 1 and any(record[name] != record[given[0]] for name in given):
        given = [name for name in given if record[name] not in ([], {})] or given[:1]
        if len(given) > 1:
            raise ValueError(f"{' and '.join(given)} both hold {what}; keep the one that is meant")
    return given[0] if given else next((name for name in names if name in record), None)


def _tokens(record: dict[str, Any], fields: Sequence[str], names: Sequence[str]) -> TokensRecord:
    field = _one_of(record, fields, "words") or fields[0]
    words: list[str] = record[field]
    if empty := [place for place, word in enumerate(words, 1) if not word.strip()]:
        raise ValueError(f"word {empty[0]} of {field} is {words[empty[0] - 1]!r}; a word has at least one character")
    # Data sets have tags of other kinds beside them: parts of speech, phrases.
    name = "ner_tags" if record.get("ner_tags") is not None else _one_of(record, TAGS, "tags")
    tags = record.get(name) if name else None
    if tags is None:
        if other := next((key for key in record if "tag" in key.lower() or "label" in key.lower()), None):
            raise ValueError(f"tags are looked for in {', '.join(TAGS)}; there is {other}: rename it, or leave it out")
        return TokensRecord(words, None, f"words in {field}, no tags")
    form = f"words in {field}, tags in {name}"
    if not isinstance(tags, list) or len(tags) != len(words):
        number = f"{len(tags)} tags" if isinstance(tags, list) else short(tags)
        raise ValueError(f"{name} has {number}, and {field} {len(words)} words; expected a tag for each word")
    if all(isinstance(tag, str) for tag in tags):
        if any(tag.isdigit() for tag in tags):
            raise ValueError(f"{name} is {short(tags)}; numbers are written without quotes, and tags as O, B-TYPE")
        return TokensRecord(words, [tag.strip() for tag in tags], form)
    if not all(map(is_whole, tags)):
        raise ValueError(f"{name} is {short(tags)}; expected tags such as O and B-PER, or their numbers")
    if not names:
        raise NeedsNames(f"{name} is {short(tags)}: numbers, and nothing says which tags they stand for")
    if wrong := [tag for tag in tags if not 0 <= tag < len(names)]:
        raise ValueError(f"{name} has the number {wrong[0]}; there are {len(names)} names: {', '.join(names)}")
    return TokensRecord(words, [names[tag] for tag in tags], f"{form} (numbers)")


def _text(record: dict[str, Any], text: str) -> TextRecord:
    field = _one_of(record, ENTITIES, "entities")
    given = record.get(field) if field else None
    if given is None:
        if field:
            raise ValueError(f"{field} is null; expected {EXPECTED}")
        return TextRecord(text, None, "text, no entities")
    found: list[tuple[Any, Any, Any, str | None]]
    is_cluener = isinstance(given, dict)
    try:
        if is_cluener:
            found = [(name, begin, end + 1, surface) for name, surfaces in given.items()
                     for surface, places in surfaces.items() for begin, end in places]
        else:
            found = [_entity(span) for span in given]
    except (AttributeError, KeyError, TypeError, ValueError):
        raise ValueError(f"{field} is {short(given)}; expected {EXPECTED}") from None
    for name, begin, end, surface in found:
        _check(name, begin, end, surface, text)
    for span in () if is_cluener else given:
        _check_ends(span, text)
    form = "end inclusive" if is_cluener else "end exclusive"
    return TextRecord(text, [entity[:3] for entity in found], f"text, entities in {field} ({form})")


def _entity(span: Any) -> tuple[Any, Any, Any, str | None]:
    """Type, begin, end and surface of an entity of a list; a KeyError, TypeError or ValueError where it is none."""
    if isinstance(span, list):
        begin, end, name = span
        return name, begin, end, None
    begin, end = next((span[first], span[last]) for first, last in (*BOUNDS, ("", "")) if first in span or not first)
    names = [span[key] for key in TYPES if span.get(key) is not None]
    name = names[0] if len(names) == 1 else None
    if isinstance(name, list):
        (name,) = name
    if name is None:
        raise KeyError("label")
    return name, begin, end, span.get("text")


def _check(name: Any, begin: Any, end: Any, surface: Any, text: str) -> None:
    if not isinstance(name, str) or not name.strip():
        raise ValueError(f"an entity's type is {name!r}; expected a name")
    if not (is_whole(begin) and is_whole(end) and 0 <= begin < end <= len(text)):
        hint = "; begin and end are the same, so that ends may be inclusive here" if begin == end else ""
        raise ValueError(f"entity {surface or name!r} at {begin!r} to {end!r} (exclusive) does not lie in the text, "
                         f"which has {len(text)} characters{hint}")
    if surface is not None and text[begin:end] != surface:
        raise ValueError(f"entity {surface!r} is not what the text has at {begin} to {end} (exclusive): "
                         f"{text[begin:end]!r}")


def _check_ends(span: Any, text: str) -> None:
    """Refuse an entity whose surface, under whatever name, is what the text has with the end included."""
    if not isinstance(span, dict):
        return
    begin, end = next((span[first], span[last]) for first, last in BOUNDS if first in span)
    for key in SURFACES:
        surface = span.get(key)
        if isinstance(surface, str) and len(surface) > 1 and surface == text[begin:end + 1]:
            raise ValueError(f"entity {surface!r} at {begin} to {end} is {text[begin:end]!r} in the text: ends are "
                             "exclusive here, add 1 to each")


def _label_studio(record: dict[str, Any]) -> dict[str, Any]:
    """An exported task as a record with text and entities."""
    text, annotations = record["data"].get("text"), record["annotations"]
    if not isinstance(annotations, list) or not all(isinstance(part, dict) for part in annotations):
        raise ValueError(f"annotations is {short(annotations)}; expected Label Studio's list")
    kept = [part for part in annotations if not part.get("was_cancelled")]
    if len(kept) != 1:
        raise ValueError(f"the task has {len(kept)} annotations; expected one: choose it, or leave the task out")
    result = kept[0].get("result")
    if not isinstance(result, list) or not all(isinstance(part, dict) for part in result):
        raise ValueError(f"result is {short(result)}; expected Label Studio's list")
    return {"text": text, "entities": [part.get("value") for part in result if part.get("type") != "relation"],
            "id": record.get("id")}
