# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The tokenizer classes of transformers 5 that are built here, and how each builds its rules from a folder's files."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import tokenizers
from tokenizers import decoders, models, normalizers, pre_tokenizers, processors

from src.common.errors import UserError, one_line
from src.common.files import read_text
from src.common.untrusted import parse_json

CONFIG, MODEL_CONFIG = "tokenizer_config.json", "config.json"
BERT_SETTINGS = {"do_lower_case": True, "strip_accents": None, "tokenize_chinese_chars": True}
END_OF_TEXT = "<|endoftext|>"
# Rust's `trim_end`, which transformers' reader of a vocab.txt applies to each line.
BLANKS = "\t\n\x0b\x0c\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))


@dataclass(frozen=True)
class Folder:
    """What lies beside a vocabulary; a missing file is empty."""

    vocabulary: Path
    config: dict[str, Any]
    model: dict[str, Any]
    special: dict[str, Any]
    added: dict[str, Any]

    @property
    def is_stored(self) -> bool:
        """Whether the vocabulary is a tokenizer.json."""
        return self.vocabulary.suffix == ".json" and self.vocabulary.name != "vocab.json"

    @property
    def config_path(self) -> Path:
        """Path of tokenizer_config.json, for messages."""
        return self.vocabulary.parent / CONFIG


@dataclass(frozen=True)
class Kind:
    """A tokenizer class of transformers.

    Attributes:
        name: of the class.
        files: vocabularies that it reads; the first that is there.
        special: its special tokens and their defaults.
        roles: ours -> its special tokens, the first that is set.
        build: (vocabulary, settings, unknown token) -> the backend without special and added tokens.
        model: of the tokenizer.json that it takes the vocabulary from.
    """

    name: str
    files: tuple[str, ...]
    special: dict[str, str | None]
    roles: dict[str, tuple[str, ...]]
    build: Callable[[Folder, tokenizers.Tokenizer | None, str, bool | None], tokenizers.Tokenizer]
    model: type


@contextmanager
def faults_of_library(message: str) -> Iterator[None]:
    """Raise UserError for what the library raises: a bare Exception for every fault of a file or, where its own checks
    fail, a PanicException, which is no Exception."""
    try:
        yield
    except UserError:
        raise
    except BaseException as error:
        if isinstance(error, Exception) or type(error).__name__ == "PanicException":
            raise UserError(f"{message}: {one_line(error)}") from error
        raise


def read_object(file: Path) -> dict[str, Any]:
    """Read a JSON object; {} where there is no file."""
    if not file.is_file():
        return {}
    try:
        values = parse_json(read_text(file))
    except ValueError as error:
        raise UserError(f"{file} is not valid JSON: {one_line(error)}") from error
    if not isinstance(values, dict):
        raise UserError(f"{file} is not valid JSON of a tokenizer: it holds a {type(values).__name__}, expected an "
                        "object")
    return values


def _flag(folder: Folder, name: str, default: bool | None) -> bool | None:
    value = folder.config.get(name, default)
    if not isinstance(value, bool) and not (value is None and default is None):
        raise UserError(f"{folder.config_path}: {name} is {value!r}; expected true or false")
    return value


def _build_bert(folder: Folder, stored: tokenizers.Tokenizer | None, unknown: str,
                lower_case: bool | None) -> tokenizers.Tokenizer:
    lowered, strip, chinese = (_flag(folder, name, default) for name, default in BERT_SETTINGS.items())
    vocabulary = read_vocabulary(folder) if stored is None else stored.get_vocab(with_added_tokens=False)
    return bert_backend(vocabulary, unknown, lowered if lower_case is None else lower_case, strip, chinese)


def bert_backend(vocabulary: Mapping[str, int], unknown: str, lower_case: bool | None, strip_accents: bool | None,
                 chinese: bool | None) -> tokenizers.Tokenizer:
    """Return BERT's WordPiece without special tokens."""
    with faults_of_library("the vocabulary is no WordPiece"):
        backend = tokenizers.Tokenizer(models.WordPiece(dict(vocabulary), unk_token=unknown,
                                                        max_input_chars_per_word=100))
    backend.normalizer = normalizers.BertNormalizer(clean_text=True, handle_chinese_chars=bool(chinese),
                                                    strip_accents=strip_accents, lowercase=bool(lower_case))
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.decoder = decoders.WordPiece(prefix="##")
    return backend


def read_vocabulary(folder: Folder) -> dict[str, int]:
    """Read a vocab.txt: token -> line, counted from 0. Where a token stands twice the last line counts, as in Google's
    loader; blanks at the end of a line are none of the token. Blank lines at the end are left out, unless tokens are
    added behind them, whose ids they move."""
    lines = [line.rstrip(BLANKS) for line in read_text(folder.vocabulary).split("\n")]
    if lines and not lines[-1]:
        lines.pop()
    known = set(lines)
    by_id = folder.config.get("added_tokens_decoder")
    tokens = by_id.values() if isinstance(by_id, dict) else ()
    declared = [*folder.added, *(token.get("content") for token in tokens if isinstance(token, dict))]
    if known.issuperset(token for token in declared if isinstance(token, str)):
        while lines and not lines[-1]:
            lines.pop()
    return {token: index for index, token in enumerate(lines)}


def _build_byte_level(folder: Folder, stored: tokenizers.Tokenizer | None, unknown: str,
                      lower_case: bool | None) -> tokenizers.Tokenizer:
    if lower_case is not None:
        raise UserError(f"lower_case is set, but {folder.vocabulary} has no BERT normaliser; leave lower_case unset")
    prefix = _flag(folder, "add_prefix_space", False)
    if stored is None:
        vocabulary, merges = read_bpe(folder.vocabulary.parent)
    else:
        model = json.loads(stored.to_str())["model"]
        vocabulary, merges = model["vocab"], [tuple(pair) for pair in model["merges"]]
    files = f"{folder.vocabulary} and merges.txt are" if stored is None else f"{folder.vocabulary} is"
    with faults_of_library(f"{files} no byte-level BPE"):
        return byte_level_backend(vocabulary, merges, bool(prefix))


def byte_level_backend(vocabulary: dict[str, int], merges: list[tuple[str, str]], prefix: bool) -> tokenizers.Tokenizer:
    """Return the byte-level BPE of RoBERTa and GPT-2 without special tokens."""
    backend = tokenizers.Tokenizer(models.BPE(vocabulary, merges))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=prefix)
    backend.decoder = decoders.ByteLevel()
    return backend


def read_bpe(folder: Path) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """Read vocab.json and merges.txt."""
    vocabulary, merges = folder / "vocab.json", folder / "merges.txt"
    for file, other in ((vocabulary, merges), (merges, vocabulary)):
        if not file.is_file():
            raise UserError(f"{other} needs the {file.name} of the same tokenizer beside it; copy it there")
    ids = read_object(vocabulary)
    if wrong := next((token for token, index in ids.items() if type(index) is not int or index < 0), None):
        raise UserError(f"{vocabulary} is no byte-level BPE: the token {wrong!r} has the id {ids[wrong]!r}; expected a "
                        "whole number")
    pairs = []
    for number, line in enumerate(read_text(merges).split("\n"), 1):
        pair = tuple(line.removesuffix("\r").split(" "))
        if line.startswith("#version") or not line.strip():
            continue
        if len(pair) != 2:
            raise UserError(f"{vocabulary} and {merges.name} are no byte-level BPE: line {number} of {merges.name} is "
                            f"{line!r}; expected two parts with a blank between them")
        pairs.append((pair[0], pair[1]))
    return ids, pairs


def _build_unigram(folder: Folder, stored: tokenizers.Tokenizer | None, _unknown: str,
                   lower_case: bool | None) -> tokenizers.Tokenizer:
    return _read_unigram(folder, stored, lower_case, None)


def _build_albert(folder: Folder, stored: tokenizers.Tokenizer | None, _unknown: str,
                  lower_case: bool | None) -> tokenizers.Tokenizer:
    lowered, kept = _flag(folder, "do_lower_case", True), _flag(folder, "keep_accents", False)
    return _read_unigram(folder, stored, lower_case, AlbertRules(bool(lowered), bool(kept)))


def _read_unigram(folder: Folder, stored: tokenizers.Tokenizer | None, lower_case: bool | None,
                  albert: AlbertRules | None) -> tokenizers.Tokenizer:
    if lower_case is not None:
        raise UserError(f"lower_case is set, but {folder.vocabulary} has no BERT normaliser; leave lower_case unset")
    prefix = _flag(folder, "add_prefix_space", True)
    assert stored is not None  # the class has no other file
    values = json.loads(stored.to_str())
    with faults_of_library(f"{folder.vocabulary} is no unigram model of {'ALBERT' if albert else 'XLM-R'}"):
        return unigram_backend([tuple(pair) for pair in values["model"]["vocab"]], _character_map(values), bool(prefix),
                               albert)


@dataclass(frozen=True)
class AlbertRules:
    """What ALBERT's class does to texts before sentencepiece's own map."""

    lowers: bool = True
    keeps_accents: bool = False

    @property
    def parts(self) -> list[normalizers.Normalizer]:
        """The normalisers, in order."""
        accents = [] if self.keeps_accents else [normalizers.NFKD(), normalizers.StripAccents()]
        return [normalizers.Replace("``", '"'), normalizers.Replace("''", '"'), *accents,
                *([normalizers.Lowercase()] if self.lowers else [])]

    @classmethod
    def of(cls, backend: tokenizers.Tokenizer) -> AlbertRules:
        """Return the rules of a backend of ALBERT's class."""
        kinds = {part["type"] for part in parts_of(backend)["normalizer"]["normalizers"]}
        return cls("Lowercase" in kinds, "StripAccents" not in kinds)


def unigram_backend(vocabulary: list[tuple[str, float]], character_map: str, prefix: bool,
                    albert: AlbertRules | None = None) -> tokenizers.Tokenizer:
    """Return XLM-R's unigram model, or ALBERT's, without special tokens; `character_map` is sentencepiece's, in base
    64."""
    backend = tokenizers.Tokenizer(models.Unigram(vocabulary, unk_id=1 if albert else 3, byte_fallback=False))
    maps = [normalizers.Precompiled(b64decode(character_map))] if character_map else []
    if albert:
        backend.normalizer = normalizers.Sequence([*albert.parts, *maps])
    elif maps:
        backend.normalizer = maps[0]
    scheme = "always" if prefix else "never"
    backend.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace("▁", prepend_scheme=scheme)])
    backend.decoder = decoders.Metaspace("▁", prepend_scheme=scheme)
    return backend


def _character_map(values: Mapping[str, Any]) -> str:
    """The first of sentencepiece's maps in a tokenizer.json: of its normalisers the classes take no other."""
    normalizer = values["normalizer"] or {}
    parts = normalizer["normalizers"] if normalizer.get("type") == "Sequence" else [normalizer]
    return next((part["precompiled_charsmap"] for part in parts if part.get("type") == "Precompiled"), "")


_FIVE = ("cls", "sep", "pad", "mask", "unk")
BERT = Kind("BertTokenizer", ("vocab.txt",),
            {"unk_token": "[UNK]", "sep_token": "[SEP]", "pad_token": "[PAD]", "cls_token": "[CLS]",
             "mask_token": "[MASK]"}, {role: (f"{role}_token",) for role in _FIVE}, _build_bert, models.WordPiece)
ROBERTA = Kind("RobertaTokenizer", ("vocab.json", "merges.txt"),
               {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "sep_token": "</s>",
                "pad_token": "<pad>", "cls_token": "<s>", "mask_token": "<mask>"},
               BERT.roles, _build_byte_level, models.BPE)
# From tokenizer.json alone: sentencepiece's own file is not read.
XLM_R = Kind("XLMRobertaTokenizer", ("tokenizer.json",), ROBERTA.special, BERT.roles, _build_unigram, models.Unigram)
ALBERT = Kind("AlbertTokenizer", ("tokenizer.json",),
              {**BERT.special, "bos_token": "[CLS]", "eos_token": "[SEP]", "unk_token": "<unk>", "pad_token": "<pad>"},
              BERT.roles, _build_albert, models.Unigram)
# GPT-2 has no tokens of BERT's roles: what begins and ends a text takes their place.
GPT2 = Kind("GPT2Tokenizer", ("vocab.json", "merges.txt"),
            {"bos_token": END_OF_TEXT, "eos_token": END_OF_TEXT, "unk_token": END_OF_TEXT, "pad_token": None},
            {"cls": ("bos_token", "eos_token"), "sep": ("eos_token", "bos_token"),
             "pad": ("pad_token", "eos_token", "bos_token"), "mask": ("mask_token",), "unk": ()}, _build_byte_level,
            models.BPE)
# Names of transformers 5 for the same classes.
CLASSES = {name: kind for kind, names in (
    (BERT, "BertTokenizer DistilBertTokenizer ElectraTokenizer MobileBertTokenizer SqueezeBertTokenizer "
           "LxmertTokenizer LayoutLMTokenizer"),
    (ROBERTA, "RobertaTokenizer BartTokenizer LongformerTokenizer"), (XLM_R, "XLMRobertaTokenizer"),
    (ALBERT, "AlbertTokenizer"), (GPT2, "GPT2Tokenizer")) for name in names.split()}
GENERIC = ("PreTrainedTokenizer", "TokenizersBackend")
MODEL_TYPES = {name: kind for kind, names in (
    (BERT, "bert distilbert electra mobilebert squeezebert ernie nezha megatron-bert convbert layoutlm lxmert"),
    (ROBERTA, "roberta roberta-prelayernorm bart longformer ibert"), (XLM_R, "xlm-roberta"),
    (ALBERT, "albert"), (GPT2, "gpt2 gpt_neo gptj")) for name in names.split()}


def told_by_tokens(vocabulary: Path) -> Kind:
    ids = read_object(vocabulary)
    kind = next((kind for kind, token in ((ROBERTA, "<s>"), (GPT2, END_OF_TEXT)) if token in ids), None)
    if kind is None:
        raise UserError(f"{vocabulary} has no <s> or {END_OF_TEXT}: expected the vocabulary of RoBERTa or GPT-2; "
                        f"special tokens of other names need the tokenizer_class in {CONFIG}")
    return kind


def post_processor(backend: tokenizers.Tokenizer, kind: Kind, special: Mapping[str, str | None]) -> None:
    """Set what is put around a text, for whoever reads the tokenizer.json that is written."""
    cls, sep = ((token, backend.token_to_id(token) or 0) for token in (special["cls"] or "", special["sep"] or ""))
    if kind is GPT2:
        backend.post_processor = processors.ByteLevel(trim_offsets=False)
    elif kind is ROBERTA and cls[0] and sep[0]:
        prefix = json.loads(backend.to_str())["pre_tokenizer"]["add_prefix_space"]
        backend.post_processor = processors.RobertaProcessing(sep, cls, add_prefix_space=prefix)
    elif kind is XLM_R and cls[0] and sep[0]:
        begin, end = cls[0], sep[0]
        backend.post_processor = processors.TemplateProcessing(
            single=[begin, "$A", end], pair=[begin, "$A", end, end, "$B", end], special_tokens=[cls, sep])
    elif cls[0] and sep[0]:
        backend.post_processor = processors.TemplateProcessing(
            single=[f"{cls[0]}:0", "$A:0", f"{sep[0]}:0"], special_tokens=[cls, sep],
            pair=[f"{cls[0]}:0", "$A:0", f"{sep[0]}:0", "$B:1", f"{sep[0]}:1"])


def parts_of(backend: tokenizers.Tokenizer) -> dict[str, Any]:
    """Return what decides the ids of a text, beside the vocabulary and the added tokens."""
    values = json.loads(backend.to_str())
    model = {name: value for name, value in values["model"].items() if name not in ("vocab", "merges")}
    for name in ("continuing_subword_prefix", "end_of_word_suffix"):
        model[name] = model.get(name) or ""
    return {"model": model, "normalizer": values["normalizer"], "pre_tokenizer": values["pre_tokenizer"]}


def class_of(backend: tokenizers.Tokenizer) -> str:
    """Return the class of transformers that computes the same from a backend's vocabulary and its own settings, "" for
    none; what byte-level BPE with a mask token is called is RobertaTokenizer."""
    normalizer, rules = backend.normalizer, parts_of(backend)
    if isinstance(backend.model, models.WordPiece) and isinstance(normalizer, normalizers.BertNormalizer):
        like = bert_backend({"": 0}, backend.model.unk_token, normalizer.lowercase, normalizer.strip_accents,
                            normalizer.handle_chinese_chars)
        return BERT.name if parts_of(like) == rules else ""
    if isinstance(backend.model, models.BPE) and rules["pre_tokenizer"]:
        like = byte_level_backend({}, [], bool(rules["pre_tokenizer"].get("add_prefix_space")))
        if parts_of(like) == rules:
            return ROBERTA.name if backend.token_to_id("<mask>") is not None else GPT2.name
    if isinstance(backend.model, models.Unigram):
        tokens = [(token, 0.0) for token in ROBERTA.special.values() if token is not None]
        known: list[AlbertRules | None] = [None, *(AlbertRules(*each) for each in product((True, False), repeat=2))]
        for albert, prefix in product(known, (True, False)):
            if parts_of(unigram_backend(tokens, _character_map(rules), prefix, albert)) == rules:
                return ALBERT.name if albert else XLM_R.name
    return ""
