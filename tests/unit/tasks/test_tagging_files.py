# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tags, the words they belong to, and files of tagged text with the faults that such files have."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from serving.tags import entities
from serving.words import split_words
from src.records.kept_examples import read_examples, write_examples
from src.task_files.bio import scheme_of, score_tags, to_iob2
from src.task_files.problems import Problems
from src.tasks import get_task
from src.tasks.tagging_formats import ReadingRules, TaggingExample, read_file
from src.tasks.words import join_words, tag_words
from tests.refusals import refused

NER, CLUENER = get_task("ner"), get_task("CLUENER")


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def read(path: Path, **rules) -> list[TaggingExample]:
    return list(read_file(path, ReadingRules(**rules), Problems()))


# Tags


@pytest.mark.parametrize(("tags", "scheme", "expected"), [
    ("O B-A I-A B-A O", "IOB2", "O B-A I-A B-A O"),
    ("I-A I-A O I-B I-A B-A", "IOB1", "B-A I-A O B-B B-A B-A"),
    ("B-A I-A E-A S-B O S-A B-B E-B", "IOBES", "B-A I-A I-A B-B O B-A B-B I-B"),
    ("B-A M-A E-A S-B O", "BMES", "B-A I-A I-A B-B O"),
    ("B-A I-A L-A U-B O", "BILOU", "B-A I-A I-A B-B O"),
    ("B-A M-A E-A W-B O", "BMEWO", "B-A I-A I-A B-B O"),
    ("B-geo-loc I-geo-loc", "IOB2", "B-geo-loc I-geo-loc"),
])
def test_schemes_become_iob2(tags: str, scheme: str, expected: str) -> None:
    assert scheme_of([tags.split()]) == scheme
    assert to_iob2(tags.split(), scheme) == expected.split()


@pytest.mark.parametrize(("tags", "strict", "expected"), [
    ("", False, []),
    ("O O", False, []),
    ("I-A I-A", False, [("A", 0, 2)]),
    ("I-A I-A", True, []),
    ("B-A I-B I-B O I-B", False, [("A", 0, 1), ("B", 1, 3), ("B", 4, 5)]),
    ("B-A I-B I-B O I-B", True, [("A", 0, 1)]),
    ("B-A B-A I-A I-B B-B", False, [("A", 0, 1), ("A", 1, 3), ("B", 3, 4), ("B", 4, 5)]),
    ("B-A I-B I-A", True, [("A", 0, 1)]),
])
def test_entities(tags: str, strict: bool, expected: list) -> None:
    assert entities(tags.split(), strict) == expected


def test_scores_by_hand() -> None:
    gold = ["B-A I-A O B-B".split(), "O B-A".split(), []]
    predicted = ["B-A I-A O I-B".split(), "B-A I-A".split(), []]
    scores = score_tags(gold, predicted)
    # 2 of 3 are right and found; the strict count has no I-B that begins.
    assert scores == pytest.approx({"f1": 2 / 3, "precision": 2 / 3, "recall": 2 / 3, "accuracy": 1 / 2,
                                    "f1_strict": 2 * (1 / 2) * (1 / 3) / (1 / 2 + 1 / 3)})
    assert set(score_tags([["O"]], [["O"]]).values()) == {0.0, 1.0}
    assert set(score_tags([], []).values()) == {0.0}


# Words


@pytest.mark.parametrize(("text", "words"), [
    ("他在IBM 2比1胜。", list("他在IBM2比1胜。")),
    ("EU's U.S.-based 10km run_1", ["EU", "'", "s", "U", ".", "S", ".", "-", "based", "10", "km", "run", "_", "1"]),
    ("the director of 《活着》 said", ["the", "director", "of", "《", "活", "着", "》", "said"]),
    ("हिन्दी cafe\u0301 naïve", ["हिन्दी", "cafe\u0301", "naïve"]),
    ("\u3000\t \n", []),
    ("서울에서", list("서울에서")),
    ("𠀀a\u200b", list("𠀀a\u200b")),
])
def test_words_of_a_text(text: str, words: list[str]) -> None:
    assert [text[begin:end] for begin, end in split_words(text)] == words
    assert [text[b:e] for b, e in split_words(text, by_character=True)] == [c for c in text if not c.isspace()]


@pytest.mark.parametrize(("words", "text"), [
    ("EU rejects German call .", "EU rejects German call ."),
    ("我 爱 2 0 1 5 年 a b", "我爱2015年ab"),
    ("我们 爱 IBM 和 Big Blue", "我们爱IBM和Big Blue"),
])
def test_words_are_joined(words: str, text: str) -> None:
    joined, spans = join_words(words.split())
    assert joined == text
    assert [joined[begin:end] for begin, end in spans] == words.split()


def test_entities_of_characters_become_tags() -> None:
    text = "Ann Lee of  ACME."
    spans = split_words(text)
    assert tag_words(text, spans, [("ORG", 10, 16), ("PER", 0, 7)]) == ["B-PER", "I-PER", "O", "B-ORG", "O"]
    assert tag_words(text, spans, [("P", 0, 7), ("F", 0, 3), ("L", 4, 7)], outermost=True)[:2] == ["B-P", "I-P"]
    for found, message in (([("A", 0, 7), ("B", 4, 10)], "'Lee of' .B. overlaps 'Ann Lee' .A."),
                           ([("A", 0, 7), ("B", 4, 7)], "'Lee' .B. overlaps"),
                           ([("A", 10, 12)], "has no word"),
                           ([("A", 12, 14)], "begins or ends inside of the word 'ACME'"),
                           ([("A", 1, 7)], "begins or ends inside of the word 'Ann'")):
        with pytest.raises(ValueError, match=message):
            tag_words(text, spans, found)
    with pytest.raises(ValueError, match="overlaps"):
        tag_words(text, spans, [("A", 0, 7), ("B", 4, 10)], outermost=True)


# Files


@pytest.mark.parametrize("text", [
    "-DOCSTART- -X- O O\n\nEU NNP B-NP I-ORG\nrejects VBZ B-VP O\n\n\nPeter NNP B-NP I-PER\nBlackburn NNP I-NP I-PER\n",
    "EU\tB-ORG\nrejects\tO\n\nPeter\tB-PER\nBlackburn\tI-PER",
    "\ufeffEU\tS-ORG\r\nrejects\tO\r\n\r\nPeter\tB-PER\r\nBlackburn\tE-PER\r\n \t \r\n",
    "EU  S-ORG \nrejects O\n\nPeter B-PER\nBlackburn E-PER\n",
])
def test_conll(text: str, tmp_path: Path) -> None:
    examples = read(write(tmp_path / "a.conll", text))
    assert [example.words for example in examples] == [["EU", "rejects"], ["Peter", "Blackburn"]]
    assert [example.tags for example in examples] == [("B-ORG", "O"), ("B-PER", "I-PER")]
    assert [example.text for example in examples] == ["EU rejects", "Peter Blackburn"]


def test_conll_of_strange_words(tmp_path: Path) -> None:
    first, second = read(write(tmp_path / "a.txt", '"\tO\n{\tO\n \tO\nNew York\tB-LOC\n\u2028x\tO\n\n"\tO\n'))
    assert first.words == ['"', "{", " ", "New York", "\u2028x"] and second.words == ['"']
    assert [e.tags for e in read(write(tmp_path / "b.txt", "EU\nrejects\n\nPeter\n"))] == [None, None]


RECORDS = [
    {"text": "叶老桂在 浙商银行。", "label": {"name": {"叶老桂": [[0, 2]]}, "company": {"浙商银行": [[5, 8]]}}},
    {"text": "无", "label": {}},
    {"text": "", "label": {}, "id": 7},
]
SPANS = [
    {"text": "叶老桂在 浙商银行。", "entities": [{"start": 5, "end": 9, "label": "company", "text": "浙商银行"},
                                         {"start": 0, "end": 3, "label": "name"}]},
    {"text": "无", "entities": []},
    {"text": "", "entities": [], "id": 7},
]


@pytest.mark.parametrize("records", [RECORDS, SPANS], ids=["surfaces", "spans"])
@pytest.mark.parametrize("indent", [None, 2])
def test_json(records: list, indent: int | None, tmp_path: Path) -> None:
    lines = [json.dumps(record, ensure_ascii=False, indent=indent) for record in records]
    examples = read(write(tmp_path / "a.json", "\n" + "\n".join(lines) + "\n"))
    assert [example.tags for example in examples] == [
        ("B-name", "I-name", "I-name", "O", "B-company", "I-company", "I-company", "I-company", "O"), ("O",), ()]
    assert [example.line for example in examples] == [2 + sum(part.count("\n") + 1 for part in lines[:place])
                                                      for place in range(3)]
    assert [example.id for example in examples] == [None, None, 7]
    write_examples(tmp_path, examples)
    assert read_examples(tmp_path, NER) == examples


GOOD = "EU\tB-ORG\nsays\tO\nso\tO\n\n"
GOOD_JSON = '{"text": "EU says", "entities": [{"start": 0, "end": 2, "label": "ORG"}]}\n'


@pytest.mark.parametrize(("bad", "line", "message"), [
    ("so\tO\nEU\tI-ORG\n\n", 2, "tag 'I-ORG' follows 'O'; expected B-ORG"),
    ("EU\tI-ORG\n\n", 1, "tag 'I-ORG' begins a sentence; expected B-ORG"),
    ("EU\tB-ORG\nso\tI-PER\n\n", 2, "tag 'I-PER' follows 'B-ORG'; expected B-PER"),
    ("so\tX\n\n", 1, "unknown tag 'X'; expected O, B-TYPE or I-TYPE"),
    ("so\tB-\n\n", 1, "unknown tag 'B-'"),
    ("so\tO\nEU\n\n", 2, "1 columns; expected 2"),
    ("so\tO\tO\n\n", 1, "3 columns; expected 2"),
    ("\tO\n\n", 1, "there is no word in column 1"),
    ("so\tB-LCO\n\n", 1, "unknown entity type 'LCO'; the task has LOC, ORG, PER; did you mean 'LOC'?"),
    ('{"text": "EU", "entities": [{"start": 0, "end": 3, "label": "ORG"}]}\n', 1, "'ORG' at 0 to 3 .exclusive. does"),
    ('{"text": "EU", "entities": [{"start": 1, "end": 1, "label": "ORG"}]}\n', 1, "does not lie in the text"),
    ('{"text": "EU", "entities": [{"start": "0", "end": 1, "label": "ORG"}]}\n', 1, "does not lie in the text"),
    ('{"text": "EU", "entities": [{"start": 0, "end": 2, "label": "ORG", "text": "UE"}]}\n', 1, "'UE' is not what"),
    ('{"text": "EU", "entities": [{"start": 0, "end": 2}]}\n', 1, "entities is .*; expected \"label\""),
    ('{"text": "EU", "entities": [{"start": 0, "end": 2, "label": ""}]}\n', 1, "type is ''; expected a name"),
    ('{"text": "EU", "entities": [{"start": 0, "end": 2, "label": "LCO"}]}\n', 1, "unknown entity type 'LCO'"),
    ('{"text": "EU", "entities": [{"start": 0, "end": 1, "label": "ORG"}]}\n', 1, "inside of the word 'EU'"),
    ('{"text": "EU", "label": {"ORG": {"EU": [[0, 2]]}}}\n', 1, "'EU' at 0 to 3 .exclusive. does not lie"),
    ('{"text": "EU so", "label": {"ORG": {"EU": [[0, 2]]}}}\n', 1, "'EU' is not what the text has .*: 'EU '"),
    ('{"text": "EU", "label": {"ORG": {"EU": [0, 1]}}}\n', 1, "label is "),
    ('{"text": "EU", "label": {"ORG": ["EU"]}}\n', 1, "label is "),
    ('{"text": "EU", "label": "ORG"}\n', 1, 'label is "ORG"; expected'),
    ('{"text": "EU", "label": {"ORG": {"EU": [[0, 1]]}, "PER": {"EU": [[0, 1]]}}}\n', 1, "'EU' .PER. overlaps 'EU'"),
    ('{"text": "EU", "label": {}, "label": {"ORG": {"EU": [[0, 1]]}}}\n', 1, "an object has the name 'label' twice"),
    ('{"text": "EU"}\n', 1, "this text has no label, the first one has one"),
    ('{"text": 3, "label": {}}\n', 1, 'expected an object with "text", or with .* found'),
    ('[1]\n', 1, 'expected an object with "text", or with .* found'),
    ('{"text": "\\ud83d", "label": {}}\n', 1, "half of a surrogate pair"),
    ('{"text": "EU" "label": {}}\n', 1, "not valid JSON .Expecting ',' delimiter, line 2 column 15"),
    ('{\n "text": "EU",\n', 1, "not valid JSON"),
    ('{"text": ' + "[" * 100000 + '\n', 1, "not valid JSON"),
])
def test_faults_are_fatal_or_left_out(bad: str, line: int, message: str, tmp_path: Path) -> None:
    good = GOOD_JSON if bad[0] in '{[' else GOOD
    line += good.count("\n")
    write(tmp_path / "train.txt", good + bad + good)
    task = NER.resolve(tmp_path, ("O", "B-LOC", "I-LOC", "B-ORG", "I-ORG", "B-PER", "I-PER"))
    refused(f"train.txt:{line}: .*{message}.*--bad_rows skip", list, task.read(tmp_path, "train"))
    problems = Problems("skip")
    left = list(task.read(tmp_path, "train", problems))
    assert [example.words[0] for example in left] == ["EU", "EU"]
    assert problems.number == 1 and f"train.txt:{line}: " in problems.summary()


@pytest.mark.parametrize(("text", "message"), [
    ("", "train.txt is empty"),
    (" \n\t\n", "train.txt is empty"),
    ("EU\nso\n", "train.txt:1: there are no labels; expected a tag in the last column"),
    ('{"text": "EU"}', "train.txt:1: there are no labels"),
    ('[{"text": "EU", "entities": []}]', "train.txt has no entity"),
    ('[{"text": "EU", "entities": []},\n]', "train.txt:1: a comma before the ] that ends the list"),
    ('[{"text": "EU", "entities": []}', "train.txt:1: the list does not end with ]"),
    ('[{"text": "EU", "entities": []}] x', "train.txt:1: 'x' follows the list"),
    ('[{"text": "EU", "entities": []} {}]', "train.txt:1: '{}]' follows an object of the list; expected a comma"),
    ('{"text": "EU", "entities": []},\n{"text": "EU", "entities": []}', "train.txt:1: a comma follows the object"),
    ("EU\tO\n", "train.txt has no entity"),
    ("EU\tB-Org\nso\tO\n\nUN\tB-ORG\n", "train.txt has the entity types 'ORG' and 'Org', which differ in case"),
    ("the text\tthe label\n", "train.txt:1: unknown tag 'the label'"),
    ('{"text": "a"', "train.txt:1: what begins here is not valid JSON"),
])
def test_labels_that_cannot_be_found(text: str, message: str, tmp_path: Path) -> None:
    write(tmp_path / "train.txt", text)
    refused(message, NER.resolve, tmp_path)


def test_bytes_that_are_not_utf8(tmp_path: Path) -> None:
    (tmp_path / "train.txt").write_bytes(b"EU\tB-ORG\nb\xe9d\tO\n")
    refused("train.txt:2: not UTF-8 .byte 0xe9", NER.resolve, tmp_path)


def test_labels_are_those_of_the_training_file(tmp_path: Path) -> None:
    write(tmp_path / "train.conll", "a S-Z\nb O\nc B-A\nd E-A\n")
    write(tmp_path / "test.txt", "a\n")
    task = NER.resolve(tmp_path)
    assert task.labels == ("O", "B-A", "I-A", "B-Z", "I-Z") and task.types == ("A", "Z")
    assert [example.tags for example in task.read(tmp_path, "test")] == [None]
    assert NER.resolve(tmp_path, ("O", "B-Q", "I-Q")).labels == ("O", "B-Q", "I-Q")
    assert CLUENER.resolve(tmp_path).labels == CLUENER.labels and len(CLUENER.labels) == 21
    (tmp_path / "train.conll").unlink()
    refused("has no train.txt, in which the labels of task ner are found", NER.resolve, tmp_path)


@pytest.mark.parametrize(("split", "number", "left_out"), [
    ("train", 10748, 2), ("dev", 1343, 0), ("test", 1345, 0)])
def test_cluener(split: str, number: int, left_out: int, shared_data) -> None:
    folder = shared_data("cluener")
    text = (folder / f"{split}.json").read_text(encoding="utf-8")
    records = json.loads("[" + text.replace("\n}\n{\n", "\n},{\n") + "]")
    examples = list(CLUENER.read(folder, split))
    assert len(examples) == len(records) == number
    lost = 0
    for example, record in zip(examples, records, strict=True):
        assert example.text == record["text"] and example.id == record.get("id")
        assert "".join(example.words) == "".join(example.text.split())
        if split == "test":
            assert example.tags is None
            continue
        gold = {(name, begin, end + 1) for name, surfaces in record["label"].items()
                for places in surfaces.values() for begin, end in places}
        found = {(name, example.spans[begin][0], example.spans[end - 1][1])
                 for name, begin, end in entities(example.tags, strict=True)}
        assert found <= gold
        lost += len(gold - found)
    # The names of two companies stand in the title of a book.
    assert lost == left_out
