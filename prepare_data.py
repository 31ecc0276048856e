# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Make records: `prepare_data.py corpus` from plain text, `prepare_data.py task` from a task's files.

    python prepare_data.py corpus --input 'wiki/*.txt' --tokenizer vocab.txt --output_dir records/wiki --num_shards 4
    python prepare_data.py task --task_name SST-2 --data_dir glue/SST-2 --tokenizer vocab.txt \\
        --output_dir records/sst2 --seq_length 64

For distilling a language model (the Distil* family), one sequence a line:

    python prepare_data.py corpus --objective tokens --input dump.txt --tokenizer vocab.txt --output_dir records/dump

Before `task`: `augment` makes many variants of a task's training rows (train_aug.tsv, which `task` reads), `vocab` a
word or character vocabulary for a student that reads other tokens than its teacher:

    python prepare_data.py augment --task_name MRPC --data_dir glue/MRPC --load_ckpt_path MASKED_LM
    python prepare_data.py vocab --task_name MRPC --data_dir glue/MRPC --segment words --output_dir words

Or `lists`: questions with paragraphs to choose from, the files of the task `reranking`:

    python prepare_data.py lists --input xquad.en.json --output_dir lists
"""

from __future__ import annotations

from src.versions import run_entry

if __name__ == "__main__":
    run_entry("prepare_data")

from src.checkpoints.places import folder_of
from src.common.errors import UserError, nearest
from src.common.typed import require_given
from src.config import Config, parse
from src.corpus.sources import InputOptions
from src.records.options import CorpusOptions, SequenceOptions, TaskOptions, from_settings
from src.records.prepare import prepare_task, prepare_texts
from src.tasks import names, of_unlabelled_file, task_of
from src.tasks.label_order import LabelModel
from src.tasks.question_lists import make_lists
from src.tasks.vocabulary import make_vocabulary
from src.text.tokenization import Tokenizer, load_tokenizer

KINDS = ("corpus", "task", "augment", "vocab", "lists")


def main(argv: list[str]) -> None:
    """Parse what to prepare and its options, make it, and print what it holds."""
    kind = argv[0] if argv else ""
    if kind in ("-h", "--help"):
        print(__doc__)
        print("prepare_data.py corpus --help (task, augment, vocab, lists) shows the options.")
        return
    if kind not in KINDS:
        raise UserError(f"prepare_data.py needs to know what to prepare: {', '.join(KINDS)}; got {kind or 'nothing'!r}"
                        f"{nearest(kind, KINDS)}")
    has_tasks = kind not in ("corpus", "lists")
    config = parse(f"prepare_data.py {kind}", argv[1:], f"Tasks: {', '.join(names())}." if has_tasks else "")
    if kind == "augment":
        # Only this command runs a model; MindSpore takes seconds to import.
        from src.augmentation.augment import augment
        augment(config)
    elif kind == "vocab":
        make_vocabulary(config.vocabulary, config.task, config.seed)
    elif kind == "lists":
        make_lists(config.lists, config.seed)
    else:
        {"corpus": corpus, "task": task}[kind](config)


def corpus(config: Config) -> None:
    """Text files -> one folder of records."""
    settings = config.corpus
    require_given(settings.input, "input", "text files, separated by commas")
    require_given(settings.output_dir, "output_dir", "the folder to make")
    tokenizer = _tokenizer(settings.tokenizer, settings.lower_case)
    if settings.tokenizer_type not in ("", tokenizer.type):
        raise UserError(f"tokenizer_type is {settings.tokenizer_type}, but {tokenizer.source} is one of a "
                        f"{tokenizer.type}; correct the one or the other")
    report = prepare_texts(settings.input, tokenizer, settings.output_dir, _corpus_options(config),
                           force=settings.force, progress=config.logging.progress)
    print(report.summary())


def _corpus_options(config: Config) -> CorpusOptions | SequenceOptions:
    settings = {**vars(config.data), **vars(config.corpus), "seed": config.seed,
                "reading": from_settings(InputOptions, vars(config.corpus))}
    if config.objective != "tokens":
        return from_settings(CorpusOptions, settings)
    if config.corpus.masked_lm_prob:
        raise UserError(f"masked_lm_prob is {config.corpus.masked_lm_prob}, but sequences of --objective tokens are "
                        "masked in training (mlm_mask_prop); leave it at 0")
    return from_settings(SequenceOptions, settings)


def task(config: Config) -> None:
    """The splits of a task -> one folder of records each."""
    settings = config.prepare_task
    require_given(config.task.task_name, "task_name", "such as SST-2")
    require_given(settings.data_dir, "data_dir", "the folder of the task's files")
    require_given(settings.output_dir, "output_dir", "the folder to make")
    options = TaskOptions.of(settings, config.task, config.data)
    chosen = task_of(config.task, config.seed)
    if settings.unlabelled:
        chosen = of_unlabelled_file(chosen, settings.data_dir)
    tokenizer = _tokenizer(settings.tokenizer, settings.lower_case)
    for report in prepare_task(chosen, settings.data_dir, tokenizer, settings.output_dir, options,
                               force=settings.force, progress=config.logging.progress,
                               label_model=_label_model(settings.labels_of)):
        print(report.summary())


def _label_model(location: str) -> LabelModel | None:
    """The model whose labels the records get; None where none is named."""
    if not location:
        return None
    from src.checkpoints.checkpoint import load_model  # takes MindSpore, which takes seconds to import
    loaded = load_model(location, "labels_of")
    return LabelModel(loaded.config.head, f"labels_of {loaded.directory}")


def _tokenizer(path: str, lower_case: str) -> Tokenizer:
    require_given(path, "tokenizer", "a folder with tokenizer.json, vocab.txt, or vocab.json and merges.txt, or one of "
                  "them")
    return load_tokenizer(folder_of(path), {"auto": None, "true": True, "false": False}[lower_case]).announce()
