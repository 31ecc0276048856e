# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""TensorBoard's file of a run. tensorboardX loads PyTorch where that is installed: import this only to write one."""

from __future__ import annotations

import os
import time
from pathlib import Path

from tensorboardX.event_file_writer import EventsWriter
from tensorboardX.proto.event_pb2 import Event, SessionLog
from tensorboardX.summary import scalar

FLUSH_SECONDS = 30
"""How old may be what TensorBoard shows."""


class Board:
    """Writes events here and now: tensorboardX's usual thread dies on a full disk, and then the run hangs."""

    def __init__(self, folder: Path, stage: str):
        self.stage = stage
        self.flushed = time.monotonic()
        self.events = EventsWriter(str(folder / "events"), f".{os.getpid()}.{stage}")

    def restart(self, step: int) -> None:
        """Let TensorBoard drop the points after a step."""
        self.events.write_event(Event(wall_time=time.time(), step=step + 1,
                                      session_log=SessionLog(status=SessionLog.START)))

    def write(self, step: int, name: str, value: float) -> None:
        """Add one point."""
        self.events.write_event(Event(wall_time=time.time(), step=step, summary=scalar(f"{self.stage}/{name}", value)))
        if time.monotonic() - self.flushed > FLUSH_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Have all points in the file."""
        self.events.flush()
        self.flushed = time.monotonic()

    def close(self) -> None:
        """Close the file."""
        try:
            self.events.close()
        except OSError as error:
            print(f"note: TensorBoard's last points are lost ({error.strerror})", flush=True)
