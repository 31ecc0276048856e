# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Data augmentation: candidates, copies, rules, and a file that is made in resumable parts."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from mindspore import Tensor

from src.augmentation import augment as augmenting
from src.augmentation import parts
from src.augmentation.augment import augment
from src.augmentation.candidates import CandidateFinder, Slot, neighbour_pool
from src.augmentation.copies import ReplacedCopies, Row
from src.augmentation.masked_lm import MaskedLanguageModel, make_query
from src.augmentation.neighbours import embedding_neighbours, file_neighbours
from src.augmentation.resources import WORD_EMBEDDINGS
from src.augmentation.rules import RuleCopies, count_tags, distributions, tag
from src.augmentation.words import language_of, replaceable_words
from src.checkpoints.checkpoint import load_model
from src.common.errors import UserError
from src.config import Config, HeadConfig, ModelConfig, load_config, parse
from src.tasks import get_task, names
from src.tasks.texts import TextTask
from src.text.segmentation import chinese_dictionary
from src.text.tokenization import load_tokenizer
from tests.refusals import refused
from tests.tiny import CPU, TEACHER, save_random, write_vocabulary

NOUNS = ("cat", "dog", "house", "river", "garden", "window", "teacher", "market", "paper", "music")
VERBS = ("play", "walk", "build", "paint", "carry", "open", "watch", "follow")
CHARACTERS = tuple("我们喜欢这个城市天气很好不错学生老师今电影酒店房间服务环境")
VOCABULARY = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ".", ",", "7", "the", "of", *NOUNS, *VERBS, "##ing", "##s",
              *CHARACTERS)
ENCODER = replace(TEACHER, vocab_size=len(VOCABULARY), hidden_size=16, num_hidden_layers=1, intermediate_size=32,
                  max_position_embeddings=40, initializer_range=0.3)
LONGEST = 32
TEXTS = ("The cat, the dog of 7 houses playing music.", "dog",
         "the teacher of the garden carry the paper of the house . the river watch the market and follow the music .")
PAIRS = [("the cat of the house .", "a dog of the river ."), ("teacher build houses", "the market open"),
         ("music", "paper"), ("the dog walk", "the dog playing")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Vocabulary, a masked language model, and the same encoder without a head."""
    folder = tmp_path_factory.mktemp("augment")
    write_vocabulary(folder / "vocab", VOCABULARY)
    save_random(folder / "mlm", ModelConfig(ENCODER, HeadConfig("masked_lm")), folder / "vocab")
    save_random(folder / "encoder", ModelConfig(ENCODER), folder / "vocab")
    return folder


@pytest.fixture(scope="module")
def finder(folder) -> CandidateFinder:
    return make_finder(folder)


def make_finder(folder: Path, language: str = "english", number: int = 5, words_a_pass: int = 1) -> CandidateFinder:
    tokenizer = load_tokenizer(folder / "vocab")
    loaded = load_model(folder / "mlm")
    neighbours = embedding_neighbours(loaded.parameters[WORD_EMBEDDINGS], neighbour_pool(tokenizer, language), number,
                                      tokenizer.unk_id)
    model = MaskedLanguageModel(loaded, tokenizer, CPU, 3, LONGEST, words_a_pass * 4)
    return CandidateFinder(tokenizer, language, number, neighbours, model, LONGEST, words_a_pass)


def config_of(folder: Path, output: Path, checkpoint: str = "encoder", task: str = "MRPC", **settings) -> Config:
    settings = {f"augment__{name}": value for name, value in settings.items()}
    return load_config(task__task_name=task, logging__progress=False, device__device_target="CPU", **{
        "augment__data_dir": str(folder), "augment__output_dir": str(output), "augment__copies": 6,
        "augment__load_ckpt_path": str(folder / checkpoint) if checkpoint else "", **settings})


def write_pairs(folder: Path, times: int = 1) -> Path:
    """MRPC's training file: each row of PAIRS, several times."""
    lines = [f"{index % 2}\t1\t2\t{a}\t{b}" for index, (a, b) in enumerate(PAIRS * times)]
    (folder / "train.tsv").write_text("Quality\t#1 ID\t#2 ID\t#1 String\t#2 String\n" + "\n".join(lines) + "\n")
    return folder


# Words


def test_stop_words_numbers_and_signs_stay() -> None:
    text = "The cat's 2nd house isn't here; don't run! Café №7 猫"
    assert [text[b:e] for b, e in replaceable_words(text, "english")] == ["cat", "house", "run", "Café"]
    text = "我们很喜欢这个城市, iPhone 7的天气不错。"
    assert [text[b:e] for b, e in replaceable_words(text, "chinese")] == ["喜欢", "城市", "天气", "不错"]
    assert language_of([text]) == "chinese"
    assert language_of(["a cat named 猫"]) == "english"


@pytest.mark.medium
def test_jieba_leaves_nothing_behind(tmp_path, repository) -> None:
    code = ("from src.text.segmentation import *\n"
            "print(tagged_chinese_words('今天天气不错')[-1], *chinese_words('我爱 北京'))")
    done = subprocess.run([sys.executable, "-W", "always", "-c", code], cwd=repository, capture_output=True, text=True,
                          env={**os.environ, "TMPDIR": str(tmp_path), "PYTHONIOENCODING": "utf-8"}, check=True)
    assert done.stdout.split() == ["('不错',", "'a')", "我", "爱", "北京"]
    assert not done.stderr and not list(tmp_path.iterdir())


# Candidates


def by_the_book(finder: CandidateFinder, text: str) -> list[tuple[str, ...]]:
    """TinyBERT's way: one word after the other, one forward call each, logits everywhere."""
    tokenizer, found = finder.tokenizer, []
    encoding = tokenizer.backend.encode(text, add_special_tokens=False)
    ids = encoding.ids
    words = [token for token in VOCABULARY if token.isalpha() and token.isascii()]
    table = load_model(tokenizer_folder(finder)).parameters[WORD_EMBEDDINGS]
    for begin, end in replaceable_words(text, "english"):
        places = [i for i, (b, e) in enumerate(encoding.offsets) if b >= begin and e <= end]
        if len(places) == 1:
            masked = [tokenizer.mask_id if i == places[0] else token for i, token in enumerate(ids)]
            room = (LONGEST - 3) // 2
            first = max(0, min(places[0] - room // 2, len(ids) - room))
            masked, original = masked[first:first + room], ids[first:first + room]
            row = [2, *masked, 3, *original, 3]
            segments = [0] * (len(masked) + 2) + [1] * (len(original) + 1)
            padding = [0] * (LONGEST - len(row))
            arrays = [row + padding, [1] * len(row) + padding, segments + padding]
            logits = finder.model.model(*(Tensor(np.array([x], np.int32)) for x in arrays)).asnumpy()[0]
            scores = {word: logits[places[0] - first + 1, VOCABULARY.index(word)] for word in words}
        else:
            mean = table[[ids[i] for i in places]].mean(0)
            known = [word for word in words if word not in ("the", "of") and word != text[begin:end].lower()]
            scores = {word: float(vector @ mean) / float(np.linalg.norm(vector)) for word in known
                      for vector in [table[VOCABULARY.index(word)]]}
        found.append(tuple(sorted(scores, key=scores.get, reverse=True)[:finder.number]))
    return found


def tokenizer_folder(finder: CandidateFinder) -> Path:
    return Path(finder.tokenizer.source).parent.parent / "mlm"


@pytest.mark.medium
def test_candidates_are_those_of_one_call_a_word(finder) -> None:
    found, counts = finder.find([*TEXTS, TEXTS[0]])
    assert list(found) == list(TEXTS)
    for text in TEXTS:
        assert [slot.candidates for slot in found[text]] == by_the_book(finder, text)
    slots = found[TEXTS[0]]
    assert [TEXTS[0][slot.begin:slot.end] for slot in slots] == ["cat", "dog", "houses", "playing", "music"]
    assert [slot.means for slot in slots] == ["masked LM", "masked LM", "embeddings", "embeddings", "masked LM"]
    assert counts["words: masked LM"] == 3 + 1 + 10 and counts["words: embeddings"] == 2
    # What else is asked does not change an answer.
    assert finder.find([TEXTS[1]])[0][TEXTS[1]] == found[TEXTS[1]]


class Recorder:
    """A model that keeps the questions and gives logits of its own."""

    def __init__(self, logits: np.ndarray):
        self.table, self.queries = logits, []

    def logits(self, queries):
        self.queries = list(queries)
        for number, query in enumerate(queries):
            yield number, self.table[: len(query.places)]


@pytest.mark.parametrize("together", [1, 2, 3])
def test_several_words_a_pass(folder, together) -> None:
    finder = make_finder(folder)
    finder.model, finder.words_a_pass = Recorder(np.zeros((4, len(VOCABULARY)))), together
    text = "cat , dog the house river garden ."
    finder.find([text])
    ids = finder.tokenizer.encode_batch([text])[0]
    places = sorted(place for query in finder.model.queries for place in query.places)
    assert places == [1, 3, 5, 6, 7]
    assert len(finder.model.queries) == -(-5 // together)
    for query in finder.model.queries:
        half = len(ids) + 2
        assert query.first_length == half and query.input_ids[half:] == [*ids, 3]
        masked = [place for place, token in enumerate(query.input_ids) if token == 4]
        assert masked == list(query.places)
        assert [x for p, x in enumerate(query.input_ids[1:half - 1], 1) if p not in masked] == [
            x for p, x in enumerate(ids, 1) if p not in masked]


def test_long_sentence_is_a_window_around_its_mask(folder) -> None:
    tokenizer = load_tokenizer(folder / "vocab")
    sentence = list(range(10, 27))
    for place in range(len(sentence)):
        query = make_query(sentence, [place], tokenizer, 21)
        assert len(query.input_ids) == 21 and query.first_length == 11
        window = query.input_ids[11:20]
        assert window == sentence[window[0] - 10:][:9]
        assert query.input_ids[query.places[0]] == tokenizer.mask_id
        assert window[query.places[0] - 1] == sentence[place]


def test_chinese_words_are_likely_words_of_the_dictionary(folder) -> None:
    finder = make_finder(folder, "chinese", number=4)
    logits = np.random.default_rng(0).normal(size=(4, len(VOCABULARY))).astype(np.float32)
    finder.model = Recorder(logits)
    slots = finder.find(["我们喜欢这个城市 , 酒店!"])[0]["我们喜欢这个城市 , 酒店!"]
    dictionary = [word for word, count in chinese_dictionary().items()
                  if count >= 10 and len(word) == 2 and all(c in CHARACTERS for c in word)]
    score = {word: sum(float(logits[place, VOCABULARY.index(c)]) for place, c in enumerate(word))
             for word in dictionary}
    best = tuple(sorted(score, key=score.get, reverse=True)[:4])
    assert [slot.candidates for slot in slots] == [best] * 3 and [slot[:2] for slot in slots] == [(2, 4), (6, 8),
                                                                                                  (11, 13)]
    # Both characters are masked, and the sentence beside them is whole.
    query = finder.model.queries[0]
    assert query.places == (3, 4) and query.input_ids.count(4) == 2


def test_letters_are_cased_like_the_word(folder) -> None:
    finder = make_finder(folder)
    finder.model = Recorder(np.zeros((4, len(VOCABULARY)), np.float32))
    assert finder.find(["Cat"])[0]["Cat"][0].candidates[:2] == ("the", "of")
    finder.is_cased = True
    assert finder.find(["Cat"])[0]["Cat"][0].candidates[:2] == ("The", "Of")
    assert finder.find(["cat"])[0]["cat"][0].candidates[:2] == ("the", "of")


def test_word_vectors(tmp_path) -> None:
    file = tmp_path / "glove.txt"
    file.write_text("the 1 0\ncat 1 0.1\n, 1 0.1\nDog 0.9 0.2\nhouse -1 0\ncat 0 1\nriver 0.1 1\nlate 1 0.1\n")
    neighbours = file_neighbours(file, 7, 2, "english")
    # The first vector of a word counts, stop words and signs are none, and the eighth line is not read.
    assert neighbours.of("Cat", ()) == ("Dog", "river")
    assert neighbours.of("late", ()) == ()
    file.write_text("the 1 0\ncat 1\n")
    refused("glove.txt:2: ", file_neighbours, file, 7, 2, "english")
    file.write_text("the 1 0\n, 1 1\n")
    refused("none of the first 7 words is English", file_neighbours, file, 7, 2, "english")


# Copies


def test_words_are_replaced_with_the_probability_by_uniform_candidates() -> None:
    text = " ".join(f"x{number}" for number in range(20))
    slots = [Slot(begin, begin + len(word), ("a", "b", "c"), "masked LM")
             for word in text.split() for begin in [text.index(word)]]
    rows = [Row(number, (text,), "1", (slots,)) for number in range(20)]
    made = ReplacedCopies(7, 25, 0.4)(rows)
    copies = [line.split("\t")[0].split() for line in made.lines.splitlines() if not line.startswith(text + "\t")]
    words = Counter(word for copy in copies for word in copy if word in "abc")
    number, total = sum(words.values()), 20 * len(copies)
    assert len(copies) == 500 == made.counts["copies"]
    assert abs(number / total - 0.4) < 3 * np.sqrt(0.4 * 0.6 / total)
    assert number == made.counts["replaced: masked LM"]
    for count in words.values():
        assert abs(count / number - 1 / 3) < 3 * np.sqrt(2 / 9 / number)
    # A row's copies depend on the seed and its number alone.
    assert ReplacedCopies(7, 25, 0.4)(rows[3:4]).lines in made.lines
    assert ReplacedCopies(8, 25, 0.4)(rows[3:4]).lines not in made.lines


def test_copies_of_pairs_are_different_and_each_text_comes_from_its_own() -> None:
    first, second = "cat here", "see dog there"
    row = Row(0, (first, second), "0.5", ([Slot(0, 3, ("lion", "tiger"), "m")], [Slot(4, 7, ("wolf", "fox"), "m")]))
    made = ReplacedCopies(1, 40, 0.5)([row])
    lines = [tuple(line.split("\t")) for line in made.lines.splitlines()]
    assert lines[0] == (first, second, "0.5")
    assert len(set(lines)) == len(lines) == 9  # all that there can be
    assert {a for a, _, _ in lines} == {"cat here", "lion here", "tiger here"}
    assert {b for _, b, _ in lines} == {"see dog there", "see wolf there", "see fox there"}
    assert made.counts["duplicates"] == 40 - 8
    assert ReplacedCopies(1, 5, 1.0)([Row(0, ("7 .",), "1", ([],))]).lines == "7 .\t1\n"


# Rules


def test_rules_have_their_probabilities_and_keep_parts_of_speech() -> None:
    texts = ["The happy teacher quickly opened a red window .", "My old dog slowly carried the green paper ."]
    rows = [Row(number, (texts[number % 2],), "1") for number in range(60)]
    by_tag = distributions([count_tags(rows[:31], "english"), count_tags(rows[31:], "english")])
    assert set(by_tag["NN"].words) == {"teacher", "window", "dog", "paper"} and by_tag["NN"].sums[-1] == 120
    job = RuleCopies(3, 20, "english", "[MASK]", by_tag, 0.1, 0.2, 0.0)
    # So many words that no two copies are the same.
    made = job([Row(number, (" ".join(texts * 4),), "1") for number in range(20)])
    words = 64 * made.counts["copies"]
    assert made.counts["duplicates"] == 0
    for name, share in (("mask", 0.1), ("same part of speech", 0.2)):
        assert abs(made.counts[f"replaced: {name}"] / words - share) < 3 * np.sqrt(share * (1 - share) / words)
    cut = replace(job, ngram_probability=0.25)([Row(number, (" ".join(texts * 4),), "1") for number in range(20)])
    assert abs(cut.counts["n-grams"] / 400 - 0.25) < 3 * np.sqrt(0.25 * 0.75 / 400)
    kinds = [word.tag for word in tag(texts[0], "english")]
    for line in job(rows[:1]).lines.splitlines():
        for place, word in enumerate(line.split("\t")[0].split()[:8]):
            assert word == "[MASK]" or word in by_tag[kinds[place]].words
    cut = replace(job, ngram_probability=0.25, mask_probability=0.0, pos_probability=0.0, copies=200)(rows[:10])
    lengths = {len(line.split("\t")[0].split()) for line in cut.lines.splitlines()}
    assert lengths == {1, 2, 3, 4, 5, 9}
    assert all(line.split("\t")[0] in texts[0] or line.split("\t")[0] in texts[1] for line in cut.lines.splitlines())


def test_rules_on_chinese_and_on_pairs() -> None:
    text = "今天天气很好，我们喜欢这个城市。"
    by_tag = distributions([count_tags([Row(0, (text,), "1")], "chinese")])
    job = RuleCopies(3, 9, "chinese", "[MASK]", by_tag, 0.3, 0.3, 0.1)
    lines = job([Row(0, (text, "cat"), "1")]).lines.splitlines()
    assert " " not in "".join(lines) and any("[MASK]" in line for line in lines)
    # First text, second text, both.
    pairs = replace(job, mask_probability=1.0, ngram_probability=0.0, copies=3)([Row(0, ("好", "天气"), "1")])
    assert pairs.lines.splitlines() == ["好\t天气\t1", "[MASK]\t天气\t1", "好\t[MASK]\t1", "[MASK]\t[MASK]\t1"]


# The whole


@pytest.mark.medium
def test_masked_lm_to_a_file_that_the_task_reads(folder, tmp_path, capsys) -> None:
    write_pairs(folder)
    augment(config_of(folder, tmp_path, "mlm"))
    examples = list(get_task("MRPC").read(tmp_path, "train_aug"))
    rows = [(example.text_a, example.text_b) for example in examples]
    assert rows[0] == PAIRS[0] and set(PAIRS) <= set(rows) and len(set(rows)) == len(rows) > 12
    # A row is followed by its copies, which have its label.
    beginnings = [rows.index(pair) for pair in PAIRS] + [len(rows)]
    for index, (begin, end) in enumerate(zip(beginnings[:-1], beginnings[1:], strict=True)):
        assert end > begin and {example.label for example in examples[begin:end]} == {str(index % 2)}
    printed = capsys.readouterr().out
    assert "words by masked LM" in printed and "by embeddings" in printed and "unknown to the vocabulary" in printed
    assert sorted(path.name for path in tmp_path.iterdir()) == ["train_aug.tsv", "train_aug.tsv.json"]
    # The same again is left as it is; other settings are refused.
    before = (tmp_path / "train_aug.tsv").stat().st_mtime_ns
    augment(config_of(folder, tmp_path, "mlm"))
    assert "it was there already" in capsys.readouterr().out
    with pytest.raises(UserError, match="was made with replace_probability 0.4, not 0.5; .*--force true"):
        augment(config_of(folder, tmp_path, "mlm", replace_probability=0.5))
    assert (tmp_path / "train_aug.tsv").stat().st_mtime_ns == before


@pytest.mark.medium
@pytest.mark.parametrize("method", ["tinybert", "rules"])
def test_same_bytes_after_a_stop_and_in_two_processes(folder, tmp_path, monkeypatch, capsys, method) -> None:
    write_pairs(folder, times=4)
    monkeypatch.setattr(augmenting, "PART_ROWS", 3)
    augment(config_of(folder, tmp_path / "one", method=method, num_workers=1))
    whole = (tmp_path / "one/train_aug.tsv").read_bytes()
    if method == "tinybert":
        assert "has no masked-LM head: all words are replaced by their neighbours" in capsys.readouterr().out

    write = parts.Parts.write

    def stop_at_the_third(self, number, lines, counts):
        if number == 2:
            raise KeyboardInterrupt
        write(self, number, lines, counts)

    stopped = config_of(folder, tmp_path / "stopped", method=method, num_workers=1)
    with monkeypatch.context() as patch:
        patch.setattr(parts.Parts, "write", stop_at_the_third)
        with pytest.raises(KeyboardInterrupt):
            augment(stopped)
    assert not (tmp_path / "stopped/train_aug.tsv").exists()
    written = []
    with pytest.raises(UserError, match="what a stopped run made with copies 6, not 7; .*--force true"):
        augment(config_of(folder, tmp_path / "stopped", method=method, copies=7))
    monkeypatch.setattr(parts.Parts, "write", lambda self, number, *rest: (written.append(number),
                                                                          write(self, number, *rest)))
    augment(stopped)
    assert written == [2, 3, 4, 5]
    assert (tmp_path / "stopped/train_aug.tsv").read_bytes() == whole
    assert sorted(path.name for path in (tmp_path / "stopped").iterdir()) == ["train_aug.tsv", "train_aug.tsv.json"]

    if method == "rules":
        return  # starting its tagger in four processes takes seconds
    monkeypatch.setattr(augmenting, "ROWS_A_PROCESS", 1)
    augment(config_of(folder, tmp_path / "two", method=method, num_workers=2))
    assert (tmp_path / "two/train_aug.tsv").read_bytes() == whole


@pytest.mark.medium
def test_settings_that_cannot_be_used(folder, tmp_path) -> None:
    write_pairs(folder)
    for expected, config in (
            ("load_ckpt_path is empty", config_of(folder, tmp_path, "")),
            ("glove_path .* is no file", config_of(folder, tmp_path, glove_path="nowhere.txt")),
            ("--task_name is not set", config_of(folder, tmp_path, task="")),
            ("only tasks of whole texts with labels are augmented", config_of(folder, tmp_path, task="CLUENER")),
            ("--data_dir is not set", config_of(folder, tmp_path, data_dir="")),
            ("of the tokens are unknown to", config_of(folder, tmp_path, data_dir=str(write_foreign(tmp_path)))),
            ("seq_length is 8 and the checkpoint has 40 positions",
             replace(config_of(folder, tmp_path), data=replace(load_config().data, seq_length=8))),
    ):
        refused(expected, augment, config)
    augment(parse("prepare_data.py augment", [
        "--max_unknown", "1", "--task_name", "MRPC", "--data_dir", str(tmp_path / "foreign"), "--copies", "1",
        "--output_dir", str(tmp_path / "made"), "--load_ckpt_path", str(folder / "encoder"), "--device_target", "CPU"]))
    refused("words_a_pass is 0", load_config, augment__words_a_pass=0)
    output = tmp_path / "taken"
    output.mkdir()
    (output / "train_aug.tsv").write_text("mine\n")
    refused("was not made by prepare_data.py augment", augment, config_of(folder, output))
    assert (output / "train_aug.tsv").read_text() == "mine\n"


def write_foreign(folder: Path) -> Path:
    """Texts in words that the vocabulary has not."""
    (folder / "foreign").mkdir()
    (folder / "foreign/train.tsv").write_text(
        "Quality\t#1 ID\t#2 ID\t#1 String\t#2 String\n1\t1\t2\tder schwarze Hund\tein Haus\n")
    return folder / "foreign"


@pytest.mark.parametrize("name", [name for name in names()
                                  if isinstance(get_task(name), TextTask) and get_task(name).kind != "embedding"])
def test_every_task_of_texts_reads_its_augmented_rows(name, tmp_path) -> None:
    task = get_task(name)
    columns = [column for column in (task.text_a, task.text_b, task.label) if column]
    label = "2.5" if task.is_regression else (task.labels or ("x",))[-1]
    rows = [[*("the cat sees a dog" if column != task.label else label for column in columns)] for _ in range(2)]
    if name == "tsv":
        rows[0][-1] = "y"
    (tmp_path / "train.tsv").write_text("".join("\t".join(row) + "\n" for row in [columns, *rows]), encoding="utf-8")
    augment(load_config(task__task_name=name, logging__progress=False, augment__data_dir=str(tmp_path),
                        augment__method="rules", augment__copies=5))
    examples = list(task.resolve(tmp_path).read(tmp_path, "train_aug"))
    assert len(examples) > 4 and "the cat sees a dog" in {example.text_a for example in examples}
    assert all((example.text_b is None) == (not task.text_b) for example in examples)
    assert {str(example.label) for example in examples} == {row[-1] for row in rows}
