# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Folders of sentence-transformers: what stands around the Hugging Face files of an encoder that embeds texts.

    modules.json                            the modules in order: Transformer, Pooling, Dense (none or one), Normalize
    1_Pooling/config.json                   how tokens become one vector
    2_Dense/{config.json,model.safetensors}
    sentence_bert_config.json               tokens that texts are cut to
    config_sentence_transformers.json       versions; prompts

The names of modules and settings that are written are those that every release since 2.0 loads.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from src.checkpoints.checkpoint import write_tensors
from src.common.errors import UserError
from src.common.files import read_json, read_text, write_json
from src.config import ANY_LENGTH, EncoderConfig, HeadConfig, ModelConfig
from src.convert.name_map import ReadResult
from src.convert.options import ReadOptions
from src.convert.tensors import read_huggingface_weights

MODULES, SETTINGS, TEXTS = "modules.json", "config_sentence_transformers.json", "sentence_bert_config.json"
ORDER = ("Transformer", "Pooling", "Dense", "Normalize")
POOLINGS = {"cls": "pooling_mode_cls_token", "max": "pooling_mode_max_tokens", "mean": "pooling_mode_mean_tokens",
            "mean_sqrt_len_tokens": "pooling_mode_mean_sqrt_len_tokens",
            "weightedmean": "pooling_mode_weightedmean_tokens", "lasttoken": "pooling_mode_lasttoken"}
"""Modes of pooling -> the flags that stand for them before release 5.3. The first three are built here."""
BUILT = ("mean", "cls", "max")
ACTIVATIONS = {"none": "torch.nn.modules.linear.Identity", "tanh": "torch.nn.modules.activation.Tanh"}


@dataclass(frozen=True)
class Embedding:
    """The head of a folder, without one where the encoder is wanted alone or nothing says how texts are embedded.

    Attributes:
        encoder: folder of the encoder's files.
        dense: weight (out, in) and bias of the dense layer, with the names that they are read under.
    """

    encoder: Path
    head: HeadConfig = HeadConfig()
    dense: dict[str, tuple[str, np.ndarray]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def on(self, encoder: EncoderConfig, result: ReadResult) -> tuple[HeadConfig, list[str]]:
        """Put the dense layer beside the parameters of the encoder; returns the head, and notes."""
        for name, (origin, array) in self.dense.items():
            result.parameters[name], result.origin[name] = array, origin
        length = self.head.max_seq_length
        if not 0 < length < encoder.max_length:
            above = encoder.max_length < length < ANY_LENGTH
            return replace(self.head, max_seq_length=0), [
                f"texts are cut to {encoder.max_length} tokens, all that the encoder takes, not to {length}"] * above
        return self.head, [f"texts are cut to {length} tokens (the encoder takes {encoder.max_length})"]


def read_embedding(directory: Path, options: ReadOptions) -> Embedding:
    """Return the head that a folder of sentence-transformers describes, or else the one that the options ask for.

    Raises:
        UserError: a module, a pooling or an activation that is not built here, or damaged files.
    """
    asked = options.pooling or options.normalize != "false" or options.max_seq_length
    if not (directory / MODULES).is_file():
        if asked and not options.pooling:
            raise UserError("--normalize and --max_seq_length are of an embedding, and nothing says how it is pooled; "
                            "give --pooling mean, cls or max, or leave them out")
        if options.pooling and options.head == "drop":
            raise UserError("--pooling makes an embedding, and --head drop takes the encoder alone; leave one out")
        if not options.pooling:
            return Embedding(directory)
        return Embedding(directory, HeadConfig("embedding", pooling=options.pooling,
                                               normalize=options.normalize == "true",
                                               max_seq_length=options.max_seq_length))
    if asked:
        raise UserError(f"{directory / MODULES} says how texts are embedded; leave --pooling, --normalize and "
                        "--max_seq_length out")
    places = _places(directory / MODULES)
    if options.head == "drop":
        return Embedding(places["Transformer"])
    values: dict[str, Any] = {"pooling": _pooling(places["Pooling"] / "config.json")}
    dense: dict[str, tuple[str, np.ndarray]] = {}
    if "Dense" in places:
        values["dense_activation"], dense = _dense(places["Dense"])
        values["dense_size"] = len(dense["head.dense.weight"][1])
    head = HeadConfig("embedding", normalize="Normalize" in places, max_seq_length=_length(places["Transformer"]),
                      **values)
    return Embedding(places["Transformer"], head, dense, tuple(_prompts(directory / SETTINGS)))


def read_modules(file: Path) -> list[tuple[str, str]]:
    """Return the class of each module and its folder, as modules.json names them."""
    try:
        modules = json.loads(read_text(file))
        return [(str(each["type"]), str(each["path"])) for each in modules]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise UserError(f"{file} is no list of modules with type and path; fetch the folder again") from error


def _places(file: Path) -> dict[str, Path]:
    """Return the folder of each module, by its class."""
    named, places = read_modules(file), dict[str, Path]()
    for kind, path in named:
        name = kind.rpartition(".")[2]
        if name not in ORDER or not kind.startswith("sentence_transformers."):
            raise UserError(f"{file}: the module {kind!r:.100} is not built here; expected {', '.join(ORDER)} (Dense "
                            "and Normalize where there are any); --head drop converts the encoder alone")
        if not re.fullmatch(r"[\w.-]{0,100}", path) or path == "..":
            raise UserError(f"{file}: the module {name} lies in {path!r:.100}; expected a folder beside the file")
        if name in places or any(ORDER.index(name) < ORDER.index(other) for other in places):
            raise UserError(f"{file}: the modules are {', '.join(kind.rpartition('.')[2] for kind, _ in named)}; "
                            f"expected each once, in the order {', '.join(ORDER)}")
        places[name] = file.parent / path
    if missing := [name for name in ORDER[:2] if name not in places]:
        raise UserError(f"{file} names no {' and no '.join(missing)}; expected the modules {', '.join(ORDER)}")
    return places


def _pooling(file: Path) -> str:
    values = read_json(file)
    modes = values.get("pooling_mode")
    if modes is None:
        modes = [mode for mode, flag in POOLINGS.items() if values.get(flag)] or ["mean"]
    modes = [modes] if isinstance(modes, str) else modes
    if not isinstance(modes, list) or len(modes) != 1 or modes[0] not in BUILT:
        raise UserError(f"{file}: the pooling is {modes!r:.100}; one of {', '.join(BUILT)} is built here")
    return modes[0]


def _dense(folder: Path) -> tuple[str, dict[str, tuple[str, np.ndarray]]]:
    """Return the activation and the parameters of a dense layer."""
    file = folder / "config.json"
    values = read_json(file)
    name = values.get("activation_function", ACTIVATIONS["tanh"])
    found = next((own for own, theirs in ACTIVATIONS.items() if name == theirs), None)
    if found is None:
        raise UserError(f"{file}: activation_function is {name!r:.100}; expected "
                        f"{' or '.join(ACTIVATIONS.values())}")
    for setting, usual in (("module_input_name", "sentence_embedding"), ("module_output_name", "sentence_embedding"),
                           ("use_residual", False)):
        if values.get(setting, usual) not in (usual, None):
            raise UserError(f"{file}: {setting} is {values[setting]!r:.60}; only {usual!r} is built here")
    tensors, _ = read_huggingface_weights(folder)
    weight = tensors.get("linear.weight")
    expected = {"linear.weight"} | ({"linear.bias"} if values.get("bias", True) else set())
    if tensors.keys() != expected or weight is None or weight.ndim != 2:
        raise UserError(f"{folder} holds the tensors {', '.join(sorted(tensors)) or 'none'}; expected "
                        f"{' and '.join(sorted(expected))}")
    # A layer without bias computes what one with zeros does.
    bias = tensors.get("linear.bias", np.zeros(len(weight), np.float32))
    return found, {"head.dense.weight": (f"{folder.name}/linear.weight", weight),
                   "head.dense.bias": (f"{folder.name}/linear.bias", bias)}


def _length(folder: Path) -> int:
    """Return the tokens that texts are cut to, 0 where nothing says so: a setting of the module, or, as new releases
    write it, of the tokenizer."""
    settings, tokenizer = (read_json(folder / name) if (folder / name).is_file() else {}
                           for name in (TEXTS, "tokenizer_config.json"))
    if settings.get("do_lower_case"):
        raise UserError(f"{folder / TEXTS}: do_lower_case is true, which lowers texts before the tokenizer; set it "
                        "false where the tokenizer lowers them by itself (tokenizer_config.json), or else set it there")
    for file, value in ((TEXTS, settings.get("max_seq_length")),
                        ("tokenizer_config.json", tokenizer.get("model_max_length"))):
        if value is None:
            continue
        if not isinstance(value, (int, float)) or isinstance(value, bool) or value < 3:
            raise UserError(f"{folder / file}: texts are cut to {value!r:.60} tokens; expected a whole number from 3")
        return int(min(value, ANY_LENGTH))  # a tokenizer without a limit names 1e30
    return 0


def _prompts(file: Path) -> list[str]:
    values = read_json(file) if file.is_file() else {}
    prompts = values.get("prompts") or {}
    default = values.get("default_prompt_name")
    if default is not None:
        raise UserError(f"{file}: default_prompt_name is {default!r:.60}, so that {prompts.get(default)!r:.100} is put "
                        "before each text; set it null, and write the prompt before the texts by yourself")
    kept = {name: text for name, text in prompts.items() if text} if isinstance(prompts, dict) else {}
    return [f"prompts are not kept ({json.dumps(kept, ensure_ascii=False):.200}): write them before the texts by "
            "yourself"] if kept else []


def write_embedding(config: ModelConfig, parameters: Mapping[str, np.ndarray], folder: Path) -> None:
    """Write what makes a folder of sentence-transformers out of one with the encoder's files."""
    head, width = config.head, config.encoder.vector_size
    modules = [("Transformer", ""), ("Pooling", "1_Pooling")]
    (folder / "1_Pooling").mkdir()
    write_json(folder / "1_Pooling/config.json", {
        "word_embedding_dimension": width, **{flag: mode == head.pooling for mode, flag in POOLINGS.items()},
        "include_prompt": True})
    if head.dense_size:
        modules.append(("Dense", "2_Dense"))
        place = folder / "2_Dense"
        place.mkdir()
        write_json(place / "config.json", {"in_features": width, "out_features": head.dense_size, "bias": True,
                                           "activation_function": ACTIVATIONS[head.dense_activation]})
        write_tensors(place / "model.safetensors", {
            f"linear.{part}": parameters[f"head.dense.{part}"] for part in ("weight", "bias")}, "pt")
    if head.normalize:
        modules.append(("Normalize", f"{len(modules)}_Normalize"))
    write_json(folder / TEXTS, {"max_seq_length": config.max_length, "do_lower_case": False})
    write_modules(folder, modules)


def write_modules(folder: Path, modules: Sequence[tuple[str, str]]) -> None:
    """Write what names the modules of a folder, each a class and a folder within, and what says nothing more."""
    for kind, path in modules:
        if kind == "Normalize":
            (folder / path).mkdir()
            # Git keeps no empty folder, and older releases ask for the folder.
            write_json(folder / path / "config.json", {})
    write_json(folder / SETTINGS, {"__version__": {}, "prompts": {}, "default_prompt_name": None,
                                   "similarity_fn_name": "cosine"})
    write_json(folder / MODULES, [{"idx": place, "name": str(place), "path": path,
                                   "type": f"sentence_transformers.models.{kind}"}
                                  for place, (kind, path) in enumerate(modules)])
