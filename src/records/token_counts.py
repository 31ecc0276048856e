# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""token_counts.json: how often each token stands in a corpus, by which rare tokens are masked more often.

    {"vocab_size": 30522, "vocab_hash": "...", "counts": [17, 0, ...]}
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from src.common.errors import UserError
from src.common.files import read_json

NAME = "token_counts.json"


def write(folder: Path, counts: np.ndarray, vocab_hash: str) -> None:
    """Write token_counts.json of counts, int64 (vocab_size,)."""
    values = {"vocab_size": len(counts), "vocab_hash": vocab_hash, "counts": counts.tolist()}
    (folder / NAME).write_text(json.dumps(values) + "\n", encoding="utf-8")


def token_counts_file(location: str | Path) -> Path:
    """Return the file of token counts: `location`, or the one in a folder of records.

    Raises:
        UserError: there is none.
    """
    file = Path(location)
    if file.is_dir():
        file = file / NAME
    if not file.is_file():
        raise UserError(f"no token counts at {file}; expected the {NAME} that prepare_data.py corpus --objective "
                        "tokens writes beside the sequences")
    return file


def load_token_counts(location: str | Path, vocab_size: int, vocab_hash: str | None) -> np.ndarray:
    """Read token counts, int64 (vocab_size,); a `vocab_hash` of None is not known, and not compared. Where the
    vocabulary is known to be the same, rows of the model behind its last token count 0.

    Raises:
        UserError: no such file, not of this form, or of another vocabulary.
    """
    file = token_counts_file(location)
    if file.suffix == ".pickle":
        raise UserError(f"{file} is a pickle, which is never loaded here; make {NAME} with prepare_data.py corpus "
                        "--objective tokens")
    values = read_json(file)
    counts = values.get("counts")
    if not isinstance(counts, list):
        raise UserError(f'{file} has no list of "counts"; expected one whole number for each token')
    for token_id, count in enumerate(counts):
        if type(count) is not int or not 0 <= count < 1 << 63:
            raise UserError(f"{file}: the count of token {token_id} is {count!r}; expected a whole number of at least "
                            "0")
    is_same = vocab_hash is not None and values.get("vocab_hash") == vocab_hash
    if is_same and len(counts) == values.get("vocab_size", len(counts)) < vocab_size:
        return np.pad(np.array(counts, np.int64), (0, vocab_size - len(counts)))
    if len(counts) != vocab_size or values.get("vocab_size", vocab_size) != vocab_size:
        raise UserError(f"{file} counts {len(counts)} tokens, but the vocabulary has {vocab_size}; count with the "
                        "vocabulary that is trained with")
    if vocab_hash is not None and values.get("vocab_hash") != vocab_hash:
        raise UserError(f"{file} counts the tokens of another vocabulary of {vocab_size} (vocab_hash "
                        f"{values.get('vocab_hash')!r}, not {vocab_hash!r}); count with the one that is trained with")
    return np.array(counts, np.int64)
