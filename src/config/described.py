# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""All settings by their full name, and what is made of their descriptions: default_config.yaml and `--help`."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple

import yaml

from src.common.typed import metadata_of, to_plain
from src.config.entry_points import ALIASES, ENTRY_POINTS, FLAGS, RENAMED, VARIANTS, option_of, together
from src.config.reads import is_read
from src.config.settings import Config
from src.config.training import StageConfig

_HEADER = """\
# Every setting of this repository, once, with its default; `python -m src.config` writes this file of src/config.
# A recipe (configs/*.yaml, --config_path) holds only what differs; the command line has the last word:
# `--batch_size 32`, or in full `--general_distill.batch_size 32`. The comment beside a setting is what `--help` prints.
# A stage that trains inherits what it does not set itself from the section `training`.

"""
_COLUMN = 38


class Setting(NamedTuple):
    """What is known of a setting: its type, plain value and line of help. An `inherited` one a stage takes from the
    section `training` unless something else is given. `is_path`: a path, or a list of paths."""

    kind: Any
    default: Any
    text: str
    inherited: bool
    is_path: bool


@cache
def settings() -> dict[str, Setting]:
    """Return all settings, by full name, in the order of the file."""
    return dict(_settings(Config, Config(), ""))


def _settings(cls: type, values: Any, prefix: str) -> Iterator[tuple[str, Setting]]:
    common = {f.name for f in dataclasses.fields(StageConfig)} if issubclass(cls, StageConfig) else set()
    kinds, trained = typing.get_type_hints(cls), StageConfig()
    # A stage's own settings come first.
    for field in sorted(dataclasses.fields(cls), key=lambda field: field.name in common):
        kind, value = kinds[field.name], getattr(values, field.name)
        if dataclasses.is_dataclass(kind):
            yield from _settings(kind, value, f"{prefix}{field.name}.")
        else:
            inherited = cls is not StageConfig and field.name in common and value == getattr(trained, field.name)
            known = metadata_of(cls, field.name)
            yield prefix + field.name, Setting(kind, to_plain(value), known["help"], inherited, known["is_path"])


def default_yaml() -> str:
    """Return the text of default_config.yaml."""
    lines, parents = [_HEADER], []
    for path, setting in settings().items():
        *sections, name = path.split(".")
        if setting.inherited:
            continue
        for depth, section in enumerate(sections):
            if parents[:depth + 1] != sections[:depth + 1]:
                lines.append(f"{'' if depth else chr(10)}{'  ' * depth}{section}:\n")
        parents = sections
        line = f"{'  ' * len(sections)}{name}: {_text(setting.default)}"
        lines.append(f"{line:<{_COLUMN - 1}} # {setting.text}\n")
    return "".join(lines)


def _text(value: Any) -> str:
    """Return a value as YAML, on one line."""
    text = yaml.safe_dump(value, default_flow_style=True, width=1000).removesuffix("\n...\n").strip()
    return text.replace("''", '""')


def help_text(entry: str, values: Mapping[str, Any] | None = None) -> str:
    """Return the usage of an entry point: each setting with its default (those of src/config, where `values` does not
    give others by full name) and its line."""
    values = values or {path: setting.default for path, setting in settings().items()}
    lines = [f"usage: python {entry} [--config_path FILE] [--name VALUE | --section.name VALUE] ...", "",
             "A name without its section is looked up in the sections below, first to last.", ""]
    sections = list(ENTRY_POINTS[entry])
    if entry in VARIANTS:
        setting, value, others = VARIANTS[entry]
        named = ", ".join(section or "top level" for section in others)
        lines[-1:] = [f"With {option_of(setting)} {value} the sections are: {named}.", ""]
        sections += [section for section in others if section not in sections]
    for group in map(together, sections):
        found: dict[str, list[str]] = {}
        for path in settings():
            section, _, name = path.rpartition(".")
            if section in group and is_read(entry, path):
                found.setdefault(name, []).append(path)
        if found:
            lines.append(f"[{' + '.join(group) or 'top level'}]")
        for name, paths in found.items():
            defaults = dict.fromkeys(_text(values[path]) for path in paths)
            lines.append(f"  --{name:<30} {settings()[paths[0]].text}  [{' | '.join(defaults)}]")
        lines += [""] * bool(found)
    lines.append(f"Other names of settings, as the reference systems have them: python {entry} --help aliases")
    shown = {section.split(".")[0] for group in sections for section in together(group)}
    elsewhere: dict[str, list[str]] = {}
    for path in settings():
        if "." in path and path.split(".")[0] not in shown:
            elsewhere.setdefault(path.rpartition(".")[0], []).append(path)
    named = []
    for section, paths in elsewhere.items():
        read = [path for path in paths if is_read(entry, path)]
        named += [f"{section}.*"] if read == paths else read
    if named:
        lines.append(f"By their full name: {', '.join(named)}")
    return "\n".join(lines)


def alias_text(entry: str) -> str:
    """Return what `--help aliases` prints: the other names of an entry point's settings, one a line."""
    lines = [f"Other names of settings of {entry}:", ""]
    groups = [*ENTRY_POINTS[entry], *(VARIANTS[entry][2] if entry in VARIANTS else ())]
    sections = {section for group in groups for section in together(group)}
    targets = {**ALIASES, **RENAMED} | {flag: " ".join(target) for flag, target in FLAGS.items()}
    for alias, target in targets.items():
        name = target.partition(" ")[0]
        names = [name] if "." in name else [f"{section}.{name}".lstrip(".") for section in sections]
        if any(is_read(entry, path) for path in names if path in settings()):
            lines.append(f"  --{alias:<30} --{target}")
    return "\n".join(lines)
