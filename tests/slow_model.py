# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""A model that takes its time."""

from __future__ import annotations

import time
from typing import Any

from serving import ServingError


class Slow:
    """A stand-in for `serving.Predictor` that takes its time, and remembers how many texts each call had."""

    task, kind, labels, size_bytes, metadata = "SST-2", "classification", ("0", "1"), 7, {"rows": {"takes": "text"}}

    def __init__(self, seconds: float = 0.0, bad: str = "bad"):
        self.seconds, self.bad, self.calls = seconds, bad, []

    def predict(self, inputs: list[Any]) -> list[dict[str, Any]]:
        """Return the text's length as its label; raise where one of the texts is the bad one."""
        self.calls.append(len(inputs))
        time.sleep(self.seconds)
        if self.bad in inputs:
            raise ServingError(f"text {inputs.index(self.bad)} is bad")
        return [{"label": str(len(text)), "probability": 0.75, "truncated": len(text) > 1000,
                 "probabilities": {"other": 0.25, str(len(text)): 0.75}} for text in inputs]
