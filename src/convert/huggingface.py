# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Hugging Face checkpoints of the families in src/convert/families: names, config.json, head and labels.

In both directions. Whatever would compute something else than the model of this repository is refused.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from src.checkpoints.checkpoint import LoadedModel, is_of_model, write_tensors
from src.common.errors import UserError
from src.common.files import atomic_folder, read_json, write_json
from src.config import EncoderConfig, HeadConfig, ModelConfig, StaticConfig
from src.convert.families import FAMILIES, family_of
from src.convert.families.family import ACTIVATIONS, Family, Form
from src.convert.name_map import ReadResult
from src.convert.options import Converted, ReadOptions, assemble, make_encoder, make_head, unnamed_labels
from src.convert.parameters import POOLER, check_own
from src.convert.sentence_transformers import read_embedding, write_embedding
from src.convert.static_embedding import is_static, read_static, write_static
from src.convert.tensors import read_huggingface_weights
from src.text.tokenization import Tokenizer, load_tokenizer
from src.text.tokenizer_classes import ALBERT, BERT, GPT2, ROBERTA, XLM_R, AlbertRules, class_of

ROLES = ("cls", "sep", "pad", "mask", "unk")


def read_directory(directory: Path, options: ReadOptions) -> Converted:
    """Read a Hugging Face model directory.

    Raises:
        UserError: missing, damaged or foreign files; an architecture or a head that is not built here; names or shapes
            that do not fit the config.
    """
    if is_static(directory):
        return read_static(directory, options)
    embedding = read_embedding(directory, options)
    directory, is_embedding = embedding.encoder, embedding.head.kind != "none"
    source, notes = directory / "config.json", list(embedding.notes)
    if not source.is_file() and (directory / "bert_config.json").is_file():
        source = directory / "bert_config.json"
        notes.append("there is no config.json; bert_config.json is read in its place")
    values = read_json(source)
    tensors, more = read_huggingface_weights(directory)
    family, assumed = find_family(values, source)
    notes += assumed + more
    _check_settings(values, family, source)
    names = {family.names("none").canonical(name) for name in tensors}
    kind = embedding.head.kind if is_embedding else _kind_of_head(values, family, names, options)
    form = family.form(kind)
    _check_names(tensors, family, kind, source)
    alone = is_embedding or (kind == "none" and options.head == "drop")
    result = family.names(kind).read(tensors, family.heads if alone else ())
    notes += family.after_read(values, result, source)
    _check_decoder(values, form, names)
    if is_embedding:
        encoder = _read_encoder(values, family, embedding.head, source)
        head, head_notes = embedding.on(encoder, result)
    else:
        head, head_notes = _read_head(values, family, kind, result, names, options)
        encoder = _read_encoder(values, family, head, source)
    task_name = options.task_name or str(values.get("finetuning_task") or "")
    notes += head_notes + _notes_on_settings(values, family, head)
    config = ModelConfig(encoder, head, task_name, family.model_type)
    converted = assemble(result, config, family.names(kind), options, notes)
    return replace(converted, tokenizer=directory)


def read_language_model(source: Path, model_type: str = "") -> tuple[ModelConfig, list[str]]:
    """Read the architecture of a language model from a config.json without weights, and notes for the user.

    The Distil* family's training_configs/distilbert-base-uncased.json and the like leave out the family, `model_type`.

    Raises:
        UserError: it cannot be read, is of another family or of none, or of an architecture that is not built here.
    """
    values = read_json(source)
    named = values.get("model_type") or model_type
    if not named:
        raise UserError(f"{source} names no model_type; say with --student_type what it is of: {', '.join(FAMILIES)}")
    if model_type and named != model_type:
        raise UserError(f"{source} is of a {named}, and student_type is {model_type}; change one of the two")
    family, _ = find_family({"model_type": named}, source)
    _check_settings(values, family, source)
    head = HeadConfig("masked_lm" if "masked_lm" in family.forms else "causal_lm")
    encoder = replace(_read_encoder(values, family, head, source), pooler="none")
    return ModelConfig(encoder, head, family=family.model_type), _notes_on_settings(values, family, head)


def find_family(values: Mapping[str, Any], source: Path) -> tuple[Family, list[str]]:
    """Return the family of a config.json, and notes on what was assumed.

    Raises:
        UserError: a family that is not built here.
    """
    model_type = values.get("model_type")
    if model_type is None:
        return FAMILIES["bert"], ["config.json names no model_type; it is read as bert"]
    if not isinstance(model_type, str) or model_type not in FAMILIES:
        raise UserError(f"{source}: model_type is {model_type!r}, which is not built here; expected one of "
                        f"{', '.join(FAMILIES)}")
    return FAMILIES[model_type], []


def _check_settings(values: Mapping[str, Any], family: Family, source: Path) -> None:
    for name, accepted in family.only.items():
        if name in values and values[name] not in accepted:
            raise UserError(f"{source}: {name} is {values[name]!r}; this model computes {name} {accepted[0]!r} only")


def _check_names(tensors: Mapping[str, np.ndarray], family: Family, kind: str, source: Path) -> None:
    """Refuse the tensors of another family, as of a BERT whose config.json names a RoBERTa, and say what to change."""
    if 2 * len(family.names(kind).unknown(tensors)) <= len(tensors):
        return
    for other in FAMILIES.values():
        kinds = [each for each in other.forms if not other.names(each).unknown(tensors)]
        if other is not family and kinds:
            raise UserError(f"{source}: model_type is {family.model_type!r}, but the names of the tensors are those of "
                            f"a {other.model_type} ({min(tensors)}, ...); where it is one, as the models called "
                            f"RoBERTa-wwm-ext are BERTs, correct the file: model_type {other.model_type}, "
                            f"architectures [{other.forms[kinds[0]].architecture}]")


def _kind_of_head(values: Mapping[str, Any], family: Family, names: set[str], options: ReadOptions) -> str:
    """Return which kind of head is taken, one of `family.forms`; what of it is a regression, `_read_head` sees."""
    if options.head == "drop":
        return "none"
    kinds = {form.architecture: kind for kind, form in family.forms.items()} | family.also
    architectures = values.get("architectures") or []
    if not isinstance(architectures, list) or not all(isinstance(name, str) for name in architectures):
        raise UserError(f"config.json: architectures is {architectures!r}; expected a list of names, such as "
                        '["BertForMaskedLM"]')
    if not architectures:
        # The masked-LM head beside TinyBERT's projection is untrained.
        guesses = [kind for kind, form in family.forms.items() if form.sign and form.sign in names
                   and not (kind == "masked_lm" and _is_tinybert(family, names))]
        return guesses[0] if guesses else "none"
    if architectures[0] not in kinds:
        raise UserError(f"the checkpoint is a {architectures[0]}, whose head is not built here (those of "
                        f"{family.model_type} are: {', '.join(kinds)}); pass --head drop to convert the encoder alone")
    return kinds[architectures[0]]


def _check_decoder(values: Mapping[str, Any], form: Form, names: set[str]) -> None:
    if values.get("tie_word_embeddings") is False and form.ties and form.ties[0].name not in names:
        raise UserError(f"config.json: tie_word_embeddings is false, and the checkpoint holds no {form.ties[0].name}; "
                        "only heads whose decoder is the word embedding table are built here; pass --head drop to "
                        "convert the encoder alone")


def _read_encoder(values: Mapping[str, Any], family: Family, head: HeadConfig, source: Path) -> EncoderConfig:
    # The pooler that such a model may hold; `assemble` sees whether it does.
    pooler = "none" if head.kind == "embedding" else family.forms["classification"].pooler
    fixed = {"pooler": pooler, **family.fixed, **family.read_more(values, source)}
    encoder = make_encoder(values, source, family.settings, family.activation, ACTIVATIONS, fixed)
    _check_activation(encoder, family.form(head.kind), "; pass --head drop")
    return encoder


def _check_activation(encoder: EncoderConfig, form: Form, advice: str) -> None:
    if form.activation and encoder.hidden_act != form.activation:
        raise UserError(f"hidden_act is {encoder.hidden_act}, and {form.architecture}'s head always computes "
                        f"{form.activation}; one activation for both is built here{advice}")


def _read_head(values: Mapping[str, Any], family: Family, kind: str, result: ReadResult, names: set[str],
               options: ReadOptions) -> tuple[HeadConfig, list[str]]:
    if kind not in ("classification", "tagging"):
        return HeadConfig(kind), []
    stored, notes = _stored_labels(values, result)
    activation = "none"
    if kind == "classification":
        activation, more = _pooled_activation(family, names, options)
        notes = more + notes
        problem = values.get("problem_type")
        if problem not in (None, "regression", "single_label_classification"):
            raise UserError(f"config.json: problem_type is {problem!r}; expected single_label_classification or "
                            "regression")
        # transformers takes a head of one output for a regression where problem_type is absent.
        if problem == "regression" or (problem is None and len(stored) == 1):
            kind = "regression"
    head, more = make_head(kind, stored, activation, options, result)
    return head, notes + more


def _pooled_activation(family: Family, names: set[str], options: ReadOptions) -> tuple[str, list[str]]:
    if options.pooled_activation == "relu" and not family.relu_sign:
        raise UserError("--pooled_activation relu is for TinyBERT's classifier; that of "
                        f"{family.model_type} models is known: leave the option out")
    if options.pooled_activation != "auto":
        return options.pooled_activation, []
    if not _is_tinybert(family, names):
        return "none", []
    return "relu", [f"the checkpoint is of TinyBERT's authors (it holds {family.relu_sign}), whose classifier sees "
                    "relu(pooled); --pooled_activation none would leave it out"]


def _is_tinybert(family: Family, names: set[str]) -> bool:
    return bool(family.relu_sign) and any(name.startswith(family.relu_sign) for name in names)


def _stored_labels(values: Mapping[str, Any], result: ReadResult) -> tuple[tuple[str, ...], list[str]]:
    """Return the labels in the order of the logits: id2label decides."""
    stored = values.get("id2label")
    if stored is None:
        return unnamed_labels(result.parameters.get("head.classifier.weight")), []
    try:
        by_index = {int(index): str(label) for index, label in stored.items()}
        labels = tuple(by_index[index] for index in range(len(by_index)))
    except (AttributeError, TypeError, ValueError, KeyError) as error:
        raise UserError(f"config.json: id2label is {stored!r}; expected a label for each of 0, 1, 2, ...") from error
    inverse = values.get("label2id")
    if inverse and inverse != {label: index for index, label in enumerate(labels)}:
        return labels, [f"label2id contradicts id2label; the order of id2label is kept: {', '.join(labels)}"]
    return labels, []


def _notes_on_settings(values: Mapping[str, Any], family: Family, head: HeadConfig) -> list[str]:
    """Return what config.json says that is not kept, since it does not change what the model computes."""
    dropout_name, default = next((each.foreign, each.default) for each in family.settings
                                 if each.own == "hidden_dropout_prob")
    kept = values.get(dropout_name, default)
    dropouts = family.dropouts | (family.head_dropouts if head.num_labels else {})
    found = {name: values.get(name, usual) for name, usual in dropouts.items()}
    notes = [f"{name} {dropout} is not kept: {dropout_name} {kept} is used in its place in training"
             for name, dropout in found.items() if dropout not in (None, kept)]
    return notes + [note for name, note in family.notes.items() if values.get(name)]


def write_huggingface(loaded: LoadedModel, target: Path) -> list[str]:
    """Write a folder that transformers' `from_pretrained` loads, of an embedding sentence-transformers too, replacing
    `target`; returns notes for the user. Of a static model it is a folder of sentence-transformers alone."""
    if loaded.config.encoder.kind == StaticConfig.kind:
        return write_static(loaded, target)
    tokenizer = load_tokenizer(loaded.tokenizer_path) if loaded.tokenizer_path is not None else None
    config = loaded.config
    if tokenizer is not None:
        check_tokenizer(tokenizer, config.encoder, loaded.directory)
    values, tensors, notes = write_model(config, loaded.parameters, special_ids(tokenizer, config))
    if config.encoder.causal and config.head.is_pooled and values["pad_token_id"] is None:
        notes.append("no padding token is known apart from the end of a text: set pad_token_id of config.json before "
                     "transformers classifies several rows at once")
    with atomic_folder(target, replace=True, goes=is_of_model) as aside:
        write_json(aside / "config.json", values)
        write_tensors(aside / "model.safetensors", tensors, "pt")
        if config.head.kind == "embedding":
            write_embedding(config, loaded.parameters, aside)
        if tokenizer is None:
            return [*notes, "the checkpoint has no vocabulary, so that no tokenizer was written"]
        notes += tokenizer.notes if tokenizer.separators != tokenizer.separators_of_template else []
        tokenizer.save(aside)
        write_json(aside / "tokenizer_config.json", {**tokenizer_config(tokenizer, config), **tokenizer.origin})
    return notes


def write_model(config: ModelConfig, parameters: Mapping[str, np.ndarray],
                special_ids: Mapping[str, int | None] | None = None
                ) -> tuple[dict[str, Any], dict[str, np.ndarray], list[str]]:
    """Return config.json's values (with those of `special_ids`), the tensors, and notes for the user. Of an embedding
    those of its encoder.

    Raises:
        UserError: a model that transformers cannot express, or parameters that are not those of the config.
    """
    family = family_of(config)
    form = family.form_of(config)
    _check_written(config, form)
    kept = check_own(parameters, config)
    notes, is_embedding = [], config.head.kind == "embedding"
    if is_embedding:
        kept = {name: array for name, array in kept.items() if not name.startswith("head.")}
    if config.encoder.pooler != "none" and form.pooler == "none":
        kept = {name: array for name, array in kept.items() if name not in POOLER}
        notes.append(f"the pooler was left out: a {form.architecture} has none")
    if config.encoder.pooler == "none" and form.pooler != "none":
        notes.append(f"the model has no pooler: load it with {form.architecture}.from_pretrained(..., "
                     "add_pooling_layer=False), or transformers draws a random one")
    tensors = family.names(config.head.kind).write(kept)
    if config.head.kind != "none" and not is_embedding:
        own_heads = {rule.foreign for rule in form.rules}
        tensors = {name if name in own_heads else f"{family.prefix}{name}": array for name, array in tensors.items()}
    return _write_values(config, family, form, special_ids or {}), tensors, notes


def _check_written(config: ModelConfig, form: Form) -> None:
    encoder, head = config.encoder, config.head
    if head.is_pooled and head.pooled_activation != "none" and encoder.pooler != "relu":
        raise UserError("this model applies relu between pooler and classifier (pooled_activation: relu, as TinyBERT's "
                        f"code does), which {form.architecture} cannot express: transformers would load "
                        "it and predict something else. Export ONNX or MINDIR, or distil with "
                        "--pooled_activation none")
    if encoder.pooler != "none" and form.pooler not in ("none", encoder.pooler):
        raise UserError(f"this model has a {encoder.pooler} pooler, and a {form.architecture} computes {form.pooler}: "
                        "transformers would load it and compute something else; export ONNX or MINDIR")
    _check_activation(encoder, form, "; export ONNX or MINDIR")


def _write_values(config: ModelConfig, family: Family, form: Form,
                  special_ids: Mapping[str, int | None]) -> dict[str, Any]:
    encoder = config.encoder
    settings = {each.foreign: getattr(encoder, each.own) or encoder.hidden_size * each.or_width
                for each in family.settings}
    settings |= {each.foreign: None for each in family.settings
                 if each.times_width and each.times_width * encoder.hidden_size == settings[each.foreign]}
    values: dict[str, Any] = {
        "architectures": [form.architecture],
        "model_type": family.model_type,
        **settings,
        family.activation[0]: family.written_activations[encoder.hidden_act],
        **{name: encoder.hidden_dropout_prob for name, usual in (family.dropouts | family.head_dropouts).items()
           if usual is not None},
        **family.constants, **family.write_more(encoder),
        **{name: special_ids.get(name) for name in ("pad_token_id", "bos_token_id", "eos_token_id")},
        "torch_dtype": "float32",
    }
    if config.task_name:
        values["finetuning_task"] = config.task_name
    if config.head.is_pooled or config.head.kind == "tagging":
        labels = config.head.labels if config.head.kind != "regression" else ("LABEL_0",)
        values["id2label"] = {str(index): label for index, label in enumerate(labels)}
        values["label2id"] = {label: index for index, label in enumerate(labels)}
    if config.head.is_pooled:
        values["problem_type"] = ("regression" if config.head.kind == "regression" else "single_label_classification")
    return values


def check_tokenizer(tokenizer: Tokenizer, encoder: EncoderConfig, folder: Path) -> list[str]:
    """Return notes for the user.

    Raises:
        UserError: the tokenizer has more tokens than the model has word embeddings, or pads with another token than
            the one that the model's positions are counted from.
    """
    rows = encoder.vocab_size
    if tokenizer.vocab_size > rows:
        raise UserError(f"the tokenizer in {folder} has {tokenizer.vocab_size} tokens and the model {rows} "
                        f"word embeddings, none for {', '.join(map(repr, tokenizer.tokens[rows:][:5]))}; the two are "
                        "not of the same model, or the tokens were added after its training: remove them from the "
                        "tokenizer's files")
    if encoder.position_offset and tokenizer.pad_id != encoder.position_offset - 1:
        raise UserError(f"the tokenizer in {folder} pads with token {tokenizer.pad_id}, and the model counts its "
                        f"positions from padding token {encoder.position_offset - 1} on (pad_token_id of config.json); "
                        "the two are not of the same model")
    if tokenizer.vocab_size < rows:
        return [f"the model has {rows} word embeddings for the tokenizer's {tokenizer.vocab_size} tokens; "
                "the rest is kept unused"]
    return []


def special_ids(tokenizer: Tokenizer | None, config: ModelConfig) -> dict[str, int | None]:
    """Return pad_token_id, bos_token_id and eos_token_id of config.json.

    BERT's has no begin and end of its own. GPT-2 fills rows with the token that ends them: transformers would take
    that end for padding, so that no padding is named.
    """
    encoder = config.encoder
    if tokenizer is None:
        return {"pad_token_id": None if encoder.causal else max(encoder.position_offset - 1, 0)}
    ids: dict[str, int | None] = {"pad_token_id": tokenizer.pad_id if tokenizer.pad_id != tokenizer.sep_id else None}
    if family_of(config).names_ends:
        ids |= {"bos_token_id": tokenizer.cls_id, "eos_token_id": tokenizer.sep_id}
    return ids


def tokenizer_config(tokenizer: Tokenizer, config: ModelConfig) -> dict[str, Any]:
    """Return the values of tokenizer_config.json, with the class that makes the same ids of a text."""
    ids = {f"{role}_token": getattr(tokenizer, f"{role}_id") for role in ROLES}
    # null where there is none: a class would add its usual token.
    names = {role: None if token_id is None else tokenizer.id_to_token(token_id) for role, token_id in ids.items()}
    values: dict[str, Any] = {"model_max_length": config.max_length}
    kind, normalizer = class_of(tokenizer.backend), tokenizer.backend.normalizer
    if kind == BERT.name:
        # transformers sets its normaliser from these three, over what tokenizer.json says.
        return {"tokenizer_class": family_of(config).tokenizer_class,
                "do_lower_case": normalizer.lowercase, "strip_accents": normalizer.strip_accents,
                "tokenize_chinese_chars": normalizer.handle_chinese_chars, **values, **names}
    if kind in (XLM_R.name, ALBERT.name):
        scheme = json.loads(tokenizer.backend.pre_tokenizer.__getstate__())["pretokenizers"][1]["prepend_scheme"]
        if kind == ALBERT.name:
            rules = AlbertRules.of(tokenizer.backend)
            values |= {"do_lower_case": rules.lowers, "keep_accents": rules.keeps_accents}
        return {"tokenizer_class": kind, "add_prefix_space": scheme == "always", "bos_token": names["cls_token"],
                "eos_token": names["sep_token"], **values, **names}
    if kind:
        prefix = json.loads(tokenizer.backend.pre_tokenizer.__getstate__())["add_prefix_space"]
        values |= {"add_prefix_space": prefix, "bos_token": names["cls_token"], "eos_token": names["sep_token"]}
        if kind == GPT2.name and tokenizer.mask_id is None:
            padding = {} if tokenizer.pad_id == tokenizer.sep_id else {"pad_token": names["pad_token"]}
            return {"tokenizer_class": kind, **values, "unk_token": names["cls_token"], **padding}
        return {"tokenizer_class": ROBERTA.name, **values, **names}
    return {"tokenizer_class": "PreTrainedTokenizerFast", **values,
            **{role: name for role, name in names.items() if name is not None}}
