# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""From the logits of an answer's start and end to the answer.

In each window the `n_best_size` best starts are combined with the `n_best_size` best ends; a pair counts when the end
does not precede the start and at most `max_answer_length` tokens are between them, both included. The pair with the
highest sum of logits over all windows of a question is its answer. Where questions may have none, the sum at the first
token, the smallest over the windows, is the score of no answer; it is chosen when it exceeds the best pair's by more
than `null_score_threshold`.

These are the conventions of the post-processing in transformers' run_qa.py (a window may use tokens that another one
sees more of: no test for maximum context), but for one: the best starts and ends are those among the tokens of the
context, where run_qa.py chooses among all, padding included, and drops the others afterwards. So the answer does not
depend on padding, batches, or the order of the rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

ROWS_AT_ONCE = 2048


@dataclass(frozen=True)
class BestSpans:
    """The best span of each question.

    Attributes:
        begins, ends: int64 (questions,), characters of the context; both 0 where there is no valid pair.
        scores: float64 (questions,), sum of the two logits; -inf where there is no valid pair.
        null_scores: float64 (questions,), smallest sum at the first token over the windows.
    """

    begins: np.ndarray
    ends: np.ndarray
    scores: np.ndarray
    null_scores: np.ndarray

    def is_null(self, threshold: float) -> np.ndarray:
        """Whether no answer is the better one, bool (questions,); also where there is no valid pair."""
        return ~(self.null_scores - self.scores <= threshold)


def best_spans(logits: np.ndarray, questions: np.ndarray, begins: np.ndarray, ends: np.ndarray, number: int,
               n_best_size: int = 20, max_answer_length: int = 30) -> BestSpans:
    """Choose the best span of each question over all its windows.

    Of spans with the same score the one that begins first is taken, then the shortest.

    Args:
        logits: float32 (rows, length, 2), of being the first and the last token of the answer.
        questions: int (rows,), whose window a row is: 0 .. number - 1.
        begins, ends: int (rows, length), the characters that a token stands for; -1 outside of the context.
    """
    questions = questions.reshape(-1).astype(np.int64)
    row_begins, row_ends, scores = _spans_of_rows(logits, begins, ends, n_best_size, max_answer_length)
    # The first of each question: highest score, then first begin, then first end.
    order = np.lexsort((row_ends, row_begins, -scores, questions))
    found, first = np.unique(questions[order], return_index=True)
    rows = order[first]
    best = BestSpans(np.zeros(number, np.int64), np.zeros(number, np.int64), np.full(number, -np.inf),
                     np.full(number, np.inf))
    best.begins[found], best.ends[found], best.scores[found] = row_begins[rows], row_ends[rows], scores[rows]
    np.fmin.at(best.null_scores, questions, logits[:, 0].astype(np.float64).sum(-1))
    return best


def _spans_of_rows(logits: np.ndarray, begins: np.ndarray, ends: np.ndarray, n_best_size: int, max_answer_length: int
                   ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return begins and ends (characters) and score of the best span in each row, (rows,) each."""
    rows = len(begins)
    chosen_begins, chosen_ends, scores = np.zeros(rows, np.int64), np.zeros(rows, np.int64), np.full(rows, -np.inf)
    for start in range(0, rows, ROWS_AT_ONCE):
        part = slice(start, min(start + ROWS_AT_ONCE, rows))
        first, last, scores[part] = _best_pairs(logits[part], begins[part] >= 0, n_best_size, max_answer_length)
        place = np.arange(part.stop - start)
        valid = scores[part] > -np.inf
        chosen_begins[part] = np.where(valid, begins[part][place, first], 0)
        chosen_ends[part] = np.where(valid, ends[part][place, last], 0)
    return chosen_begins, chosen_ends, scores


def _best_pairs(logits: np.ndarray, inside: np.ndarray, n_best_size: int, max_answer_length: int
                ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Start and end token, and their score (-inf where no pair is valid), of logits (rows, length, 2)."""
    # A model that diverged has no best place, but must not stop the evaluation: its NaN are never chosen.
    masked = np.where(inside[..., None] & ~np.isnan(logits), logits, -np.inf).astype(np.float64)
    starts, ends = (_best_places(masked[..., side], n_best_size) for side in (0, 1))
    length = ends[:, None, :] - starts[:, :, None]  # (rows, n, n)
    sums = (np.take_along_axis(masked[..., 0], starts, 1)[:, :, None]
            + np.take_along_axis(masked[..., 1], ends, 1)[:, None, :])
    sums[(length < 0) | (length >= max_answer_length)] = -np.inf
    # Places are in the order of the row: of equal sums argmax takes the first start, then the first end.
    sums = sums.reshape(len(sums), -1)
    row, best = np.arange(len(sums)), sums.argmax(1)
    number = ends.shape[1]
    return starts[row, best // number], ends[row, best % number], sums[row, best]


def _best_places(values: np.ndarray, number: int) -> np.ndarray:
    """Places of the `number` largest values of each row of (rows, length), in the order of the row.

    Of values equal to the smallest one taken, the first ones are.
    """
    return np.sort(np.argsort(-values, axis=1, kind="stable")[:, :number], axis=1)
