# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Text to token ids: a thin layer over the `tokenizers` library.

BERT's WordPiece (a `vocab.txt` as Google ships it, or a `tokenizer.json`) gives the same ids as `BertTokenizer` of
transformers; the byte-level BPE of RoBERTa and GPT-2 (`vocab.json` with `merges.txt`, or a `tokenizer.json`) the same
as `RobertaTokenizer` and `GPT2Tokenizer`. Any other model that a `tokenizer.json` describes is used as it stands.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import numpy as np
import tokenizers
from tokenizers import AddedToken, decoders, models, normalizers, pre_tokenizers, processors

from src.common.errors import UserError, one_line
from src.common.files import read_text
from src.common.untrusted import parse_json
from src.text.encoding import WordEncoder, is_byte_level
from src.text.segmentation import chinese_words

# Role -> the spellings in use: BERT's first, then RoBERTa's.
SPECIAL_TOKENS = {
    "cls": ("[CLS]", "<s>"),
    "sep": ("[SEP]", "</s>"),
    "pad": ("[PAD]", "<pad>"),
    "mask": ("[MASK]", "<mask>"),
    "unk": ("[UNK]", "<unk>"),
}
# GPT-2's only special token: it begins and ends a text, and fills it up.
END_OF_TEXT = "<|endoftext|>"
# Any of these makes a folder one with a tokenizer; the first that is there is read.
VOCABULARY_FILES = ("tokenizer.json", "vocab.txt", "vocab.json")
# Cuts of a text before the library sees it, which a tokenizer.json cannot describe; tokenizer_config.json names it.
SEGMENTERS: dict[str, Callable[[str], list[str]]] = {"jieba": chinese_words}
# Of a vocabulary; the largest ones have a million. Memory is taken for every id up to the largest.
MAX_TOKENS = 1 << 24
# Every byte that occurs in UTF-8: a vocabulary that cannot encode one of them is noticed when it is loaded.
EVERY_BYTE = "".join(map(chr, (*range(256), *range(256, 2048, 64), *range(2048, 0xD800, 4096), 0xD000, 0xE000, 0xF000,
                               *range(0x10000, 0x110000, 0x40000), 0x10FFFF)))


def has_tokenizer(folder: str | Path) -> bool:
    """Whether `load_tokenizer` finds something to read in a folder."""
    return any((Path(folder) / name).is_file() for name in VOCABULARY_FILES)


def load_tokenizer(path: str | Path, lower_case: bool | None = None) -> Tokenizer:
    """Load a tokenizer from a folder (tokenizer.json, else vocab.txt, else vocab.json) or from one of these files.

    A vocab.json needs the merges.txt beside it; it is RoBERTa's where it has the token `<s>`, else GPT-2's.

    Args:
        path: the folder or the file.
        lower_case: None takes what the files say: the normaliser of tokenizer.json, `do_lower_case` of a
            tokenizer_config.json beside vocab.txt, and true (Google's default) for a lone vocab.txt.

    Raises:
        UserError: nothing there, not readable, a special token is missing, or `lower_case` is given for a tokenizer
            that has no BERT normaliser.
    """
    given = Path(path)
    file = given
    if given.is_dir():
        file = next((given / name for name in VOCABULARY_FILES if (given / name).is_file()), given / "tokenizer.json")
    if not file.is_file():
        expected = "a folder with tokenizer.json, vocab.txt, or vocab.json and merges.txt, or one of these files"
        raise UserError(f"no tokenizer in {str(given)!r}: expected {expected}")
    if file.name in ("vocab.json", "merges.txt"):
        backend = _read_byte_level(file.parent)
    elif file.suffix == ".json":
        with _faults_of_library(f"{file} is not a tokenizer.json"):
            backend = tokenizers.Tokenizer.from_str(read_text(file))
    else:
        return Tokenizer(_read_vocabulary(file, lower_case), source=str(file))
    if lower_case is not None:
        normalizer = backend.normalizer
        if not isinstance(normalizer, normalizers.BertNormalizer):
            raise UserError(f"lower_case is set, but {file} has no BERT normaliser; leave lower_case unset")
        normalizer.lowercase = lower_case
        backend.normalizer = normalizer
    return Tokenizer(backend, source=str(file), segment=_segmenter(file.parent / "tokenizer_config.json"))


@contextmanager
def _faults_of_library(message: str) -> Iterator[None]:
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


def _read_byte_level(folder: Path) -> tokenizers.Tokenizer:
    """The byte-level BPE of RoBERTa or GPT-2, in the form of transformers' tokenizers of these names."""
    vocabulary, merges = folder / "vocab.json", folder / "merges.txt"
    for file, other in ((vocabulary, merges), (merges, vocabulary)):
        if not file.is_file():
            raise UserError(f"{other} needs the {file.name} of the same tokenizer beside it; copy it there")
    for file in (vocabulary, merges):
        read_text(file)
    with _faults_of_library(f"{vocabulary} and {merges.name} are no byte-level BPE"):
        backend = tokenizers.Tokenizer(models.BPE.from_file(str(vocabulary), str(merges)))
    prefix = bool(_configured(folder / "tokenizer_config.json", "add_prefix_space", False))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=prefix)
    backend.decoder = decoders.ByteLevel()
    names = [spellings[1] for spellings in SPECIAL_TOKENS.values()]
    if backend.token_to_id(names[0]) is None:
        names = [END_OF_TEXT]
    missing = [name for name in names if backend.token_to_id(name) is None]
    if missing:
        kind = "<s> or <|endoftext|>" if names == [END_OF_TEXT] else ", ".join(missing)
        raise UserError(f"{vocabulary} has no {kind}: expected the vocabulary of RoBERTa or GPT-2")
    # A space before <mask> belongs to it.
    backend.add_special_tokens([AddedToken(name, lstrip=name == "<mask>", normalized=False) for name in names])
    if names == [END_OF_TEXT]:
        backend.post_processor = processors.ByteLevel(trim_offsets=False)
    else:
        cls_token, sep_token = ((name, backend.token_to_id(name) or 0) for name in names[:2])
        backend.post_processor = processors.RobertaProcessing(sep_token, cls_token, add_prefix_space=prefix)
    return backend


def _read_vocabulary(file: Path, lower_case: bool | None) -> tokenizers.Tokenizer:
    tokens = [line.rstrip("\r") for line in read_text(file).split("\n")]
    if tokens and not tokens[-1]:
        tokens.pop()
    if lower_case is None:
        lower_case = bool(_configured(file.parent / "tokenizer_config.json", "do_lower_case", True))
    # As in Google's loader the last line wins where a token is listed twice.
    vocabulary = {token: index for index, token in enumerate(tokens)}
    missing = [names[0] for names in SPECIAL_TOKENS.values() if names[0] not in vocabulary]
    if missing:
        raise UserError(f"{file} ({len(tokens)} lines) has no {', '.join(missing)}: expected a BERT vocabulary, "
                        "one token a line")
    backend = tokenizers.Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]", max_input_chars_per_word=100))
    backend.normalizer = normalizers.BertNormalizer(
        clean_text=True, handle_chinese_chars=True, strip_accents=None, lowercase=lower_case)
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    add_bert_tokens(backend)
    backend.decoder = tokenizers.decoders.WordPiece(prefix="##")
    return backend


def add_bert_tokens(backend: tokenizers.Tokenizer) -> None:
    """Make [PAD], [UNK], ... of a vocabulary its special tokens, put around texts as BERT does."""
    backend.add_special_tokens([names[0] for names in SPECIAL_TOKENS.values()])
    backend.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[(name, backend.token_to_id(name)) for name in ("[CLS]", "[SEP]")])


def _configured(file: Path, name: str, default: Any) -> Any:
    """A setting of tokenizer_config.json."""
    if not file.is_file():
        return default
    try:
        return parse_json(read_text(file)).get(name, default)
    except (ValueError, AttributeError) as error:
        raise UserError(f"{file} is not valid JSON: {one_line(error)}") from error


def _segmenter(file: Path) -> str:
    """The segmenter that tokenizer_config.json names, "" for none."""
    segment = _configured(file, "segment", "")
    if segment not in ("", *SEGMENTERS):
        raise UserError(f"{file} names the segmenter {segment!r}; this version knows {', '.join(SEGMENTERS)}")
    return segment


def _special_ids(backend: tokenizers.Tokenizer, source: str) -> dict[str, int | None]:
    """Role -> id; GPT-2's <|endoftext|> is [CLS], [SEP] and [PAD], and there is no [MASK] and no [UNK]."""
    ids: dict[str, int | None] = {}
    for role, names in SPECIAL_TOKENS.items():
        ids[role] = next((token_id for name in names if (token_id := backend.token_to_id(name)) is not None), None)
    end = backend.token_to_id(END_OF_TEXT)
    if ids["cls"] is None and end is not None:
        return {"cls": end, "sep": end, "pad": end, "mask": None, "unk": None}
    for role, token_id in ids.items():
        if token_id is None:
            raise UserError(f"the vocabulary of {source} has no {' or '.join(SPECIAL_TOKENS[role])}: expected the "
                            f"special tokens of BERT or RoBERTa, or GPT-2's {END_OF_TEXT}")
    return ids


class Tokenizer:
    """Token ids of texts, without special tokens, truncation or padding.

    Attributes:
        cls_id, sep_id, pad_id: ids of the special tokens; all the same for GPT-2.
        mask_id, unk_id: ids of the special tokens; None for GPT-2, which has neither.
        lower_case: whether the BERT normaliser lowers case; None for other tokenizers.
        segment: what cuts a text into words before `backend` encodes it, one of SEGMENTERS; "" for nothing.
        source: the file it came from, for messages.
    """

    def __init__(self, backend: tokenizers.Tokenizer, source: str = "tokenizer.json", segment: str = ""):
        # A tokenizer.json saved by sentence-transformers truncates at 128 and pads: rows are cut and filled here.
        backend.no_truncation()
        backend.no_padding()
        self.backend = backend
        self.source, self.segment = source, segment
        ids = _special_ids(backend, source)
        with _faults_of_library(f"the vocabulary of {source} cannot encode every text"):
            backend.encode(EVERY_BYTE, add_special_tokens=False)
        self.cls_id, self.sep_id, self.pad_id = (cast(int, ids[name]) for name in ("cls", "sep", "pad"))
        self.mask_id: int | None = ids["mask"]
        self.unk_id: int | None = ids["unk"]
        normalizer = backend.normalizer
        is_bert = isinstance(normalizer, normalizers.BertNormalizer)
        self.lower_case: bool | None = bool(normalizer.lowercase) if is_bert else None
        self.encoder = WordEncoder(backend)

    def __reduce__(self) -> tuple[Any, ...]:
        return _from_json, (self.backend.to_str(), self.source, self.segment)

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
        merges.txt, with a segmenter tokenizer_config.json."""
        folder = Path(directory)
        (folder / "tokenizer.json").write_text(self.backend.to_str(pretty=True) + "\n", encoding="utf-8")
        if self.is_word_piece:
            (folder / "vocab.txt").write_text("".join(f"{token}\n" for token in self.tokens), encoding="utf-8",
                                              newline="\n")
        elif self.is_byte_level:
            self.backend.model.save(str(folder))
        if self.segment:
            (folder / "tokenizer_config.json").write_text(json.dumps({"segment": self.segment}) + "\n",
                                                          encoding="utf-8")


def _from_json(text: str, source: str, segment: str) -> Tokenizer:
    return Tokenizer(tokenizers.Tokenizer.from_str(text), source, segment)
