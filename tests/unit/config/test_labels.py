# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Names of classes: the same ones in another order, in another spelling, and as they are typed."""

from __future__ import annotations

import shlex

import pytest

from src.config.labels import are_unnamed, as_option, listed, names_in, order_of, spelled_as


@pytest.mark.parametrize("own, wanted, order", [
    ("a b c", "a b c", (0, 1, 2)),
    ("投诉 咨询 表扬", "咨询 投诉 表扬", (1, 0, 2)),
    ("c a b", "a b c", (1, 2, 0)),
    ("a b", "a b c", None),
    ("a b c", "a b", None),
    ("A b", "a b", None),
])
def test_order(own, wanted, order):
    assert order_of(own.split(), wanted.split()) == order


@pytest.mark.parametrize("own, wanted, respelled", [
    (("Negative", "Positive"), ("positive", "negative"), ("negative", "positive")),
    (("B-PER", "O"), ("O", "B-per"), ("B-per", "O")),
    (("not entailment", "entailment"), ("entailment", "not_entailment"), ("not_entailment", "entailment")),
    (("０", "１"), ("0", "1"), ("0", "1")),
    (("1.0", "0.0"), ("0", "1"), ("1", "0")),
    (("-1", "1"), ("1", "-1.0"), ("-1.0", "1")),  # a sign is no punctuation
    (("-1", "1"), ("0", "1"), None),
    (("a", "A"), ("a", "A."), None),  # which is which?
    (("a", "b"), ("a", "b", "B"), None),
    (("+", "-"), ("-", "+"), ("+", "-")),
])
def test_spelling(own, wanted, respelled):
    assert spelled_as(own, wanted) == respelled


@pytest.mark.parametrize("labels", [("a", "b"), ("业务, 金融", "体育"), ('say "x"', "it's"), ("$HOME", "a b")])
def test_what_is_advised_can_be_typed(labels):
    (word,) = shlex.split(as_option(labels))
    assert names_in(word) == labels


def test_names_are_read_and_shown():
    assert names_in(" a , b,,c") == ("a", "b", "c") and names_in("") == ()
    assert are_unnamed(("LABEL_0", "LABEL_1")) and not are_unnamed(("LABEL_0", "good")) and not are_unnamed(())
    assert listed(("a", "b")) == "a, b" and listed([str(n) for n in range(60)]).endswith("23, ... (60 in all)")
