# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""A word or character vocabulary from a task's training texts, for students that read other tokens than their teacher.

    words        words and punctuation marks, as BERT's pre-tokenizer splits them; each ideograph is a word
    characters   each character but white space
    jieba        Chinese words
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import islice
from pathlib import Path

import tokenizers
from tokenizers import Regex, models, normalizers, pre_tokenizers, trainers

from src.common.errors import UserError
from src.common.files import atomic_folder
from src.common.places import check_folder, is_empty
from src.common.typed import require_given
from src.config import TaskConfig, VocabularyConfig
from src.task_files.problems import Problems
from src.tasks import Task, task_of
from src.text.tokenization import SEGMENTERS, Tokenizer, add_bert_tokens, has_tokenizer, load_tokenizer

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
"""The first tokens, in the order of BERT's vocabularies."""
_TEXT_FIELDS = ("text_a", "text_b", "text", "query", "documents", "context", "question")
_TEXTS_A_PIECE = 8192


def make_vocabulary(settings: VocabularyConfig, task_settings: TaskConfig, seed: int = 0) -> Path:
    """Make a tokenizer of the most frequent tokens of a task's training texts, and print what it covers.

    Ids: the special tokens, then the others by falling frequency. The same texts and settings make the same files.

    Raises:
        UserError: a setting is missing, the task's files cannot be read, hold no text, or the folder is taken.
    """
    require_given(task_settings.task_name, "task_name", "such as SST-2")
    require_given(settings.data_dir, "data_dir", "the folder of the task's files")
    require_given(settings.output_dir, "output_dir", "the folder to make")
    task, output = task_of(task_settings, seed), Path(settings.output_dir)
    check_folder(output, "output_dir")
    if task.kind == "span":
        raise UserError(f"task {task.name} asks for answers in a text, which need a transformer; prepare its records "
                        "with the transformer's tokenizer")
    splits = [split for split in task.splits_in(settings.data_dir) if split.split("_")[0] in ("train", "dev")
              and split != "train_aug"]
    if "train" not in splits:
        raise UserError(f"{settings.data_dir} has no {task.file_names('train')[0]}, whose texts the vocabulary is made "
                        "of")
    texts = {split: partial(texts_of_split, task, settings.data_dir, split, Problems(task_settings.bad_rows))
             for split in splits}
    tokenizer = _train(settings, texts["train"]())
    _write(tokenizer, output)
    print(f"{output}: {tokenizer.vocab_size} tokens ({settings.segment}), special ones included")
    for split in splits:
        tokens, unknown = _count(tokenizer, texts[split]())
        print(f"{split}: {tokens} tokens, {unknown / max(1, tokens):.2%} of them unknown")
    return output


def _new_backend(settings: VocabularyConfig) -> tokenizers.Tokenizer:
    backend = tokenizers.Tokenizer(models.WordLevel({}, unk_token="[UNK]"))
    backend.normalizer = normalizers.BertNormalizer(
        clean_text=True, handle_chinese_chars=settings.segment == "words", strip_accents=None,
        lowercase=settings.lower_case)
    spaces = pre_tokenizers.WhitespaceSplit()
    backend.pre_tokenizer = {
        "words": pre_tokenizers.BertPreTokenizer(),
        "characters": pre_tokenizers.Sequence([spaces, pre_tokenizers.Split(Regex("."), "isolated")]),
        "jieba": spaces,
    }[settings.segment]
    return backend


def _train(settings: VocabularyConfig, texts: Iterator[str]) -> Tokenizer:
    segment = settings.segment if settings.segment in SEGMENTERS else ""
    backend = _new_backend(settings)
    trainer = trainers.WordLevelTrainer(vocab_size=settings.vocab_size, min_frequency=settings.min_count,
                                        special_tokens=list(SPECIAL), show_progress=False)
    cut = SEGMENTERS.get(segment)
    backend.train_from_iterator((" ".join(cut(text)) for text in texts) if cut else texts, trainer)
    if backend.get_vocab_size() == len(SPECIAL):
        raise UserError(f"the training texts of {settings.data_dir} hold no token that occurs {settings.min_count} "
                        "times; lower --min_count, or check the files")
    add_bert_tokens(backend)
    return Tokenizer(backend, str(Path(settings.output_dir) / "tokenizer.json"), segment)


def texts_of_split(task: Task, data: str | Path, split: str, problems: Problems) -> Iterator[str]:
    """Yield every text of a split, read as a stream; `data` is the folder of the task's files, or a file."""
    for example in task.read(data, split, problems):
        for value in (getattr(example, name, None) for name in _TEXT_FIELDS):
            yield from (value,) if isinstance(value, str) else value or ()


def _count(tokenizer: Tokenizer, texts: Iterator[str]) -> tuple[int, int]:
    """Return the number of tokens of texts, and how many of them are unknown."""
    tokens = unknown = 0
    while piece := list(islice(texts, _TEXTS_A_PIECE)):
        ids, _ = tokenizer.encode_flat(piece)
        tokens, unknown = tokens + len(ids), unknown + tokenizer.count_unknown(ids)
    return tokens, unknown


def _write(tokenizer: Tokenizer, output: Path) -> None:
    """Write the folder; one that holds the same vocabulary stays."""
    if not is_empty(check_folder(output, "output_dir")):
        if has_tokenizer(output) and load_tokenizer(output).vocab_hash == tokenizer.vocab_hash:
            return
        raise UserError(f"{output} exists and holds something else; choose another output_dir, or remove it")
    with atomic_folder(output) as folder:
        tokenizer.save(folder)
