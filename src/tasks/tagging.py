# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Sequence tagging (named entities): a class for each word.

A word's first piece carries its tag, later pieces are ignored. A sentence that is longer than a row is cut into
overlapping windows; each word is learned and predicted once, in the window that shows most around it.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from serving.answers import entities_in
from serving.tags import OUTSIDE, by_word, character_entities, entities
from serving.windows import decided
from serving.words import as_encoded
from src.common.errors import UserError
from src.config import TaskConfig
from src.config.model import IGNORED
from src.task_files.bio import score_tags
from src.task_files.columnar import is_table
from src.task_files.labels import key_of
from src.task_files.problems import Problems
from src.tasks.class_labels import class_labels
from src.tasks.features import DecodeOptions, EncodeOptions, Features, Outputs
from src.tasks.tagging_formats import ReadingRules, TaggingExample, has_numbers, read_file
from src.tasks.tagging_json import EXPECTED, TAGS
from src.tasks.task import UNLABELLED_SPLIT, Kind, Task, is_test, model_inputs, stack
from src.text.tokenization import Tokenizer


@dataclass(frozen=True)
class TaggingTask(Task):
    """A data set of tagged sentences, in any of the forms of `tagging_formats`.

    Attributes:
        by_character, outermost: see `ReadingRules`.
        submission_file: name of the file that the benchmark takes; "" for none.
        names: what tags that a file has as numbers stand for, in order.
    """

    kind: Kind = "tagging"
    metric_names: tuple[str, ...] = ("f1", "precision", "recall", "accuracy", "f1_strict")
    suffixes: tuple[str, ...] = (".txt", ".conll", ".json", ".jsonl", ".tsv", ".csv", ".parquet", ".arrow")
    by_character: bool = False
    outermost: bool = False
    submission_file: str = ""
    names: tuple[str, ...] = ()

    extra_columns: ClassVar[dict[str, int]] = {"example_ids": 1, "word_ids": 0}
    label_field: ClassVar[str] = "tags"
    kept_example: ClassVar[Any] = TaggingExample

    @property
    def types(self) -> tuple[str, ...]:
        """The entity types in the order of the labels."""
        return types_of(self.labels)

    def with_settings(self, settings: TaskConfig, seed: int = 0) -> Task:
        """Return the task with the names of its tags; see `Task.with_settings`."""
        super().with_settings(settings, seed)
        return replace(self, names=tuple(settings.tag_names))

    def how_read(self, split: str) -> dict[str, Any]:
        return super().how_read(split) | ({"tag_names": list(self.names)} if self.names else {})

    def resolve(self, directory_or_file: str | Path, labels: Sequence[str] = ()) -> Task:
        """Return the task with `labels`, or with O and the sorted types of the training file.

        What tags that are numbers stand for is said by `names`, else by dataset_info.json beside the file, else by
        `labels`. Labels that are found among numbers have the order of these names.

        Raises:
            UserError: the file cannot be read, or holds no entity.
        """
        path = Path(directory_or_file)
        files = [path] if is_table(path) else [file for split in self.splits for file in self.files_there(path, split)]
        is_numbered = any(map(has_numbers, files))
        if self.names and not is_numbered:
            raise UserError(f"--tag_names says what numbers in ner_tags stand for, but no tags in {path} are numbers; "
                            "leave it out")
        named = {file: order for file in files if is_numbered and (order := class_labels(file, TAGS))}
        if len(set(named.values())) > 1 and not self.names:
            listed = "; ".join(f"{file.name}: {', '.join(order)}" for file, order in named.items())
            raise UserError(f"the files of {path} name their tags in several orders: {listed}; save them alike, or "
                            "give --tag_names where one order is meant")
        names = self.names or next(iter(named.values()), tuple(labels))
        task = replace(self, names=names if is_numbered else ())
        if labels or self.labels:
            return task.with_labels(labels or self.labels)
        first = self.splits_in(path)[0]
        file = self.file(path, first)
        if first == UNLABELLED_SPLIT:
            return task
        if first == "test":
            raise UserError(f"{file.parent} has no {self.file_names('train')[0]}, in which the labels of task "
                            f"{self.name} are found")
        # What is faulty is told by `read`, which is given the user's choice.
        problems = Problems("skip")
        found = {tag.partition("-")[2] for example in task.read(file, first, problems)
                 for tag in example.tags or () if tag != OUTSIDE}
        if not found:
            reason = problems.summary() or (f'expected a word and its tag a line, or JSON objects with "text" and '
                                            f"{EXPECTED}")
            raise UserError(f"{file} has no entity; {reason}")
        _check_types(sorted(found), file)
        if task.names and set(task.names) == set(bio_labels(types_of(task.names))):
            return task.with_labels(task.names)
        return task.with_labels(bio_labels(sorted(found)))

    @property
    def _rules(self) -> ReadingRules:
        return ReadingRules(self.types, self.by_character, self.outermost, self.names)

    def read(self, directory_or_file: str | Path, split: str,
             problems: Problems | None = None) -> Iterator[TaggingExample]:
        """Yield a split's sentences in the order of the file.

        `problems` may count: tags out of order or unknown, another number of columns, entities outside of the text,
        unlike their surface or overlapping, broken JSON, sentences that are labelled where others are not.

        Raises:
            UserError: naming file and line; or a file that is missing, unreadable, empty, or lacks its labels.
        """
        file = self.file(directory_or_file, split)
        problems = problems or Problems()
        is_labelled = None
        found, sentences, words = Counter[str](), 0, 0
        for example in read_file(file, self._rules, problems):
            if split == UNLABELLED_SPLIT:
                example = replace(example, tags=None)
            labelled = example.tags is not None
            if is_labelled is None:
                if not labelled and not is_test(split):
                    raise UserError(f"{file}:{example.line}: there are no labels; expected a tag in the last column, "
                                    f"or in JSON {EXPECTED}")
                is_labelled = labelled
            if labelled is is_labelled:
                sentences, words = sentences + 1, words + len(example.spans)
                found.update(name for name, *_ in entities(example.tags or ()))
                yield example
            else:
                problems.report(f"{file}:{example.line}: this text has {'a' if labelled else 'no'} label, the first "
                                f"one has {'none' if labelled else 'one'}")
        understood = problems.understood
        understood.classes = {name: found[name] for name in self.types or sorted(found)} if is_labelled else {}
        understood.notes.append(f"{sentences} sentences of {words} words, {found.total()} entities")
        if problems.number:
            understood.left_out["faulty sentences"] = problems.number

    def encode(self, examples: Sequence[TaggingExample], tokenizer: Tokenizer, options: EncodeOptions,
               first_index: int = 0) -> Features:
        """[CLS] pieces [SEP], a row for each window; a text without words has one row without labels.

        word_ids (rows, seq_length): index of the word whose first piece stands here and is decided here, else -1.
        label_ids (rows, seq_length): its class, else IGNORED.
        """
        room = options.seq_length - 2
        if room < 1:
            raise UserError(f"seq_length is {options.seq_length}; tagging needs at least 3")
        ids, lengths = encode_words(examples, tokenizer)
        words = np.full(len(ids), -1, np.int64)
        counts = [len(example.spans) for example in examples]
        words[np.cumsum(lengths) - lengths] = np.fromiter((i for count in counts for i in range(count)), np.int64)
        tags = np.full(len(ids), IGNORED, np.int64)
        is_labelled = self.is_labelled(examples)
        if is_labelled:
            tags[words >= 0] = [self.label_id(tag) for example in examples for tag in example.tags or ()]
        pieces = [int(part.sum()) for part in np.split(lengths, np.cumsum(counts)[:-1])] if examples else []
        rows = list(decided(pieces, room, options.doc_stride))
        tokens = [[tokenizer.cls_id, *ids[begin:end].tolist(), tokenizer.sep_id] for _, begin, end, _ in rows]
        values = model_inputs(tokens, [len(row) for row in tokens], options.seq_length, tokenizer.pad_id)
        for name, column, fill in (("word_ids", words, -1), ("label_ids", tags, IGNORED)):
            own_values = [[fill, *np.where(own, column[begin:end], fill).tolist()] for _, begin, end, own in rows]
            values[name] = stack(own_values, options.seq_length, fill)
        if not is_labelled:
            del values["label_ids"]
        values["example_ids"] = np.array([index + first_index for index, *_ in rows], np.int32).reshape(-1, 1)
        return Features(values, tokens=len(ids), unknown=tokenizer.count_unknown(ids),
                        shortened=sum(size > room for size in pieces))

    def predictions(self, outputs: Outputs, options: DecodeOptions) -> list[dict[str, Any]]:
        """index, words, prediction and label (tags, one a word), entities (type, begin, end (exclusive), text)."""
        predicted = self._tags(outputs, outputs.logits)
        labels = self._tags(outputs, None) if "label_ids" in outputs.values else [None] * len(predicted)
        return [{"index": index, "words": example.words, "prediction": tags, "label": label,
                 "entities": entities_in(example.text, example.spans, tags)}
                for index, (example, tags, label) in enumerate(zip(outputs.examples, predicted, labels, strict=True))]

    def score(self, outputs: Outputs, options: DecodeOptions) -> dict[str, float]:
        """Entities and tags as seqeval counts them; see `score_tags`."""
        scores = score_tags(self._tags(outputs, None), self._tags(outputs, outputs.logits))
        return {name: scores[name] for name in self.metric_names}

    def submission(self, outputs: Outputs, options: DecodeOptions, split: str) -> dict[str, str]:
        """CLUENER's file: {"id": ..., "label": {type: {surface: [[begin, end inclusive], ...]}}} a line."""
        if not self.submission_file:
            return super().submission(outputs, options, split)
        lines = []
        predicted = self._tags(outputs, outputs.logits)
        for index, (example, tags) in enumerate(zip(outputs.examples, predicted, strict=True)):
            label: dict[str, dict[str, list[list[int]]]] = defaultdict(lambda: defaultdict(list))
            for name, begin, end in character_entities(example.spans, tags):
                label[name][example.text[begin:end]].append([begin, end - 1])
            number = index if example.id is None else example.id
            lines.append(json.dumps({"id": number, "label": label}, ensure_ascii=False) + "\n")
        return {self.submission_file: "".join(lines)}

    def _tags(self, outputs: Outputs, logits: np.ndarray | None) -> list[list[str]]:
        """Tags of each example's words, in order: the predicted ones, or without `logits` the labels."""
        classes = outputs.values["label_ids"] if logits is None else logits.argmax(-1)
        return [[self.labels[value] for value in values] for values in by_word(
            classes, outputs.values["word_ids"], outputs.values["example_ids"][:, 0])]


def encode_words(examples: Sequence[TaggingExample], tokenizer: Tokenizer) -> tuple[np.ndarray, np.ndarray]:
    """Pieces of all words one after the other: int32 (pieces,), and int64 (words,), how many belong to each.

    A word that the tokenizer drops (a control character) is [UNK].
    """
    words = [word for each in examples for word in as_encoded(each.text, each.spans, tokenizer.is_byte_level)]
    ids, lengths = tokenizer.encode_flat(words)
    dropped = lengths == 0
    if dropped.any():
        unknown = tokenizer.sep_id if tokenizer.unk_id is None else tokenizer.unk_id
        ids = np.insert(ids, np.cumsum(lengths)[dropped], unknown)
        lengths = np.maximum(lengths, 1)
    return ids, lengths


def types_of(labels: Sequence[str]) -> tuple[str, ...]:
    """The entity types of tags, in their order."""
    return tuple(dict.fromkeys(label.partition("-")[2] for label in labels if label != OUTSIDE))


def _check_types(types: Sequence[str], file: Path) -> None:
    """Refuse entity types of a training file of which two are one that was written differently."""
    seen: dict[Any, str] = {}
    for name in types:
        other = seen.setdefault(key_of(name), name)
        if other != name:
            raise UserError(f"{file} has the entity types {other!r} and {name!r}, which differ in case, width, blanks, "
                            "quotes or digits only; write them alike, or rename one")


def bio_labels(types: Sequence[str]) -> tuple[str, ...]:
    """O, then B-TYPE and I-TYPE of each type."""
    return OUTSIDE, *(f"{letter}-{name}" for name in types for letter in "BI")


TAGGING = (
    TaggingTask(
        # Xu et al., arXiv:2001.04351; one of the CLUE benchmark's tasks. One of its texts has entities in another.
        name="CLUENER",
        labels=bio_labels(("address", "book", "company", "game", "government", "movie", "name", "organization",
                           "position", "scene")),
        suffixes=(".json",),
        by_character=True,
        outermost=True,
        submission_file="cluener_predict.json",
    ),
    TaggingTask(name="ner"),
)
