# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""examples.jsonl beside records: the examples themselves, where scoring needs more than the rows hold."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from src.common.errors import UserError
from src.common.untrusted import parse_json
from src.tasks.task import Task

NAME = "examples.jsonl"


def write_examples(folder: Path, examples: Iterable[Any]) -> None:
    """Write one line an example, in the order in which the column example_ids counts them."""
    with open(folder / NAME, "w", encoding="utf-8") as file:
        for example in examples:
            file.write(json.dumps(asdict(example), ensure_ascii=False) + "\n")


def read_examples(folder: Path, task: Task) -> list[Any]:
    """Return the examples that `write_examples` wrote.

    Raises:
        UserError: there are none, or a line is damaged.
    """
    file = folder / NAME
    try:
        with open(file, encoding="utf-8") as lines:
            return [task.kept_example(**_as_tuples(parse_json(line))) for line in lines]
    except OSError as error:
        raise UserError(f"cannot read {file}, the examples of task {task.name}: {error.strerror}; prepare the records "
                        "again with prepare_data.py task") from error
    except (ValueError, TypeError, KeyError) as error:
        raise UserError(f"{file} is damaged ({error}); prepare the records again") from error


def _as_tuples(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _as_tuples(part) for name, part in value.items()}
    return tuple(map(_as_tuples, value)) if isinstance(value, list) else value
