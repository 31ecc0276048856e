# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The process: a socket of its own, uvicorn on it, and an end in order."""

from __future__ import annotations

import errno
import ipaddress
import os
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import uvicorn

from serving import Predictor, ServingError
from serving.web.app import Options, make_app


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def bind(host: str, port: int) -> socket.socket:
    """Return a socket that is bound; it listens once the server runs, so that nobody waits for models to load.

    Raises:
        ServingError: the port is in use or not allowed, or there is no such address.
    """
    if port > 65535:
        raise ServingError(f"--port is {port}; expected a number up to 65535")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM,
                                                                flags=socket.AI_PASSIVE)[0]
    except (OSError, UnicodeError) as error:
        raise ServingError(f"--host {host} is no address of this machine ({error})") from None
    # Only of a socket whose protocol is named TCP does asyncio send small answers at once (TCP_NODELAY).
    bound = socket.socket(family, kind, protocol)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind(address)
    except OSError as error:
        bound.close()
        advice = {errno.EADDRINUSE: "is in use; choose another with --port, or 0 for a free one",
                  errno.EACCES: "is not yours to take; choose one above 1023 with --port",
                  errno.EADDRNOTAVAIL: "cannot be had: this machine has no such address; choose another --host"}
        raise ServingError(f"port {port} of {host} " + advice.get(error.errno or 0, f"fails: {error}")) from None
    return bound


def serve(predictors: Mapping[str, Predictor], bound: socket.socket, options: Options, examples: Sequence[Any]) -> None:
    """Answer until SIGTERM or Ctrl-C; then refuse new connections, answer what is under way, and return."""
    app = make_app(predictors, options, examples)
    # Responses of requests that are under way are waited for without a limit: their number is bounded.
    # What is no HTTP is refused without a line in the log (a warning of uvicorn's), which anybody could fill with them.
    config = uvicorn.Config(app, log_level="error", access_log=False, ws="none", server_header=False,
                            timeout_keep_alive=30, timeout_graceful_shutdown=None)
    host, port = bound.getsockname()[:2]
    address = f"[{host}]" if ":" in host else host
    server = _Server(config, f"serving {', '.join(predictors)} on http://{address}:{port}/ (process {os.getpid()}; "
                             "API: /docs; stop it with Ctrl-C)")
    # uvicorn raises the signal again once all is answered.
    signal.signal(signal.SIGTERM, _leave)
    try:
        server.run(sockets=[bound])
    except KeyboardInterrupt:
        pass
    except SystemExit as leaving:
        if leaving.code:
            raise
    with suppress(OSError):  # nobody reads any more
        print(f"stopped; all {app.state.metrics.requests.total:.0f} requests that it took are answered", flush=True)


class _Server(uvicorn.Server):
    """Says where it is as soon as it listens."""

    def __init__(self, config: uvicorn.Config, where: str):
        super().__init__(config)
        self.where = where

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen."""
        await super().startup(sockets)
        print(self.where, flush=True)


def _leave(*_: Any) -> None:
    sys.exit(0)
