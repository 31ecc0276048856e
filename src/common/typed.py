# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Nested dataclasses and plain values (dicts, lists, text, numbers), with every name and type checked."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import operator
import types
import typing
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from src.common.errors import UserError, nearest


def require(condition: bool, message: str) -> None:
    """Raise `UserError(message)` unless `condition` holds."""
    if not condition:
        raise UserError(message)


def require_given(value: Any, name: str, expected: str) -> None:
    """Raise `UserError` where a setting that has no default is empty."""
    require(bool(value), f"--{name} is not set; expected {expected}")


_LIMITS = {"least": ("at least", operator.ge), "above": ("above", operator.gt), "most": ("at most", operator.le),
           "below": ("below", operator.lt)}


def setting(default: Any, text: str, *, is_path: bool = False, **limits: float) -> Any:
    """Return a field of a dataclass of settings; a subclass may give it another default without repeating the rest.

    Args:
        default: its value where nothing else is given.
        text: what `--help` says of it.
        is_path: whether it is a path, or a list of paths.
        limits: `least`, `above`, `most`, `below`: where a number, or each number of a list, must lie.
    """
    metadata = {"help": text, "limits": limits, "is_path": is_path}
    if isinstance(default, dict):
        return dataclasses.field(default_factory=lambda: dict(default), metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


def metadata_of(cls: type, name: str) -> Mapping[str, Any]:
    """Return what `setting` knows of a field, in the class that first had it."""
    fields = (base.__dict__.get("__dataclass_fields__", {}).get(name) for base in cls.__mro__)
    return next((field.metadata for field in fields if field is not None and field.metadata), {})


def require_within(value: Any, name: str, **limits: float) -> None:
    """Raise `UserError` for a number, or a list with one, that does not lie within limits (see `setting`)."""
    for number in value if isinstance(value, tuple) else (value,):
        if not all(_LIMITS[limit][1](number, end) for limit, end in limits.items()):
            expected = " and ".join(f"{_LIMITS[limit][0]} {end}" for limit, end in limits.items())
            raise UserError(f"{name} is {to_plain(value)}; it must be {expected}")


def require_settings(settings: Any, *names: str, section: str = "", **limits: float) -> None:
    """The same for settings of a dataclass."""
    for name in names:
        require_within(getattr(settings, name), f"{section}{name}", **limits)


def to_plain(value: Any) -> Any:
    """Turn nested dataclasses and tuples into dicts and lists."""
    if dataclasses.is_dataclass(value):
        return {f.name: to_plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, tuple | list):
        return [to_plain(v) for v in value]
    return value


def leaves(value: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the plain values in nested dataclasses and dicts, by their names with dots; of an empty dict nothing."""
    for name, inner in to_plain(value).items():
        plain = to_plain(inner)
        if isinstance(plain, dict):
            yield from leaves(plain, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", plain


def fingerprint(value: Any) -> str:
    """Return 16 hexadecimal digits that change whenever a setting does."""
    return hashlib.sha256(json.dumps(to_plain(value), sort_keys=True).encode()).hexdigest()[:16]


def build(cls: Any, values: Any, prefix: str, source: str) -> Any:
    """Make a dataclass of type `cls` from nested plain values, checking names and types."""
    require(isinstance(values, dict), f"{source}: {prefix.rstrip('.') or 'the top level'} must be a section")
    hints = typing.get_type_hints(cls)
    for name in values:
        if name not in hints:  # not `require`: to look for the nearest name takes longer than all the rest
            raise UserError(f"{source}: unknown setting {prefix}{name}{nearest(str(name), hints)}")
    arguments = {}
    for field in dataclasses.fields(cls):
        if field.name not in values:
            # Either of the two is set, or neither.
            has_default = field.default is not field.default_factory
            require(has_default, f"{source}: the setting {prefix}{field.name} is missing")
            continue
        kind = hints[field.name]
        value = values[field.name]
        path = f"{prefix}{field.name}"
        section = _section_type(kind, value)
        arguments[field.name] = (build(section, value, f"{path}.", source) if section
                                 else _check(value, kind, path, source))
        if not isinstance(arguments[field.name], str):  # such as `epoch` in place of a number
            require_within(arguments[field.name], path, **metadata_of(cls, field.name).get("limits", {}))
    return cls(**arguments)


def _section_type(kind: Any, value: Any) -> Any:
    """Return the dataclass that a section is built as, None for a leaf; of several the one that knows most names."""
    if typing.get_origin(kind) in (dict, tuple):
        return None
    options = [option for option in (typing.get_args(kind) or (kind,)) if dataclasses.is_dataclass(option)]
    if not options:
        return None
    given = set(value) if isinstance(value, dict) else set()
    return max(options, key=lambda option: len(given & {field.name for field in dataclasses.fields(option)}))


def _check(value: Any, kind: Any, path: str, source: str) -> Any:
    """Return `value` if it is of type `kind` (an int is a good float, "1e-5" too); raise otherwise."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is Literal:
        if value in arguments:
            return value
        raise UserError(f"{source}: {path} is {value!r}; expected one of {', '.join(map(repr, arguments))}"
                        f"{nearest(str(value), arguments)}")
    if origin is tuple:
        require(isinstance(value, list | tuple), f"{source}: {path} is {value!r}; expected a list")
        return tuple(_check(item, arguments[0], path, source) for item in value)
    if kind is Any:
        return value
    if dataclasses.is_dataclass(kind):
        return build(kind, value, f"{path}.", source)
    if origin is dict:
        require(isinstance(value, dict), f"{source}: {path} is {value!r}; expected a section")
        return {name: _check(item, arguments[1], f"{path}.{name}", source) for name, item in value.items()}
    if origin in (typing.Union, types.UnionType):
        given = tuple if isinstance(value, list) else type(value)
        option = next((a for a in arguments if (typing.get_origin(a) or a) is given or value in _choices(a)), None)
        option = float if option is None and type(value) is int and float in arguments else option
        require(option is not None, f"{source}: {path} is {value!r}; expected {_kind_name(kind)}")
        return _check(value, option, path, source)
    if kind is float and not isinstance(value, bool):
        # YAML reads 1e-5, without a dot, as a string.
        try:
            return float(value)
        except (TypeError, ValueError, OverflowError):
            pass
    elif isinstance(value, kind) and not (kind is int and isinstance(value, bool)):
        return value
    hint = "; write true or false without quotes" if kind is bool else ""
    raise UserError(f"{source}: {path} is {value!r} ({type(value).__name__}); expected {_kind_name(kind)}{hint}")


def _choices(kind: Any) -> tuple[Any, ...]:
    return typing.get_args(kind) if typing.get_origin(kind) is Literal else ()


def _kind_name(kind: Any) -> str:
    names = {bool: "a boolean", int: "a whole number", float: "a number", str: "text", tuple: "a list"}
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        return " or ".join(_kind_name(a) for a in typing.get_args(kind))
    if _choices(kind):
        return " or ".join(map(repr, _choices(kind)))
    return names.get(typing.get_origin(kind) or kind, str(kind))
