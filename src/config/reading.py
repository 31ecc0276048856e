# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Settings: frozen dataclasses <- default_config.yaml <- a recipe YAML <- the command line.

While they are read they are a flat dictionary, full name -> plain value. An unknown name or a value of the wrong type
raises `UserError` with the nearest right name. Nothing is converted behind the user's back: YAML booleans are booleans,
and the strings "true"/"false" are accepted on the command line only, where everything is a string. Paths are those of
src/common/paths.py. What is typed and changes nothing is refused (src/config/reads.py).
"""

from __future__ import annotations

import os
import re
import sys
import typing
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Literal

import yaml

from src.common.errors import UserError, nearest
from src.common.files import read_mapping
from src.common.option_names import remember
from src.common.paths import path_of
from src.common.patterns import split_paths
from src.common.typed import build, require, to_plain
from src.common.untrusted import MAX_YAML_BYTES, parse_yaml
from src.config.described import alias_text, help_text, settings
from src.config.entry_points import (
    ALIASES,
    ENTRY_POINTS,
    FLAGS,
    LEFT_OUT,
    RENAMED,
    VARIANTS,
    Sections,
    current,
    option_of,
    renamed,
    together,
)
from src.config.reads import check_read, named, readers_of
from src.config.settings import Config

DEFAULT_CONFIG = Path(__file__).resolve().parents[2] / "default_config.yaml"


def parse(entry: str, argv: list[str], note: str = "") -> Config:
    """Return the resolved settings of one entry point.

    Args:
        entry: a key of `ENTRY_POINTS`.
        argv: command line without the program's name: `--name value`, `--name=value`, `--section.name value`,
            `--config_path FILE`, and `--help`, which prints every setting with its default and leaves; `--help
            aliases` prints other names.
        note: what `--help` says besides.

    Raises:
        UserError: an unknown name, a value of the wrong type or out of range, an unreadable file, an option that
            changes nothing.
    """
    values, origins = dict(_defaults()), {}
    if asked := [place for place, word in enumerate(argv) if word in ("-h", "--help")]:
        is_aliases = argv[asked[0] + 1:] == ["aliases"]
        print(alias_text(entry) if is_aliases else help_text(entry, _inherit(values)) + (f"\n{note}" if note else ""))
        sys.exit(0)
    options = _split_arguments(argv)
    for name, text in [(n, t) for n, t in options if ALIASES.get(n, n) == "config_path"]:
        require(text is not None, f"--{name} needs a file")
        recipe = _flat(read_yaml(Path(path_of(text, f"--{name}"))), source=text)
        values |= recipe
        origins |= {path: f"{text}: {path}" for path in recipe}
    options = [(n, t) for n, t in options if ALIASES.get(n, n) != "config_path"]
    sections = _sections(entry, values, options)
    typed = []
    for name, text in options:
        paths, fixed = _resolve(entry, sections, name)
        require(fixed is None or text in (None, "true"), f"--{name} is a flag; it takes no value, got {text!r}")
        for path in paths:
            path, value = current(path, _from_text(text if fixed is None else fixed, path, f"--{name}"))
            _check_empty(path, value, values.get(path), f"--{name}")
            values[path], origins[path] = value, f"--{name}"
        typed.append((f"--{name}", [renamed(path) for path in paths]))
    remember({path: option[2:] for option, paths in typed for path in paths})
    config = _built(values, origins)
    setting, value, others = VARIANTS.get(entry, ("", "", ()))
    check_read(f"{entry} {option_of(setting)} {value}" if sections is others else entry, typed, config)
    return config


def load_config(path: str | Path | None = None, **overrides: Any) -> Config:
    """Return the defaults, a recipe's changes, and `section__name=value` overrides (for benchmarks and tests)."""
    values = dict(_defaults())
    if path is not None:
        values |= _flat(read_yaml(Path(path)), source=str(path))
    for name, value in overrides.items():
        values |= _flat({name.replace("__", "."): value}, source=name)
    return _built(values)


@cache
def _defaults() -> Mapping[str, Any]:
    """Return the settings of default_config.yaml, and of src/config what it leaves out."""
    values = {path: setting.default for path, setting in settings().items() if not setting.inherited}
    return values | _flat(read_yaml(DEFAULT_CONFIG), source=DEFAULT_CONFIG.name)


def _inherit(values: dict[str, Any]) -> dict[str, Any]:
    """Return all settings: a stage takes from section `training` what nobody has set for it."""
    return {path: values[path] if path in values else values[f"training.{path.rpartition('.')[2]}"]
            for path in settings()}


def _built(values: dict[str, Any], origins: Mapping[str, str] | None = None) -> Config:
    """Return the settings; `origins` says of those that are given what gave them: `--name`, or a recipe."""
    origins = origins or {}
    tree: dict[str, Any] = {}
    for path, value in _inherit(values).items():
        *parents, name = path.split(".")
        section = tree
        for parent in parents:
            section = section.setdefault(parent, {})
        section[name] = _as_path(value, origins.get(path, path)) if settings()[path].is_path else value
    config = build(Config, tree, "", "configuration")
    # RUN/config.yaml gives the defaults too.
    config.data.given.update(path.removeprefix("data.") for path, origin in origins.items() if path.startswith("data.")
                             and (origin.startswith("--") or values[path] != settings()[path].default))
    config.student.typed.update(path.removeprefix("student.") for path, origin in origins.items()
                                if path.startswith("student.") and origin.startswith("--"))
    return config


def _as_path(value: Any, source: str) -> Any:
    """Return a path or a list of paths as it is meant; what is none, `build` refuses."""
    if isinstance(value, list | tuple):
        return [path_of(item, source) if isinstance(item, str) else item for item in value]
    require(value is not None, f"{source} is null, as ~ alone is in YAML; write '~' for the home folder, '' for none")
    return path_of(value, source) if isinstance(value, str) and value else value


def _check_empty(path: str, value: Any, before: Any, source: str) -> None:
    """Check that an empty path takes back what a recipe, or an option before it, has set."""
    require(not settings()[path].is_path or bool(value) or bool(before), f"{source} is empty; give a path, or leave it "
            "out (is a variable of the shell not set?)")


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML mapping; an unreadable or malformed file raises `UserError`."""
    return read_mapping(path, parse_yaml, MAX_YAML_BYTES, "YAML", "sections with settings")


def dump_yaml(value: Any) -> str:
    """Return the YAML text of (nested) settings."""
    return yaml.safe_dump(to_plain(value), sort_keys=False, allow_unicode=True)


def _split_arguments(argv: list[str]) -> list[tuple[str, str | None]]:
    options: list[tuple[str, str | None]] = []
    words = list(argv)
    while words:
        word = words.pop(0)
        require(word.startswith("--") and len(word) > 2,
                 f"unexpected argument {word!r}; settings are given as --name value")
        name, equals, value = word[2:].partition("=")
        if not equals:
            value = words.pop(0) if words and not re.match(r"--[A-Za-z]", words[0]) else None
        options.append((name, value))
    return options


def _sections(entry: str, values: dict[str, Any], options: list[tuple[str, str | None]]) -> Sections:
    """Return where `entry` looks flat names up, which for some depends on a setting."""
    if entry not in VARIANTS:
        return ENTRY_POINTS[entry]
    setting, value, sections = VARIANTS[entry]
    given = values[setting]
    for name, text in options:
        if setting in (renamed(name), ALIASES.get(name)) or name == setting.rpartition(".")[2]:
            _, given = current(setting, text)
    return sections if str(given).lower() == value else ENTRY_POINTS[entry]


def _resolve(entry: str, sections: Sections, name: str) -> tuple[list[str], str | None]:
    """Return the full names that `--name` sets, and the value that it stands for when it is one of `FLAGS`."""
    if "." in name:
        if renamed(name) not in settings():
            raise UserError(f"unknown setting --{name}{nearest(name, settings())}")
        return [renamed(name)], None
    flag = FLAGS.get(name, (None, None))
    for candidate, fixed in ((name, None), (ALIASES.get(name), None), flag):
        if candidate is not None and (paths := _find(candidate, sections)):
            return paths, fixed
    if name in LEFT_OUT:
        raise UserError(f"--{name} is not needed here: {LEFT_OUT[name]}; leave it out")
    setting, value, others = VARIANTS.get(entry, ("", "", ()))
    if any(_find(candidate, others) for candidate in (name, ALIASES.get(name)) if candidate):
        raise UserError(f"--{name} is a setting of {option_of(setting)} {value}; give that too, or leave it out")
    meant = renamed(ALIASES.get(name, name))
    if readers := named(command for path in settings() if meant in (path, path.rpartition(".")[2])
                        for command in readers_of(path) if command.split(" --")[0] != entry):
        raise UserError(f"--{name} is read by {readers}, not by {entry}; leave it out")
    shown = [section for group in sections for section in together(group)]
    visible = [path.rpartition(".")[2] for path in settings() if path.rpartition(".")[0] in shown]
    raise UserError(f"unknown setting --{name}{nearest(name, [*visible, *ALIASES])} (python {entry} --help lists all)")


def _find(name: str, sections: Sections) -> list[str]:
    """Return the full names of a flat or full name in the first section, or group of sections, that has it."""
    if "." in name:
        return [name]
    for group in sections:
        paths = [renamed(f"{section}.{name}".lstrip(".")) for section in together(group)]
        if found := [path for path in paths if path in settings()]:
            return found
    return []


def _from_text(text: str | None, path: str, source: str) -> Any:
    """Return the plain value of a command-line string. A flag without a value means true."""
    kind = settings()[path].kind
    if kind is bool:
        value = {"true": True, "false": False}.get((text or "true").lower())
        require(value is not None, f"{source} {text}: expected true or false")
        return value
    if text is None and typing.get_origin(kind) is Literal and "true" in typing.get_args(kind):
        return "true"
    require(text is not None, f"{source} needs a value")
    if kind is str or typing.get_origin(kind) is Literal:
        return text
    if typing.get_origin(kind) is tuple and typing.get_args(kind)[0] is str:
        if settings()[path].is_path:
            return split_paths(os.path.expanduser(text or ""))  # what is there may have commas in its name
        return [part for part in text.split(",") if part]
    if typing.get_origin(kind) is dict:
        pairs = [part.partition("=") for part in text.split(",") if part]
        require(all(name and equals for name, equals, _ in pairs), f"{source} {text}: expected NAME=VALUE,...")
        return {name.strip(): value for name, _, value in pairs}
    try:
        value = parse_yaml(text)
        if typing.get_origin(kind) is tuple and isinstance(value, int | str):
            value = [parse_yaml(part) for part in text.split(",")]
    except ValueError as error:
        raise UserError(f"{source} {text}: cannot be read as a value") from error
    return value


def _flat(tree: dict[str, Any], source: str, prefix: str = "") -> dict[str, Any]:
    """Return the settings of nested sections by their full names of today."""
    values: dict[str, Any] = {}
    for key, given in tree.items():
        path, value = current(f"{prefix}{key}", given)
        if path in settings():
            values[path] = value
            continue
        if not any(known.startswith(f"{path}.") for known in settings()):
            raise UserError(f"{source}: unknown setting {path}{nearest(path, [*settings(), *RENAMED])}")
        require(isinstance(value, dict), f"{source}: {path} is a section; it holds {value!r}")
        values |= _flat(value, source, f"{path}.")
    return values
