# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""A folder that Google's BERT code in TensorFlow loads: bert_config.json, bert_model.ckpt.*, checkpoint, vocab.txt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from src.checkpoints.checkpoint import LoadedModel
from src.common.errors import UserError, one_line
from src.common.files import atomic_folder, write_json
from src.config import EncoderConfig, ModelConfig
from src.convert.families import bert
from src.convert.google_bert import HEADS, import_tensorflow, names_of
from src.convert.options import ReadOptions, draw_pooler
from src.convert.parameters import check_own
from src.text.tokenization import load_tokenizer

CHECKPOINT = "bert_model"
GOOGLE_EPS = 1e-12
_TYPES = "bert/embeddings/token_type_embeddings"
_POOLER = "bert/pooler/dense"


def write_tensorflow(loaded: LoadedModel, target: Path, options: ReadOptions) -> list[str]:
    """Write `loaded` as a folder of Google's BERT, replacing `target`; returns notes for the user.

    Args:
        loaded: the model.
        target: the folder.
        options: `pooler`, `seed` and `model_name` apply.

    Raises:
        UserError: a model that Google's graph cannot compute, or TensorFlow is not installed.
    """
    checkpoint = _checkpoint(options.model_name)
    values, tensors, notes = bert_variables(loaded.config, loaded.parameters, options)
    tf = import_tensorflow(target / checkpoint)
    with atomic_folder(target, replace=True) as aside:
        write_json(aside / "bert_config.json", values)
        try:
            # By name and without objects around it: what tf.train.init_from_checkpoint and TensorFlow 1 read.
            tf.raw_ops.SaveV2(prefix=str(aside / checkpoint), tensor_names=list(tensors),
                              shape_and_slices=[""] * len(tensors),
                              tensors=[tf.constant(array) for array in tensors.values()])
        except tf.errors.OpError as error:
            raise UserError(f"{target / checkpoint} cannot be written ({one_line(error)[:200]}); free some space "
                            "there, or choose another folder") from error
        (aside / "checkpoint").write_text(f'model_checkpoint_path: "{checkpoint}"\n'
                                          f'all_model_checkpoint_paths: "{checkpoint}"\n', encoding="utf-8")
        return notes + _write_vocabulary(loaded.tokenizer_path, aside)


def _checkpoint(name: str) -> str:
    """Return the file name of a checkpoint before .index, as convert_torch2tf.py makes it of a model's name."""
    if "/" in name:
        raise UserError(f"--model_name is {name!r}; expected a file's name, such as {CHECKPOINT}")
    return (name or CHECKPOINT).replace("-", "_").removesuffix(".ckpt") + ".ckpt"


def bert_variables(config: ModelConfig, parameters: Mapping[str, np.ndarray], options: ReadOptions
                   ) -> tuple[dict[str, Any], dict[str, np.ndarray], list[str]]:
    """Return the values of bert_config.json, the variables by Google's names, and notes for the user.

    A model without token types gets two of zeros, which add nothing. A missing pooler stays missing, unless the
    options ask for a random one.

    Raises:
        UserError: a model that Google's graph cannot compute, or parameters that are not those of the config.
    """
    _check_expressible(config)
    written = names_of(config.head.kind).write(check_own(parameters, config))
    outside = tuple(rule.foreign for rule in HEADS[config.head.kind])
    tensors = {name if name in outside else f"bert/{name}": np.ascontiguousarray(array)
               for name, array in written.items()}
    encoder, notes = config.encoder, _differences(config)
    if not encoder.type_vocab_size:
        encoder = replace(encoder, type_vocab_size=2)
        tensors[_TYPES] = np.zeros((2, encoder.hidden_size), np.float32)
        notes.append(f"the model has no token types: {_TYPES} is zero, which computes the same")
    if encoder.pooler == "none":
        pooler, note = _missing_pooler(encoder, options)
        tensors |= pooler
        notes.append(note)
    values = {each.foreign: getattr(encoder, each.own) for each in bert.SETTINGS}
    values["hidden_act"] = encoder.hidden_act.removesuffix("_tanh")
    if encoder.layer_norm_eps == GOOGLE_EPS:
        del values["layer_norm_eps"]
    return dict(sorted(values.items())), dict(sorted(tensors.items())), notes


def _check_expressible(config: ModelConfig) -> None:
    encoder, head = config.encoder, config.head
    other = [f"{name} {getattr(encoder, name)}" for name, value in bert.BERT.fixed.items()
             if getattr(encoder, name) != value]
    if other:
        raise UserError(f"this is a {config.family} model ({', '.join(other)}), which Google's BERT graph cannot "
                        "compute; use --to hf")
    if encoder.pooler == "relu" or head.pooled_activation == "relu":
        raise UserError("this model applies relu on its way from pooler to classifier, Google's BERT tanh alone; it "
                        "would load and predict something else: use --to hf, or train with --student.pooler tanh "
                        "--pooled_activation none")
    if head.kind not in HEADS:
        raise UserError(f"Google's BERT has no {head.kind} head; expected one of {', '.join(HEADS)}: use --to hf")


def _differences(config: ModelConfig) -> list[str]:
    """What Google's files have no word for."""
    notes = []
    if config.encoder.hidden_act == "gelu_tanh":
        notes.append("hidden_act gelu_tanh is written as gelu: the last modeling.py approximates it by tanh as well, "
                     "but --from tensorflow reads it as the exact gelu")
    if config.encoder.layer_norm_eps != GOOGLE_EPS:
        notes.append(f"layer_norm_eps {config.encoder.layer_norm_eps} is kept in bert_config.json, but Google's code "
                     f"computes with {GOOGLE_EPS}")
    if config.head.kind == "classification":
        notes.append("the format keeps no names of classes; the rows of output_weights are, in this order: "
                     + ",".join(config.head.labels))
    return notes


def _missing_pooler(encoder: EncoderConfig, options: ReadOptions) -> tuple[dict[str, np.ndarray], str]:
    """Return the variables that the user wants in the place of a missing pooler, and a note."""
    if options.pooler == "require":
        raise UserError("the model has no pooler; pass --pooler random to write a random one, or --pooler keep to "
                        "write none")
    if options.pooler == "keep":
        return {}, (f"the model has no pooler: {_POOLER}/* is not in the checkpoint, and keeps its initial values in "
                    "TensorFlow; --pooler random writes one")
    kernel, bias = draw_pooler(encoder, options.seed).values()
    pooler = {f"{_POOLER}/kernel": kernel, f"{_POOLER}/bias": bias}
    return pooler, f"the model has no pooler: {_POOLER}/* was drawn at random (seed {options.seed})"


def _write_vocabulary(source: Path | None, folder: Path) -> list[str]:
    """Write vocab.txt, and whether the text is lowered, which Google's scripts are told by --do_lower_case."""
    if source is None:
        return ["the checkpoint has no vocabulary, so that no vocab.txt was written"]
    tokenizer = load_tokenizer(source)
    if not tokenizer.is_word_piece:
        return ["the tokenizer is not WordPiece, the only one that Google's BERT has: no vocab.txt was written"]
    (folder / "vocab.txt").write_text("".join(f"{token}\n" for token in tokenizer.tokens), encoding="utf-8",
                                      newline="\n")
    lower_case = tokenizer.lower_case is not False
    write_json(folder / "tokenizer_config.json", {"do_lower_case": lower_case})
    return [] if lower_case else ["the vocabulary is cased: pass --do_lower_case=False to Google's scripts"]
