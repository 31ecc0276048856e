# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""What a language model predicts: which tokens are masked and how often, next tokens, weights, places."""

from __future__ import annotations

import math

import numpy as np
import pytest

from src.common.errors import UserError
from src.dataset import Batch, LanguageModelTargets, language_evaluation_batches

pytestmark = pytest.mark.small
CLS, SEP, MASK = 2, 3, 4
SPECIAL = (0, 1, CLS, SEP, MASK)
VOCABULARY = 1000


def make(**changes) -> LanguageModelTargets:
    settings = {"vocab_size": VOCABULARY, "special_ids": SPECIAL, "mask_id": MASK, "causal": False,
                "only_predicted": True, "seed": 5}
    return LanguageModelTargets(**{**settings, **changes})


def batch(rows: list[list[int]], width: int | None = None, padding: int = 0) -> Batch:
    """Rows padded to a width."""
    width = width or max(map(len, rows))
    ids = np.array([row + [padding] * (width - len(row)) for row in rows], np.int32)
    mask = np.array([[1] * len(row) + [0] * (width - len(row)) for row in rows], np.int32)
    return Batch(ids, mask, np.zeros_like(ids), np.zeros((len(rows), 1), np.int32))


def random_rows(number: int, longest: int = 30, seed: int = 0, lowest: int = 5) -> list[list[int]]:
    generator = np.random.default_rng(seed)
    return [[CLS, *generator.integers(lowest, VOCABULARY, generator.integers(3, longest - 1)).tolist(), SEP]
            for _ in range(number)]


def near(count: int, number: int, probability: float) -> bool:
    """Whether a count lies within three standard errors of what is expected."""
    return abs(count - number * probability) <= 3 * math.sqrt(number * probability * (1 - probability))


# Masked tokens


def test_fifteen_percent_of_all_tokens_of_which_80_10_10():
    rows = batch(random_rows(400))
    targets = make()
    masked = kept = replaced = total = 0
    for step in range(40):
        made = targets.of_step(rows, step, 1)
        predicted = made.label_weights > 0
        assert predicted.sum() == math.ceil(0.15 * rows.input_mask.sum())
        now, before = made.input_ids[predicted], rows.input_ids[predicted]
        assert np.array_equal(made.label_ids[predicted], before)
        assert np.array_equal(made.input_ids[~predicted], rows.input_ids[~predicted])
        assert not made.label_ids[~predicted].any()
        total += len(now)
        masked += int((now == MASK).sum())
        kept += int((now == before).sum())
        replaced += int(((now != MASK) & (now != before)).sum())
    # A random token is [MASK], or the original, once in VOCABULARY times.
    assert near(masked, total, 0.8 + 0.1 / VOCABULARY)
    assert near(kept, total, 0.1 + 0.1 / VOCABULARY)
    assert near(replaced, total, 0.1 * (1 - 2 / VOCABULARY))


@pytest.mark.parametrize(("shares", "values"), [((1, 0, 0), {MASK}), ((0, 1, 0), {7}), ((0, 0, 1), None)])
def test_shares_of_nothing_and_all(shares, values):
    rows = batch([[CLS, *[7] * 60, SEP]])
    targets = make(word_mask=shares[0], word_keep=shares[1], word_rand=shares[2], mlm_mask_prop=0.9)
    made = targets.of_step(rows, 0, 1)
    now = made.input_ids[made.label_weights > 0]
    if values is None:
        assert len(set(now.tolist())) > 40 and 0 <= now.min() and now.max() < VOCABULARY
    else:
        assert set(now.tolist()) == values


def test_never_special_tokens_nor_padding():
    generator = np.random.default_rng(1)
    rows = batch([row + [1] for row in random_rows(50, lowest=0)] + [generator.integers(0, 5, 20).tolist()], width=40)
    for step in range(30):
        predicted = make(mlm_mask_prop=0.5).of_step(rows, step, 1).label_weights > 0
        assert predicted.any()
        assert not np.isin(rows.input_ids[predicted], SPECIAL).any()
        assert not predicted[rows.input_mask == 0].any()


COUNTS = {10: 0, 11: 1, 12: 10, 13: 100, 14: 1000}


def of_counts(**changes) -> LanguageModelTargets:
    counts = np.zeros(VOCABULARY, np.int64)
    counts[list(COUNTS)] = list(COUNTS.values())
    return make(token_counts=counts, **changes)


def probabilities(exponent: float = 0.7) -> dict[int, float]:
    """First draws among one token of each count."""
    weights = {token: max(count, 1) ** -exponent for token, count in COUNTS.items()}
    return {token: weight / sum(weights.values()) for token, weight in weights.items()}


def chosen_tokens(targets: LanguageModelTargets, steps: int) -> list[tuple[int, ...]]:
    rows = batch([[CLS, *COUNTS, SEP]])
    return [tuple(rows.input_ids[targets.of_step(rows, step, 1).label_weights > 0].tolist()) for step in range(steps)]


@pytest.mark.parametrize("exponent", [0.7, 0.3, 0.0])
def test_rare_tokens_are_masked_in_proportion_to_their_smoothed_count(exponent):
    drawn = [token for (token,) in chosen_tokens(of_counts(mlm_mask_prop=0.1, mlm_smoothing=exponent), 10_000)]
    for token, probability in probabilities(exponent).items():
        assert near(drawn.count(token), 10_000, probability)


def test_further_draws_are_among_what_is_left():
    drawn = chosen_tokens(of_counts(mlm_mask_prop=0.2), 10_000)
    first = probabilities()
    for token, probability in first.items():
        second = sum(p * probability / (1 - p) for other, p in first.items() if other != token)
        assert near(sum(token in pair for pair in drawn), 10_000, probability + second)
    assert all(len(set(pair)) == 2 for pair in drawn)


def test_without_counts_all_tokens_are_alike():
    drawn = [token for (token,) in chosen_tokens(make(mlm_mask_prop=0.1), 10_000)]
    assert all(near(drawn.count(token), 10_000, 1 / len(COUNTS)) for token in COUNTS)


def test_fewer_candidates_than_wanted():
    rows = batch([[CLS, 1, 7, 1, 1, 1, 8, SEP]])
    made = make(mlm_mask_prop=0.9).of_step(rows, 0, 1)
    assert rows.input_ids[made.label_weights > 0].tolist() == [7, 8]


@pytest.mark.parametrize("only_predicted", [True, False])
@pytest.mark.parametrize("causal", [True, False])
def test_nothing_to_predict_still_gives_a_place_that_weighs_nothing(causal, only_predicted):
    targets = make(causal=causal, only_predicted=only_predicted)
    made = targets.of_step(batch([[CLS]], width=4), 0, 2)
    places = targets.places(made, 1)
    assert len(places.positions) == 1 and places.label_weights.sum() == 0 and places.positions[0] == 0
    assert np.isfinite(np.concatenate([column.ravel() for column in (*made, *places)])).all()


def test_draws_follow_from_seed_and_step_alone():
    rows = batch(random_rows(20))

    def ids(step, **changes):
        return make(**changes).of_step(rows, step, 1).input_ids

    assert np.array_equal(ids(3), ids(3))
    assert not np.array_equal(ids(3), ids(4))
    assert not np.array_equal(ids(3), ids(3, seed=6))


def test_padding_draws_nothing():
    lists = random_rows(20)
    narrow, wide = make().of_step(batch(lists), 3, 4), make().of_step(batch(lists, width=64, padding=9), 3, 4)
    width = narrow.input_ids.shape[1]
    assert all(np.array_equal(one[:, :width] * (made := narrow.token_weights > 0), other[:, :width] * made)
               for one, other in zip(narrow, wide, strict=True))
    assert not any(column[:, width:].any() for column in wide[1:])


def test_faults_of_the_user():
    with pytest.raises(UserError, match="no mask token.*causal"):
        make(mask_id=None)
    with pytest.raises(UserError, match="tokens from 2 to 1000, but the vocabulary has 1000"):
        make().of_step(batch([[CLS, 1000, SEP]]), 0, 1)


# Next tokens, weights and places


def test_causal_targets_are_the_next_tokens():
    rows = batch([[CLS, 7, 8, SEP], [CLS, 9]], width=5)
    targets = make(causal=True, mask_id=None, only_predicted=False)
    made = targets.of_step(rows, 0, 1)
    assert np.array_equal(made.input_ids, rows.input_ids)
    assert made.label_ids.tolist() == [[7, 8, SEP, 0, 0], [9, 0, 0, 0, 0]]
    assert np.allclose(made.label_weights, np.array([[1, 1, 1, 0, 0], [1, 0, 0, 0, 0]]) / 4)
    assert np.allclose(made.token_weights, rows.input_mask / 6)
    assert np.array_equal(made.distill_weights, made.token_weights)
    places = targets.places(made, 10)
    assert places.positions.tolist() == [0, 1, 2, 3, 5, 6]
    assert places.label_ids.tolist() == [7, 8, SEP, 0, 9, 0]
    only = make(causal=True, only_predicted=True)
    assert only.places(only.of_step(rows, 0, 1), 10).positions.tolist() == [0, 1, 2, 5]


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("only_predicted", [True, False])
def test_weights_of_the_parts_average_to_a_mean_over_the_step(causal, only_predicted):
    rows = batch(random_rows(24))
    targets = make(causal=causal, only_predicted=only_predicted)
    made = targets.of_step(rows, 0, 6)
    sums = np.zeros(3)
    for part in range(6):
        cut = made.part(slice(4 * part, 4 * part + 4), 32)
        places = targets.places(cut, 4 * 32)
        sums += [places.label_weights.sum(), places.distill_weights.sum(), cut.token_weights.sum()]
    assert np.allclose(sums / 6, 1, atol=1e-5)
    assert {name: len(np.unique(column[column > 0])) for name, column in made._asdict().items()
            if name.endswith("weights")} == {"distill_weights": 1, "label_weights": 1, "token_weights": 1}


@pytest.mark.parametrize("only_predicted", [True, False])
def test_places_hold_what_stands_there(only_predicted):
    rows = batch(random_rows(8))
    targets = make(only_predicted=only_predicted)
    made = targets.of_step(rows, 0, 1)
    places = targets.places(made, rows.input_ids.size)
    found = np.flatnonzero(made.label_weights if only_predicted else rows.input_mask)
    assert np.array_equal(places.positions, found)
    assert {places.positions.dtype, places.label_ids.dtype} == {np.dtype(np.int32)}
    assert {places.label_weights.dtype, places.distill_weights.dtype} == {np.dtype(np.float32)}
    for column, name in zip(places[1:], ("label_ids", "distill_weights", "label_weights"), strict=True):
        assert np.array_equal(column, getattr(made, name).ravel()[found])


@pytest.mark.parametrize(("changes", "sizes"), [({"round_to": 16}, {16, 32, 48, 64, 80}),
                                                ({"constant_size": True}, {120})])
def test_numbers_of_places_are_few_and_none_is_dropped(changes, sizes):
    exact, rounded = make(), make(**changes)
    seen = set()
    for step in range(60):
        rows = batch(random_rows(4, seed=step), width=30)
        made = exact.of_step(rows, step, 1)
        few, more = exact.places(made, 120), rounded.places(made, 120)
        number = len(few.positions)
        seen.add(len(more.positions))
        for one, other in zip(few, more, strict=True):
            assert np.array_equal(one, other[:number]) and not other[number:].any()
    assert seen <= sizes


def test_a_constant_number_of_places_has_room_for_the_worst_step():
    targets = make(constant_size=True)
    # All that can be masked stands in the first of eight rows.
    made = targets.of_step(batch([list(range(10, 30))] + [[CLS] + [1] * 19] * 7), 0, 8)
    first = made.part(slice(0, 1), 20)
    places = targets.places(first, targets.most_places(8 * 20))
    assert (places.label_weights > 0).sum() == (first.label_weights > 0).sum() == 20


# Evaluation


def evaluated(targets, rows, batch_size, buckets=(10, 20, 30), window=3, chunk=7):
    """Row -> (what the model sees, predicted places, labels there)."""
    chunks = [rows.rows(slice(begin, begin + chunk)) for begin in range(0, len(rows.input_ids), chunk)]
    found = {}
    for index, got, places in language_evaluation_batches(chunks, targets, batch_size, buckets, window):
        assert got.input_ids.shape[0] == batch_size and got.input_ids.shape[1] in buckets
        width = got.input_ids.shape[1]
        assert set(places.label_weights.tolist()) <= {0.0, 1.0}
        used = places.label_weights > 0
        row, place = np.divmod(places.positions[used], width)
        assert row.size == 0 or row.max() < len(index)  # nothing counts in rows that fill the batch up
        for number, where in enumerate(index.tolist()):
            assert where not in found
            ids = got.input_ids[number][got.input_mask[number] > 0]
            found[where] = (ids.tolist(), place[row == number].tolist(), places.label_ids[used][row == number].tolist())
    return found


@pytest.mark.parametrize("changes", [{}, {"only_predicted": False}, {"causal": True}, {"round_to": 8},
                                     {"constant_size": True}, {"causal": True, "constant_size": True}])
def test_evaluation_predicts_the_same_whatever_the_batches(changes):
    lists = random_rows(45)
    rows, targets = batch(lists), make(**changes)
    expected = evaluated(targets, rows, 1)
    assert sorted(expected) == list(range(45))
    for batch_size, buckets, window, chunk in ((8, (10, 20, 30), 3, 7), (16, (30,), 1, 45), (64, (16, 40), 50, 4)):
        assert evaluated(targets, rows, batch_size, buckets, window, chunk) == expected
    for row, (ids, places, labels) in expected.items():
        if changes.get("causal"):
            assert (ids, labels) == (lists[row], lists[row][1:])
        else:
            assert len(places) == min(math.ceil(0.15 * len(ids)), len(ids) - 2)
            assert labels == [lists[row][place] for place in places]
            assert [ids[place] for place in range(len(ids)) if place not in places] == [
                lists[row][place] for place in range(len(ids)) if place not in places]


def test_evaluation_masks_rows_of_equal_text_apart_and_unlike_training():
    rows = batch([[CLS, *range(10, 38), SEP]] * 10)
    found = evaluated(make(), rows, 4)
    assert len({tuple(places) for _, places, _ in found.values()}) > 5
    assert found != evaluated(make(seed=6), rows, 4)
