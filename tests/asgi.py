# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Requests to an ASGI application without a socket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, NamedTuple


class Reply(NamedTuple):
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body's value."""
        return json.loads(self.body)


class Client:
    """Asks a running application."""

    def __init__(self, app: Any):
        self.app = app

    async def ask(self, path: str, body: Any = None, parts: Iterable[bytes] = (), method: str = "",
                  **headers: str) -> Reply:
        """GET, or POST of an object as JSON, of bytes, or of parts that arrive one by one (None: late)."""
        sent = list(parts) or [body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()]
        method = method or ("GET" if body is None and not parts else "POST")
        named = {"content-type": "application/json",
                 **{name.replace("_", "-"): value for name, value in headers.items()}}
        scope = {"type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "path": path,
                 "raw_path": path.encode(), "query_string": b"", "root_path": "", "scheme": "http",
                 "headers": [(name.encode(), value.encode()) for name, value in named.items()],
                 "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 2), "state": {}}
        start: dict[str, Any] = {}
        received = bytearray()

        async def receive() -> dict[str, Any]:
            if not sent:
                await asyncio.sleep(3600)
            part = sent.pop(0)
            if part is None:
                await asyncio.sleep(3600)
            return {"type": "http.request", "body": part, "more_body": bool(sent)}

        async def send(message: dict[str, Any]) -> None:
            start.update(message) if message["type"].endswith("start") else received.extend(message.get("body", b""))

        await self.app(scope, receive, send)
        return Reply(start["status"], {name.decode(): value.decode() for name, value in start["headers"]},
                     bytes(received))


def with_client(app: Any, use: Callable[[Client], Awaitable[Any]]) -> Any:
    """Start the application, run `use` and stop it."""
    async def main() -> Any:
        async with app.router.lifespan_context(app):
            return await use(Client(app))

    return asyncio.run(main())
