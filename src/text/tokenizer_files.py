# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The files of a tokenizer, read as transformers 5 reads them: class, settings, special and added tokens.

Which class reads a folder: `tokenizer_class` of tokenizer_config.json, else that of config.json, else the usual one of
config.json's `model_type`. A class builds its rules from its own settings (tokenizer_config.json, else defaults), and
takes from a tokenizer.json the vocabulary and the added tokens alone. Without any class a tokenizer.json is used as it
stands; so are those that this repository writes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tokenizers
from tokenizers import models, normalizers

from src.common.errors import UserError
from src.common.files import read_text
from src.text.added_tokens import Declared, add_tokens, declared_tokens
from src.text.tokenizer_classes import (
    ALBERT,
    BERT,
    BERT_SETTINGS,
    CLASSES,
    CONFIG,
    GENERIC,
    MODEL_CONFIG,
    MODEL_TYPES,
    Folder,
    Kind,
    faults_of_library,
    parts_of,
    post_processor,
    read_object,
    told_by_tokens,
)

# Values under which a setting changes nothing; others name rules that are not known here.
WITHOUT_EFFECT: dict[str, tuple[Any, ...]] = {
    "word_tokenizer_type": (None, "basic"), "subword_tokenizer_type": (None, "wordpiece"),
    "split_special_tokens": (None, False)}
# What transformers itself no longer reads, and the value that says nothing else than it does.
NOT_READ: dict[str, tuple[Any, ...]] = {"do_basic_tokenize": (None, True), "never_split": (None, [])}


@dataclass(frozen=True)
class Read:
    """What was read: the backend, role -> special token (None: there is none), and what the user should know."""

    backend: tokenizers.Tokenizer
    special: dict[str, str | None]
    notes: tuple[str, ...]


def read_folder(vocabulary: Path) -> Folder:
    """Read the settings beside a vocabulary, and refuse those that name rules which are not known here."""
    config, model, special, added = (read_object(vocabulary.parent / name) for name in (
        CONFIG, MODEL_CONFIG, "special_tokens_map.json", "added_tokens.json"))
    folder = Folder(vocabulary, config, model, special, added)
    for name, harmless in WITHOUT_EFFECT.items():
        if name in config and config[name] not in harmless:
            raise UserError(f"{folder.config_path}: {name} is {config[name]!r}, which is not built here; expected "
                            f"{harmless[-1]!r}")
    return folder


def kind_of(folder: Folder, ask_stored: Callable[[], bool]) -> Kind | None:
    """Return the class that transformers reads the folder with; None: the tokenizer.json as it stands.

    Args:
        ask_stored: whether the tokenizer.json has BERT's rules; asked where nothing names a class.

    Raises:
        UserError: a class that is not known here.
    """
    is_stored = folder.is_stored
    for file, values in ((CONFIG, folder.config), (MODEL_CONFIG, folder.model)):
        named = values.get("tokenizer_class")
        if named is None:
            continue
        name = named.removesuffix("Fast") if isinstance(named, str) else ""
        if name in GENERIC and is_stored:
            return None
        if name not in CLASSES:
            raise UserError(f"{folder.vocabulary.parent / file}: tokenizer_class is {named!r}, which is not known "
                            f"here; expected one of {', '.join(CLASSES)}, or PreTrainedTokenizerFast for a "
                            "tokenizer.json that is used as it stands")
        return CLASSES[name]
    model_type = folder.model.get("model_type")
    if isinstance(model_type, str) and model_type in MODEL_TYPES:
        kind = MODEL_TYPES[model_type]
        # Chinese ALBERTs have BERT's vocabulary, often without naming its class; ALBERT's own has no vocab.txt.
        return BERT if kind is ALBERT and folder.vocabulary.name == "vocab.txt" else kind
    if model_type is not None and not is_stored:
        raise UserError(f"{folder.vocabulary.parent / MODEL_CONFIG}: model_type is {model_type!r}, whose tokenizer is "
                        f"not known here; name the class of {folder.vocabulary.name} as tokenizer_class in {CONFIG}: "
                        f"{', '.join(CLASSES)}")
    if not is_stored:
        return BERT if folder.vocabulary.name != "vocab.json" else told_by_tokens(folder.vocabulary)
    return BERT if folder.config.keys() & BERT_SETTINGS.keys() and ask_stored() else None


def read_kind(folder: Folder, kind: Kind, lower_case: bool | None) -> Read:
    """Build a tokenizer as its class in transformers does."""
    stored = _stored(folder.vocabulary) if folder.is_stored else None
    if stored is not None and not isinstance(stored.model, kind.model):
        raise UserError(f"{folder.vocabulary} holds a {type(stored.model).__name__}, but transformers reads this "
                        f"folder with {kind.name} ({kind.model.__name__}); name PreTrainedTokenizerFast as "
                        f"tokenizer_class in {folder.config_path} to use the file as it stands")
    declared = declared_tokens(folder.config, folder.special, folder.added,
                               stored.get_added_tokens_decoder() if stored else {}, kind.special,
                               str(folder.vocabulary.parent))
    unknown = declared.named.get("unk_token")
    backend = kind.build(folder, stored, str(unknown) if unknown is not None else "", lower_case)
    _check_defaults(folder, kind, declared, backend)
    with faults_of_library(f"the tokens declared beside {folder.vocabulary} cannot be added"):
        notes = add_tokens(backend, declared, folder.vocabulary)
    special = {role: next((str(declared.named[name]) for name in names if declared.named.get(name) is not None), None)
               for role, names in kind.roles.items()}
    with faults_of_library(f"{folder.vocabulary}: {special['cls']!r} and {special['sep']!r} cannot surround texts"):
        post_processor(backend, kind, special)
    if stored is not None:
        notes = [*_differences(folder, kind, stored, backend), *notes]
    notes += [f"{folder.config_path}: {name} is not applied, as in transformers' {kind.name}"
              for name, usual in NOT_READ.items() if name in folder.config and folder.config[name] not in usual]
    return Read(backend, special, tuple(notes))


def read_stored(folder: Folder, lower_case: bool | None) -> Read:
    """Read a tokenizer.json as it stands, with the tokens that are declared beside it."""
    backend = _stored(folder.vocabulary)
    if lower_case is not None:
        normalizer = backend.normalizer
        if not isinstance(normalizer, normalizers.BertNormalizer):
            raise UserError(f"lower_case is set, but {folder.vocabulary} has no BERT normaliser; leave lower_case "
                            "unset")
        if bool(normalizer.lowercase) != lower_case:
            normalizer.lowercase = lower_case
            backend.normalizer = normalizer
            # Read again: what added tokens are compared with is normalised when they are added.
            backend = tokenizers.Tokenizer.from_str(backend.to_str())
    declared = declared_tokens(folder.config, folder.special, folder.added, backend.get_added_tokens_decoder(), {},
                               str(folder.vocabulary.parent))
    with faults_of_library(f"the tokens declared beside {folder.vocabulary} cannot be added"):
        is_declared = folder.config or folder.special or folder.added
        notes = add_tokens(backend, declared, folder.vocabulary) if is_declared else []
    if "model_type" in folder.model and "tokenizer_class" not in folder.config:
        notes.append(f"{folder.vocabulary} is used as it stands; transformers may have a class of its own for the "
                     f"model_type {folder.model['model_type']}")
    names = {role: f"{role}_token" for role in ("cls", "sep", "pad", "mask", "unk")}
    special = {role: str(token) if (token := declared.named[name]) is not None else None
               for role, name in names.items() if name in declared.named}
    return Read(backend, special, tuple(notes))


def _stored(file: Path) -> tokenizers.Tokenizer:
    with faults_of_library(f"{file} is not a tokenizer.json"):
        return tokenizers.Tokenizer.from_str(read_text(file))


def has_bert_rules(file: Path) -> bool:
    """Whether a tokenizer.json is a WordPiece with BERT's normaliser."""
    stored = _stored(file)
    return isinstance(stored.model, models.WordPiece) and isinstance(stored.normalizer, normalizers.BertNormalizer)


def _check_defaults(folder: Folder, kind: Kind, declared: Declared, backend: tokenizers.Tokenizer) -> None:
    """A special token that no file names must be in the vocabulary: transformers would append a new one."""
    given = {token.content for token in declared.by_id.values()}
    missing = [str(token) for name, token in declared.named.items()
               if token is not None and name not in declared.given and str(token) not in given
               and backend.token_to_id(str(token)) is None]
    if missing:
        names = ", ".join(dict.fromkeys(missing))
        raise UserError(f"{folder.vocabulary} ({backend.get_vocab_size()} tokens) has no {names}: expected the "
                        f"vocabulary of a {kind.name}; special tokens of other names are declared in {CONFIG}, such as "
                        "\"mask_token\": \"[M]\"")


def _differences(folder: Folder, kind: Kind, stored: tokenizers.Tokenizer, backend: tokenizers.Tokenizer) -> list[str]:
    """What of a tokenizer.json the class overrides."""
    if parts_of(stored) == parts_of(backend):
        return []
    names = [name for name, part in parts_of(stored).items() if part != parts_of(backend)[name]]
    return [f"{folder.vocabulary.name} and the settings of {kind.name} ({CONFIG}, or its defaults) differ in "
            f"{', '.join(names)}; the settings are taken, as in transformers"]
