# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tagged words as rows of tokens, and back: every word once, whatever the tokenizer, the windows and the batches."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from serving.tags import entities
from src.checkpoints.checkpoint import load_model
from src.common.errors import UserError
from src.config import HeadConfig, ModelConfig
from src.config.model import IGNORED
from src.dataset import Batch
from src.evaluate.tasks import Predictor, rows_of_records
from src.records.columns import INPUTS, LABEL
from src.records.options import TaskOptions
from src.records.prepare import prepare_task
from src.records.reading import inspect
from src.tasks import get_task
from src.tasks.features import DecodeOptions, EncodeOptions, Outputs
from src.tasks.tagging import TaggingTask, encode_words
from src.tasks.tagging_formats import TaggingExample
from src.tasks.words import join_words
from src.text.tokenization import Tokenizer, load_tokenizer
from tests.small_vocabulary import GPT2, VOCABULARY, write_byte_level, write_vocabulary
from tests.tiny import STUDENT, save_random

OPTIONS = DecodeOptions()
NER: TaggingTask = get_task("ner").with_labels(("O", "B-A", "I-A", "B-B", "I-B"))
CLUENER: TaggingTask = get_task("CLUENER")


def example(words: str | list[str], tags: str | None = None) -> TaggingExample:
    text, spans = join_words(words.split(" ") if isinstance(words, str) else words)
    return TaggingExample(text, spans, None if tags is None else tuple(tags.split()), 1)


def random_examples(number: int, longest: int = 30, seed: int = 0) -> list[TaggingExample]:
    """Sentences of up to `longest` words, of one to three pieces each, some of none; with random IOB2 tags."""
    generator = np.random.default_rng(seed)
    words = ("cat", "lower", "unwanted", "running", "\u200b", "我", "zzz", "lowest", "dog")
    found = []
    for length in generator.integers(0, longest + 1, number):
        tags: list[str] = []
        for _ in range(length):
            choices = ["O", "B-A", "B-B", *(f"I-{tags[-1][2:]}" for _ in range(3) if tags and tags[-1] != "O")]
            tags.append(str(generator.choice(choices)))
        found.append(example([str(word) for word in generator.choice(words, length)], " ".join(tags)))
    return found


@pytest.fixture(scope="module")
def bert(tmp_path_factory) -> Tokenizer:
    return load_tokenizer(write_vocabulary(tmp_path_factory.mktemp("bert") / "vocab.txt"))


@pytest.fixture(scope="module")
def byte_level(tmp_path_factory) -> dict[str, Tokenizer]:
    folder = tmp_path_factory.mktemp("bpe")
    return {"roberta": load_tokenizer(write_byte_level(folder / "roberta")),
            "gpt2": load_tokenizer(write_byte_level(folder / "gpt2", GPT2))}


def perfect(task: TaggingTask, values: dict[str, np.ndarray]) -> np.ndarray:
    """Logits that name the label where there is one, and the last class elsewhere."""
    labels = values["label_ids"]
    return np.eye(len(task.labels), dtype=np.float32)[np.where(labels == IGNORED, -1, labels)]


def test_rows(bert: Tokenizer) -> None:
    examples = [example("the unwanted cat", "O B-A I-A"), example(["a", "\u200b", "zzz"], "O B-B O"), example([], "")]
    features = NER.encode(examples, bert, EncodeOptions(8), first_index=5)
    tokens = [[VOCABULARY[token] for token in row] for row in features.values["input_ids"]]
    assert tokens == [
        ["[CLS]", "the", "un", "##want", "##ed", "cat", "[SEP]", "[PAD]"],
        ["[CLS]", "a", "[UNK]", "[UNK]", "[SEP]", "[PAD]", "[PAD]", "[PAD]"],
        ["[CLS]", "[SEP]", *["[PAD]"] * 6]]
    assert features.values["word_ids"].tolist() == [
        [-1, 0, 1, -1, -1, 2, -1, -1], [-1, 0, 1, 2, -1, -1, -1, -1], [-1] * 8]
    assert features.values["label_ids"].tolist() == [
        [-100, 0, 1, -100, -100, 2, -100, -100], [-100, 0, 3, 0, -100, -100, -100, -100], [-100] * 8]
    assert features.values["input_mask"].sum(1).tolist() == [7, 5, 2]
    assert features.values["example_ids"].tolist() == [[5], [6], [7]]
    assert not features.values["segment_ids"].any()
    assert (features.tokens, features.unknown, features.shortened) == (8, 2, 0)
    assert {name: values.dtype for name, values in features.values.items()} == {
        "input_ids": np.int32, "input_mask": np.uint8, "segment_ids": np.uint8, "label_ids": np.int32,
        "word_ids": np.int32, "example_ids": np.int32}
    unlabelled = NER.encode([example("the cat")], bert, EncodeOptions(8)).values
    assert LABEL not in unlabelled and unlabelled["word_ids"].tolist() == [[-1, 0, 1, -1, -1, -1, -1, -1]]
    assert NER.encode([], bert, EncodeOptions(8)).values["input_ids"].shape == (0, 8)
    with pytest.raises(UserError, match="unknown label 'B-C'; task ner has O, B-A"):
        NER.encode([example("the", "B-C")], bert, EncodeOptions(8))
    with pytest.raises(UserError, match="seq_length is 2; tagging needs at least 3"):
        NER.encode([example("the", "O")], bert, EncodeOptions(2))


@pytest.mark.parametrize(("room", "stride"), [(1, 1), (2, 1), (4, 2), (7, 7), (7, 3), (10, 40), (200, 1)])
def test_each_word_is_learned_and_predicted_once(room: int, stride: int, bert: Tokenizer) -> None:
    examples = random_examples(40)
    values = NER.encode(examples, bert, EncodeOptions(room + 2, stride)).values
    decided = values["word_ids"] >= 0
    assert ((values["label_ids"] != IGNORED) == decided).all()
    assert not decided[:, [0, -1]].any() and values["input_mask"][decided].all()
    seen = [(index, word) for index, row in zip(values["example_ids"][:, 0], values["word_ids"], strict=True)
            for word in row[row >= 0]]
    assert sorted(seen) == [(index, word) for index, item in enumerate(examples) for word in range(len(item.spans))]
    outputs = Outputs(perfect(NER, values), values, examples)
    assert [line["prediction"] for line in NER.predictions(outputs, OPTIONS)] == [list(e.tags) for e in examples]
    assert NER.score(outputs, OPTIONS) == dict.fromkeys(NER.metric_names, 1.0)
    # Whole sentences, in which each word sees all the others.
    whole = NER.encode(examples, bert, EncodeOptions(202)).values
    assert len(whole["input_ids"]) == len(examples) <= len(values["input_ids"])


def test_rows_do_not_depend_on_their_neighbours(bert: Tokenizer) -> None:
    examples, options = random_examples(12), EncodeOptions(9, 4)
    together = NER.encode(examples, bert, options, first_index=100).values
    alone = [NER.encode([item], bert, options, first_index=100 + index).values for index, item in enumerate(examples)]
    for name, values in together.items():
        assert np.array_equal(values, np.concatenate([part[name] for part in alone])), name


def test_byte_level_pieces(byte_level: dict[str, Tokenizer]) -> None:
    spans = ((0, 3), (4, 7), (7, 8), (8, 9), (10, 13))
    item = TaggingExample("the cat's mat", spans, ("O", "B-A", "I-A", "I-A", "O"), 1)
    chinese = example("我 爱 北 京", "O O B-A I-A")
    for tokenizer in byte_level.values():
        ids, lengths = encode_words([item, chinese], tokenizer)
        text = tokenizer.decode(ids[:lengths[:5].sum()])
        assert text == " the cat's mat" and len(lengths) == 9 and lengths.min() >= 1
        assert lengths[5:].sum() > 4  # bytes of ideographs
        values = NER.encode([item, chinese], tokenizer, EncodeOptions(32)).values
        outputs = Outputs(perfect(NER, values), values, [item, chinese])
        assert [line["entities"] for line in NER.predictions(outputs, OPTIONS)] == [
            [{"type": "A", "begin": 4, "end": 9, "text": "cat's"}],
            [{"type": "A", "begin": 2, "end": 4, "text": "北京"}]]
        assert (values["input_ids"][:, 0] == tokenizer.cls_id).all()


def test_predictions_and_submission(bert: Tokenizer) -> None:
    texts = ["我爱北京", "京 北a", "", "我我"]
    examples = [TaggingExample(text, tuple((i, i + 1) for i, c in enumerate(text) if c != " "), None, 1, number)
                for text, number in zip(texts, (None, 41, 42, 43), strict=True)]
    values = CLUENER.encode(examples, bert, EncodeOptions(8)).values
    classes = {label: index for index, label in enumerate(CLUENER.labels)}
    logits = np.zeros((*values["word_ids"].shape, len(classes)), np.float32)
    for row, tags in enumerate((["O", "O", "B-address", "I-address"], ["B-name", "I-name", "O"], [],
                                ["I-name", "B-name"])):
        for place, tag in enumerate(tags, 1):
            logits[row, place, classes[tag]] = 1
    outputs = Outputs(logits, {name: values[name] for name in CLUENER.extra_columns}, examples)
    lines = CLUENER.predictions(outputs, OPTIONS)
    assert [line["index"] for line in lines] == [0, 1, 2, 3] and {line["label"] for line in lines} == {None}
    assert lines[1]["entities"] == [{"type": "name", "begin": 0, "end": 3, "text": "京 北"}]
    assert lines[1]["words"] == ["京", "北", "a"] and lines[1]["prediction"] == ["B-name", "I-name", "O"]
    files = CLUENER.submission(outputs, OPTIONS, "test")
    assert list(files) == ["cluener_predict.json"]
    assert [json.loads(line) for line in files["cluener_predict.json"].splitlines()] == [
        {"id": 0, "label": {"address": {"北京": [[2, 3]]}}}, {"id": 41, "label": {"name": {"京 北": [[0, 2]]}}},
        {"id": 42, "label": {}}, {"id": 43, "label": {"name": {"我": [[0, 0], [1, 1]]}}}]
    with pytest.raises(UserError, match="task ner has no submission format"):
        NER.submission(outputs, OPTIONS, "test")


def evaluated(predictor: Predictor, task: TaggingTask, values: dict[str, np.ndarray], examples: list[TaggingExample],
              batch_size: int, buckets: tuple[int, ...]) -> Outputs:
    batch = Batch(*(values[name].astype(np.int32) for name in INPUTS), values[LABEL])
    outputs = predictor.predict([batch], batch_size, buckets)
    return Outputs(outputs.logits, values, examples)


@pytest.mark.medium
def test_predictions_do_not_depend_on_batches_padding_and_order(bert: Tokenizer, tmp_path: Path) -> None:
    encoder = replace(STUDENT, vocab_size=bert.vocab_size, initializer_range=0.5)
    folder = save_random(tmp_path / "model", ModelConfig(encoder, HeadConfig("tagging", NER.labels), "ner"), None)
    loaded = load_model(folder)
    predictor = Predictor(loaded.config).load(loaded.parameters)
    examples = random_examples(17, longest=14)
    values = NER.encode(examples, bert, EncodeOptions(16, 6)).values
    expected = NER.predictions(evaluated(predictor, NER, values, examples, 8, (16,)), OPTIONS)
    assert len({tag for line in expected for tag in line["prediction"]}) > 2  # not one class for all
    scores = NER.score(evaluated(predictor, NER, values, examples, 8, (16,)), OPTIONS)
    assert 0 < scores["accuracy"] < 1
    for batch_size, buckets in ((3, (16,)), (8, (8, 16))):
        outputs = evaluated(predictor, NER, values, examples, batch_size, buckets)
        assert NER.predictions(outputs, OPTIONS) == expected
        assert NER.score(outputs, OPTIONS) == scores
    order = np.random.default_rng(1).permutation(len(examples))
    shuffled = [examples[index] for index in order]
    outputs = evaluated(predictor, NER, NER.encode(shuffled, bert, EncodeOptions(16, 6)).values, shuffled, 8, (16,))
    assert NER.predictions(outputs, OPTIONS) == [
        expected[index] | {"index": place} for place, index in enumerate(order)]
    assert NER.score(outputs, OPTIONS) == pytest.approx(scores, abs=1e-12)


@pytest.mark.medium
@pytest.mark.parametrize("dataset_type", ["tfrecord", "mindrecord"])
def test_records_lead_back_to_the_words(dataset_type: str, bert: Tokenizer, tmp_path: Path) -> None:
    examples = [item for item in random_examples(30) if item.spans]
    lines = ["".join(f"{word}\t{tag}\n" for word, tag in zip(item.words, item.tags, strict=True)) for item in examples]
    for split in ("train", "dev"):
        (tmp_path / f"{split}.conll").write_text("\n".join(lines), encoding="utf-8")
    (tmp_path / "dev.conll").write_text("\n".join([*lines, "a\tO\nb\tI-A\n"]), encoding="utf-8")
    options = TaskOptions(seq_length=10, doc_stride=3, dataset_type=dataset_type)
    with pytest.raises(UserError, match="tag 'I-A' follows 'O'"):
        prepare_task(get_task("ner"), tmp_path, bert, tmp_path / "records", options)
    prepare_task(get_task("ner"), tmp_path, bert, tmp_path / "records", replace(options, bad_rows="skip"))
    source = inspect(tmp_path / "records" / "dev", dataset_type)
    rows = rows_of_records(source, NER)
    assert [(item.text, item.tags) for item in rows.examples] == [(item.text, item.tags) for item in examples]
    chunks = list(rows.chunks())
    labels = np.concatenate([chunk.label_ids for chunk in chunks])
    values = {LABEL: labels, **rows.columns}
    predicted = NER.predictions(Outputs(perfect(NER, values), values, rows.examples), OPTIONS)
    assert [line["label"] for line in predicted] == [line["prediction"] for line in predicted] == [
        list(item.tags) for item in examples]


@pytest.mark.medium
@pytest.mark.parametrize("split", ["train", "dev"])
def test_no_entity_of_cluener_is_lost(split: str, shared_data) -> None:
    tokenizer = load_tokenizer(shared_data("zh_vocab"))
    examples = list(CLUENER.read(shared_data("cluener"), split))[:4000]
    # Rows of 32 tokens cut most of the texts, which have up to 50 characters.
    values = CLUENER.encode(examples, tokenizer, EncodeOptions(32, 16)).values
    assert len(values["input_ids"]) > 1.3 * len(examples)
    tags = [line["label"] for line in CLUENER.predictions(Outputs(perfect(CLUENER, values), values, examples), OPTIONS)]
    assert tags == [list(item.tags) for item in examples]
    assert sum(len(entities(found, strict=True)) for found in tags) > len(examples)
