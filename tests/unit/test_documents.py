# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The documents: their length, their twins in Chinese, the version, and the README's Python."""

from __future__ import annotations

import re
from ast import literal_eval
from pathlib import Path

import pytest
import yaml

from src import __version__
from src.config import load_config
from src.export.run import export_model
from src.predict import load
from tests.tiny import HEAD, TEACHER, VOCABULARY, ModelConfig, save_random, write_vocabulary

REPOSITORY = Path(__file__).resolve().parents[2]
TRANSLATED = sorted(path for path in [REPOSITORY / "README.md", *(REPOSITORY / "docs").glob("*.md")]
                    if not path.stem.endswith("_CN"))


def blocks(path: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", path.read_text(encoding="utf-8"), flags=re.DOTALL)


def twin(path: Path) -> Path:
    return path.with_name(f"{path.stem}_CN.md")


@pytest.mark.parametrize("name", ["README.md", "README_CN.md"])
def test_the_readme_is_of_one_breath(name: str) -> None:
    assert len((REPOSITORY / name).read_text(encoding="utf-8").splitlines()) <= 200


@pytest.mark.parametrize("path", TRANSLATED, ids=lambda path: path.stem)
def test_the_chinese_page_has_the_same_parts(path: Path) -> None:
    english, chinese = (page.read_text(encoding="utf-8") for page in (path, twin(path)))
    for what, pattern in (("sections", r"^(#+) "), ("rows of tables", r"^\|.*\|$"), ("pictures", r"!\[")):
        counts = [len(re.findall(pattern, text, flags=re.MULTILINE)) for text in (english, chinese)]
        assert counts[0] == counts[1], f"{what} of {path.name} and {twin(path).name}"


@pytest.mark.parametrize("path", TRANSLATED, ids=lambda path: path.stem)
def test_the_chinese_page_has_the_same_commands(path: Path) -> None:
    for language in ("bash", "python"):
        commands = [[re.sub(r"\s*#.*", "", line) for block in blocks(page, language) for line in block.splitlines()]
                    for page in (path, twin(path))]
        assert commands[0] == commands[1]


def test_programs_that_documents_name_are_there() -> None:
    for path in (path for pattern in ("*.md", "docs/*.md", "configs/*.yaml") for path in REPOSITORY.glob(pattern)):
        text = re.sub(r"\bsrc\.tools\.\w+", "", path.read_text(encoding="utf-8"))  # names of version 0.1, in MIGRATION
        files = re.findall(r"\b((?:benchmarks|scripts|serving|src|tests|experiments|configs)/[\w/]+\.(?:py|sh|yaml))\b",
                           text)
        files += re.findall(r"python (\w+\.py)\b", text)
        for module in re.findall(r"python -m ((?:serving|src|experiments|maintenance)[\w.]*\w)", text):
            name = module.replace(".", "/")
            files.append(f"{name}/__main__.py" if (REPOSITORY / name).is_dir() else f"{name}.py")
        missing = sorted({file for file in files if not (REPOSITORY / file).is_file()})
        assert not missing, f"{path.name} names {missing}"


def test_the_version_stands_once_in_each_place() -> None:
    changes = (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.findall(r"^## (\S+) \(", changes, flags=re.MULTILINE)[0] == __version__
    assert yaml.safe_load((REPOSITORY / "CITATION.cff").read_text(encoding="utf-8"))["version"] == __version__


@pytest.mark.medium
@pytest.mark.parametrize("name", ["README.md", "README_CN.md"])
def test_the_readmes_python_runs(name: str, empty_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_random(empty_folder / "runs/student/model", ModelConfig(TEACHER, HEAD, "SST-2"),
                write_vocabulary(empty_folder / "vocab"))
    code, = blocks(REPOSITORY / name, "python")
    exec(compile(code, name, "exec"), {})
    label, shares = re.fullmatch(r"([01]) (\{.*\})\n", capsys.readouterr().out).groups()
    shares = literal_eval(shares)
    assert sum(shares.values()) == pytest.approx(1) and max(shares, key=shares.get) == label


@pytest.mark.medium
@pytest.mark.parametrize("name", ["docs/TASKS.md", "docs/TASKS_CN.md"])
def test_an_exported_file_is_run_without_mindspore(name: str, empty_folder: Path,
                                                   capsys: pytest.CaptureFixture[str]) -> None:
    folder = save_random(empty_folder / "run/model", ModelConfig(TEACHER, HEAD, "SST-2"),
                         write_vocabulary(empty_folder / "vocab", (*VOCABULARY[:-3], "film", "a", ".")))
    export_model(load_config(export__checkpoint=str(folder.parent), export__file_format="ONNX",
                             export__output="student.onnx").export)
    code, = blocks(REPOSITORY / name, "python")
    assert "mindspore" not in code and "src" not in code
    capsys.readouterr()
    exec(compile(code, name, "exec"), {})
    printed = [literal_eval(line) for line in capsys.readouterr().out.splitlines()]
    ours = [each["probabilities"] for each in load(folder)(["A lovely film.", "Dull."])]
    assert len(ours) == len(printed) == 2
    for own, its in zip(ours, printed, strict=True):
        assert list(own) == list(its) and list(own.values()) == pytest.approx(list(its.values()), abs=1e-5)
