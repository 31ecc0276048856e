# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Kill `prepare_data.py corpus` again and again, and see whether its records come out as if nothing had happened.

    python benchmarks/kill_preparation.py                         # 20 kills, 2 worker processes
    python benchmarks/kill_preparation.py --kills 3 --megabytes 4 --num_workers 1

One preparation runs undisturbed. Another one of the same text is killed (SIGKILL, the main process alone) at instants
drawn at random and started again with the same command, until it has been killed often enough; a preparation that
completes before is compared and begun anew. Checked after each kill: all of its processes end by themselves. At the
end: shards, manifest and all other files are the same bytes as those of the undisturbed preparation; no file is left
beside them, nor in the folder for temporary files. Prints one JSON object; status 1 where something is not as it
should be.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
from prepare_throughput import make_text, make_vocabulary

from common import arguments, digests, preparation

# How long worker processes may take to notice that their parent is gone.
GRACE_SECONDS = 20


def main() -> None:
    """Run all of it."""
    options = arguments(__doc__, kills=20, megabytes=24.0, num_workers=2, num_shards=3, dataset_type="tfrecord",
                        deduplicate="documents", seed=0)
    with tempfile.TemporaryDirectory(prefix="kill_preparation.") as folder:
        result = Loop(options, Path(folder)).run()
    print(json.dumps(result, indent=1))
    sys.exit(bool(result["faults"]))


class Loop:
    """The preparations and what was found out about them."""

    def __init__(self, options: argparse.Namespace, folder: Path):
        self.options, self.folder = options, folder
        self.random = random.Random(options.seed)
        self.faults: list[str] = []
        self.kills = self.continued = self.completed = 0
        self.temporary = folder / "temporary"
        self.records = folder / "killed" / "records"
        self.temporary.mkdir()

    def run(self) -> dict[str, object]:
        """Return the figures."""
        self.vocabulary = make_vocabulary(self.folder, self.options.seed)
        self.text = make_text(self.folder, self.vocabulary, int(self.options.megabytes * 1e6), self.options.seed)
        began = time.monotonic()
        status = self._start(self.folder / "undisturbed" / "records").wait()
        seconds = time.monotonic() - began
        if status:
            sys.exit(f"the undisturbed preparation left with status {status}")
        expected = digests(self.folder / "undisturbed" / "records")
        while self.kills < self.options.kills:
            self._kill(self._start(self.records), seconds, expected)
        if not self.records.exists():
            self._complete(self._start(self.records), expected)
        return {"kills": self.kills, "continued": self.continued, "completed": self.completed,
                "seconds_undisturbed": round(seconds, 1), "files": len(expected), "faults": self.faults}

    def _start(self, output: Path) -> subprocess.Popen:
        if output == self.records and self._pieces():
            self.continued += 1
        return subprocess.Popen(preparation(self.text, self.vocabulary, output, self.options),
                                stdout=subprocess.DEVNULL, env={**os.environ, "TMPDIR": str(self.temporary)})

    def _kill(self, process: subprocess.Popen, seconds: float, expected: dict[str, str]) -> None:
        """Let it run for a while; then kill it, or compare what it has completed."""
        before = self._pieces()
        try:
            process.wait(self.random.uniform(0, 1.5 * seconds))
        except subprocess.TimeoutExpired:
            family = psutil.Process(process.pid).children(recursive=True)
            process.kill()
            process.wait()
            self.kills += 1
            self._expect_end_of(family)
            if self._pieces() < before and not self.records.exists():
                self.faults.append(f"kill {self.kills}: {before} pieces were done before, {self._pieces()} after it")
            print(f"kill {self.kills}: {self._pieces()} pieces done", file=sys.stderr, flush=True)
            return
        self._complete(process, expected)
        if self.kills < self.options.kills:
            shutil.rmtree(self.records)

    def _complete(self, process: subprocess.Popen, expected: dict[str, str]) -> None:
        """Compare what a preparation makes that comes to its end."""
        family = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
        if status := process.wait():
            self.faults.append(f"status {status}")
            return
        self.completed += 1
        self._expect_end_of(family)
        found = digests(self.records)
        if different := sorted(name for name in expected.keys() | found.keys()
                               if expected.get(name) != found.get(name)):
            self.faults.append(f"different files: {', '.join(different)}")
        left = sorted(path.name for path in self.records.parent.iterdir() if path != self.records)
        left += sorted(str(path.relative_to(self.temporary)) for path in self.temporary.rglob("*"))
        if left:
            self.faults.append(f"left behind: {', '.join(left)}")

    def _expect_end_of(self, family: list[psutil.Process]) -> None:
        _, alive = psutil.wait_procs(family, timeout=GRACE_SECONDS)
        if alive:
            self.faults.append(f"after kill {self.kills} {len(alive)} processes are still there: "
                               f"{[' '.join(process.cmdline()[-3:]) for process in alive]}")

    def _pieces(self) -> int:
        """How many pieces the journal says are done."""
        journal = self.records.parent / f".{self.records.name}.partial" / "progress.json"
        try:
            return json.loads(journal.read_text(encoding="utf-8"))["pieces"]
        except FileNotFoundError:
            return 0


if __name__ == "__main__":
    main()
