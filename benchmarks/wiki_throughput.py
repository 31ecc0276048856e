# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""How fast a dump of Wikipedia becomes text: `src.corpus.sources` against WikiExtractor 3, on the same XML.

    pip install wikiextractor
    python benchmarks/wiki_throughput.py --dump enwiki-latest-pages-articles1.xml.bz2 --megabytes 60

The dump is unpacked, and cut or repeated to a size. In turns, as often as --repeat says, run: WikiExtractor with one
process and without the templates that it would expand from the dump; ours, which shows some templates, drops lists
and disambiguation pages and cleans the text; and ours with sentences split besides, which WikiExtractor does not do. (A
text that is repeated is split faster than it would be otherwise.) Printed are MB of XML per second of processor time
(the fastest run of each; start-up included, children too).
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import re
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

from common import REPOSITORY, arguments, in_turn, machine, watch

PAGE = re.compile(rb"<page>.*?</page>\s*", re.DOTALL)
OURS = """
import sys
from src.corpus.sources import InputOptions, pieces, read_documents
options = InputOptions(split_sentences=sys.argv[3])
with open(sys.argv[2], "w", encoding="utf-8") as output:
    for chunk in pieces([sys.argv[1]], options):
        for document in read_documents(chunk, options).documents:
            output.writelines("\\n".join(paragraph) + "\\n" for paragraph in document)
"""


def main() -> None:
    """Measure and print."""
    options = arguments(__doc__, dump=Path, megabytes=60.0, repeat=3)
    if options.dump is None:
        sys.exit("--dump is not set; expected pages-articles, as it is or packed")
    if importlib.util.find_spec("wikiextractor") is None:
        sys.exit("WikiExtractor is not installed: pip install wikiextractor")
    with tempfile.TemporaryDirectory(prefix="wiki_throughput.") as folder:
        measure(options, Path(folder))


def measure(options: argparse.Namespace, folder: Path) -> None:
    """Run the three in turns and print the table."""
    xml = folder / "dump.xml"
    write_xml(options.dump, xml, int(options.megabytes * 1e6))
    size = xml.stat().st_size / 1e6
    print(f"{size:.1f} MB of XML, {machine()}", flush=True)
    ours = [sys.executable, "-c", OURS, str(xml), str(folder / "text")]
    commands = {
        "WikiExtractor": [sys.executable, "-m", "wikiextractor.WikiExtractor", str(xml), "-o", str(folder / "theirs"),
                          "--processes", "1", "--no-templates", "-q"],
        "ours": [*ours, "false"], "ours, sentences split": [*ours, "true"]}
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"}
    usage = in_turn({name: partial(watch, command, stdout=subprocess.DEVNULL, env=environment)
                     for name, command in commands.items()}, options.repeat)
    seconds = {name: min(used.processor for used in runs) for name, runs in usage.items()}
    for name, least in seconds.items():
        print(f"{name:<24}{size / least:>7.2f} MB of XML per processor second "
              f"{seconds['WikiExtractor'] / least:>6.2f} x WikiExtractor   {least:.1f} s")


def write_xml(dump: Path, path: Path, size: int) -> None:
    """Write the header of a dump and so many of its pages, again and again, that they are about `size` bytes."""
    from src.corpus.compression import blocks, kind_of

    with open(dump, "rb") as file:
        kind = kind_of(file.read(8))
    data = bytearray()
    for block in blocks(str(dump), kind):
        data += block.data
        if len(data) >= size:
            break
    pages = PAGE.findall(bytes(data))
    if not pages:
        sys.exit(f"{dump} holds no <page>")
    written = 0
    with open(path, "wb") as output:
        output.write(data[:data.find(b"<page>")])
        while written < size:
            for page in pages:
                written += output.write(page)
        output.write(b"</mediawiki>\n")


if __name__ == "__main__":
    main()
