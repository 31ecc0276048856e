# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""What TinyBERT's augmentation needs: the checkpoint with its tokenizer, and word vectors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from src.augmentation.candidates import LONGEST_CHINESE, CandidateFinder, neighbour_pool
from src.augmentation.masked_lm import MaskedLanguageModel
from src.augmentation.neighbours import EmbeddingNeighbours, FileNeighbours, Neighbours
from src.augmentation.words import Language
from src.checkpoints.checkpoint import LoadedModel, identity, load_model
from src.common.errors import UserError
from src.common.files import sha256_of
from src.config import AugmentConfig, Config
from src.device import set_up_device
from src.text.tokenization import Tokenizer, load_tokenizer

WORD_EMBEDDINGS = "encoder.embeddings.word_embeddings.embedding_table"
_SHORTEST = 16


def load_finder(config: Config, language: Language) -> tuple[CandidateFinder, dict[str, Any]]:
    """Return what finds candidates, and the settings that they depend on.

    Raises:
        UserError: no checkpoint, one without a tokenizer or without word embeddings, or too few positions; faulty
            word vectors.
    """
    settings = config.augment
    loaded = _load(settings)
    assert loaded.tokenizer_path is not None
    tokenizer = load_tokenizer(loaded.tokenizer_path)
    longest = min(config.data.seq_length, loaded.config.encoder.max_length)
    if longest < _SHORTEST:
        raise UserError(f"seq_length is {config.data.seq_length} and the checkpoint has "
                        f"{loaded.config.encoder.max_length} positions; a sentence and its masked form need at least "
                        f"{_SHORTEST}")
    described: dict[str, str | int] = {"checkpoint": identity(loaded.directory)}
    if settings.glove_path:
        described |= {"glove": sha256_of(_existing(settings.glove_path)), "glove_words": settings.glove_words}
    model = None
    if loaded.config.head.kind == "masked_lm" and tokenizer.mask_id is not None:
        device = set_up_device(config.device, config.seed)
        # What rounds differently is told apart.
        described |= {"device": f"{device.target} {device.compute_type}", "batch_size": settings.batch_size,
                      "seq_length": longest, "words_a_pass": settings.words_a_pass}
        most_places = settings.words_a_pass * (LONGEST_CHINESE if language == "chinese" else 1)
        model = MaskedLanguageModel(loaded, tokenizer, device, settings.batch_size, longest, most_places)
    neighbours = _neighbours(settings, loaded, tokenizer, language)
    if model is None:
        print(f"note: {loaded.directory} has no masked-LM head: all words are replaced by their neighbours "
              f"({neighbours.means})", flush=True)
    finder = CandidateFinder(tokenizer, language, settings.candidates, neighbours, model, longest,
                             settings.words_a_pass)
    return finder, described


def _load(settings: AugmentConfig) -> LoadedModel:
    if not settings.load_ckpt_path:
        raise UserError("load_ckpt_path is empty; give the checkpoint directory of a masked language model, such as a "
                        "converted BERT: --load_ckpt_path DIR; or use --method rules, which needs none")
    loaded = load_model(settings.load_ckpt_path, "load_ckpt_path")
    if WORD_EMBEDDINGS not in loaded.parameters:
        raise UserError(f"{loaded.directory} is no transformer; give the checkpoint of a masked language model")
    if loaded.tokenizer_path is None:
        raise UserError(f"{loaded.directory} has no tokenizer, so that words are not found in its vocabulary; put its "
                        "files there when converting")
    return loaded


def _existing(path: str) -> Path:
    if not Path(path).is_file():
        raise UserError(f"glove_path {path!r} is no file; give a text file of word vectors")
    return Path(path)


def _neighbours(settings: AugmentConfig, loaded: LoadedModel, tokenizer: Tokenizer, language: Language) -> Neighbours:
    if settings.glove_path:
        return FileNeighbours(Path(settings.glove_path), settings.glove_words, settings.candidates, language)
    pool = neighbour_pool(tokenizer, language)
    if not pool:
        raise UserError(f"the vocabulary of {tokenizer.source} has no {language.title()} word; set --language, or give "
                        "another checkpoint")
    return EmbeddingNeighbours(loaded.parameters[WORD_EMBEDDINGS], pool, settings.candidates, tokenizer.unk_id)
