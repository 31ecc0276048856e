# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The application: which path answers what."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from serving import Predictor, ServingError
from serving.predictor import Text
from serving.web import forms
from serving.web.batching import Answered, Batcher
from serving.web.limits import Guard, Limits, Refused
from serving.web.metrics import CONTENT_TYPE, Metrics


@dataclass(frozen=True)
class Options:
    """How the server behaves.

    Attributes:
        max_batch: most texts in a call of a model.
        max_wait: seconds that a call waits for more, once requests come together.
        token: what requests must bear; "": nothing.
    """

    limits: Limits = Limits()
    max_batch: int = 32
    max_wait: float = 0.002
    token: str = ""


class Failure(BaseModel):
    """What is said of a request that is not answered."""

    error: str
    error_type: str


REFUSALS: dict[int | str, dict[str, Any]] = {
    400: {"model": Failure, "description": "not what is expected, or not for this model"},
    401: {"model": Failure, "description": "without the token"},
    408: {"model": Failure, "description": "the body did not arrive in time"},
    413: {"model": Failure, "description": "too large a body, too many or too long texts"},
    429: {"model": Failure, "description": "too many requests are under way; Retry-After says when to try again"},
    "default": {"model": Failure, "description": "404, 405: no such path or method; 500: a defect of the server"},
}


class Models:
    """The models by name, each with its queue. They are made within the event loop."""

    def __init__(self, predictors: Mapping[str, Predictor], options: Options, metrics: Metrics):
        self.predictors = predictors
        self.batchers = {name: Batcher(one.predict, options.max_batch, options.max_wait,
                                       partial(self._observe, metrics, name)) for name, one in predictors.items()}

    @staticmethod
    def _observe(metrics: Metrics, name: str, texts: int, seconds: float) -> None:
        metrics.texts.observe(texts, model=name)
        metrics.inference.observe(seconds, model=name)

    def choose(self, name: str | None) -> str:
        """Return the name of the model that is asked for, the first one where none is."""
        if name is None:
            return next(iter(self.predictors))
        if name not in self.predictors:
            raise Refused(400, f"there is no model {name!r:.60}; there are {', '.join(self.predictors)}")
        return name

    async def answer(self, name: str, texts: Sequence[Text]) -> Answered:
        """Return a model's answers; what it refuses is refused."""
        try:
            return await self.batchers[name].answer(texts)
        except ServingError as error:
            raise Refused(400, str(error)) from None


def make_app(predictors: Mapping[str, Predictor], options: Options, examples: Sequence[Any] = ()) -> FastAPI:
    """Return the application for models by name; the first one answers where none is named."""
    metrics, pages = Metrics(), Path(__file__).parent

    @asynccontextmanager
    async def running(app: FastAPI) -> AsyncIterator[None]:
        app.state.models = models = Models(predictors, options, metrics)
        tasks = [asyncio.create_task(batcher.run()) for batcher in models.batchers.values()]
        yield
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    app = FastAPI(title="Answers of distilled models", version="1", lifespan=running, docs_url=None, redoc_url=None,
                  description="The forms are those of text-embeddings-inference; `model` chooses among several.")
    app.state.metrics = metrics
    _add_answers(app, options.limits)
    _add_pages(app, predictors, options, examples, pages, metrics)
    _add_failures(app)
    paths = frozenset(route.path for route in app.routes if hasattr(route, "path"))
    app.add_middleware(Guard, limits=options.limits, token=options.token, metrics=metrics, paths=paths)
    return app


def _add_answers(app: FastAPI, limits: Limits) -> None:
    def model_of(kind: str, asked: forms.Asked, otherwise: str) -> str:
        """The model that is asked, of one kind."""
        models: Models = app.state.models
        name = models.choose(asked.model)
        its = models.predictors[name].kind
        if its != kind:
            raise Refused(400, f"model {name} ({its}) {otherwise}; its answers are at /predict")
        return name

    async def ask(asked: forms.Asked, name: str, inputs: Sequence[Text]) -> Answered:
        """Its answers, within the bounds."""
        forms.within(inputs, limits)
        answered = await app.state.models.answer(name, inputs)
        if asked.truncate is False:
            forms.refuse_cut(answered.answers)
        return answered

    @app.post("/predict", responses=REFUSALS)
    async def predict(asked: forms.PredictRequest) -> Any:
        """Labels with probabilities, scores, entities, or answers to questions (pairs of question and text)."""
        name = app.state.models.choose(asked.model)
        if asked.raw_scores:
            raise Refused(400, "raw_scores is true; logits are not kept, send false for probabilities")
        answered = await ask(asked, name, asked.inputs)
        answers = [forms.predicted(answer) for answer in answered.answers]
        return _reply(answers[0] if asked.inputs.alone else answers, answered)

    @app.post("/rerank", responses=REFUSALS)
    async def rerank(asked: forms.RerankRequest) -> Any:
        """Texts in the order of their score with a query, from a model that scores pairs."""
        name = model_of("regression", asked, "scores no pairs")
        answered = await ask(asked, name, [(asked.query, text) for text in asked.texts])
        scores = [answer["score"] for answer in answered.answers]
        return _reply(forms.ranked(scores, asked.texts, asked.raw_scores, asked.return_text), answered)

    @app.post("/embed", responses=REFUSALS)
    async def embed(asked: forms.EmbedRequest) -> Any:
        """Vectors of texts, from a model that embeds them: a list of lists, also for one text."""
        name = model_of("embedding", asked, "gives no vectors")
        answered = await ask(asked, name, asked.inputs)
        vectors = [answer["embedding"] for answer in answered.answers]
        return _reply([forms.normalized(each) for each in vectors] if asked.normalize else vectors, answered)


def _reply(content: Any, answered: Answered) -> JSONResponse:
    """Milliseconds stand in the headers, as TEI has them."""
    return JSONResponse(content, headers={"x-queue-time": f"{answered.queue_seconds * 1e3:.3f}",
                                          "x-inference-time": f"{answered.inference_seconds * 1e3:.3f}"})


def _add_pages(app: FastAPI, predictors: Mapping[str, Predictor], options: Options, examples: Sequence[Any],
               pages: Path, metrics: Metrics) -> None:
    models = [{"name": name, "task": one.task, "kind": one.kind, "labels": list(one.labels),
               "takes": one.metadata["rows"]["takes"], "size_bytes": one.size_bytes}
              for name, one in predictors.items()]
    limits = options.limits

    @app.get("/info", responses=REFUSALS)
    async def info() -> Any:
        """The models, and the bounds of requests."""
        return {"models": models, "max_client_batch_size": limits.max_texts, "max_batch_requests": options.max_batch,
                "max_concurrent_requests": limits.max_queue, "max_input_characters": limits.max_characters,
                "payload_limit": limits.max_body}

    @app.get("/examples", responses=REFUSALS)
    async def differing() -> Any:
        """Texts on which the models differ: what --examples named."""
        return examples

    @app.get("/healthz")
    async def healthz() -> Any:
        """Whether the server answers; no token is needed."""
        return {"status": "ok"}

    @app.get("/metrics", response_class=PlainTextResponse, responses=REFUSALS)
    async def prometheus(request: Request) -> Any:
        """Counters and histograms in Prometheus' text format."""
        for name, batcher in app.state.models.batchers.items():
            metrics.waiting.set(batcher.waiting, model=name)
        return PlainTextResponse(metrics.exposition(), media_type=CONTENT_TYPE)

    for path, file in (("/", "page.html"), ("/docs", "reference.html")):
        text = (pages / file).read_text(encoding="utf-8")
        app.add_api_route(path, partial(_page, text, {"content-security-policy": policy_of(text)}),
                          include_in_schema=False)


async def _page(text: str, headers: dict[str, str]) -> HTMLResponse:
    return HTMLResponse(text, headers=headers)


def policy_of(page: str) -> str:
    """Return the content security policy of a page: its own script and style, this server, nothing else."""
    def hashes(tag: str) -> str:
        digests = (hashlib.sha256(part.encode()).digest()
                   for part in re.findall(rf"<{tag}>(.*?)</{tag}>", page, flags=re.DOTALL))
        return " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)

    return (f"default-src 'none'; script-src {hashes('script')}; style-src {hashes('style')}; connect-src 'self'; "
            "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")


def _add_failures(app: FastAPI) -> None:
    @app.exception_handler(Refused)
    async def refused(_: Request, error: Refused) -> JSONResponse:
        return error.response()

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        if first["type"] == "json_invalid":
            message = f"the body is no JSON: {first['ctx']['error']} at character {first['loc'][-1]}"
        elif not request.headers.get("content-type", "").startswith("application/json"):
            message = "the body is not marked as JSON; send Content-Type: application/json"
        elif first["type"] == "value_error":
            message = str(first["ctx"]["error"])
        else:
            place = ".".join(map(str, first["loc"][1:])) or "the body"
            message = f"{place}: {first['msg']}"
        return Refused(400, message).response()

    @app.exception_handler(HTTPException)
    async def other(_: Request, error: HTTPException) -> JSONResponse:
        refusal = Refused(error.status_code, str(error.detail), "Validation", **dict(error.headers or {}))
        return refusal.response()

    @app.exception_handler(Exception)
    async def failed(_: Request, error: Exception) -> JSONResponse:
        return Refused(500, f"the server failed with {type(error).__name__}; its log says where", "Backend").response()
