# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Text to token ids: a thin layer over the `tokenizers` library.

BERT's WordPiece (a `vocab.txt` as Google ships it, or a `tokenizer.json`) gives the same ids as `BertTokenizer` of
transformers; the byte-level BPE of RoBERTa and GPT-2 (`vocab.json` with `merges.txt`, or a `tokenizer.json`) the same
as `RobertaTokenizer` and `GPT2Tokenizer`; XLM-R's unigram model (a `tokenizer.json`) the same as `XLMRobertaTokenizer`.
Any other model that a `tokenizer.json` describes is used as it stands.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import numpy as np
import tokenizers
from tokenizers import models, normalizers, processors

from src.common.errors import UserError
from src.text.encoding import WordEncoder, is_byte_level
from src.text.segmentation import chinese_words
from src.text.tokenizer_classes import END_OF_TEXT, Folder, Kind, class_of, faults_of_library, parts_of
from src.text.tokenizer_files import has_bert_rules, kind_of, read_folder, read_kind, read_stored

# Role -> the spellings in use: BERT's first, then RoBERTa's.
SPECIAL_TOKENS = {
    "cls": ("[CLS]", "<s>"),
    "sep": ("[SEP]", "</s>"),
    "pad": ("[PAD]", "<pad>"),
    "mask": ("[MASK]", "<mask>"),
    "unk": ("[UNK]", "<unk>"),
}
# Any of these makes a folder one with a tokenizer; the first that is there is read.
VOCABULARY_FILES = ("tokenizer.json", "vocab.txt", "vocab.json")
# Vocabularies of sentencepiece and tiktoken, which are not read.
FOREIGN = ("*.model", "*.tiktoken", "tekken.json")
# Cuts of a text before the library sees it, which a tokenizer.json cannot describe; tokenizer_config.json names it.
SEGMENTERS: dict[str, Callable[[str], list[str]]] = {"jieba": chinese_words}
# What tokenizer_config.json calls the origin of a vocabulary that was cut (src/text/pruning.py).
PRUNED = "pruned_vocabulary"
# What a checkpoint's tokenizer_config.json says of pairs that have another number of separators than one.
SEPARATORS = "pair_separators"
# Of a vocabulary; the largest ones have a million. Memory is taken for every id up to the largest.
MAX_TOKENS = 1 << 24
# Every byte that occurs in UTF-8: a vocabulary that cannot encode one of them is noticed when it is loaded.
EVERY_BYTE = "".join(map(chr, (*range(256), *range(256, 2048, 64), *range(2048, 0xD800, 4096), 0xD000, 0xE000, 0xF000,
                               *range(0x10000, 0x110000, 0x40000), 0x10FFFF)))


def has_tokenizer(folder: str | Path) -> bool:
    """Whether `load_tokenizer` finds something to read in a folder."""
    return any((Path(folder) / name).is_file() for name in VOCABULARY_FILES)


def load_tokenizer(path: str | Path, lower_case: bool | None = None) -> Tokenizer:
    """Load a tokenizer from a folder or from one of its files, as transformers does (src/text/tokenizer_files.py).

    A folder has a tokenizer.json, else a vocab.txt, else a vocab.json with its merges.txt. The settings and tokens that
    lie beside it are read too (tokenizer_config.json, special_tokens_map.json, added_tokens.json), also of a file.

    Args:
        path: the folder or the file.
        lower_case: None takes what the files say, true (Google's default) for a lone vocab.txt.

    Raises:
        UserError: nothing there, not readable, a class or a setting that is not known here, a special token is missing,
            or `lower_case` is given for a tokenizer that has no BERT normaliser.
    """
    folder, kind = _locate(Path(path))
    read = read_stored(folder, lower_case) if kind is None else read_kind(folder, kind, lower_case)
    tokenizer = Tokenizer(read.backend, str(folder.vocabulary), _segmenter(folder), read.special, read.notes,
                          _pruned(folder), _separators(folder))
    if tokenizer.separators < tokenizer.separators_of_template:
        tokenizer.notes += (
            f"an earlier version made this checkpoint: pairs of texts have {tokenizer.separators} separator between "
            f"them, and {tokenizer.separators_of_template} in transformers; convert its source again, or train it "
            "again, to read pairs as transformers does",)
    return tokenizer


def _locate(given: Path) -> tuple[Folder, Kind | None]:
    """Return the vocabulary that a path stands for, with what is beside it, and the class that reads it."""
    file = given
    if given.is_dir():
        file = next((given / name for name in VOCABULARY_FILES if (given / name).is_file()), given / "tokenizer.json")
    if not file.is_file():
        raise UserError(f"no tokenizer in {str(given)!r}{foreign_vocabulary(given)}: expected a folder with "
                        "tokenizer.json, vocab.txt, or vocab.json and merges.txt, or one of these files")
    if file.name == "merges.txt":
        file = file.with_name("vocab.json")
    folder = read_folder(file)
    kind = kind_of(folder, lambda: has_bert_rules(file))
    if kind is None or folder.is_stored or ("tokenizer.json" not in kind.files
                                            and (file.name == "vocab.json") == ("vocab.json" in kind.files)):
        return folder, kind
    if given.is_dir() and (given / kind.files[0]).is_file():
        return replace(folder, vocabulary=given / kind.files[0]), kind
    raise UserError(f"{file} is not what {kind.name} reads ({' and '.join(kind.files)}), the class that "
                    "tokenizer_class or model_type names in tokenizer_config.json or config.json; correct that name "
                    "(models called RoBERTa-wwm-ext are of model_type bert), or bring the files of the class")


def foreign_vocabulary(given: Path) -> str:
    """Say what else a folder holds: vocabularies of sentencepiece and tiktoken are not read."""
    found = [path.name for pattern in FOREIGN for path in sorted(given.glob(pattern))] if given.is_dir() else []
    return (f", which holds {found[0]}: sentencepiece and tiktoken are not read; a tokenizer.json beside it is, which "
            "transformers' AutoTokenizer.from_pretrained(DIR).save_pretrained(DIR) writes (pip install sentencepiece)"
            if found else "")


def add_bert_tokens(backend: tokenizers.Tokenizer) -> None:
    """Make [PAD], [UNK], ... of a vocabulary its special tokens, put around texts as BERT does."""
    backend.add_special_tokens([names[0] for names in SPECIAL_TOKENS.values()])
    backend.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[(name, backend.token_to_id(name)) for name in ("[CLS]", "[SEP]")])


def _segmenter(folder: Folder) -> str:
    """The segmenter that tokenizer_config.json names, "" for none."""
    segment = folder.config.get("segment", "")
    if segment not in ("", *SEGMENTERS):
        raise UserError(f"{folder.config_path} names the segmenter {segment!r}; this version knows "
                        f"{', '.join(SEGMENTERS)}")
    return segment


def _pruned(folder: Folder) -> dict[str, Any]:
    """What tokenizer_config.json says of the vocabulary that this one was cut out of; {} for a whole one."""
    pruned = folder.config.get(PRUNED, {})
    if not isinstance(pruned, dict):
        raise UserError(f"{folder.config_path}: {PRUNED} is {pruned!r}; expected an object, as prune-vocabulary writes")
    return pruned


def _separators(folder: Folder) -> int | None:
    """How many separators the pairs of a checkpoint of ours have, one where it does not say; None: the tokenizer's own
    template tells."""
    given = folder.config.get(SEPARATORS, 1 if {"encoder", "head"} <= folder.model.keys() else None)
    if given is not None and (type(given) is not int or given < 1):
        raise UserError(f"{folder.config_path}: {SEPARATORS} is {given!r}; expected a whole number from 1")
    return given


def _find_roles(backend: tokenizers.Tokenizer, special: Mapping[str, str | None]) -> dict[str, int | None]:
    """Role -> id, of the tokens that `special` names, else of those of the usual names; GPT-2's <|endoftext|> is [CLS],
    [SEP] and [PAD], and there is no [MASK] and no [UNK]."""
    ids: dict[str, int | None] = {}
    for role, usual in SPECIAL_TOKENS.items():
        names = usual if role not in special else (special[role],)
        ids[role] = next((token_id for name in names
                          if name is not None and (token_id := backend.token_to_id(name)) is not None), None)
    end = backend.token_to_id(END_OF_TEXT)
    if ids["cls"] is None and end is not None:
        return {"cls": end, "sep": end, "pad": end, "mask": None, "unk": None}
    return ids


def _special_ids(backend: tokenizers.Tokenizer, source: str,
                 special: Mapping[str, str | None]) -> dict[str, int | None]:
    """The same; a role may be without a token where `special` says so, and it is [MASK] or [UNK]."""
    ids = _find_roles(backend, special)
    if ids["cls"] is not None and ids["cls"] == backend.token_to_id(END_OF_TEXT):
        return ids
    for role, token_id in ids.items():
        if token_id is None and (special.get(role, "") is not None or role in ("cls", "sep", "pad")):
            names = special.get(role) or " or ".join(SPECIAL_TOKENS[role])
            raise UserError(f"the vocabulary of {source} has no {names}: expected the special tokens of BERT or "
                            f"RoBERTa, or GPT-2's {END_OF_TEXT}; those of other names are declared in "
                            f"tokenizer_config.json ({role}_token)")
    return ids


class Tokenizer:
    """Token ids of texts, without special tokens, truncation or padding.

    Attributes:
        cls_id, sep_id, pad_id: ids of the special tokens; all the same for GPT-2.
        mask_id, unk_id: ids of the special tokens; None for GPT-2, which has neither.
        lower_case: whether the BERT normaliser lowers case; None for other tokenizers.
        segment: what cuts a text into words before `backend` encodes it, one of SEGMENTERS; "" for nothing.
        source: the file it came from, for messages.
        special: role -> its special token, None where there is none; of a role that is left out the usual ones count.
        notes: what the user should know of how its files were read.
        pruned: of a vocabulary that was cut: how many tokens were `kept`, `of` how many, the `vocab_sha256` of the
            whole one, and where it is `from`; {} for a whole one.
        separators: how many [SEP] stand between the two texts of a pair: two in RoBERTa and its kin, else one.
    """

    def __init__(self, backend: tokenizers.Tokenizer, source: str = "tokenizer.json", segment: str = "",
                 special: Mapping[str, str | None] | None = None, notes: tuple[str, ...] = (),
                 pruned: Mapping[str, Any] | None = None, separators: int | None = None):
        # A tokenizer.json saved by sentence-transformers truncates at 128 and pads: rows are cut and filled here.
        backend.no_truncation()
        backend.no_padding()
        self.backend = backend
        self.source, self.segment = source, segment
        self.special, self.notes, self.pruned = dict(special or {}), notes, dict(pruned or {})
        ids = _special_ids(backend, source, self.special)
        with faults_of_library(f"the vocabulary of {source} cannot encode every text"):
            backend.encode(EVERY_BYTE, add_special_tokens=False)
        self.cls_id, self.sep_id, self.pad_id = (cast(int, ids[name]) for name in ("cls", "sep", "pad"))
        self.mask_id: int | None = ids["mask"]
        self.unk_id: int | None = ids["unk"]
        normalizer = backend.normalizer
        is_bert = isinstance(normalizer, normalizers.BertNormalizer)
        self.lower_case: bool | None = bool(normalizer.lowercase) if is_bert else None
        self.encoder = WordEncoder(backend)
        self.separators = separators or self.separators_of_template

    def __reduce__(self) -> tuple[Any, ...]:
        return _from_json, (self.backend.to_str(), self.source, self.segment, self.special, self.pruned,
                            self.separators)

    @cached_property
    def separators_of_template(self) -> int:
        """How many [SEP] the tokenizer's own template puts between two texts; 1 where it puts nothing else."""
        pair = self.backend.encode("a", "a")
        owners = pair.sequence_ids  # None: a special token
        if 0 not in owners or 1 not in owners:
            return 1
        between = pair.ids[len(owners) - owners[::-1].index(0):owners.index(1)]
        return len(between) if between and set(between) == {self.sep_id} else 1

    @cached_property
    def tokens(self) -> list[str]:
        """The tokens in the order of their ids; "" where an id has none."""
        vocabulary = self.backend.get_vocab(with_added_tokens=True)
        largest = max(vocabulary.values())
        if largest >= MAX_TOKENS:
            raise UserError(f"{self.source} has a token with the id {largest}; expected ids below {MAX_TOKENS}, "
                            "numbered from 0 without large gaps")
        tokens = [""] * (largest + 1)
        for token, token_id in vocabulary.items():
            tokens[token_id] = token
        return tokens

    @property
    def vocab_size(self) -> int:
        """Largest id + 1: the rows that an embedding table needs."""
        return len(self.tokens)

    @cached_property
    def vocab_hash(self) -> str:
        """SHA-256 (hex) of the tokens in the order of their ids, joined by a newline, in UTF-8; a segmenter's name
        follows them."""
        parts = [*self.tokens, f"segment: {self.segment}"] if self.segment else self.tokens
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    @property
    def origin(self) -> dict[str, Any]:
        """What tokenizer_config.json says of a vocabulary that was cut."""
        return {PRUNED: self.pruned} if self.pruned else {}

    @cached_property
    def rules(self) -> dict[str, Any]:
        """What decides the ids of a text beside the vocabulary: normaliser, pre-tokeniser, settings of the model."""
        return parts_of(self.backend)

    @property
    def special_ids(self) -> tuple[int, ...]:
        """The distinct ids of [CLS], [SEP], [PAD], [MASK], [UNK], in this order, as far as they exist."""
        roles = (self.cls_id, self.sep_id, self.pad_id, self.mask_id, self.unk_id)
        return tuple(dict.fromkeys(token_id for token_id in roles if token_id is not None))

    @property
    def is_word_piece(self) -> bool:
        return isinstance(self.backend.model, models.WordPiece)

    @property
    def is_byte_level(self) -> bool:
        """Whether this is byte-level BPE, as vocab.json and merges.txt describe it."""
        return is_byte_level(self.backend)

    @property
    def type(self) -> str:
        """bert, roberta or gpt2: of the byte-level ones, that which has a mask token is RoBERTa's."""
        if not self.is_byte_level:
            return "bert"
        return "gpt2" if self.mask_id is None else "roberta"

    def describe(self) -> str:
        """Return one line on how texts are read: class, size, case, accents, Chinese characters, added and special
        tokens."""
        rules, normalizer = [], self.backend.normalizer
        if isinstance(normalizer, normalizers.BertNormalizer):
            strips = normalizer.lowercase if normalizer.strip_accents is None else normalizer.strip_accents
            rules = ["lower case" if normalizer.lowercase else "cased",
                     "accents stripped" if strips else "accents kept",
                     "Chinese characters apart" if normalizer.handle_chinese_chars else "Chinese characters not apart"]
        elif self.is_byte_level:
            prefix = json.loads(self.backend.pre_tokenizer.__getstate__())["add_prefix_space"]
            rules = ["a space before the text" if prefix else "no space before the text"]
        roles = _find_roles(self.backend, self.special)
        names = {self.backend.id_to_token(index) for index in roles.values() if index is not None}
        added = [f"{token.content} {index}" for index, token in sorted(self.backend.get_added_tokens_decoder().items())
                 if token.content not in names]
        more = f" and {len(added) - 10} more" if len(added) > 10 else ""
        title = class_of(self.backend) or f"{type(self.backend.model).__name__} of {Path(self.source).name}"
        return "; ".join([
            f"tokenizer {self.source}: {title}, {self.vocab_size} tokens", ", ".join(rules) or "rules of the file",
            f"added tokens {', '.join(added[:10])}{more}" if added else "no added tokens",
            "special tokens " + ", ".join(f"{role} {self.backend.id_to_token(index)} {index}"
                                          for role, index in roles.items() if index is not None)]
            + ([f"texts cut by {self.segment}"] if self.segment else [])
            + ([f"{self.separators} separators between the texts of a pair"] if self.separators > 1 else [])
            + ([f"a vocabulary of {self.pruned.get('of')} cut to {self.pruned.get('kept')}"] if self.pruned else []))

    def announce(self) -> Tokenizer:
        """Print how texts are read, and what the user should know of how the files were read."""
        for line in (self.describe(), *(f"note: {note}" for note in self.notes)):
            print(line, flush=True)
        return self

    def count_unknown(self, ids: np.ndarray) -> int:
        """How many of the ids are [UNK]; 0 for a tokenizer that has none."""
        return 0 if self.unk_id is None else int(np.count_nonzero(ids == self.unk_id))

    def require_mask(self, purpose: str) -> int:
        """Return the id of [MASK].

        Raises:
            UserError: the tokenizer has none (GPT-2); `purpose` says what needs it.
        """
        if self.mask_id is None:
            raise UserError(f"{purpose} needs a mask token, but the vocabulary of {self.source} has no "
                            f"{' or '.join(SPECIAL_TOKENS['mask'])}; use a tokenizer of BERT or RoBERTa")
        return self.mask_id

    @cached_property
    def continues_word(self) -> np.ndarray:
        """bool (vocab_size,): true for a WordPiece that continues a word (`##ing`)."""
        return np.array([token.startswith("##") and len(token) > 2 for token in self.tokens])

    def id_to_token(self, token_id: int) -> str:
        token = self.backend.id_to_token(int(token_id))
        if token is None:
            raise UserError(f"token id {token_id} is not in the vocabulary of {self.source} (0..{self.vocab_size - 1})")
        return token

    def decode(self, token_ids: Sequence[int]) -> str:
        """Text of token ids, special tokens left out."""
        return self.backend.decode([int(token_id) for token_id in token_ids], skip_special_tokens=True)

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text, without special tokens."""
        flat, lengths = self.encode_flat(texts)
        ids, ends = flat.tolist(), np.cumsum(lengths).tolist()
        return [ids[end - length:end] for end, length in zip(ends, lengths.tolist(), strict=True)]

    def encode_flat(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """All token ids of the texts in one array: int32 (tokens,), and int64 (texts,), how many belong to each."""
        flat, lengths = [np.zeros(0, np.int32)], [np.zeros(0, np.int64)]
        # The library's encodings hold ten times the memory of their ids: a few thousand at a time.
        for start in range(0, len(texts), 8192):
            part = self.segmented(texts[start:start + 8192])
            ids, counts = self.encoder.encode(part)
            flat.append(ids)
            lengths.append(counts)
        return np.concatenate(flat), np.concatenate(lengths)

    def segmented(self, texts: Sequence[str]) -> Sequence[str]:
        """The texts as `backend` is to see them: the words of `segment` between spaces."""
        if not self.segment:
            return texts
        return [" ".join(SEGMENTERS[self.segment](text)) for text in texts]

    def save(self, directory: str | Path) -> None:
        """Write tokenizer.json into an existing folder; for WordPiece vocab.txt too, for byte-level BPE vocab.json and
        merges.txt, with a segmenter or pairs of several separators tokenizer_config.json."""
        folder = Path(directory)
        (folder / "tokenizer.json").write_text(self.backend.to_str(pretty=True) + "\n", encoding="utf-8")
        if self.is_word_piece:
            (folder / "vocab.txt").write_text("".join(f"{token}\n" for token in self.tokens), encoding="utf-8",
                                              newline="\n")
        elif self.is_byte_level:
            self.backend.model.save(str(folder))
        config: dict[str, Any] = {"segment": self.segment} if self.segment else {}
        if self.special and _find_roles(self.backend, {}) != _find_roles(self.backend, self.special):
            config |= {f"{role}_token": token for role, token in self.special.items()}
        config |= self.origin
        if self.separators > 1:
            config[SEPARATORS] = self.separators
        if config:
            (folder / "tokenizer_config.json").write_text(json.dumps(config) + "\n", encoding="utf-8")


def _from_json(text: str, source: str, segment: str, special: dict[str, str | None],
               pruned: dict[str, Any], separators: int) -> Tokenizer:
    return Tokenizer(tokenizers.Tokenizer.from_str(text), source, segment, special, pruned=pruned,
                     separators=separators)
