# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The paths: the forms of text-embeddings-inference, what is refused and how, the pages, what is counted."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("fastapi", reason="the server's packages are not installed: requirements-serving.txt")

from serving import Predictor
from serving.web import app as application
from serving.web.limits import Limits
from tests.asgi import Client, Reply, with_client
from tests.bundles import make_bundle
from tests.slow_model import Slow

OPTIONS = application.Options(Limits(max_body=4000, max_texts=3, max_characters=2000, max_queue=2, body_seconds=0.05))


def answered(bodies: list[Any], path: str = "/predict", options: application.Options = OPTIONS,
             **models: Any) -> list[Reply]:
    """Ask one after the other."""
    async def use(client: Client) -> list[Reply]:
        return [await client.ask(path, body) for body in bodies]

    return with_client(application.make_app(models or {"slow": Slow()}, options), use)


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Predictor]:
    """A model of each kind."""
    folder = tmp_path_factory.mktemp("bundles")
    tasks = {"classification": "SST-2", "regression": "STS-B", "tagging": "ner", "span": "SQuAD",
             "embedding": "embedding"}
    return {kind: Predictor(make_bundle(folder / kind, task)) for kind, task in tasks.items()}


def test_predict_has_the_form_of_tei(bundles: dict[str, Predictor]) -> None:
    alone, listed, batch = answered([{"inputs": "a lovely film"}, {"inputs": ["dull"], "truncate": True},
                                     {"inputs": [["a lovely film"], ["dull"]], "raw_scores": False}],
                                    only=bundles["classification"])
    expected = bundles["classification"].predict(["a lovely film", "dull"])
    for scores, answer in zip((alone.json, listed.json, *batch.json), (*expected, *expected), strict=True):
        assert scores == sorted(scores, key=lambda entry: -entry["score"]) and scores[0]["label"] == answer["label"]
        assert {entry["label"]: entry["score"] for entry in scores} == pytest.approx(answer["probabilities"], abs=1e-6)
    assert float(alone.headers["x-inference-time"]) > 0 <= float(alone.headers["x-queue-time"])


def test_other_kinds_are_answered_as_in_python(bundles: dict[str, Predictor]) -> None:
    for kind, inputs in (("tagging", "a 中文 film"), ("span", ["who", "a film paris"]), ("regression", ["a", "film"])):
        reply, = answered([{"inputs": inputs, "model": kind}], **bundles)
        assert reply.json == bundles[kind].predict([inputs if isinstance(inputs, str) else tuple(inputs)])[0]


def test_rerank_sorts_by_score(bundles: dict[str, Predictor]) -> None:
    texts = ["a", "film", "paris"]
    scores = [answer["score"] for answer in bundles["regression"].predict([("who", text) for text in texts])]
    plain, raw = answered([{"query": "who", "texts": texts}, {"query": "who", "texts": texts, "raw_scores": True,
                                                              "return_text": True}], "/rerank",
                          only=bundles["regression"])
    order = sorted(range(3), key=lambda place: -scores[place])
    assert [entry["index"] for entry in plain.json] == order == [entry["index"] for entry in raw.json]
    assert [entry["score"] for entry in raw.json] == pytest.approx([scores[place] for place in order], abs=1e-6)
    assert [set(entry) for entry in plain.json] == [{"index", "score"}] * 3
    assert all(0 < entry["score"] < 1 for entry in plain.json) and raw.json[0]["text"] == texts[order[0]]
    refusals = answered([{"query": "who", "texts": texts}], "/rerank", only=bundles["classification"])
    refusals += answered([{"inputs": "a"}], "/embed", only=bundles["classification"])
    assert [reply.status for reply in refusals] == [400, 400] and "scores no pairs" in refusals[0].json["error"]


def test_embed_has_the_form_of_tei(bundles: dict[str, Predictor]) -> None:
    model, texts = bundles["embedding"], ["a lovely film", "dull"]
    expected = np.array([answer["embedding"] for answer in model.predict(texts)])
    assert expected.shape == (2, 5) and np.array_equal(model.logits(texts), expected.astype(np.float32))
    alone, both, raw = answered([{"inputs": texts[0]}, {"inputs": texts}, {"inputs": texts, "normalize": False}],
                                "/embed", only=model)
    unit = expected / np.linalg.norm(expected, axis=1, keepdims=True)
    assert np.allclose(alone.json, unit[:1], atol=1e-6) and np.allclose(both.json, unit, atol=1e-6)
    assert np.allclose(raw.json, expected, atol=1e-6)
    long = " ".join(["a"] * 9)  # of the 8 tokens that this model takes
    assert model.predict([long])[0]["truncated"]
    refusals = answered([{"inputs": long, "truncate": False}, {"inputs": [["a"]]}, {"inputs": []}], "/embed",
                        only=model)
    assert [reply.status for reply in refusals] == [413, 400, 400]


@pytest.mark.parametrize(("body", "status", "said"), [
    (b"", 400, "body"), (b"{", 400, "no JSON"), (b"\xff", 400, "pars"), (b"[" * 3000, 400, "no JSON|pars"),
    (b"[]", 400, "body"),
    (b'{"inputs": ' + b"9" * 3000 + b"}", 400, ""), (b'{"inputs": NaN}', 400, "inputs is nan"),
    ({}, 400, "inputs: Field required"), ({"inputs": None}, 400, "inputs is None; expected a text"),
    ({"inputs": 1e300}, 400, "inputs is 1e"), ({"inputs": []}, 400, "an empty list"),
    ({"inputs": ["a", "b", "c"]}, 400, "a list of 3"), ({"inputs": [["a"], "b"]}, 400, r"inputs\[1\] is a text"),
    ({"inputs": [["a", {}]]}, 400, r"inputs\[0\]\[1\] is an object"), (b'{"inputs": "\\ud800"}', 400, "surrogate"),
    ({"inputs": "bad"}, 400, "text 0 is bad"),
    ({"inputs": "a", "model": "b\x1b"}, 400, r"no model 'b\\x1b'; there are slow"),
    ({"inputs": "a", "model": 3}, 400, "model: "), ({"inputs": "a", "raw_scores": True}, 400, "raw_scores"),
    ({"inputs": [["a"]] * 4}, 413, "4 texts; at most 3"),
    ({"inputs": "x" * 2001}, 413, "2001 characters; at most 2000"),
    ({"inputs": ["x" * 1000, "y" * 1001]}, 413, "2001 characters"),
    ({"inputs": "x" * 5000}, 413, "more than 4000 bytes"),
    ({"inputs": "x" * 1500, "truncate": False}, 413, "truncate")])
def test_what_is_no_request(body: Any, status: int, said: str) -> None:
    reply, good = answered([body, {"inputs": "ab"}])
    assert reply.status == status and set(reply.json) == {"error", "error_type"}
    assert re.search(said, reply.json["error"]) and "\n" not in reply.json["error"]
    assert good.json[0]["label"] == "2"


def test_a_body_that_is_no_json_by_its_header() -> None:
    async def use(client: Client) -> None:
        reply = await client.ask("/predict", {"inputs": "a"}, content_type="application/x-www-form-urlencoded")
        assert reply.status == 400 and "Content-Type: application/json" in reply.json["error"]

    with_client(application.make_app({"slow": Slow()}, OPTIONS), use)


def test_bodies_that_come_in_parts() -> None:
    async def use(client: Client) -> None:
        assert (await client.ask("/predict", parts=[b'{"inputs"', b': "ab"}'])).status == 200
        assert (await client.ask("/predict", parts=[b"x" * 3000] * 2)).status == 413
        assert (await client.ask("/predict", parts=[b"{", None])).status == 408

    with_client(application.make_app({"slow": Slow()}, OPTIONS), use)


def test_beyond_the_queue() -> None:
    async def use(client: Client) -> None:
        replies = await asyncio.gather(*(client.ask("/predict", {"inputs": "ab"}) for _ in range(5)),
                                       client.ask("/healthz"))
        assert [reply.status for reply in replies] == [200, 200, 429, 429, 429, 200]
        assert replies[2].headers["retry-after"] == "1" and replies[2].json["error_type"] == "Overloaded"
        assert (await client.ask("/predict", {"inputs": "ab"})).status == 200
        text = (await client.ask("/metrics")).body.decode()
        assert 'serving_requests_total{path="/predict",status="429"} 3' in text
        assert 'serving_batch_texts_sum{model="slow"} 3' in text and 'serving_queue_texts{model="slow"} 0' in text

    with_client(application.make_app({"slow": Slow(0.05)}, OPTIONS), use)


def test_the_token() -> None:
    async def use(client: Client) -> None:
        for path in ("/", "/docs", "/healthz"):
            assert (await client.ask(path)).status == 200
        for path in ("/info", "/metrics", "/examples", "/openapi.json", "/nowhere"):
            assert (await client.ask(path)).status == 401
        for given in ({}, {"authorization": "Bearer secre"}, {"authorization": "secret"}):
            assert (await client.ask("/predict", {"inputs": "a"}, **given)).status == 401
        assert (await client.ask("/predict", {"inputs": "a"}, authorization="Bearer secret")).status == 200

    with_client(application.make_app({"slow": Slow()}, replace(OPTIONS, token="secret")), use)


def test_paths_pages_and_headers() -> None:
    async def use(client: Client) -> None:
        for reply, status in ((await client.ask("/nowhere"), 404), (await client.ask("/predict"), 405)):
            assert reply.status == status and reply.json["error"]
        for path in ("/", "/docs"):
            page = await client.ask(path)
            policy, text = page.headers["content-security-policy"], page.body.decode()
            assert policy == application.policy_of(text) and "default-src 'none'" in policy and "unsafe" not in policy
            assert not re.search(r"(?:src|href)=\"(?:https?:)?//|\bon\w+=\"|style=\"|https?://", text)
        assert page.headers["x-content-type-options"] == "nosniff"
        info = (await client.ask("/info")).json
        assert info["models"] == [{"name": "slow", "task": "SST-2", "kind": "classification", "labels": ["0", "1"],
                                   "takes": "text", "size_bytes": 7}] and info["max_client_batch_size"] == 3
        assert (await client.ask("/examples")).json == [{"texts": ["a"]}]
        described = (await client.ask("/openapi.json")).json["paths"]["/predict"]["post"]
        assert set(described["responses"]) == {"200", "400", "401", "408", "413", "429", "default"}

    with_client(application.make_app({"slow": Slow()}, OPTIONS, [{"texts": ["a"]}]), use)


def test_the_page_says_the_same_in_both_languages() -> None:
    text = (Path(application.__file__).parent / "page.html").read_text(encoding="utf-8")
    parts = re.findall(r"  (?:en|zh): \{(.*?)\n  \}", text, flags=re.DOTALL)
    english, chinese = (re.findall(r"(\w+): (?:\"|gap)", part) for part in parts)
    assert english == chinese and set(re.findall(r"data-say=\"(\w+)\"", text)) <= set(english)
