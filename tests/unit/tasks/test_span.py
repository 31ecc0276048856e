# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Question answering: files and their faults, rows, and answers that the rows lead back to exactly."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tokenizers
from tokenizers import models, normalizers, pre_tokenizers, trainers

from src.common.errors import UserError
from src.records.kept_examples import read_examples, write_examples
from src.task_files.problems import Problems
from src.tasks import get_task
from src.tasks.features import EncodeOptions, Features
from src.tasks.span_files import SpanExample
from src.text.offsets import locate
from src.text.tokenization import Tokenizer, load_tokenizer

SQUAD, SQUAD2, CMRC, XQUAD = (get_task(name) for name in ("SQuAD", "SQuAD2", "CMRC2018", "XQuAD"))
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def question(number: int, answers: Any, **more: Any) -> dict[str, Any]:
    return {"id": f"q{number}", "question": "where is it ?", "answers": answers, **more}


def answer(text: str, start: int) -> dict[str, Any]:
    return {"text": text, "answer_start": start}


def squad_json(*questions: dict[str, Any], context: str = "red fish , blue fish") -> dict[str, Any]:
    return {"version": "1.1", "data": [{"title": "t", "paragraphs": [{"context": context, "qas": list(questions)}]}]}


def write(path: Path, content: Any) -> Path:
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def word_pieces(texts: list[str], lower_case: bool = True, size: int = 400) -> Tokenizer:
    """BERT's tokenizer with a vocabulary of these texts."""
    backend = tokenizers.Tokenizer(models.WordPiece(unk_token="[UNK]"))
    backend.normalizer = normalizers.BertNormalizer(lowercase=lower_case)
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.train_from_iterator(texts, trainers.WordPieceTrainer(
        vocab_size=size, special_tokens=SPECIAL, continuing_subword_prefix="##", show_progress=False))
    return Tokenizer(backend)


def byte_pairs(texts: list[str], size: int = 600) -> Tokenizer:
    """RoBERTa's tokenizer with merges of these texts."""
    backend = tokenizers.Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.train_from_iterator(texts, trainers.BpeTrainer(
        vocab_size=size, special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>"], show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    return Tokenizer(backend)


# Files


@pytest.mark.parametrize(("task", "files"), [
    (SQUAD, {"train": "train-v1.1.json", "dev": "dev-v1.1.json"}),
    (SQUAD, {"train": "train.json", "dev": "dev.json", "test": "test.json"}),
    (SQUAD2, {"train": "train-v2.0.json", "dev": "dev-v2.0.json"}),
    (CMRC, {split: f"cmrc2018_{split}.json" for split in ("train", "dev", "trial", "test")}),
    (CMRC, {"dev": "cmrc2018_dev.squad-style.json", "trial": "cmrc2018_trial.squad-style.json"}),
    (CMRC, {"train": "train.squad-style.json", "dev": "dev.json"}),
    (XQUAD, {"train": "train-v1.1.json", "test_en": "xquad.en.json", "test_zh": "xquad.zh.json"}),
])
def test_names_of_files(task, files: dict[str, str], tmp_path: Path) -> None:
    for name in files.values():
        write(tmp_path / name, squad_json(question(1, [answer("blue", 11)])))
    assert task.splits_in(tmp_path) == tuple(files)
    for split, name in files.items():
        assert task.file(tmp_path, split).name == name
        (example,) = task.read(tmp_path, split)
        assert example == SpanExample("q1", "where is it ?", "red fish , blue fish", (("blue", 11),))
        assert task.is_labelled([example]) and example.golds == ["blue"] and example.place() == (11, 15)
        write_examples(tmp_path, [example])
        assert read_examples(tmp_path, task) == [example]
    single = tmp_path / files[task.splits_in(tmp_path)[0]]
    assert task.splits_in(single) == ("train",) and task.file(single, "dev") == single


def test_span_tasks() -> None:
    assert get_task("squad_2") is SQUAD2 is not get_task("squad") and get_task("cmrc-2018") is CMRC
    assert XQUAD.split_name("test") == "test_en"
    for task in (SQUAD, SQUAD2, CMRC, XQUAD):
        assert task.kind == task.head().kind == "span" and task.head().num_labels == 2
        assert task.primary_metric == "f1" and task.label_width(128) == 2 and task.kept_example


@pytest.mark.parametrize(("content", "message"), [
    ("{\"data\": [\n}", "train.json:1: what begins here is not valid JSON .*line 2 .*; the file is damaged"),
    ([], "train.json has no questions"),
    ("a question", "train.json:1: not valid JSON of questions; it begins with 'a question'"),
    ({"version": "1.1"}, 'train.json:1: no list "paragraphs"'),
    ({"data": [{"title": "t"}]}, 'train.json: article 1: no list "paragraphs"'),
    ({"data": [{"paragraphs": [{"qas": []}]}]}, 'article 1, paragraph 1: no text "context"'),
    ({"data": []}, "train.json has no questions"),
    (squad_json({"question": "?", "answers": []}), 'article 1, paragraph 1, question 1: no "id"'),
    (squad_json({"id": "a", "answers": []}), 'question 1: no text "question"'),
    (squad_json(question(1, None)), 'question 1: no "answers"; only a test set'),
    (squad_json(question(1, "blue")), 'question 1: no list "answers"'),
    (squad_json(question(1, [{"text": "blue"}])), "question 1: the answer_start of 'blue' is None; expected"),
    (squad_json(question(1, [answer("blue", 11)]), question(1, [answer("red", 0)])),
     "question 2: the id 'q1' is that of an earlier question"),
    (squad_json(question(1, [])), "question 1: the question has no answer"),
    (squad_json(question(1, [answer("", -1)])), "question 1: the question has no answer; .* SQuAD2's kind"),
    (squad_json(question(1, [answer("fish", 0)])), "'fish' does not begin at character 0 of the context, where "
                                                  "'red ' stands; correct it"),
    (squad_json(question(1, [answer("blue", 12)])), "where 'lue ' stands; it stands at 11 only"),
    (squad_json(question(1, [answer("blue", -9)])), "'blue' does not begin at character -9"),
])
def test_faults_name_their_place(content: Any, message: str, tmp_path: Path) -> None:
    file = write(tmp_path / "train.json", content)
    with pytest.raises(UserError, match=message) as error:
        list(SQUAD.read(tmp_path, "train"))
    assert str(error.value).startswith(str(file))


@pytest.mark.parametrize("is_impossible", [True, None])
def test_an_empty_answer_is_none(is_impossible: bool | None, tmp_path: Path) -> None:
    without = question(1, [answer("", -1)]) | ({} if is_impossible is None else {"is_impossible": is_impossible})
    write(tmp_path / "train.json", squad_json(without, question(2, [answer("", 0), answer("blue", 11)])))
    assert [example.answers for example in SQUAD2.read(tmp_path, "train")] == [(), (("blue", 11),)]


def test_answers_that_stand_elsewhere(tmp_path: Path) -> None:
    content = squad_json(
        question(1, [answer("fish", 0)]),                       # stands twice: left out
        question(2, [answer("fish", 0), answer("blue", 12)]),   # the second stands once: taken from there
        question(3, [answer("fish", 0), answer("red", 0)]),     # the second stands where it says: no fault
        question(4, [answer("yellow", 3)]),                     # is not there: left out
        question(5, [answer("fish", 4)] * 3))
    for split in ("train", "dev"):
        write(tmp_path / f"{split}.json", content)
    problems = Problems("skip")
    examples = {example.id: example for example in SQUAD.read(tmp_path, "train", problems)}
    assert {name: example.place() for name, example in examples.items()} == {"q2": (11, 15), "q3": (0, 3), "q5": (4, 8)}
    assert examples["q5"].answers == (("fish", 4),)
    assert problems.number == 3 and problems.summary().startswith("3 faulty rows: ")
    # Evaluation needs the texts alone: nothing is left out, nothing counted.
    kept = list(SQUAD.read(tmp_path, "dev", problems := Problems("fail")))
    assert [example.golds for example in kept] == [["fish"], ["fish", "blue"], ["fish", "red"], ["yellow"], ["fish"]]
    assert [example.place() for example in kept] == [None, None, (0, 3), None, (4, 8)] and not problems.number


def test_impossible_and_unlabelled(tmp_path: Path) -> None:
    impossible = question(2, [], is_impossible=True, plausible_answers=[answer("red", 0)])
    for split in ("train", "test"):
        write(tmp_path / f"{split}.json", squad_json(question(1, [answer("red", 0)], is_impossible=False), impossible))
        assert [example.answers for example in SQUAD2.read(tmp_path, split)] == [(("red", 0),), ()]
    for answers in ([], None):
        write(tmp_path / "test.json", squad_json(question(1, answers), question(2, answers)))
        for task in (SQUAD, SQUAD2):
            examples = list(task.read(tmp_path, "test"))
            assert [example.answers for example in examples] == [None, None] and not task.is_labelled(examples)
            write_examples(tmp_path, examples)
            assert read_examples(tmp_path, task) == examples
            features = task.encode(examples, word_pieces(["red fish"]), EncodeOptions(16, 8, 4))
            assert "label_ids" not in features.values
    write(tmp_path / "test.json", squad_json(question(1, None), question(2, [answer("red", 0)])))
    with pytest.raises(UserError, match="question 2: the question has answers, unlike those before it"):
        list(SQUAD.read(tmp_path, "test"))


# Rows


@pytest.fixture(scope="module")
def letters(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    """[PAD] 0 ... [MASK] 4, then a = 5, b = 6, ... and ##s = 31."""
    file = tmp_path_factory.mktemp("vocab") / "vocab.txt"
    file.write_text("\n".join([*SPECIAL, *"abcdefghijklmnopqrstuvwxyz", "##s"]) + "\n", encoding="utf-8")
    return load_tokenizer(file)


def test_rows(letters: Tokenizer) -> None:
    """Seven places for the context beside a question of two tokens; windows begin every three tokens."""
    example = SpanExample("1", " x yz ", "A b  cs d e f g h", (("e f", 10),))
    features = SQUAD.encode([example], letters, EncodeOptions(12, 3, 2), first_index=7)
    # "yz" is one unknown word, since the vocabulary has no ##z.
    begin = [2, 28, 1, 3]
    assert features.values["input_ids"].tolist() == [
        [*begin, 5, 6, 7, 31, 8, 9, 10, 3], [*begin, 31, 8, 9, 10, 11, 12, 3, 0]]
    assert features.values["input_mask"].tolist() == [[1] * 12, [1] * 11 + [0]]
    assert features.values["segment_ids"].tolist() == [[0] * 4 + [1] * 8, [0] * 4 + [1] * 7 + [0]]
    assert features.values["label_ids"].tolist() == [[9, 10], [6, 7]]
    assert features.values["example_ids"].tolist() == [[7], [7]]
    none = [-1] * 4
    assert features.values["token_begins"].tolist() == [
        [*none, 0, 2, 5, 6, 8, 10, 12, -1], [*none, 6, 8, 10, 12, 14, 16, -1, -1]]
    assert features.values["token_ends"].tolist() == [
        [*none, 1, 3, 6, 7, 9, 11, 13, -1], [*none, 7, 9, 11, 13, 15, 17, -1, -1]]
    assert (features.tokens, features.unknown, features.shortened) == (17, 2, 1)
    assert all(values.dtype == (np.uint8 if name in ("input_mask", "segment_ids") else np.int32)
               for name, values in features.values.items())


def test_windows_without_the_whole_answer_point_to_the_first_token(letters: Tokenizer) -> None:
    context = " ".join("abcdefghijklmnop")
    examples = [SpanExample("1", "x", context, (("g h i", 12),)), SpanExample("2", "x", context, ()),
                SpanExample("3", "x", context, (("g", 3),)), SpanExample("4", "x", "", ())]
    features = SQUAD2.encode(examples, letters, EncodeOptions(10, 2, 4))
    rows = features.values["example_ids"][:, 0]
    assert np.bincount(rows).tolist() == [6, 6, 6, 1]
    labels = features.values["label_ids"][rows == 0].tolist()
    # Windows of 6 tokens from a, c, e, g, i, k: those from e and g hold all of g h i.
    assert labels == [[0, 0], [0, 0], [5, 7], [3, 5], [0, 0], [0, 0]]
    assert not features.values["label_ids"][rows != 0].any()
    assert features.values["input_ids"][-1].tolist() == [2, 28, 3, 3, *[0] * 6]


def test_rows_do_not_depend_on_their_neighbours(letters: Tokenizer) -> None:
    generator = np.random.default_rng(0)
    examples = []
    for number in range(20):
        context = " ".join(generator.choice(list("abcdefgh"), generator.integers(1, 30)))
        examples.append(SpanExample(str(number), " ".join("xyz"[: number % 4]), context, ((context[:1], 0),)))
    options = EncodeOptions(14, 5, 3)
    together = SQUAD.encode(examples, letters, options, 40)
    alone = [SQUAD.encode([example], letters, options, 40 + place) for place, example in enumerate(examples)]
    for name, values in together.values.items():
        assert np.array_equal(values, np.concatenate([features.values[name] for features in alone])), name
    assert together.tokens == sum(features.tokens for features in alone)
    assert together.shortened == sum(features.shortened for features in alone)


def test_no_room_for_the_text(letters: Tokenizer) -> None:
    with pytest.raises(UserError, match="seq_length is 67; a question of max_query_length 64"):
        SQUAD.encode([SpanExample("1", "x", "a", None)], letters, EncodeOptions(67))


# Offsets

TEXTS = (
    "The Café in Zürich, naïve Ångström 1950s",
    "cafe\u0301 e\u0301te\u0301 Zu\u0308rich",                  # accents that are characters of their own
    "\u200bzero\u200bwidth \ufeffmark\x00less con\x07trol",      # characters that BERT drops
    "战国无双3（Warriors）是 ω-force 开发的。",
    "tab\there\nline  two\u3000wide\u00a0hard",
    "İstanbul ẞtraße ﬁnal Ⅷ",
    "emoji 👩‍👩‍👧 here 𝒳𝒴 end",
    "한국어 텍스트 हिन्दी भाषा",
)


@pytest.mark.parametrize("kind", ["lower", "cased", "bytes"])
def test_words_are_found_again(kind: str) -> None:
    """Every word between spaces is what its tokens lead back to, but for dropped characters at its ends."""
    tokenizer = byte_pairs(list(TEXTS)) if kind == "bytes" else word_pieces(list(TEXTS), kind == "lower", 300)
    for text, located in zip(TEXTS, locate(TEXTS, tokenizer), strict=True):
        assert located.ids == tokenizer.encode_batch([text])[0]
        assert (np.diff(located.begins) >= 0).all() and (np.diff(located.ends) >= 0).all()
        for word in text.split():
            begin = text.index(word)
            first, last = located.tokens_of(begin, begin + len(word))
            found = text[located.begins[first]: located.ends[last]]
            dropped = "" if kind == "bytes" else "\u200b\ufeff"
            assert found == word.strip(dropped), (kind, text, word)


def test_answers_inside_of_a_token(tmp_path: Path) -> None:
    vocabulary = [*SPECIAL, "the", "1950", "##s", "x"]
    (tmp_path / "vocab.txt").write_text("\n".join(vocabulary) + "\n", encoding="utf-8")
    tokenizer = load_tokenizer(tmp_path)
    text = "the 1950s x"
    (located,) = locate([text], tokenizer)

    def found(part: str) -> str:
        first, last = located.tokens_of(text.index(part), text.index(part) + len(part))
        return text[located.begins[first]: located.ends[last]]

    assert [tokenizer.id_to_token(token) for token in located.ids] == ["the", "1950", "##s", "x"]
    expected = {"1950": "1950", "1950s": "1950s", "s": "s", "95": "1950", "he 195": "the 1950"}
    assert {part: found(part) for part in expected} == expected
    (empty, only_dropped) = locate(["", "\u200b"], tokenizer)
    assert empty.tokens_of(0, 0) is None and only_dropped.tokens_of(0, 1) is None


def test_spaces_around_an_answer_are_left_out(letters: Tokenizer) -> None:
    example = SpanExample("1", "x", "a b c d", ((" b c ", 1),))
    assert SQUAD.encode([example], letters, EncodeOptions(12, 3, 2)).values["label_ids"].tolist() == [[4, 5]]
    blank = SpanExample("1", "x", "a  b", (("  ", 1),))
    assert SQUAD.encode([blank], letters, EncodeOptions(12, 3, 2)).values["label_ids"].tolist() == [[0, 0]]


# Real data


def recovered(examples: list[SpanExample], features: Features) -> Counter:
    """How many answers the rows give back exactly, within a token, in no window, or not (no place)."""
    labels, begins, ends = (features.values[name] for name in ("label_ids", "token_begins", "token_ends"))
    texts: dict[int, set[str]] = {}
    for row in np.flatnonzero(labels.any(1)):
        index = int(features.values["example_ids"][row, 0])
        first, last = labels[row]
        texts.setdefault(index, set()).add(examples[index].context[begins[row, first]: ends[row, last]])
    counts: Counter = Counter()
    for index, example in enumerate(examples):
        place = example.place()
        gold = example.context[slice(*place)].strip() if place else ""
        found = texts.get(index, set())
        kind = "no place" if not place else "no window" if not found else "exact" if found == {gold} else (
            "inside of a token" if all(gold in text for text in found) else "wrong")
        counts[kind] += 1
    return counts


@pytest.mark.medium
@pytest.mark.parametrize(("split", "expected"), [
    # Three questions have no answer that stands in the text; one answer is "4个" of "34个", where 34 is one token.
    ("dev", {"exact": 3215, "no place": 3, "inside of a token": 1}),
    ("trial", {"exact": 997, "no place": 5}),
])
def test_cmrc_answers_are_found_again(split: str, expected: dict[str, int], shared_data) -> None:
    tokenizer = load_tokenizer(shared_data("zh_vocab"))
    examples = list(CMRC.read(shared_data("cmrc2018"), split, Problems("fail")))
    assert recovered(examples, CMRC.encode(examples, tokenizer, EncodeOptions(512))) == expected


def test_cmrc_trial_as_training_data(shared_data) -> None:
    file = shared_data("cmrc2018/cmrc2018_trial.squad-style.json")
    with pytest.raises(UserError, match="article 29, paragraph 1, question 1: the answer '俗名龙尖' does not begin at "
                                        "character 14"):
        list(CMRC.read(file, "train"))
    problems = Problems("skip")
    examples = list(CMRC.read(file, "train", problems))
    # All five answers that stand elsewhere stand in one place only.
    assert len(examples) == 1002 and problems.number == 5
    assert all(example.place() for example in examples)


@pytest.mark.medium
@pytest.mark.parametrize(("kind", "seq_length", "whole"), [
    ("word pieces", 384, 1185),
    ("word pieces", 160, 1185),
    # Byte-level BPE also joins punctuation: the answer "19.3%" ends inside of "%)".
    ("bytes", 384, 1160),
])
def test_xquad_answers_are_found_again(kind: str, seq_length: int, whole: int, shared_data) -> None:
    """All answers, and nearly all exactly; how many end inside of a token depends on the vocabulary."""
    examples = list(XQUAD.read(shared_data("xquad"), "test_en"))
    contexts = list(dict.fromkeys(example.context for example in examples))
    tokenizer = word_pieces(contexts, size=3000) if kind == "word pieces" else byte_pairs(contexts, 3000)
    features = XQUAD.encode(examples, tokenizer, EncodeOptions(seq_length, 64, 64))
    counts = recovered(examples, features)
    assert counts["exact"] + counts["inside of a token"] == len(examples) == 1190 and counts["exact"] >= whole
