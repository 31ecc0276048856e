# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The page in a browser: type, compare two models, switch the language; by keyboard, and on a phone's width."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("uvicorn", reason="the server's packages are not installed: requirements-serving.txt")

from serving import Predictor
from tests.bundles import make_bundle
from tests.chromium import PROGRAM, Page, browser
from tests.serving_process import served

pytestmark = [pytest.mark.medium,
              pytest.mark.skipif(not PROGRAM, reason="there is no Chromium; apt-get install chromium")]
TEXT = "a lovely film"


def check_quiet(page: Page, url: str) -> None:
    """No error, and nothing from elsewhere."""
    assert not page.complaints()
    assert all(address.startswith((url, "data:")) for address in page.addresses() - {"about:blank"})


def test_two_models_side_by_side(tmp_path: Path) -> None:
    folders = {name: make_bundle(tmp_path / name, seed=seed) for name, seed in (("student", 3), ("teacher", 4))}
    (tmp_path / "examples.json").write_text(json.dumps([
        {"texts": ["dull <b>"], "label": "negative", "answers": {"student": "negative", "teacher": "positive"}}]))
    given = [*(f"{name}={folder}" for name, folder in folders.items()), "--examples", f"{tmp_path}/examples.json"]
    with served(*given) as server, browser(tmp_path / "profile") as page:
        page.call("Page.navigate", url=server.url)
        page.wait("document.querySelectorAll('#examples button').length === 1")
        for _ in range(3):  # past the link and the language
            page.press("Tab")
        page.call("Input.insertText", text=TEXT)
        page.press("Enter", "\r", 2)
        page.wait("document.querySelectorAll('article').length === 2")
        for name, folder in folders.items():
            card = f"document.querySelector('article[data-model={name}]')"
            answer = Predictor(folder).predict([TEXT])[0]
            ranked = sorted(answer["probabilities"].items(), key=lambda item: -item[1])
            bars = f"[...{card}.querySelectorAll('.bar')]"
            assert page.value(f"{bars}.map(bar => bar.innerText.split('\\n').join(' '))") == [
                f"{label} {100 * share:.1f}%" for label, share in ranked]
            assert "ms" in page.value(f"{card}.querySelector('.facts').textContent")
        labels = {Predictor(folder).predict([TEXT])[0]["label"] for folder in folders.values()}
        assert page.value("byId('verdict').textContent") == f"The models {'agree' if len(labels) == 1 else 'differ'}."

        page.resize(360, 700, True)
        page.value("byId('language').click()")
        assert page.value("document.title + document.documentElement.lang") == "模型对比zh-CN"
        assert page.value("byId('verdict').textContent")[:3] == "各模型"
        assert page.value("document.documentElement.scrollWidth") <= 360
        page.value("document.querySelector('#examples button').click()")
        page.wait("last.texts[0] === 'dull <b>'")
        page.call("Page.reload")
        page.wait("document.title === '模型对比'")  # the choice is kept
        check_quiet(page, server.url)

        page.call("Page.navigate", url=server.url + "docs")
        page.wait("document.querySelectorAll('article').length >= 6")
        check_quiet(page, server.url)


def test_entities_are_marked_where_they_are_once_the_token_is_given(tmp_path: Path) -> None:
    folder, text = make_bundle(tmp_path, "ner"), "😀 good w1. a 中文 film"
    entities = Predictor(folder).predict([text])[0]["entities"]
    with served(str(folder), SERVING_TOKEN="secret") as server, browser(tmp_path / "profile") as page:
        page.call("Page.navigate", url=server.url)
        page.wait("document.getElementById('access')?.hidden === false")
        page.value(f"byId('token').value = 'secret'; byId('first').value = {json.dumps(text)}; compare()")
        page.wait("document.querySelector('mark')")
        assert page.value("[...document.querySelectorAll('mark')].map(mark => mark.textContent)") == [
            entity["text"] + entity["type"] for entity in entities]
