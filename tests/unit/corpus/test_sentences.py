# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Sentences of English, Chinese and other paragraphs, split by hand; traditional characters simplified."""

from __future__ import annotations

import pytest

from src.corpus.articles import language_of, simplify, split_sentences

ENGLISH = (
    ["Dr. Smith went to Washington, D.C. on Jan. 5.", "He met J. K. Rowling at 5 p.m. at the U.S. embassy."],
    ["It was, e.g., in Fig. 3 of No. 5 (see p. 12).", "The St. Louis Co. Ltd. was founded in 1999."],
    ['"Is it true?" he asked.', 'He said, "I am here."', "Then he left."],
    ["Version 3.5 is out!", "What now?", "Mr. and Mrs. Jones vs. the People."],
    ["Some argue... that it entails more.", "Gen. Lee was there."],
)
CHINESE = (
    ["他说：“我来了。”", "然后他走了。", "真的！！", "他问：“为什么？！”", "他没有回答。"],
    ["柏林（德語：Berlin）是德国首都，现有居民约340万人。", "GDP为1.5万亿。", "A.B.公司成立于1999年。",
     "1920年后，它是大城市。"],
    ["「是嗎？」", "她問。", "『對。』", "好的……他笑了。", "Linux是自由软件。"],
)


@pytest.mark.parametrize("sentences", ENGLISH)
def test_english(sentences: list[str]) -> None:
    assert split_sentences(" ".join(sentences), "en") == sentences


@pytest.mark.parametrize("sentences", CHINESE)
@pytest.mark.parametrize("language", ["zh", "zh-tw", "en"])
def test_chinese_whatever_the_dump_says(sentences: list[str], language: str) -> None:
    assert split_sentences("".join(sentences), language) == sentences


def test_other_languages() -> None:
    assert split_sentences("Das ist z. B. Herr Dr. Müller. Am 3. Oktober 1990 war es so.", "de") == [
        "Das ist z. B. Herr Dr. Müller.", "Am 3. Oktober 1990 war es so."]
    assert split_sentences("彼は「はい。」と言った。そうですか？1990年です。", "ja") == [
        "彼は「はい。」と言った。", "そうですか？", "1990年です。"]
    assert split_sentences("यह एक वाक्य है। यह दूसरा है।", "hi") == ["यह एक वाक्य है।", "यह दूसरा है।"]
    # A language that the library does not know has the rules of others.
    assert split_sentences("Uno. Due!", "tlh") == ["Uno.", "Due!"]


@pytest.mark.parametrize(("text", "expected"), [
    ("The name 柏林 is Chinese for Berlin, the city.", "en"), ("柏林（Berlin）是德国首都。", "zh"),
    ("ベルリンはドイツの首都。", "ja"), ("Berlin ist eine Stadt.", "en")])
def test_the_script_tells_chinese_and_japanese(text: str, expected: str) -> None:
    assert language_of(text, "en") == expected


def test_nothing_is_lost_or_empty() -> None:
    text = "  First one.  Second (A. B.) one!?  三。四！ ...  last"
    sentences = split_sentences(text, "en")
    assert "".join("".join(sentences).split()) == "".join(text.split())
    assert all(sentences)
    assert split_sentences("...", "en") == ["..."]


def test_traditional_characters_become_simplified() -> None:
    # Word by word: 發 and 髮, 乾 and 乾隆.
    assert simplify("頭髮發光，乾隆在乾燥的後面。Berlin 柏林") == "头发发光，乾隆在干燥的后面。Berlin 柏林"
