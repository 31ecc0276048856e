# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""A model whose vocabulary is cut to the tokens that a text uses most (src/text/pruning.py says which).

The rows of the word embeddings, which are a language model's output too, and its bias are copied; all else stays. What
comes out is checked: texts all of whose tokens stayed give the same tokens, and these the same logits to the bit.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from src.checkpoints.checkpoint import LoadedModel, cell_of, load_model
from src.checkpoints.places import folder_of
from src.common.errors import UserError
from src.config.model import WORD_EMBEDDINGS
from src.convert.formats import Conversion, check_target, write
from src.convert.options import ReadOptions, option
from src.models.heads import arrays_of
from src.pruning.counted_text import CountedOptions, CountedText, count
from src.text.pruning import Characters, Pruning
from src.text.tokenization import Tokenizer

VOCABULARY_ROWS = (WORD_EMBEDDINGS, "head.bias")
"""Parameters with a row for each token; the first one is the output of a language model too."""
CHECKED_TEXTS = 100_000
"""So many texts, from the first one on, are read with both vocabularies."""
COMPARED_ROWS, COMPARED_LENGTH = 8, 64
ORDER_OF_SUMS = 1e-5
"""How much the logits of a language model may differ."""


@dataclass(frozen=True)
class PruneVocabularyOptions(CountedOptions):
    """Which tokens stay."""

    keep: int = option(0, "number of tokens that stay", type=int, metavar="N")
    max_unknown: float = option(0.01, "largest share of unknown tokens in the text that is held out (each twentieth "
                                      "text or row; default: %(default)s)", type=float, metavar="SHARE")
    characters: Characters = option("all", "all single characters stay, or those that the text uses (default: "
                                           "%(default)s)", choices=("all", "used"))


@dataclass
class Comparison:
    """What both vocabularies made of the same texts."""

    texts: int = 0
    held_out: int = 0
    same: int = 0
    tokens: tuple[int, int] = (0, 0)  # of the held-out texts, before and after
    unknown: tuple[int, int] = (0, 0)

    def share(self, after: bool) -> float:
        """Share of unknown tokens in the held-out texts."""
        return self.unknown[after] / max(1, self.tokens[after])


def prune_vocabulary(source: str, target: Path, options: PruneVocabularyOptions, target_format: str = "mindspore",
                     force: bool = False) -> Conversion:
    """Write the checkpoint directory `source` with a smaller vocabulary.

    Raises:
        UserError: not one of our checkpoint directories or one without a tokenizer, no text, records of another
            vocabulary, a size that cannot be, or more unknown tokens than `max_unknown`. Nothing is written then.
    """
    check_target(target, folder_of(source), force)
    _check_options(options)
    loaded = load_model(source, "IN_DIR")
    counted = count(options, loaded)
    with tempfile.TemporaryDirectory() as folder:
        pruned, notes = prune(loaded, counted, options, Path(folder))
        config, more = write(pruned, target, target_format, ReadOptions())
    return config, notes + more


def _check_options(options: PruneVocabularyOptions) -> None:
    if options.keep < 1:
        raise UserError(f"--keep is {options.keep or 'missing'}; expected the number of tokens that stay, such as 8000")
    if bool(options.text) == bool(options.records):
        raise UserError(f"{'both --text and' if options.text else 'neither --text nor'} --records are given; expected "
                        "one of the two, whose tokens are counted: --text FILE ..., or --records DIR")
    if not 0 <= options.max_unknown <= 1:
        raise UserError(f"--max_unknown is {options.max_unknown}; expected a share from 0 to 1")


def prune(loaded: LoadedModel, text: CountedText, options: PruneVocabularyOptions, folder: Path
          ) -> tuple[LoadedModel, list[str]]:
    """Return the model with a smaller vocabulary, whose tokenizer is written into `folder`, and notes for the user.

    Raises:
        UserError: as `prune_vocabulary`.
    """
    tokenizer = loaded.tokenizer()
    pruning = Pruning(tokenizer)
    kept = _choose(pruning, loaded, text, options)
    smaller = pruning.cut(kept, "/".join(loaded.directory.parts[-2:]))
    if loaded.config.encoder.position_offset and smaller.pad_id != tokenizer.pad_id:
        raise UserError(f"the padding token of {tokenizer.source} would get the id {smaller.pad_id} in place of "
                        f"{tokenizer.pad_id}, from which the model counts its positions; give it a place in the "
                        "vocabulary itself, not among the added tokens")
    smaller.save(folder)
    encoder = replace(loaded.config.encoder, vocab_size=len(kept))
    parameters = {name: value[kept] if name in VOCABULARY_ROWS else value for name, value in loaded.parameters.items()}
    pruned = LoadedModel(loaded.directory, replace(loaded.config, encoder=encoder), parameters, folder)
    compared, rows = _compare(tokenizer, smaller, kept, text)
    unknown = [f"{compared.share(after):.2%}" for after in (False, True)]
    if compared.share(True) > options.max_unknown:
        raise UserError(f"{unknown[1]} of the tokens of held-out text would be unknown ({unknown[0]} with the whole "
                        f"vocabulary), more than --max_unknown {options.max_unknown}; raise --keep"
                        f"{', or keep --characters all' if options.characters == 'used' else ''}, count more text, or "
                        "raise --max_unknown")
    outputs = compare_outputs(loaded, pruned, kept, rows)
    unused = sum(each not in pruning.special and not text.counts[each] for each in kept.tolist())
    measured = "held-out text" if text.every > 1 else "all text, too little to hold some out"
    return pruned, [
        f"vocabulary: {len(kept)} of {len(pruning.all_ids)} tokens stay, of which {unused} do not occur in {text.name}",
        f"parameters: {loaded.parameter_count / 1e6:.2f} M before, {pruned.parameter_count / 1e6:.2f} M after",
        f"{measured} ({compared.held_out} of {compared.texts} texts): {unknown[1]} of the tokens are unknown "
        f"({unknown[0]} before), {compared.tokens[1] / max(1, compared.tokens[0]):.3f} times as many tokens",
        f"checked: all tokens of {compared.same} of {compared.texts} texts stayed, and are the same; {outputs}"]


def _choose(pruning: Pruning, loaded: LoadedModel, text: CountedText, options: PruneVocabularyOptions) -> np.ndarray:
    """The old ids of the tokens that stay, int64 (keep,)."""
    total = len(pruning.all_ids)
    if options.keep > total:
        raise UserError(f"--keep is {options.keep}, but the vocabulary of {loaded.directory} has {total} tokens; keep "
                        "fewer")
    # RoBERTa counts its positions from the id of the padding token on.
    first = loaded.config.encoder.position_offset
    needed = pruning.needed(text.counts, options.characters, first)
    if options.keep < len(needed):
        least = len(pruning.needed(text.counts, "used", first))
        raise UserError(f"--keep is {options.keep}, below the smallest vocabulary possible, {len(needed)}: special "
                        "tokens and single characters stay; keep as many"
                        + (f", or those characters alone that the text uses, {least} tokens: --characters used"
                           if least < len(needed) else ""))
    return pruning.choose(text.counts, options.keep, needed)


def _compare(tokenizer: Tokenizer, smaller: Tokenizer, kept: np.ndarray, text: CountedText
             ) -> tuple[Comparison, list[np.ndarray]]:
    """Read texts with both tokenizers; returns what came out, and new ids of some texts all of whose tokens stayed.

    Raises:
        UserError: the tokens of such a text are others.
    """
    new = np.full(tokenizer.vocab_size, -1, np.int64)
    new[kept] = np.arange(len(kept))
    found = Comparison()
    rows: list[np.ndarray] = []
    for some in text.texts():
        words = [each for each, _ in some]
        for (line, lost), own, its in zip(some, tokenizer.encode_batch(words), smaller.encode_batch(words),
                                          strict=True):
            before, after = np.array(own, np.int64), np.array(its, np.int64)
            mapped = new[before]
            # A word that had no tokens may be spelled with those that are left.
            if (mapped >= 0).all() and not tokenizer.count_unknown(before):
                if not np.array_equal(mapped, after):
                    raise UserError(f"{line[:60]!r} has other tokens in the smaller vocabulary, though all of them "
                                    f"stayed: the rules of {tokenizer.source} depend on tokens that went; nothing was "
                                    "written")
                found.same += 1
                if len(rows) < COMPARED_ROWS and len(after):
                    rows.append(after)
            if text.is_held_out(found.texts):
                found.held_out += 1
                found.tokens = found.tokens[0] + len(before) + lost, found.tokens[1] + len(after) + lost
                found.unknown = (found.unknown[0] + tokenizer.count_unknown(before) + lost,
                                 found.unknown[1] + smaller.count_unknown(after) + lost)
            found.texts += 1
        if found.texts >= CHECKED_TEXTS:
            break
    return found, rows


def compare_outputs(loaded: LoadedModel, pruned: LoadedModel, kept: np.ndarray, rows: list[np.ndarray]) -> str:
    """Compare what both models make of the same tokens; returns what was found, for the user.

    The operators of all heads but a language model's get the same numbers in the same shapes, and must give the same
    bits. A product with fewer rows of the table may be summed in another order.

    Args:
        rows: new ids of some texts, without special tokens; none: rows of any tokens are drawn.

    Raises:
        UserError: the outputs differ.
    """
    tokenizer, generator = pruned.tokenizer(), np.random.default_rng(0)
    length = min(COMPARED_LENGTH, loaded.config.encoder.max_length)
    if not rows:
        rows = [generator.integers(0, len(kept), length) for _ in range(COMPARED_ROWS)]
    ids = np.full((len(rows), length), tokenizer.pad_id, np.int64)
    for row, its in zip(ids, rows, strict=True):
        whole = [tokenizer.cls_id, *its[:length - 2].tolist(), tokenizer.sep_id][:length]
        row[:len(whole)] = whole
    mask = (np.arange(length) < [[min(length, len(its) + 2)] for its in rows]).astype(np.int32)
    before, after = (arrays_of(cell_of(model), its.astype(np.int32), mask, np.zeros_like(mask))
                     for model, its in ((loaded, kept[ids]), (pruned, ids)))
    if loaded.config.head.is_language_model:
        before = tuple(logits[..., kept] for logits in before)
    worst = max(float(np.abs(one - other).max()) for one, other in zip(before, after, strict=True))
    if not worst <= (ORDER_OF_SUMS if loaded.config.head.is_language_model else 0):  # true of NaN too
        raise UserError("the model with the smaller vocabulary gives other outputs for the same tokens (by up to "
                        f"{worst:.1e}); nothing was written: please report it")
    return f"the logits of {len(rows)} rows are equal {'to the bit' if not worst else f'up to {worst:.0e}'}"
