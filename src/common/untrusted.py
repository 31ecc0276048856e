# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""JSON and YAML of other people, within bounds: whatever a text holds, it becomes plain values or a ValueError.

A short text can stand for a long one (YAML's aliases), or be nested so deeply that everything that walks through it
ends in a RecursionError; both parsers here refuse that before anybody builds upon the values.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import yaml

MAX_DEPTH = 100
"""Lists and objects within each other."""
MAX_YAML_BYTES = 1 << 20
MAX_YAML_VALUES = 10_000
"""Values of a YAML text, each alias counted as often as it is used: default_config.yaml has some 500."""
MAX_JSON_BYTES = 64 << 20
"""Of a file that describes others (settings, manifests, schemas): values in memory take up to twenty times as much."""


def parse_json(text: str | bytes, unique: bool = False) -> Any:
    """Return the value of a JSON text.

    A byte order mark is none of the text.

    Args:
        unique: refuse an object that has a name twice, of which Python takes the last.

    Raises:
        ValueError: not JSON, not UTF-8, nested more than MAX_DEPTH deep, a whole number of more digits than Python
            converts (4300), or half of a surrogate pair, which no file and no terminal takes.
    """
    if isinstance(text, bytes):
        text = text.decode("utf-8")
    text = text.removeprefix("\ufeff")
    try:
        value = json.loads(text, object_pairs_hook=without_repetition if unique else None)
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None
    # Nothing is nested deeper than it has brackets: the rows of a data file are not walked.
    if text.count("[") + text.count("{") > MAX_DEPTH:
        check_depth(value)
    if ("\\ud" in text or "\\uD" in text) and not _is_text(json.dumps(value, ensure_ascii=False)):
        raise ValueError(_SURROGATE)
    return value


def parse_yaml(text: str) -> Any:
    """Return the value of a YAML text of plain values (`yaml.safe_load`).

    Raises:
        ValueError: not YAML, longer than MAX_YAML_BYTES, nested more than MAX_DEPTH deep, more than MAX_YAML_VALUES
            values once aliases are written out, an alias within what it stands for, or half of a surrogate pair.
    """
    if len(text) > MAX_YAML_BYTES:
        raise ValueError(f"{len(text)} characters; at most {MAX_YAML_BYTES} are read")
    try:
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
            if node is None:
                return None
            _check_size(_size(node, {}))
            return loader.construct_document(node)
        finally:
            loader.dispose()
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None
    # Besides its own error PyYAML lets through what Python says of "!!int x", "!!bool x", 2026-99-99 and the like.
    except (yaml.YAMLError, KeyError, TypeError, AttributeError, IndexError, OverflowError) as error:
        raise ValueError(" ".join(str(error).split()) or type(error).__name__) from error


def without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return the object of these names and values, for a JSON decoder; raises ValueError for a name that is there
    twice."""
    values = dict(pairs)
    if len(values) < len(pairs):
        twice = Counter(name for name, _ in pairs).most_common(1)[0][0]
        raise ValueError(f"an object has the name {twice!r} twice")
    return values


_TOO_DEEP = f"nested more than {MAX_DEPTH} deep"
_SURROGATE = "half of a surrogate pair, which is no character, among the escapes"


class _Loader(yaml.SafeLoader):
    """Stops at the bounds while it reads, without reading the rest."""

    def __init__(self, text: str):
        super().__init__(text)
        self.count = self.depth = 0

    def construct_mapping(self, node: yaml.Node, deep: bool = False) -> dict[Any, Any]:
        """PyYAML takes the last of several equal keys; whoever edits the first would never know."""
        lines: dict[str, int] = {}
        for key, _ in node.value if isinstance(node, yaml.MappingNode) else ():
            if isinstance(key, yaml.ScalarNode) and key.value != "<<":
                line = key.start_mark.line + 1
                if key.value in lines:
                    raise ValueError(f"{key.value!r} stands twice, in the lines {lines[key.value]} and {line}")
                lines[key.value] = line
        return super().construct_mapping(node, deep)

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        self.count += 1
        self.depth += 1
        _check_size(self.count)
        if self.depth > MAX_DEPTH:
            raise ValueError(_TOO_DEEP)
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


def _check_size(count: int) -> None:
    if count > MAX_YAML_VALUES:
        raise ValueError(f"more than {MAX_YAML_VALUES} values, each alias written out")


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def check_depth(value: Any) -> None:
    """Raise ValueError for lists and objects that are nested more than MAX_DEPTH deep."""
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        level = [child for each in level if isinstance(each, dict | list)
                 for child in (each.values() if isinstance(each, dict) else each)]
        if not level:
            return
    raise ValueError(_TOO_DEEP)


def _size(node: yaml.Node, known: dict[int, int]) -> int:
    """Return how many values a node stands for; one that is used again is counted again, without walking it again.

    Args:
        node: of the composed text, in which an alias is the node that it names.
        known: id of a node -> its size, 0 while it is being counted.
    """
    if id(node) in known:
        if not known[id(node)]:
            raise ValueError("an alias stands within what it stands for")
        return known[id(node)]
    known[id(node)] = 0
    size = 1
    if isinstance(node, yaml.MappingNode):
        size += sum(_size(part, known) for pair in node.value for part in pair)
    elif isinstance(node, yaml.SequenceNode):
        size += sum(_size(part, known) for part in node.value)
    elif not _is_text(node.value):
        raise ValueError(_SURROGATE)
    known[id(node)] = size
    return size
