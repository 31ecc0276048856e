# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""An error names the option that was typed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from src.common import option_names
from src.common.errors import UserError, run
from src.common.option_names import in_typed_names, remember
from src.config import ENTRY_POINTS, parse
from src.config.described import settings
from src.config.entry_points import ALIASES, RENAMED, VARIANTS, together

GD, TD = "run_general_distill.py", "run_task_distill.py"


@pytest.fixture(autouse=True)
def nothing_is_remembered() -> Iterator[None]:
    yield
    remember({})


@pytest.mark.parametrize(("typed", "message", "expected"), [
    ("task_distill.load_gd_ckpt_path=student_model", "load_gd_ckpt_path X does not exist",
     "--student_model (load_gd_ckpt_path) X does not exist"),
    ("task_distill.load_gd_ckpt_path=student_model", "set task_distill.load_gd_ckpt_path, --load_gd_ckpt_path DIR",
     "set --student_model (task_distill.load_gd_ckpt_path), --student_model DIR"),
    ("checkpoint.save_ckpt_path=output_dir", "choose another --save_ckpt_path",
     "choose another --output_dir (save_ckpt_path)"),
    ("task_distill.load_gd_ckpt_path=student_model", "name --load_td1_ckpt_path DIR or --student_model DIR",
     "name --load_td1_ckpt_path DIR or --student_model DIR"),
    ("corpus.input=file_path", "--input is not set; input files are text",
     "--file_path (input) is not set; input files are text"),
    ("objective=recipe", "configuration: objective is 'x'; expected one of",
     "configuration: --recipe (objective) is 'x'; expected one of"),
    ("corpus.tokenizer=tokenizer_name", "the tokenizer cannot read the text", "the tokenizer cannot read the text"),
    ("data.data_dir=data_file", "train_data_dir a/data_dir/b data_dir.txt", "train_data_dir a/data_dir/b data_dir.txt"),
    ("finetune.batch_size=train_batch_size", "evaluate.batch_size is 0", "evaluate.batch_size is 0"),
    ("finetune.batch_size=batch_size", "finetune.batch_size is 0", "finetune.batch_size is 0"),
])
def test_in_typed_names(typed: str, message: str, expected: str) -> None:
    remember(dict([typed.split("=")]))
    assert in_typed_names(message) == expected


def _taken_by() -> Iterator[tuple[str, str, str]]:
    """Entry point, alias, and full name of what it sets."""
    for entry, groups in ENTRY_POINTS.items():
        for alias, target in {**ALIASES, **RENAMED}.items():
            sections = [section for group in groups for section in together(group)]
            names = [target] if "." in target else [f"{section}.{target}".lstrip(".") for section in sections]
            own = [f"{section}.{alias}".lstrip(".") for section in sections]
            is_own = f"student.{alias}" == target or any(name in settings() for name in own)
            if is_own or target in ("config_path", "token_distill"):
                continue
            if found := next((name for name in names if name in settings()), ""):
                yield entry, alias, found


ALIASED = list(_taken_by())


def test_there_are_aliases_to_try() -> None:
    assert {alias for _, alias, _ in ALIASED} >= set(ALIASES) - {"config", "architecture", "mlm_probability"} - {
        setting.rpartition(".")[2] for setting, *_ in VARIANTS.values()}


@pytest.mark.parametrize(("entry", "alias", "setting"), ALIASED, ids=lambda value: str(value).replace(" ", "_"))
def test_a_wrong_value_is_told_by_the_name_that_was_typed(entry: str, alias: str, setting: str,
                                                          monkeypatch: pytest.MonkeyPatch,
                                                          capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.argv", [entry, f"--{alias}", "'?"])
    monkeypatch.setattr(option_names, "_typed", {})
    with pytest.raises(SystemExit) as left:
        run(lambda argv: _refuse(entry, argv, setting))
    error = capsys.readouterr().err
    assert left.value.code == 2 and f"--{alias}" in error, error


def _refuse(entry: str, argv: list[str], setting: str) -> None:
    parse(entry, argv)  # text takes every value
    raise UserError(f"{setting} is wrong")
