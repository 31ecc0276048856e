# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Which layers, heads and units of a model are kept, and the model without the others: arrays in, arrays out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from src.common.errors import UserError
from src.config import EncoderConfig, ModelConfig

Layers = int | tuple[int, ...]
"""How many layers are kept, or which, counted from 0; 0: all."""


@dataclass(frozen=True)
class Kept:
    """What is kept: layers in rising order, and of each its heads and its feed-forward units; all count from 0."""

    layers: tuple[int, ...]
    heads: tuple[tuple[int, ...], ...]
    units: tuple[tuple[int, ...], ...]

    def config(self, model: ModelConfig) -> ModelConfig:
        """Return the configuration of what is kept of a model."""
        encoder = model.encoder
        assert isinstance(encoder, EncoderConfig)
        return replace(model, encoder=encoder.of_layers([len(each) for each in self.heads],
                                                        [len(each) for each in self.units], self.layers))


@dataclass(frozen=True)
class Importances:
    """The importance of each layer (L,), and in each layer of its heads (h,) and of its feed-forward units (F,)."""

    layers: np.ndarray
    heads: tuple[np.ndarray, ...]
    units: tuple[np.ndarray, ...]


def check_sizes(encoder: EncoderConfig, layers: Layers, heads: int, units: int) -> None:
    """Check that a model has what is to be kept; 0 keeps all.

    Raises:
        UserError: more layers, heads or units than there are, a layer that is not there or named twice.
    """
    depth = encoder.num_hidden_layers
    if isinstance(layers, int):
        if not 0 <= layers <= depth:
            raise UserError(f"--layers is {layers}; the model has {depth} layers: keep 1 to {depth}, or name those to "
                            f"keep, counted from 0: --layers 0,{depth - 1}")
    elif not layers or list(layers) != sorted(set(layers)) or not 0 <= layers[0] <= layers[-1] < depth:
        raise UserError(f"--layers names {', '.join(map(str, layers))}; expected layers of the model, 0 to "
                        f"{depth - 1}, each once, in rising order")
    chosen = range(depth) if isinstance(layers, int) else layers
    encoder.with_layers(chosen)  # refuses a ModernBERT without its first layer
    for option, name, given, its in (
            ("heads", "attention heads", heads, [encoder.heads_of(index) for index in chosen]),
            ("ffn", "feed-forward units", units, [encoder.units_of(index) for index in chosen])):
        if not 0 <= given <= min(its):
            raise UserError(f"--{option} is {given}; the layers have {min(its)} {name}: keep 1 to {min(its)} in each")


def choose(encoder: EncoderConfig, importances: Importances | None, layers: Layers = 0, heads: int = 0, units: int = 0,
           across: bool = False) -> Kept:
    """Choose what matters most.

    Args:
        importances: of the model's parts; None where nothing is left to choose.
        layers: how many are kept, or which; 0: all.
        heads, units: how many of them each layer keeps; 0: all.
        across: rank the parts of all kept layers together, so that these numbers are means over the layers, which
            differ; a layer keeps one of each at least. Importances are divided by their Euclidean norm over the layer
            before, as Molchanov et al. (arXiv:1611.06440) and Michel et al. do.

    Raises:
        UserError: see `check_sizes`.
    """
    check_sizes(encoder, layers, heads, units)
    if isinstance(layers, int):
        depth = layers or encoder.num_hidden_layers
        layers = tuple(range(depth)) if importances is None or depth == encoder.num_hidden_layers else (
            _most_important(encoder, importances.layers, depth))

    def parts(count: int, all_of: Sequence[int], values: Sequence[np.ndarray]) -> tuple[tuple[int, ...], ...]:
        if not count:
            return tuple(tuple(range(number)) for number in all_of)
        if across:
            return _largest_across(values, count * len(all_of))
        return tuple(_largest(each, count) for each in values)

    its = importances or Importances(np.zeros(0), (), ())
    return Kept(layers,
                parts(heads, [encoder.heads_of(index) for index in layers],
                      [its.heads[encoder.stored_at(index)] for index in layers] if heads else ()),
                parts(units, [encoder.units_of(index) for index in layers],
                      [its.units[encoder.stored_at(index)] for index in layers] if units else ()))


def _most_important(encoder: EncoderConfig, values: np.ndarray, count: int) -> tuple[int, ...]:
    """The layers of the largest importance; of a ModernBERT the first is one of them."""
    first = np.arange(len(values)) == 0
    return _largest(np.where(first & encoder.is_modern, np.inf, values), count)


def _largest(values: np.ndarray, count: int) -> tuple[int, ...]:
    """Places of the largest values, rising; of equal ones the first."""
    return tuple(sorted(np.argsort(-values, kind="stable")[:count].tolist()))


def _largest_across(values: Sequence[np.ndarray], count: int) -> tuple[tuple[int, ...], ...]:
    """Places in each array of the largest values of all arrays together, at least one in each."""
    scaled = [each / max(float(np.linalg.norm(each)), 1e-30) for each in values]
    for each in scaled:
        each[np.argmax(each)] = np.inf
    owner = np.repeat(np.arange(len(values)), [len(each) for each in values])
    place = np.concatenate([np.arange(len(each)) for each in values])
    chosen = np.argsort(-np.concatenate(scaled), kind="stable")[:count]
    return tuple(tuple(sorted(place[chosen[owner[chosen] == index]].tolist())) for index in range(len(values)))


def cut(model: ModelConfig, parameters: Mapping[str, np.ndarray], kept: Kept
        ) -> tuple[ModelConfig, dict[str, np.ndarray]]:
    """Return the model that consists of what is kept: its configuration and parameters.

    It computes what the whole model does with gates of 0 on all else (src/models/gates.py).

    Args:
        parameters: float32 arrays of the whole model under the names of src/models.
    """
    encoder = model.encoder
    assert isinstance(encoder, EncoderConfig)
    size = encoder.head_dim
    found = {name: value for name, value in parameters.items() if not name.startswith("encoder.layers.")}
    kinds = list(zip(kept.layers, kept.heads, kept.units, strict=True))[:1 if encoder.share_layers else None]
    for own, (its, heads, units) in enumerate(kinds):
        old, new = f"encoder.layers.{its}.", f"encoder.layers.{own}."
        within = (np.array(heads)[:, None] * size + np.arange(size)).ravel()
        rows = {f"attention.{name}": within for name in ("query", "key", "value")} | dict.fromkeys(
            ("intermediate", "gate"), np.array(units))
        columns = {"attention.output.weight": within, "output.weight": np.array(units)}
        for name in [name[len(old):] for name in parameters if name.startswith(old)]:
            value, owner = parameters[old + name], name.rpartition(".")[0]
            if owner in rows:  # (out, in) and (out,)
                value = value[rows[owner]]
            elif name in columns:
                value = value[:, columns[name]]
            found[new + name] = np.ascontiguousarray(value)
    return kept.config(model), found
