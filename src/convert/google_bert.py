# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""TensorFlow checkpoints of Google's BERT: the names of their variables, and how they are read.

A folder holds bert_config.json, bert_model.ckpt.* and vocab.txt; src/convert/google_writer.py writes it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from types import ModuleType

import numpy as np

from src.common.errors import UserError, one_line
from src.common.files import read_json
from src.config import HeadConfig, ModelConfig
from src.convert.families import bert
from src.convert.name_map import NameMap, Rule, Style
from src.convert.options import Converted, ReadOptions, assemble, make_encoder, make_head, unnamed_labels

STYLE = Style("", ("/gamma", "/beta"), ("/kernel", "/bias"), transpose=True)


def _rules(modules: Mapping[str, str]) -> tuple[Rule, ...]:
    """Return the rules of modules that transformers has named after Google's."""
    return STYLE.rules({name.replace("layer.{}", "layer_{}").replace(".", "/"): own for name, own in modules.items()})


ENCODER = _rules(bert.MODULES | bert.POOLER)
# run_classifier.py keeps these two outside of the model, the weight as (labels, width).
CLASSIFIER = (Rule("output_weights", "head.classifier.weight"), Rule("output_bias", "head.classifier.bias"))
HEADS: dict[str, tuple[Rule, ...]] = {
    "classification": CLASSIFIER,
    "regression": CLASSIFIER,
    # run_squad.py
    "span": (Rule("cls/squad/output_weights", "head.classifier.weight"),
             Rule("cls/squad/output_bias", "head.classifier.bias")),
    # run_pretraining.py; the decoder is the table of word embeddings.
    "masked_lm": (*_rules(bert.TRANSFORM), Rule("cls/predictions/output_bias", "head.bias")),
    "none": (),
}
DROPPED = (
    "cls/seq_relationship/*",  # the next-sentence head of pre-training, which nothing here computes
    "*/adam_m", "*/adam_v",    # state of the optimiser
    "global_step",
)


def names_of(kind: str) -> NameMap:
    """Return the names of a model with a head of `kind`, a key of HEADS; other heads are dropped."""
    others = tuple(rule.foreign for rules in HEADS.values() if rules is not HEADS[kind] for rule in rules)
    return NameMap(title="TensorFlow", rules=ENCODER + HEADS[kind], dropped=DROPPED + others, prefixes=("bert/",))


# The released checkpoints are evaluated with exact gelu everywhere, although Google's later code approximates it.
ACTIVATIONS = {"gelu": "gelu", "relu": "relu"}


def read_checkpoint(source: Path, options: ReadOptions) -> Converted:
    """Read the folder of a TensorFlow checkpoint, or a checkpoint by its prefix (`FOLDER/bert_model.ckpt`).

    Raises:
        UserError: no or several checkpoints in the folder, a damaged one, TensorFlow is not installed, or names and
            shapes that do not fit the config.
    """
    folder = source if source.is_dir() else source.parent
    prefix = _prefix(source)
    config_path = options.config or folder / "bert_config.json"
    values = read_json(config_path)
    encoder = make_encoder(values, config_path, bert.SETTINGS, bert.BERT.activation, ACTIVATIONS)
    tensors = _read_tensors(prefix)
    kind = _kind(tensors) if options.head == "keep" else "none"
    names = names_of(kind)
    result = names.read(tensors)
    head, notes = HeadConfig(), []
    if kind == "classification":
        activation = "relu" if options.pooled_activation == "relu" else "none"
        labels = unnamed_labels(result.parameters["head.classifier.weight"])
        head, notes = make_head("regression" if len(labels) == 1 else kind, labels, activation, options)
    elif kind != "none":
        head = HeadConfig(kind)
    return assemble(result, ModelConfig(encoder, head, options.task_name, "bert"), names, options, notes)


def _kind(names: Iterable[str]) -> str:
    """Return the kind of head that a checkpoint holds; a fine-tuned one comes before that of pre-training."""
    names = set(names)
    if "output_weights" in names:
        return "classification"
    if "cls/squad/output_weights" in names:
        return "span"
    return "masked_lm" if any(name.startswith("cls/predictions/") for name in names) else "none"


def _prefix(source: Path) -> str:
    if not source.is_dir():
        name = str(source).removesuffix(".index")
        if not Path(f"{name}.index").is_file():
            raise UserError(f"{source} is no TensorFlow checkpoint: neither a folder, nor is there {name}.index")
        return name
    found = sorted(path.name.removesuffix(".index") for path in source.glob("*.index"))
    if len(found) != 1:
        raise UserError(f"{source} holds {len(found)} TensorFlow checkpoints ({', '.join(found[:5]) or 'no *.index'}); "
                        "give one by its prefix, such as FOLDER/bert_model.ckpt")
    return str(source / found[0])


def _read_tensors(prefix: str) -> dict[str, np.ndarray]:
    tf = import_tensorflow(prefix)
    try:
        reader = tf.train.load_checkpoint(prefix)
        names = [name for name in reader.get_variable_to_shape_map() if not name.startswith("_CHECKPOINTABLE")]
        return {name: np.asarray(reader.get_tensor(name)) for name in names}
    except (tf.errors.OpError, RuntimeError, ValueError, IndexError) as error:  # IndexError: cut off
        raise UserError(f"{prefix} cannot be read as a TensorFlow checkpoint ({one_line(error)[:200]}); its .index and "
                        ".data-* files are truncated, damaged or not of one checkpoint") from error


def import_tensorflow(path: str | Path) -> ModuleType:
    """Return the tensorflow package, which only these checkpoints need.

    Raises:
        UserError: it is not installed.
    """
    try:
        import tensorflow
    except ImportError as error:
        raise UserError(f"{path} is a TensorFlow checkpoint and tensorflow is not installed; "
                        "`pip install tensorflow-cpu`") from error
    return tensorflow
