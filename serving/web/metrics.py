# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Counters and histograms in Prometheus' text format, version 0.0.4."""

from __future__ import annotations

import os
from bisect import bisect_left
from collections.abc import Iterable
from pathlib import Path

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
TEXTS = (1, 2, 4, 8, 16, 32, 64, 128)

Labels = tuple[tuple[str, str], ...]


class Counter:
    """A number that grows, for each set of labels."""

    kind = "counter"

    def __init__(self, name: str, help_text: str):
        self.name, self.help_text = name, help_text
        self.values: dict[Labels, float] = {}

    def add(self, amount: float = 1, **labels: str) -> None:
        """Add to the number of these labels."""
        key = tuple(labels.items())
        self.values[key] = self.values.get(key, 0) + amount

    @property
    def total(self) -> float:
        """The sum over all labels."""
        return sum(self.values.values())

    def samples(self) -> Iterable[str]:
        """The lines of the exposition, without its head."""
        return (_sample(self.name, labels, value) for labels, value in self.values.items())


class Gauge(Counter):
    """A number that is set."""

    kind = "gauge"

    def set(self, value: float, **labels: str) -> None:
        """Set the number of these labels."""
        self.values[tuple(labels.items())] = value


class Histogram:
    """How often values were at most each bound, their number and sum."""

    kind = "histogram"

    def __init__(self, name: str, help_text: str, bounds: tuple[float, ...]):
        self.name, self.help_text, self.bounds = name, help_text, bounds
        self.counts: dict[Labels, list[int]] = {}
        self.sums: dict[Labels, float] = {}

    def observe(self, value: float, **labels: str) -> None:
        """Count a value."""
        key = tuple(labels.items())
        self.counts.setdefault(key, [0] * (len(self.bounds) + 1))[bisect_left(self.bounds, value)] += 1
        self.sums[key] = self.sums.get(key, 0.0) + value

    def samples(self) -> Iterable[str]:
        """The lines of the exposition, without its head."""
        for labels, counts in self.counts.items():
            total = 0
            for bound, count in zip((*map(str, self.bounds), "+Inf"), counts, strict=True):
                total += count
                yield _sample(f"{self.name}_bucket", (*labels, ("le", bound)), total)
            yield _sample(f"{self.name}_sum", labels, self.sums[labels])
            yield _sample(f"{self.name}_count", labels, total)


class Metrics:
    """What the server counts."""

    def __init__(self) -> None:
        self.requests = Counter("serving_requests_total", "Requests by path and status.")
        self.seconds = Histogram("serving_request_seconds", "Time of a request.", SECONDS)
        self.texts = Histogram("serving_batch_texts", "Texts in a call of a model.", TEXTS)
        self.inference = Histogram("serving_inference_seconds", "Time of a call of a model.", SECONDS)
        self.waiting = Gauge("serving_queue_texts", "Texts that wait for a model.")
        self.under_way = Gauge("serving_requests_under_way", "Requests that are being answered.")
        self.memory = Gauge("process_resident_memory_bytes", "Resident memory size in bytes.")

    def exposition(self) -> str:
        """The text that Prometheus reads."""
        self.memory.set(int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE"))
        lines = []
        for metric in vars(self).values():
            lines += [f"# HELP {metric.name} {metric.help_text}", f"# TYPE {metric.name} {metric.kind}"]
            lines += metric.samples()
        return "\n".join(lines) + "\n"


def _sample(name: str, labels: Labels, value: float) -> str:
    inside = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels)
    return f"{name}{{{inside}}} {value}" if inside else f"{name} {value}"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
