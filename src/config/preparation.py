# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Settings of what prepares data: records of a corpus or a task, augmentation, vocabularies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from src.common.typed import require, setting

LowerCase = Literal["auto", "true", "false"]

_TOKENIZER = "folder with tokenizer.json or vocab.txt, or one of these files"
_TASK_FILES = "folder with the task's files, or one file"
_LOWER_CASE = "auto (what the tokenizer says) | true | false"


@dataclass(frozen=True)
class CorpusConfig:
    input: tuple[str, ...] = setting((), "files, folders, globs or URLs, also compressed (bz2, gz, zst, xz)")
    input_format: Literal["auto", "text", "wiki", "wikiextractor", "jsonl"] = setting(
        "auto", "auto | text (a sentence a line) | wiki (XML dump) | wikiextractor | jsonl")
    text_field: str = setting("text", "jsonl: the field that holds the text")
    language: str = setting("auto", "rules that split sentences, such as en or zh; auto = what dump and script say")
    split_sentences: Literal["auto", "true", "false"] = setting(
        "auto", "auto (yes, but for format text, whose lines are sentences) | true | false")
    simplify_chinese: bool = setting(False, "traditional characters become simplified ones")
    min_document_length: int = setting(
        100, "shorter documents are dropped, in characters; not of format text", least=0)
    tokenizer: str = setting("", _TOKENIZER)
    tokenizer_type: Literal["", "bert", "roberta", "gpt2"] = setting(
        "", "bert | roberta | gpt2; empty: that of its files")
    lower_case: LowerCase = setting("auto", _LOWER_CASE)
    output_dir: str = setting("", "folder of the records, or its URL")
    num_shards: int = setting(1, "number of record files", least=1)
    num_workers: int = setting(2, "worker processes of this machine (Dask's); small inputs need none", least=1)
    scheduler: str = setting("", "Dask scheduler whose workers are taken instead, such as tcp://10.0.0.1:8786")
    deduplicate: Literal["none", "documents"] = setting(
        "none", "none | documents: only the first of equal documents; case, punctuation, white space do not count")
    masked_lm_prob: float = setting(
        0.0, "share of masked tokens; 0 = unmasked text, as TinyBERT distils", least=0, below=1)
    max_predictions_per_seq: int = setting(20, "most masked tokens a sequence", least=1)
    whole_word_mask: bool = setting(False, "mask all pieces of a word together")
    dupe_factor: int = setting(1, "differently masked copies of the text", least=1)
    min_length: int = setting(12, "objective tokens: drop shorter sequences, in tokens with the special ones", least=3)
    max_unknown: float = setting(
        0.5, "largest share of unknown tokens, 1 = any; objective tokens drops the sequences that have it", above=0)
    force: bool = setting(False, "replace records that are there already")


@dataclass(frozen=True)
class PrepareTaskConfig:
    data_dir: str = setting("", "folder with train.tsv, dev.tsv, test.tsv (MNLI: its own names), or one file")
    tokenizer: str = setting("", _TOKENIZER)
    lower_case: LowerCase = setting("auto", _LOWER_CASE)
    output_dir: str = setting("", "folder of the records; one subfolder a split")
    num_shards: int = setting(1, "number of record files a split", least=1)
    num_workers: int = setting(2, "worker processes", least=1)
    max_unknown: float = setting(
        0.5, "largest share of unknown tokens: with more the tokenizer cannot read the text", above=0, most=1)
    force: bool = setting(False, "replace records that are there already")


@dataclass(frozen=True)
class AugmentConfig:
    """Data augmentation of TinyBERT (method tinybert) and of Tang et al. (rules)."""

    method: Literal["tinybert", "rules"] = setting(
        "tinybert", "tinybert (masked LM and nearest words) | rules (masks, same part of speech, n-grams)")
    data_dir: str = setting("", _TASK_FILES)
    output_dir: str = setting("", "folder for train_aug.tsv; empty: data_dir")
    load_ckpt_path: str = setting("", "checkpoint directory of a masked language model (tinybert)")
    language: Literal["auto", "english", "chinese"] = setting(
        "auto", "auto (that of the training text) | english | chinese (words by jieba)")
    copies: int = setting(0, "copies of each text; 0 = the method's own number for the task", least=0)
    candidates: int = setting(15, "words that a word may be replaced by", least=1)
    replace_probability: float = setting(
        0.4, "probability that a word is replaced, in each copy (tinybert)", least=0, most=1)
    glove_path: str = setting("", "word vectors for words of several pieces; empty: the model's input embeddings")
    glove_words: int = setting(100000, "words that are read of it", least=1)
    mask_probability: float = setting(0.1, "probability that a word is masked (rules)", least=0, most=1)
    pos_probability: float = setting(
        0.1, "probability that a word is replaced by one of the same part of speech (rules)", least=0, most=1)
    ngram_probability: float = setting(
        0.25, "probability that a copy is cut to an n-gram of 1 to 5 words (rules)", least=0, most=1)
    words_a_pass: int = setting(
        6, "words of a sentence that are masked at once; more is faster; 1 as TinyBERT does", least=1)
    batch_size: int = setting(32, "rows a step of the masked language model", least=1)
    num_workers: int = setting(2, "worker processes; the result does not depend on it", least=1)
    max_unknown: float = setting(
        0.5, "largest share of unknown tokens (tinybert): with more the model cannot read the text", above=0, most=1)
    force: bool = setting(False, "replace what is there already")

    def __post_init__(self) -> None:
        require(self.mask_probability + self.pos_probability <= 1,
                "augment.mask_probability and augment.pos_probability add up to more than 1; lower one of them")


@dataclass(frozen=True)
class VocabularyConfig:
    """A word or character vocabulary for students that read other tokens than their teacher."""

    data_dir: str = setting("", _TASK_FILES)
    output_dir: str = setting("", "folder of the tokenizer")
    segment: Literal["words", "characters", "jieba"] = setting("words", "words | characters | jieba (Chinese words)")
    vocab_size: int = setting(30000, "most tokens", above=10)
    min_count: int = setting(1, "rarer words are unknown", least=1)
    lower_case: bool = setting(True, "upper and lower case are the same")
