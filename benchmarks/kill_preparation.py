# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Kill `prepare_data.py corpus` again and again, and see whether its records come out as if nothing had happened.

    python benchmarks/kill_preparation.py                         # 20 kills, 2 worker processes
    python benchmarks/kill_preparation.py --kills 3 --megabytes 4

One preparation runs undisturbed. Another one of the same text is killed (SIGKILL, the main process alone) at instants
drawn at random and started again with the same command, until it has been killed often enough; a preparation that
completes before is compared and begun anew. Checked after each kill: all of its processes end by themselves. At the
end: shards, manifest and all other files are the same bytes as those of the undisturbed preparation; no file is left
beside them, nor in the folder for temporary files. Prints one JSON object; status 1 where something is not as it
should be.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from prepare_throughput import make_text, make_vocabulary

from common import arguments, digests, kill, preparation


def main() -> None:
    """Run all of it."""
    options = arguments(__doc__, kills=20, megabytes=24.0)
    with tempfile.TemporaryDirectory(prefix="kill_preparation.") as folder:
        result = run_all(Path(folder), options.kills, int(options.megabytes * 1e6))
    print(json.dumps(result, indent=1))
    sys.exit(bool(result["faults"]))


def run_all(folder: Path, wanted: int, size: int) -> dict[str, object]:
    """Run the undisturbed preparation and those that are killed; return the figures."""
    vocabulary = make_vocabulary(folder)
    text = make_text(folder, vocabulary, size)
    temporary, records = folder / "temporary", folder / "killed" / "records"
    temporary.mkdir()

    def start(output: Path) -> subprocess.Popen:
        command = preparation(text, vocabulary, output, num_workers=2, num_shards=3, deduplicate="documents")
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, env={**os.environ, "TMPDIR": str(temporary)})

    began = time.monotonic()
    if status := start(folder / "undisturbed" / "records").wait():
        sys.exit(f"the undisturbed preparation left with status {status}")
    seconds = time.monotonic() - began
    expected = digests(folder / "undisturbed" / "records")

    generator = random.Random(0)
    faults: list[str] = []
    kills = continued = completed = 0
    while kills < wanted or not records.exists():
        shutil.rmtree(records, ignore_errors=True)
        before = pieces_of(records)
        continued += before > 0
        process = start(records)
        try:
            status = process.wait(generator.uniform(0, 1.5 * seconds) if kills < wanted else None)
        except subprocess.TimeoutExpired:
            kills += 1
            if left := kill(process):
                faults.append(f"after kill {kills} {len(left)} processes are still there: {left}")
            if pieces_of(records) < before and not records.exists():
                faults.append(f"kill {kills}: {before} pieces were done before, {pieces_of(records)} after it")
            print(f"kill {kills}: {pieces_of(records)} pieces done", file=sys.stderr, flush=True)
            continue
        if status:
            faults.append(f"status {status}")
            break
        completed += 1
        found = digests(records)
        different = [name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name)]
        left_behind = [*(path for path in records.parent.iterdir() if path != records), *temporary.rglob("*")]
        faults += [f"different file: {name}" for name in sorted(different)]
        faults += [f"left behind: {path.relative_to(folder)}" for path in sorted(left_behind)]
    return {"kills": kills, "continued": continued, "completed": completed, "seconds_undisturbed": round(seconds, 1),
            "files": len(expected), "faults": faults}


def pieces_of(records: Path) -> int:
    """How many pieces the journal says are done."""
    journal = records.parent / f".{records.name}.partial" / "progress.json"
    try:
        return json.loads(journal.read_text(encoding="utf-8"))["pieces"]
    except FileNotFoundError:
        return 0


if __name__ == "__main__":
    main()
