# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""A headless Chromium that is driven by its DevTools protocol over a pipe; nothing but the browser is needed."""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PROGRAM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


class Page:
    """One tab; `events` are those that came so far."""

    def __init__(self, write: int, read: int):
        self.write, self.read, self.buffer, self.number, self.session = write, read, b"", 0, ""
        self.events: list[dict[str, Any]] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Return the result of a method of the protocol."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        os.write(self.write, json.dumps({**message, **({"sessionId": self.session} if self.session else {})}).encode()
                 + b"\0")
        while True:
            came = self._next()
            if came.get("id") == self.number:
                assert "error" not in came, came
                return came["result"]
            self.events.append(came)

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self.buffer:
            assert select.select([self.read], [], [], 30)[0], "the browser says nothing"
            part = os.read(self.read, 1 << 16)
            assert part, "the browser has ended"
            self.buffer += part
        first, _, self.buffer = self.buffer.partition(b"\0")
        return json.loads(first)

    def value(self, expression: str) -> Any:
        """Return the value of a JavaScript expression."""
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def wait(self, expression: str) -> None:
        """Return as soon as an expression is true."""
        until = time.monotonic() + 20
        while not self.value(f"Boolean({expression})"):
            assert time.monotonic() < until, f"{expression} does not become true"
            time.sleep(0.02)

    def press(self, key: str, text: str = "", modifiers: int = 0) -> None:
        """Press a key; modifiers: 2 is Ctrl."""
        codes = {"Tab": 9, "Enter": 13}
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, text=text if kind == "keyDown" else "",
                      modifiers=modifiers, windowsVirtualKeyCode=codes[key])

    def resize(self, width: int, height: int, is_phone: bool = False) -> None:
        """Show the page at another size, in CSS pixels."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1,
                  mobile=is_phone)

    def picture(self, path: Path) -> None:
        """Write a PNG of what is visible."""
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot")["data"]))

    def complaints(self) -> list[dict[str, Any]]:
        """What stands in the console as an error, and exceptions that nobody caught."""
        return [event for event in self.events if event["method"] == "Runtime.exceptionThrown"
                or event["method"] == "Log.entryAdded" and event["params"]["entry"]["level"] == "error"
                or event["method"] == "Runtime.consoleAPICalled" and event["params"]["type"] == "error"]

    def addresses(self) -> set[str]:
        """What was asked for."""
        return {event["params"]["request"]["url"] for event in self.events
                if event["method"] == "Network.requestWillBeSent"}


@contextmanager
def browser(profile: Path) -> Iterator[Page]:
    """Start a browser with an empty profile, and end it."""
    (their_read, write), (read, their_write) = os.pipe(), os.pipe()
    command = [PROGRAM, "--headless=new", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu", "--no-first-run",
               "--disable-dev-shm-usage", f"--user-data-dir={profile}", "--lang=en-US"]
    # The protocol is spoken on descriptors 3 and 4.
    process = subprocess.Popen(["bash", "-c", f'exec "$@" 3<&{their_read} 4>&{their_write}', "bash", *command],
                               pass_fds=(their_read, their_write), stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.close(their_read)
    os.close(their_write)
    try:
        yield Page(write, read)
    finally:
        process.terminate()
        process.wait(20)
        os.close(write)
        os.close(read)
