# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Special and added tokens, as the files beside a vocabulary declare them and transformers 5 takes them.

`added_tokens_decoder` of tokenizer_config.json outweighs all the others. Without it special_tokens_map.json outweighs
the names in tokenizer_config.json, and added_tokens.json and the tokens of tokenizer.json are added.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tokenizers
from tokenizers import AddedToken

from src.common.errors import UserError, one_line

NAMED = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")
EXTRA, ADDITIONAL, DECODER = "extra_special_tokens", "additional_special_tokens", "added_tokens_decoder"

Token = str | AddedToken


@dataclass(frozen=True)
class Declared:
    """What the files declare.

    Attributes:
        by_id: tokens with the ids that the files give them.
        named: name -> special token; None where a file says that there is none.
        given: the names that a file holds, not a class's default.
        extra: special tokens without a name.
    """

    by_id: dict[int, AddedToken]
    named: dict[str, Token | None]
    given: frozenset[str]
    extra: tuple[Token, ...]


def declared_tokens(config: Mapping[str, Any], special: Mapping[str, Any], added: Mapping[str, Any],
                    stored: Mapping[int, AddedToken], defaults: Mapping[str, str | None], place: str) -> Declared:
    """Return the tokens that a folder declares.

    Args:
        config, special, added: tokenizer_config.json, special_tokens_map.json, added_tokens.json.
        stored: the added tokens of tokenizer.json.
        defaults: the special tokens of the class.
        place: the folder, for messages.

    Raises:
        UserError: a token or an id of another form.
    """
    values: dict[str, Any] = dict(config)
    by_id: dict[int, AddedToken] = {}
    _rename_extra(values)
    further = values.pop(EXTRA) if isinstance(values.get(EXTRA), dict) else {}
    if DECODER in config:
        for index, token in _mapping(config[DECODER], place, DECODER).items():
            by_id[_index(index, place)] = _token(token, place)
    else:
        values |= {key: _special(key, value, values, place) for key, value in special.items()}
        names = {str(values[name]) for name in NAMED if values.get(name)} | {
            str(token) for token in _listed(values.get(EXTRA), place)}
        for content, index in added.items():
            is_special = content in names
            by_id[_index(index, place)] = AddedToken(content, normalized=not is_special, special=is_special)
        by_id |= stored
    _rename_extra(values)
    named: dict[str, Token | None] = dict(defaults)
    further |= values.pop(EXTRA) if isinstance(values.get(EXTRA), dict) else {}
    further = {name: value for name, value in values.items() if name.endswith("_token") and name not in NAMED
               and (isinstance(value, str | AddedToken) or _is_marked(value))} | further
    given = {name: values[name] for name in NAMED if name in values} | further
    for name, value in given.items():
        named[name] = None if value is None else value if isinstance(value, str) else _token(value, place)
    order = [*(name for name in NAMED if name in named), *(name for name in named if name not in NAMED)]
    extra = tuple(token if isinstance(token, str) else _token(token, place)
                  for token in _listed(values.get(EXTRA), place))
    return Declared(by_id, {name: named[name] for name in order}, frozenset(given), extra)


def add_tokens(backend: tokenizers.Tokenizer, declared: Declared, source: Path) -> list[str]:
    """Add the tokens to a backend, in the order in which transformers does; returns notes for the user.

    Raises:
        UserError: a new token gets another id than the files give it, or one that another token has.
    """
    vocabulary = backend.get_vocab(with_added_tokens=True)
    tokens: list[Token] = [declared.by_id[index] for index in sorted(declared.by_id)]
    known = {_content(token) for token in (*backend.get_added_tokens_decoder().values(), *tokens)}
    named = [token for token in declared.named.values() if token is not None]
    tokens += [token for token in (*named, *declared.extra) if _content(token) not in known]
    names = set(map(_content, named))
    ready = []
    for token in tokens:
        if isinstance(token, str):
            token = AddedToken(token, special=True)
        elif not token.special and token.content in names:
            token.special = True
        ready.append(token)
    backend.add_tokens(ready)
    return _check_ids(backend, declared, ready, vocabulary, source)


def _check_ids(backend: tokenizers.Tokenizer, declared: Declared, added: Iterable[AddedToken],
               vocabulary: Mapping[str, int], source: Path) -> list[str]:
    notes = []
    for index, token in sorted(declared.by_id.items()):
        found = backend.token_to_id(token.content)
        if found == index:
            continue
        agreed = any(each.content == token.content for other, each in declared.by_id.items() if other == found)
        if token.content not in vocabulary and not agreed:
            raise UserError(f"the files beside {source} give the added token {token.content!r} the id {index}, but the "
                            f"vocabulary makes it {found}, which transformers takes; expected ids that go on where the "
                            f"vocabulary ends ({max(vocabulary.values(), default=-1) + 1}), without gaps: correct the "
                            "one or the other to what the model was trained with")
        notes.append(f"the files beside {source.name} give {token.content!r} the id {index}, the vocabulary gives "
                     f"{found}, which counts, as in transformers")
    taken: dict[int, str] = {index: token for token, index in vocabulary.items()}
    for token in added:
        place = backend.token_to_id(token.content)
        if token.content not in vocabulary and place in taken and taken[place] != token.content:
            raise UserError(f"{source} leaves the added token {token.content!r} the id {place}, which is that of "
                            f"{taken[place]!r}: its ids have gaps, or a token stands in it twice; remove the gap, or "
                            "name the token in the vocabulary")
    new = list(dict.fromkeys(token.content for token in added if token.content not in vocabulary
                             and token.content not in {each.content for each in declared.by_id.values()}))
    if new:
        notes.append("declared without an id, and put behind the vocabulary as in transformers: "
                     + ", ".join(f"{token} {backend.token_to_id(token)}" for token in new))
    return notes


def _content(token: Token) -> str:
    return token if isinstance(token, str) else token.content


def _rename_extra(values: dict[str, Any]) -> None:
    if ADDITIONAL in values and not values.get(EXTRA):
        values[EXTRA] = values.pop(ADDITIONAL)


def _special(key: str, value: Any, values: Mapping[str, Any], place: str) -> Any:
    """A value of special_tokens_map.json."""
    if isinstance(value, dict) and key not in (EXTRA, ADDITIONAL):
        return _token({**value, "special": True}, place)
    if key == EXTRA and isinstance(value, list):
        known = list(_listed(values.get(EXTRA), place))
        return known + [token for token in value if token not in known]
    return value


def _is_marked(value: Any) -> bool:
    return isinstance(value, dict) and value.get("__type") == "AddedToken"


def _token(value: Any, place: str) -> AddedToken:
    if isinstance(value, AddedToken):
        return value
    if isinstance(value, str):
        return AddedToken(value, special=True)
    if isinstance(value, dict):
        if not isinstance(value.get("content"), str) or not value["content"]:
            raise UserError(f"a token declared in {place} is {value!r}; expected its text as content")
        try:
            return AddedToken(**{name: part for name, part in value.items() if name != "__type"})
        except (TypeError, ValueError) as error:
            raise UserError(f"a token declared in {place} is {value!r} ({one_line(error)}); expected content, lstrip, "
                            "rstrip, single_word, normalized and special") from error
    raise UserError(f"a token declared in {place} is {value!r}; expected a text, or an object with its content")


def _listed(value: Any, place: str) -> Iterable[Any]:
    if value is None or isinstance(value, dict):
        return ()
    if not isinstance(value, list):
        raise UserError(f"{EXTRA} of {place} is {value!r}; expected a list of tokens")
    return value


def _mapping(value: Any, place: str, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise UserError(f"{name} of {place} is {value!r}; expected an object of ids and tokens")
    return value


def _index(value: Any, place: str) -> int:
    try:
        if isinstance(value, bool) or (index := int(value)) < 0 or index != float(value):
            raise ValueError
    except (TypeError, ValueError, OverflowError) as error:
        raise UserError(f"an added token of {place} has the id {value!r}; expected a whole number") from error
    return index
