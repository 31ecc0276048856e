# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Settings: frozen dataclasses <- default_config.yaml <- a recipe YAML <- the command line.

Every default and its one-line description stand once, in `default_config.yaml`; the dataclasses of settings.py give
each setting its type and the checks across settings. An unknown name or a value of the wrong type raises `UserError`
with the nearest right name. Nothing is converted behind the user's back: YAML booleans are booleans, and the
strings "true"/"false" are accepted on the command line only, where everything is a string.
"""

from __future__ import annotations

import dataclasses
import re
import sys
import typing
from pathlib import Path
from typing import Any, Literal

import yaml

from src.common.errors import UserError, nearest
from src.common.typed import build, require, to_plain
from src.common.untrusted import MAX_YAML_BYTES, parse_yaml
from src.config.entry_points import ALIASES, ENTRY_POINTS, FLAGS, LEFT_OUT, VARIANTS, Sections
from src.config.settings import Config

DEFAULT_CONFIG = Path(__file__).resolve().parents[2] / "default_config.yaml"


def parse(entry: str, argv: list[str], note: str = "") -> Config:
    """Return the resolved settings of one entry point.

    Args:
        entry: a key of `ENTRY_POINTS`.
        argv: command line without the program's name: `--name value`, `--name=value`, `--section.name value`,
            `--config_path FILE`, and `--help`, which prints every setting with its default and leaves.
        note: what `--help` says besides.

    Raises:
        UserError: an unknown name, a value of the wrong type or out of range, an unreadable file.
    """
    if any(word in ("-h", "--help") for word in argv):
        print(help_text(entry) + (f"\n{note}" if note else ""))
        sys.exit(0)
    options = _split_arguments(argv)
    tree = read_yaml(DEFAULT_CONFIG)
    for name, value in [(n, v) for n, v in options if ALIASES.get(n, n) == "config_path"]:
        require(value is not None, f"--{name} needs a file")
        _merge(tree, read_yaml(Path(value)), source=str(value))
    options = [(n, v) for n, v in options if ALIASES.get(n, n) != "config_path"]
    sections = _sections(entry, tree, options)
    for name, value in options:
        paths, fixed = _resolve(entry, sections, name)
        require(fixed is None or value in (None, "true"), f"--{name} is a flag; it takes no value, got {value!r}")
        for path in paths:
            _set(tree, path, value if fixed is None else fixed, f"--{name}")
    return build(Config, tree, "", "configuration")


def load_config(path: str | Path | None = None, **overrides: Any) -> Config:
    """Return the defaults, a recipe's changes, and `section__name=value` overrides (for benchmarks and tests)."""
    tree = read_yaml(DEFAULT_CONFIG)
    if path is not None:
        _merge(tree, read_yaml(Path(path)), source=str(path))
    for name, value in overrides.items():
        _merge(tree, _nest(name.split("__"), value), source=name)
    return build(Config, tree, "", "configuration")


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML mapping; an unreadable or malformed file raises `UserError`."""
    try:
        size = path.stat().st_size
        require(size <= MAX_YAML_BYTES, f"{path} has {size} bytes; expected a config file of at most {MAX_YAML_BYTES}")
        values = parse_yaml(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"cannot read the config file {path}: {error.strerror}") from error
    except ValueError as error:
        raise UserError(f"{path} is not valid YAML: {error}") from error
    require(isinstance(values, dict), f"{path} holds {type(values).__name__}; expected sections with settings")
    return values


def dump_yaml(value: Any) -> str:
    """Return the YAML text of (nested) settings."""
    return yaml.safe_dump(to_plain(value), sort_keys=False, allow_unicode=True)


def help_text(entry: str) -> str:
    """Return the usage of an entry point: each setting with its default and its line from default_config.yaml."""
    described = {path: (default, comment) for path, default, comment in _described_defaults()}
    lines = [f"usage: python {entry} [--config_path FILE] [--name VALUE | --section.name VALUE] ...", "",
             "A name without its section is looked up in the sections below, first to last.", ""]
    sections = list(ENTRY_POINTS[entry])
    if entry in VARIANTS:
        setting, value, others = VARIANTS[entry]
        option = _option_of(setting)
        named = ", ".join(name or "top level" for name in others)
        lines[-1:] = [f"With {option} {value} the sections are: {named}.", ""]
        sections += [section for section in others if section not in sections]
    for section in sections:
        together = section if isinstance(section, tuple) else (section,)
        lines.append(f"[{' + '.join(together)}]" if together != ("",) else "[top level]")
        for path, (default, comment) in described.items():
            parent, _, name = path.rpartition(".")
            if parent == together[0]:
                lines.append(f"  --{name:<30} {comment}  [{default}]")
        lines.append("")
    aliases = [f"--{alias} = --{target}" for alias, target in ALIASES.items()]
    aliases += [f"--{flag} = --{target} {value}" for flag, (target, value) in FLAGS.items()]
    lines.append("Also accepted: " + ", ".join(aliases))
    shown = {section.split(".")[0] for group in sections for section in ((group,) if isinstance(group, str) else group)}
    others = [f.name for f in dataclasses.fields(Config) if f.name not in shown]
    lines.append(f"Settings of other stages are set by their full name: {', '.join(o + '.*' for o in others)}")
    return "\n".join(lines)


def _option_of(setting: str) -> str:
    """Return the option that the documents give a setting by."""
    return next((f"--{alias}" for alias, name in ALIASES.items() if name == setting), f"--{setting}")


def _described_defaults() -> list[tuple[str, str, str]]:
    """Read `(path, default, comment)` of each setting from the text of default_config.yaml."""
    found, parents = [], []
    for line in DEFAULT_CONFIG.read_text(encoding="utf-8").splitlines():
        match = re.match(r"^( *)([a-z_0-9]+):\s*(.*?)\s*(?:#\s*(.*))?$", line)
        if not match:
            continue
        depth = len(match[1]) // 2
        parents = [*parents[:depth], match[2]]
        if match[3]:
            found.append((".".join(parents), match[3], match[4] or ""))
    return found


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


def _sections(entry: str, tree: dict[str, Any], options: list[tuple[str, str | None]]) -> Sections:
    """Return where `entry` looks flat names up, which for some depends on a setting."""
    if entry not in VARIANTS:
        return ENTRY_POINTS[entry]
    setting, value, sections = VARIANTS[entry]
    given = tree
    for part in setting.split("."):
        given = given[part]
    names = {setting, setting.rpartition(".")[2], *(alias for alias, target in ALIASES.items() if target == setting)}
    for name, text in options:
        given = text if name in names else given
    return sections if str(given).lower() == value else ENTRY_POINTS[entry]


def _resolve(entry: str, sections: Sections, name: str) -> tuple[list[str], str | None]:
    """Return the full paths that `--name` sets, and the value that it stands for when it is one of `FLAGS`."""
    known = list(_paths(Config))
    if "." in name:
        require(name in known, f"unknown setting --{name}{nearest(name, known)}")
        return [name], None
    flag = FLAGS.get(name, (None, None))
    for candidate, fixed in ((name, None), (ALIASES.get(name), None), flag):
        if candidate is not None and (paths := _find(candidate, sections, known)):
            return paths, fixed
    if name in LEFT_OUT:
        raise UserError(f"--{name} is not needed here: {LEFT_OUT[name]}; leave it out")
    setting, value, others = VARIANTS.get(entry, ("", "", ()))
    if any(_find(candidate, others, known) for candidate in (name, ALIASES.get(name)) if candidate):
        raise UserError(f"--{name} is a setting of {_option_of(setting)} {value}; give that too, or leave it out")
    shown = [section for group in sections for section in ((group,) if isinstance(group, str) else group)]
    visible = [path.rpartition(".")[2] for path in known if path.rpartition(".")[0] in shown]
    raise UserError(f"unknown setting --{name}{nearest(name, [*visible, *ALIASES])} (python {entry} --help lists all)")


def _find(name: str, sections: Sections, known: list[str]) -> list[str]:
    """Return the paths of a flat or full name in the first section, or group of sections, that has it."""
    if "." in name:
        return [name]
    for group in sections:
        together = (group,) if isinstance(group, str) else group
        paths = [path for path in (f"{section}.{name}".lstrip(".") for section in together) if path in known]
        if paths:
            return paths
    return []


def _paths(cls: type, prefix: str = "") -> typing.Iterator[str]:
    for name, kind in typing.get_type_hints(cls).items():
        if dataclasses.is_dataclass(kind):
            yield from _paths(kind, f"{prefix}{name}.")
        else:
            yield prefix + name


def _set(tree: dict[str, Any], path: str, text: str | None, source: str) -> None:
    """Set one leaf from a command-line string. A flag without a value means true."""
    *parents, leaf = path.split(".")
    for parent in parents:
        tree = tree[parent]
    tree[leaf] = _from_text(text, _type_of(path), source)


def _type_of(path: str) -> Any:
    cls: Any = Config
    for name in path.split("."):
        cls = typing.get_type_hints(cls)[name]
    return cls


def _from_text(text: str | None, kind: Any, source: str) -> Any:
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


def _nest(parts: list[str], value: Any) -> dict[str, Any]:
    return {parts[0]: _nest(parts[1:], value) if len(parts) > 1 else value}


def _merge(base: dict[str, Any], changes: dict[str, Any], source: str, prefix: str = "") -> None:
    for name, value in changes.items():
        path = f"{prefix}{name}"
        if name not in base:
            full = list(_paths(Config))
            raise UserError(f"{source}: unknown setting {path}{nearest(path, [*full, *base])}")
        if dataclasses.is_dataclass(_type_of(path)):
            require(isinstance(value, dict), f"{source}: {path} is a section; it holds {value!r}")
            _merge(base[name], value, source, f"{path}.")
        else:
            base[name] = value
