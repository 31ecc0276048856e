# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Parameter names of foreign formats, as data: one table per format, used in both directions.

A `Rule` pairs one foreign name template with one of ours; `{}` stands for the layer number. What a format holds
beside them on purpose (position counters, the head of a pre-training task) is listed in `dropped`. A name that is in
neither is an error: nothing is ever skipped in silence.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from src.errors import UserError

NAMES_SHOWN = 5

# How the array changes on the way, the same in both directions.
TRANSFORMS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "none": lambda array: array,
    # TensorFlow keeps a dense kernel as (in, out), MindSpore and PyTorch as (out, in).
    "transpose": np.transpose,
}


@dataclass(frozen=True)
class Rule:
    """`foreign` and `own` are the two names of one parameter; `transform` is a key of `TRANSFORMS`."""

    foreign: str
    own: str
    transform: str = "none"


@dataclass(frozen=True)
class NameMap:
    """The names of one format.

    Attributes:
        title: what the format is called in messages.
        rules: pairs of templates.
        dropped: foreign templates left out on purpose when reading; `*` stands for any rest of a name.
        prefixes: prefixes that a foreign name may carry before its template, each removed where it is found, in order.
        spellings: (pattern, replacement) of older spellings of the same name, applied first.
    """

    title: str
    rules: tuple[Rule, ...]
    dropped: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ()
    spellings: tuple[tuple[str, str], ...] = ()

    def canonical(self, name: str) -> str:
        """Return the foreign `name` in the spelling of the table, without prefixes."""
        for pattern, replacement in self.spellings:
            name = re.sub(pattern, replacement, name)
        for prefix in self.prefixes:
            name = name.removeprefix(prefix)
        return name

    def read(self, tensors: Mapping[str, np.ndarray], ignore: tuple[str, ...] = ()) -> ReadResult:
        """Rename and transform `tensors` (foreign name -> array).

        Args:
            tensors: everything that the foreign checkpoint holds.
            ignore: further foreign templates to drop for this one call (a head that is not wanted).

        Raises:
            UserError: a foreign name that is neither in the table nor dropped, or two names for one parameter.
        """
        rules = [(_pattern(rule.foreign), rule) for rule in self.rules]
        dropped = [_pattern(template) for template in (*self.dropped, *ignore)]
        result = ReadResult({}, {}, [])
        unknown = []
        for foreign, array in tensors.items():
            name = self.canonical(foreign)
            if any(pattern.fullmatch(name) for pattern in dropped):
                result.dropped.append(foreign)
                continue
            found = next(((match, rule) for pattern, rule in rules if (match := pattern.fullmatch(name))), None)
            if found is None:
                unknown.append(foreign)
                continue
            match, rule = found
            own = rule.own.format(*match.groups())
            if own in result.parameters:
                raise UserError(f"the {self.title} checkpoint holds both {result.origin[own]!r} and {foreign!r}, "
                                f"which are the same parameter ({own})")
            result.parameters[own] = TRANSFORMS[rule.transform](array)
            result.origin[own] = foreign
        if unknown:
            raise UserError(f"the {self.title} checkpoint holds {len(unknown)} tensor(s) this encoder has no place "
                            f"for: {listing(unknown)}; expected a BERT encoder, with a sequence "
                            "classification head or none")
        return result

    def write(self, parameters: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Rename and transform `parameters` (own name -> array) to the foreign names, without any prefix.

        Raises:
            UserError: a parameter the format has no name for.
        """
        rules = [(_pattern(rule.own), rule) for rule in self.rules]
        tensors = {}
        unknown = []
        for own, array in parameters.items():
            found = next(((match, rule) for pattern, rule in rules if (match := pattern.fullmatch(own))), None)
            if found is None:
                unknown.append(own)
                continue
            match, rule = found
            tensors[rule.foreign.format(*match.groups())] = TRANSFORMS[rule.transform](array)
        if unknown:
            raise UserError(f"{len(unknown)} parameter(s) have no name in the {self.title} format: {listing(unknown)}")
        return tensors

    def foreign_name(self, own: str) -> str:
        """Return the foreign name of the parameter `own`, or `own` itself when the table has none."""
        for rule in self.rules:
            match = _pattern(rule.own).fullmatch(own)
            if match:
                return rule.foreign.format(*match.groups())
        return own


@dataclass(frozen=True)
class ReadResult:
    """`parameters`: own name -> array; `origin`: own name -> foreign name; `dropped`: foreign names left out."""

    parameters: dict[str, np.ndarray]
    origin: dict[str, str]
    dropped: list[str]


def listing(names: Iterable[str]) -> str:
    """Return the first few of `names`, and how many more there are."""
    names = sorted(names)
    more = f", and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
    return ", ".join(names[:NAMES_SHOWN]) + more


def _pattern(template: str) -> re.Pattern[str]:
    """Compile a template: `{}` is a layer number, `*` any rest, everything else literal."""
    return re.compile(re.escape(template).replace(r"\{\}", r"(\d+)").replace(r"\*", ".*"))
