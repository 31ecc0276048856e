# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Lists of documents for rerankers out of questions and paragraphs: the files of XQuAD, CMRC2018, SQuAD.

The paragraph that a question is about is relevant. The other candidates are paragraphs of the same article, which are
the hardest, then such of other articles of the same split. Whole articles are held out, so that no paragraph is in two
splits.
"""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from src.common.errors import UserError
from src.common.files import atomic_folder
from src.common.places import check_folder, is_empty
from src.common.typed import require_given
from src.config.settings import ListsConfig
from src.task_files.problems import Problems
from src.tasks.candidate_lists import DOCUMENTS, QUERY, RELEVANCE
from src.tasks.span_files import read_by_article

Article = dict[str, list[str]]
"""Paragraph -> its questions."""


def make_lists(settings: ListsConfig, seed: int) -> Path:
    """Write train.jsonl, dev.jsonl and test.jsonl, and print what they hold; the lists depend on files and seed alone.

    Raises:
        UserError: no input or output, a file that cannot be read, fewer articles than splits, or an output that holds
            something.
    """
    require_given(settings.input, "input", "files of questions, separated by commas")
    require_given(settings.output_dir, "output_dir", "the folder to make")
    output = check_folder(settings.output_dir, "output_dir")
    if not is_empty(output):
        raise UserError(f"{output} exists and is not empty; choose another output_dir, or remove it")
    articles, unanswered = _articles(settings.input)
    shares = {"dev": settings.dev_share, "test": settings.test_share}
    sizes = {split: max(1, round(share * len(articles))) for split, share in shares.items() if share}
    if len(articles) <= sum(sizes.values()):
        raise UserError(f"{', '.join(settings.input)}: {len(articles)} article(s) with answered questions, too few for "
                        f"the splits train, {', '.join(sizes)}; give more files, or set dev_share and test_share 0")
    generator = random.Random(seed)
    generator.shuffle(articles)
    said = []
    with atomic_folder(output) as folder:
        begin = 0
        for split, size in {**sizes, "train": len(articles) - sum(sizes.values())}.items():
            chosen, begin = articles[begin: begin + size], begin + size
            number = settings.train_candidates if split == "train" else 0
            lists = list(_lists(chosen, number or settings.candidates, generator))
            (folder / f"{split}.jsonl").write_text("".join(json.dumps(
                {QUERY: query, DOCUMENTS: documents, RELEVANCE: relevance}, ensure_ascii=False) + "\n"
                for query, documents, relevance in lists), encoding="utf-8")
            counts = sorted({len(documents) for _, documents, _ in lists})
            candidates = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
            said.append(f"{output / split}.jsonl: {len(lists)} questions, {candidates} candidates each, of "
                        f"{sum(map(len, chosen))} paragraphs in {len(chosen)} articles (seed {seed})")
    print("\n".join(reversed(said)))
    if unanswered:
        print(f"left out: {unanswered} questions that their paragraph does not answer")
    return output


def _articles(files: Sequence[str]) -> tuple[list[Article], int]:
    """Return the articles with answered questions, and how many questions are not answered. A paragraph that several
    articles have, or that stands beside each of its questions, is one of the first."""
    found: dict[int, Article] = defaultdict(dict)
    article_of: dict[str, int] = {}
    unanswered = before = 0
    for file in files:
        last = -1
        for last, example in read_by_article(Path(file), Problems()):
            if example.answers == ():
                unanswered += 1
                continue
            article = article_of.setdefault(example.context, before + last)
            found[article].setdefault(example.context, []).append(example.question)
        before += last + 1
    return list(found.values()), unanswered


def _lists(articles: Sequence[Article], candidates: int, generator: random.Random
           ) -> Iterator[tuple[str, list[str], list[int]]]:
    """Yield query, documents in random order, and which of them is relevant."""
    paragraphs = [paragraph for article in articles for paragraph in article]
    begin = 0
    for article in articles:
        own, end = paragraphs[begin: begin + len(article)], begin + len(article)
        elsewhere = len(paragraphs) - len(own)
        for paragraph, questions in article.items():
            others = [each for each in own if each != paragraph]
            for question in questions:
                near = generator.sample(others, min(len(others), candidates - 1))
                places = generator.sample(range(elsewhere), min(elsewhere, candidates - 1 - len(near)))
                far = [paragraphs[place if place < begin else place + len(own)] for place in places]
                documents = [paragraph, *near, *far]
                generator.shuffle(documents)
                yield question, documents, [int(document == paragraph) for document in documents]
        begin = end
