# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Parameter names of foreign formats, as data: one table per format, used in both directions.

A `Rule` pairs one foreign name template with one of ours; `{}` stands for the layer number. A `Style` makes the rules
of a table of modules. What a format stores twice is a `Tie`; what is left out on purpose (position counters, the head
of a pre-training task) is listed in `dropped`. Any other name is an error: nothing is ever skipped in silence.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache

import numpy as np

from src.common.errors import UserError

NAMES_SHOWN = 5


@dataclass(frozen=True)
class Rule:
    """`foreign` and `own` are the two names of one parameter; with `transpose` a matrix is stored the other way round:
    TensorFlow and GPT-2 keep a dense kernel as (in, out), MindSpore and PyTorch as (out, in).

    With several names in `own`, these are equal parts of the foreign array's `axis`, each transposed by itself.
    """

    foreign: str
    own: str | tuple[str, ...]
    transpose: bool = False
    axis: int = -1

    @property
    def parts(self) -> tuple[str, ...]:
        """Our names as a tuple."""
        return _as_tuple(self.own)


@dataclass(frozen=True)
class Style:
    """What a format appends to the name of an embedding table, a LayerNorm and a dense layer, and whether it transposes
    the weight of the last; of several dense layers in one whether they are `stacked`, along the first axis."""

    embedding: str
    norm: tuple[str, str]
    dense: tuple[str, str]
    transpose: bool = False
    stacked: bool = False

    def rules(self, modules: Mapping[str, str | tuple[str, ...]]) -> tuple[Rule, ...]:
        """Return the rules of foreign modules -> ours, several where the foreign one holds them side by side."""
        return tuple(Rule(foreign + ending, tuple(f"{name}.{part}" for name in _as_tuple(own)),
                          self.transpose and ending == self.dense[0] and part == "weight", 0 if self.stacked else -1)
                     for foreign, own in modules.items() for ending, part in self._endings(_as_tuple(own)[0]))

    def _endings(self, own: str) -> list[tuple[str, str]]:
        if own.endswith("_embeddings"):
            return [(self.embedding, "embedding_table")]
        endings, parts = (self.norm, ("gamma", "beta")) if own.endswith("norm") else (self.dense, ("weight", "bias"))
        return list(zip(endings, parts, strict=True))


PYTORCH = Style(".weight", (".weight", ".bias"), (".weight", ".bias"))


@dataclass(frozen=True)
class Tie:
    """`name` is the tensor `twin` stored once more (a decoder that is the embedding table); both in table spelling."""

    name: str
    twin: str


@dataclass(frozen=True)
class NameMap:
    """The names of one format.

    Attributes:
        title: what the format is called in messages.
        rules: pairs of templates.
        dropped: foreign templates left out on purpose when reading, where no rule fits; `*` stands for any rest.
        prefixes: prefixes that a foreign name may carry before its template, each removed where it is found, in order.
        spellings: (pattern, replacement) of older spellings of the same name, applied first.
        ties: names that may be stored beside or instead of their twins.
    """

    title: str
    rules: tuple[Rule, ...]
    dropped: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ()
    spellings: tuple[tuple[str, str], ...] = ()
    ties: tuple[Tie, ...] = ()

    def canonical(self, name: str) -> str:
        """Return the foreign `name` in the spelling of the table, without prefixes."""
        for pattern, replacement in self.spellings:
            name = re.sub(pattern, replacement, name)
        for prefix in self.prefixes:
            name = name.removeprefix(prefix)
        return name

    def read(self, tensors: Mapping[str, np.ndarray], ignore: tuple[str, ...] = ()) -> ReadResult:
        """Rename and transform `tensors` (foreign name -> array).

        `ignore` are further foreign templates to drop, of a head that is not wanted.

        Raises:
            UserError: a foreign name that is neither in the table nor dropped, or two names for one parameter.
        """
        result, unknown = ReadResult({}, {}, []), []
        for foreign, array, name in self._without_ties(tensors, result):
            found = next((rule for rule in self.rules if _pattern(rule.foreign).fullmatch(name)), None)
            if any(_pattern(template).fullmatch(name) for template in (ignore if found else (*self.dropped, *ignore))):
                result.dropped.append(foreign)
            elif found is None:
                unknown.append(foreign)
            else:
                self._take(result, found, _pattern(found.foreign).fullmatch(name).groups(), foreign, array)
        if unknown:
            raise UserError(f"the {self.title} checkpoint holds {len(unknown)} tensor(s) this model has no place for: "
                            f"{listing(unknown)}; the weights and the config must be of the same model, and of one "
                            "that is built here")
        return result

    def unknown(self, names: Iterable[str]) -> list[str]:
        """Return the foreign names that are neither in the table nor dropped."""
        templates = (*(rule.foreign for rule in self.rules), *self.dropped, *(tie.name for tie in self.ties))
        return [name for name in names
                if not any(_pattern(each).fullmatch(self.canonical(name)) for each in templates)]

    def _without_ties(self, tensors: Mapping[str, np.ndarray],
                      result: ReadResult) -> list[tuple[str, np.ndarray, str]]:
        """Return (foreign name, array, name in the table), tied copies left out, or renamed where the twin is absent.

        Raises:
            UserError: a copy that differs from its twin.
        """
        twins = {tie.name: tie.twin for tie in self.ties}
        by_name = {self.canonical(foreign): foreign for foreign in tensors}
        kept = []
        for foreign, array in tensors.items():
            name = self.canonical(foreign)
            twin = twins.get(name)
            if twin is not None and twin in by_name:
                if not np.array_equal(array, tensors[by_name[twin]]):
                    raise UserError(f"{foreign} of the {self.title} checkpoint differs from {by_name[twin]}; only "
                                    "heads whose decoder is the word embedding table are built here; pass --head drop "
                                    "to convert the encoder alone")
                result.tied.append(foreign)
                continue
            kept.append((foreign, array, twin or name))
        return kept

    def _take(self, result: ReadResult, rule: Rule, groups: tuple[str, ...], foreign: str, array: np.ndarray) -> None:
        """Put the parameters of one foreign array into `result`."""
        count = len(rule.parts)
        if count > 1 and (array.ndim == 0 or array.shape[rule.axis] % count):
            raise UserError(f"{foreign} of the {self.title} checkpoint has shape {array.shape}; expected {count} equal "
                            f"parts along its {'first' if rule.axis == 0 else 'last'} axis")
        parts = np.split(array, count, axis=rule.axis) if count > 1 else [array]
        for template, part in zip(rule.parts, parts, strict=True):
            own = template.format(*groups)
            if own in result.parameters:
                raise UserError(f"the {self.title} checkpoint holds both {result.origin[own]!r} and {foreign!r}, "
                                f"which are the same parameter ({own})")
            result.parameters[own] = part.T if rule.transpose else part
            result.origin[own] = foreign

    def write(self, parameters: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Rename and transform `parameters` (own name -> array) to the foreign names, without any prefix.

        Raises:
            UserError: a parameter the format has no name for, or only some of those that it stores as one.
        """
        found: dict[str, tuple[Rule, dict[str, np.ndarray]]] = {}
        unknown = []
        for own, array in parameters.items():
            rule, template, groups = self._rule_of(own)
            if rule is None:
                unknown.append(own)
            else:
                _, arrays = found.setdefault(rule.foreign.format(*groups), (rule, {}))
                arrays[template] = array.T if rule.transpose else array
        if unknown:
            raise UserError(f"{len(unknown)} parameter(s) have no name in the {self.title} format: {listing(unknown)}")
        torn = [foreign for foreign, (rule, arrays) in found.items() if len(arrays) != len(rule.parts)]
        if torn:
            raise UserError(f"{len(torn)} tensor(s) of the {self.title} format lack a part: {listing(torn)}")
        return {foreign: arrays[rule.parts[0]] if len(arrays) == 1 else
                np.concatenate([arrays[template] for template in rule.parts], axis=rule.axis)
                for foreign, (rule, arrays) in found.items()}

    def foreign_name(self, own: str) -> str:
        """Return the foreign name of the parameter `own`, or `own` itself when the table has none."""
        rule, _, groups = self._rule_of(own)
        return rule.foreign.format(*groups) if rule else own

    def _rule_of(self, own: str) -> tuple[Rule | None, str, tuple[str, ...]]:
        """Return the rule of the parameter `own`, the template among its names that fits, and the layer numbers."""
        fitting = ((rule, template, match.groups()) for rule in self.rules for template in rule.parts
                   if (match := _pattern(template).fullmatch(own)))
        return next(fitting, (None, "", ()))


@dataclass(frozen=True)
class ReadResult:
    """What was read.

    Attributes:
        parameters: own name -> array.
        origin: own name -> foreign name.
        dropped: foreign names left out on purpose.
        tied: foreign names left out because they repeat another tensor.
    """

    parameters: dict[str, np.ndarray]
    origin: dict[str, str]
    dropped: list[str]
    tied: list[str] = field(default_factory=list)


def listing(names: Iterable[str]) -> str:
    """Return the first few of `names`, and how many more there are."""
    names = sorted(names)
    more = f", and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
    return ", ".join(names[:NAMES_SHOWN]) + more


@cache
def _pattern(template: str) -> re.Pattern[str]:
    """Compile a template: `{}` is a layer number, `*` any rest, everything else literal."""
    return re.compile(re.escape(template).replace(r"\{\}", r"(\d+)").replace(r"\*", ".*"))


def _as_tuple(names: str | tuple[str, ...]) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else names
