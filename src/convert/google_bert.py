# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""TensorFlow checkpoints of Google's BERT: the names of their variables, and how they are read and written.

A folder holds bert_config.json, bert_model.ckpt.*, and vocab.txt.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from tokenizers import normalizers

from src.checkpoints.checkpoint import LoadedModel, is_of_model
from src.common.errors import UserError, one_line
from src.common.files import atomic_folder, read_json, write_json
from src.config import EncoderConfig, HeadConfig, ModelConfig
from src.config.labels import as_option
from src.convert.families import bert
from src.convert.name_map import NameMap, Rule, Style
from src.convert.options import Converted, ReadOptions, assemble, draw_pooler, make_encoder, make_head, unnamed_labels
from src.convert.parameters import check_own
from src.text.tokenization import SPECIAL_TOKENS, Tokenizer, load_tokenizer
from src.text.tokenizer_classes import CONFIG as TOKENIZER_CONFIG

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


CHECKPOINT = "bert_model"
GOOGLE_EPS = 1e-12
_TYPES = "bert/embeddings/token_type_embeddings"
_POOLER = "bert/pooler/dense"
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
        head, notes = make_head("regression" if len(labels) == 1 else kind, labels, activation, options,
                                result)
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


def write_tensorflow(loaded: LoadedModel, target: Path, options: ReadOptions) -> list[str]:
    """Write `loaded` as a folder of Google's BERT, replacing `target`; returns notes for the user.

    Of the options `pooler`, `seed` and `model_name` apply.

    Raises:
        UserError: a model that Google's graph cannot compute, or TensorFlow is not installed.
    """
    checkpoint = _checkpoint(options.model_name)
    values, tensors, notes = bert_variables(loaded.config, loaded.parameters, options)
    tf = import_tensorflow(target / checkpoint)
    with atomic_folder(target, replace=True, goes=is_of_model) as aside:
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
    if encoder.pruned:
        raise UserError(f"Google's BERT has no settings for pruned heads or layers that differ ({encoder.pruned}): "
                        "export ONNX or MINDIR")
    if encoder.pooler in ("relu", "gelu") or head.pooled_activation == "relu":
        raise UserError("this model applies relu or gelu between pooler and classifier, Google's BERT tanh alone; it "
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
                     + as_option(config.head.labels))
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
    further = _further_settings(tokenizer)
    write_json(folder / "tokenizer_config.json", {"do_lower_case": lower_case, **further})
    notes = [] if lower_case else ["the vocabulary is cased: pass --do_lower_case=False to Google's scripts"]
    return notes + [f"Google's scripts know no {name} ({TOKENIZER_CONFIG}), and give other ids to the texts that it "
                    "changes" for name in further]


def _further_settings(tokenizer: Tokenizer) -> dict[str, Any]:
    """Return what tokenizer_config.json has to say besides the case, for --from tf and transformers to agree."""
    normalizer, values = tokenizer.backend.normalizer, {}
    if isinstance(normalizer, normalizers.BertNormalizer):
        values |= {"strip_accents": normalizer.strip_accents} if normalizer.strip_accents is not None else {}
        values |= {} if normalizer.handle_chinese_chars else {"tokenize_chinese_chars": False}
    usual = {names[0] for names in SPECIAL_TOKENS.values()}
    added = tokenizer.backend.get_added_tokens_decoder()
    if any(token.content not in usual for token in added.values()):
        values["added_tokens_decoder"] = {str(index): token.__getstate__() for index, token in sorted(added.items())}
    return values | {f"{role}_token": token for role, token in tokenizer.special.items()
                     if token != SPECIAL_TOKENS[role][0]}
