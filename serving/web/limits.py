# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""What every request passes before it reaches a model: the token, the bounds, and what is counted of it."""

from __future__ import annotations

import asyncio
import hmac
import time
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

from starlette.responses import JSONResponse

from serving.web.metrics import Metrics

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

OPEN = ("/", "/docs", "/healthz")
"""Paths that need no token: the pages hold no data, and those who ask whether the server lives have none."""

HEADERS = ((b"x-content-type-options", b"nosniff"), (b"referrer-policy", b"no-referrer"),
           (b"cache-control", b"no-store"))
DATA_POLICY = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")


@dataclass(frozen=True)
class Limits:
    """What a request may be, and how many there may be.

    Attributes:
        max_body: bytes of a body.
        max_texts: texts (or pairs) of a request.
        max_characters: characters of a text; of a pair both together.
        max_queue: requests that are under way at once.
        body_seconds: time that a body may take to arrive.
    """

    max_body: int = 1_000_000
    max_texts: int = 32
    max_characters: int = 20_000
    max_queue: int = 128
    body_seconds: float = 10.0


class Refused(Exception):
    """A request that is not answered: its status, the line for its sender, and the kind that clients know it by."""

    def __init__(self, status: int, message: str, kind: str = "Validation", **headers: str):
        super().__init__(message)
        self.status, self.kind, self.headers = status, kind, headers

    def response(self) -> JSONResponse:
        """The answer in the form of text-embeddings-inference."""
        return JSONResponse({"error": printable(str(self)), "error_type": self.kind}, self.status, self.headers)


def printable(text: str) -> str:
    """Write what cannot stand in UTF-8 or in one line as an escape."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


class Guard:
    """ASGI middleware: refuses by token, number, size and time, and counts everything, refusals too."""

    def __init__(self, app: Application, limits: Limits, token: str, metrics: Metrics, paths: frozenset[str]):
        self.app, self.limits, self.metrics, self.paths = app, limits, metrics, paths
        self.authorization = f"Bearer {token}".encode() if token else b""
        self.under_way = 0

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began, status = time.perf_counter(), 500

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                named = {name for name, _ in message["headers"]}
                message["headers"] = [*message["headers"], *HEADERS,
                                      *(() if DATA_POLICY[0] in named else (DATA_POLICY,))]
            await send(message)

        is_post = scope["method"] == "POST"
        self.under_way += is_post
        try:
            try:
                self._admit(scope, is_post)
                incoming = await self._whole(receive) if is_post else receive
            except Refused as refusal:
                await refusal.response()(scope, receive, noting)
            else:
                await self.app(scope, incoming, noting)
        finally:
            self.under_way -= is_post
            path = scope["path"] if scope["path"] in self.paths else "other"
            self.metrics.requests.add(path=path, status=str(status))
            self.metrics.seconds.observe(time.perf_counter() - began, path=path)

    def _admit(self, scope: MutableMapping[str, Any], is_post: bool) -> None:
        headers = dict(scope["headers"])
        if self.authorization and scope["path"] not in OPEN and not hmac.compare_digest(
                headers.get(b"authorization", b""), self.authorization):
            raise Refused(401, "this server wants its token: Authorization: Bearer TOKEN", "Unauthorized",
                          **{"WWW-Authenticate": "Bearer"})
        if is_post and self.under_way > self.limits.max_queue:
            raise Refused(429, f"{self.limits.max_queue} requests are under way; try again later", "Overloaded",
                          **{"Retry-After": "1"})
        length = headers.get(b"content-length", b"0")
        if is_post and length.isdigit() and int(length[:20]) > self.limits.max_body:
            raise self._too_large()

    async def _whole(self, receive: Receive) -> Receive:
        """Read a body, and return what gives it again."""
        try:
            body = await asyncio.wait_for(self._read(receive), self.limits.body_seconds)
        except asyncio.TimeoutError:
            raise Refused(408, f"the body did not arrive within {self.limits.body_seconds:g} seconds", "Timeout",
                          Connection="close") from None
        messages = iter([{"type": "http.request", "body": body, "more_body": False}])

        async def again() -> Message:
            return next(messages, None) or await receive()

        return again

    async def _read(self, receive: Receive) -> bytes:
        body = bytearray()
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise Refused(400, "the connection ended within the body")
            body += message.get("body", b"")
            if len(body) > self.limits.max_body:
                raise self._too_large()
            if not message.get("more_body"):
                return bytes(body)

    def _too_large(self) -> Refused:
        return Refused(413, f"the body has more than {self.limits.max_body} bytes; send fewer or shorter texts")
