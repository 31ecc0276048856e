# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""What TinyBERT's augmentation needs: the checkpoint with its tokenizer, and word vectors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from src.augmentation.candidates import LONGEST_CHINESE, CandidateFinder, neighbour_pool
from src.augmentation.masked_lm import MaskedLanguageModel
from src.augmentation.neighbours import embedding_neighbours, file_neighbours
from src.augmentation.words import Language
from src.checkpoints.checkpoint import LoadedModel, identity, load_model
from src.common.errors import UserError
from src.common.files import sha256_of
from src.common.typed import require
from src.config import Config
from src.config.model import WORD_EMBEDDINGS
from src.device import set_up_device
from src.text.tokenization import Tokenizer

_SHORTEST = 16


def load_finder(config: Config, language: Language) -> tuple[CandidateFinder, dict[str, Any]]:
    """Return what finds candidates, and the settings that they depend on.

    Raises:
        UserError: no checkpoint, one without a tokenizer or without word embeddings, or too few positions; faulty
            word vectors.
    """
    settings = config.augment
    loaded, tokenizer = _load(settings.load_ckpt_path)
    longest = min(config.data.seq_length, loaded.config.encoder.max_length)
    if longest < _SHORTEST:
        raise UserError(f"seq_length is {config.data.seq_length} and the checkpoint has "
                        f"{loaded.config.encoder.max_length} positions; a sentence and its masked form need at least "
                        f"{_SHORTEST}")
    described: dict[str, str | int] = {"checkpoint": identity(loaded.directory)}
    glove_path = Path(settings.glove_path)
    if settings.glove_path:
        require(glove_path.is_file(), f"glove_path {settings.glove_path!r} is no file of word vectors; give one")
        described |= {"glove": sha256_of(glove_path), "glove_words": settings.glove_words}
    model = None
    if loaded.config.head.kind == "masked_lm" and tokenizer.mask_id is not None:
        device = set_up_device(config.device, config.seed)
        # What rounds differently is told apart.
        described |= {"device": f"{device.target} {device.compute_type}", "batch_size": settings.batch_size,
                      "seq_length": longest, "words_a_pass": settings.words_a_pass}
        most_places = settings.words_a_pass * (LONGEST_CHINESE if language == "chinese" else 1)
        model = MaskedLanguageModel(loaded, tokenizer, device, settings.batch_size, longest, most_places)
    if settings.glove_path:
        neighbours = file_neighbours(glove_path, settings.glove_words, settings.candidates, language)
    else:
        pool = neighbour_pool(tokenizer, language)
        require(bool(pool), f"the vocabulary of {tokenizer.source} has no {language.title()} word; set --language, or "
                "give another checkpoint")
        neighbours = embedding_neighbours(loaded.parameters[WORD_EMBEDDINGS], pool, settings.candidates,
                                          tokenizer.unk_id)
    if model is None:
        print(f"note: {loaded.directory} has no masked-LM head: all words are replaced by their neighbours "
              f"({neighbours.means})", flush=True)
    finder = CandidateFinder(tokenizer, language, settings.candidates, neighbours, model, longest,
                             settings.words_a_pass)
    return finder, described


def _load(path: str) -> tuple[LoadedModel, Tokenizer]:
    require(bool(path), "load_ckpt_path is empty; give the checkpoint directory of a masked language model, such as a "
            "converted BERT: --load_ckpt_path DIR; or use --method rules, which needs none")
    loaded = load_model(path, "load_ckpt_path")
    require(WORD_EMBEDDINGS in loaded.parameters,
            f"{loaded.directory} is no transformer; give the checkpoint of a masked language model")
    return loaded, loaded.tokenizer()
