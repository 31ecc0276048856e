# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""What a task's file holds, seen from the file: tab-separated cells, CSV, JSON lines or a list, Parquet, Arrow; and its
encoding.

What cannot be told for certain is refused, with what to change.
"""

from __future__ import annotations

import codecs
import csv
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import AnyStr, Literal

from src.common.errors import UserError, nearest
from src.common.untrusted import parse_json
from src.task_files.columnar import columnar_kind
from src.task_files.headers import is_known

Faulty = Callable[[str], None]

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}
MAGIC = {b"PK\x03\x04": "an Excel workbook or a zip archive", b"\xd0\xcf\x11\xe0": "an old Excel workbook",
         b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ": "xz"}
# A cell of a CSV writer: quotes around it, each quote within doubled, of which there is at least one.
_DOUBLED = re.compile(r'"(?:[^"]|"")*""(?:[^"]|"")*"')
_ROWS_LOOKED_AT = 200


@dataclass(frozen=True)
class Form:
    """How a file is read.

    Attributes:
        kind: "tsv" (quotes mean nothing), "csv" (RFC 4180, whatever the separator), "jsonl", "json" (a list),
            "parquet", "arrow" (a file of either kind, or a folder of save_to_disk), "lines" (a text each).
        skip: lines before the first row: the "sep=;" of spreadsheets.
    """

    kind: Literal["tsv", "csv", "jsonl", "json", "parquet", "arrow", "lines"]
    encoding: str = "utf-8"
    separator: str = "\t"
    skip: int = 0

    @property
    def is_columnar(self) -> bool:
        """Whether columns have types, which `src.task_files.columnar` reads."""
        return self.kind in ("parquet", "arrow")

    @property
    def has_names(self) -> bool:
        """Whether the cells of each row have names, so that there is no question of a header."""
        return self.is_columnar or self.kind in ("jsonl", "json")

    @property
    def name(self) -> str:
        """For people."""
        if self.kind == "tsv":
            return "tab-separated"
        if self.kind == "csv":
            return f"CSV, separated by {SEPARATORS.get(self.separator, repr(self.separator))}"
        return {"jsonl": "JSON lines", "json": "a JSON list", "parquet": "Parquet", "arrow": "Arrow",
                "lines": "one text a line"}[self.kind]


def fail(message: str) -> None:
    """The `faulty` that leaves nothing out."""
    raise UserError(message)


def codec(encoding: str) -> str:
    """Return Python's name of an encoding; raises `UserError` for one that is not known, or is none of text."""
    try:
        info = codecs.lookup(encoding)
        "a".encode(info.name)
    except (LookupError, ValueError):
        known = ("utf-8", "gb18030", "big5", "utf-16", "cp1252")
        raise UserError(f"--encoding {encoding} is not known; expected {', '.join(known)} or another name that Python "
                        f"knows{nearest(encoding, known)}") from None
    return "utf-8" if info.name in ("utf-8-sig", "ascii") else info.name


def form_of(file: Path, encoding: str = "utf-8", understands_quotes: bool = False) -> Form:
    """Look at a file.

    Args:
        understands_quotes: tab-separated cells that a CSV writer has quoted are told from others, whose quotes are
            text. The benchmarks' own files are not quoted.

    Raises:
        UserError: the file cannot be read, is no text, is in another encoding, or has two possible separators.
    """
    name = codec(encoding)
    if kind := columnar_kind(file):
        if name != "utf-8":
            raise UserError(f"{file} is {Form(kind).name}, whose texts are UTF-8; leave --encoding {encoding} out")
        return Form(kind)
    check_encoding(file, name)
    suffix = file.suffix.lower()
    first = next((text for _, text in lines_of(file, lambda message: None, name) if text.strip()), "")
    if suffix in (".json", ".jsonl", ".ndjson") or _is_object(first):
        return Form("json" if first.lstrip().startswith("[") else "jsonl", name)
    if re.match(r"\s*\[\s*(\{|$)", first):
        return Form("json", name)
    if suffix == ".csv":
        separator, skip = _separator(file, name)
        return Form("csv", name, separator, skip)
    if understands_quotes and _is_quoted(file, name):
        return Form("csv", name)
    return Form("tsv", name)


def lines_form(file: Path, encoding: str = "utf-8") -> Form:
    """Look at a file whose lines are texts.

    Raises:
        UserError: it cannot be read, is empty, no text or in another encoding, or begins with cells or objects.
    """
    form = form_of(file, encoding)
    first = next((text for _, text in lines_of(file, fail, form.encoding) if text), "")
    if not first:
        raise UserError(f"{file} is empty; expected one text a line")
    if form.kind != "tsv" or "\t" in first:
        what = "tabs" if form.kind == "tsv" else "JSON" if form.has_names and not form.is_columnar else form.name
        raise UserError(f"{file} holds {what}, and each line of a .txt is one text; call it by what it holds, such as "
                        ".tsv or .jsonl")
    return Form("lines", form.encoding)


def lines_of(file: Path, faulty: Faulty = fail, encoding: str = "utf-8") -> Iterator[tuple[int, str]]:
    """Yield (line number, text) of a file, without the line's end; empty lines too.

    Lines end at "\\n", "\\r\\n", or, in a file without either, "\\r": the other separators that Python knows of
    (U+2028, form feed) do occur inside of fields. A byte order mark at the beginning is dropped.

    Raises:
        UserError: the file cannot be read, or its first line cannot be decoded. Another such line is faulty.
    """
    try:
        if "\n".encode(encoding) != b"\n":
            yield from _wide_lines(file, encoding)
            return
        with open(file, "rb") as stream:
            for number, raw in enumerate(_split(stream, b"\n", b"\r"), 1):
                try:
                    text = raw.decode(encoding)
                except UnicodeDecodeError as error:
                    message = (f"{file}:{number}: not {_shown(encoding)} (byte {error.start + 1} of the line is "
                               f"0x{raw[error.start]:02x}); convert the file to UTF-8, or name its encoding "
                               f"({_likely(raw)})")
                    (fail if number == 1 else faulty)(message)
                    continue
                yield number, (text.removeprefix("\ufeff") if number == 1 else text).rstrip("\r\n")
    except OSError as error:
        raise UserError(f"cannot read {file}: {error.strerror}") from error


def _split(stream: Iterable[AnyStr], newline: AnyStr, other: AnyStr) -> Iterator[AnyStr]:
    """Yield the lines; those of a file without a newline end at the other character."""
    for number, line in enumerate(stream):
        if not number and not line.endswith(newline) and other in line.rstrip(other):
            yield from line.split(other)
        else:
            yield line


def _wide_lines(file: Path, encoding: str) -> Iterator[tuple[int, str]]:
    number = 0
    try:
        with open(file, encoding=encoding, newline="\n") as stream:
            for number, text in enumerate(_split(stream, "\n", "\r"), 1):  # noqa: B007
                yield number, (text.removeprefix("\ufeff") if number == 1 else text).rstrip("\r\n")
    except UnicodeError as error:
        raise UserError(f"{file}:{number + 1}: not {_shown(encoding)} ({error}); name the encoding that the file has "
                        "(utf-16, utf-16-le, gb18030, ...)") from error


def check_encoding(file: Path, encoding: str) -> None:
    """Raise `UserError` for a file that is no text, or as a whole in another encoding.

    A few damaged lines are left to who reads the file.
    """
    try:
        with open(file, "rb") as stream:
            head = stream.read(4096)
        for magic, name in MAGIC.items():
            if head.startswith(magic):
                raise UserError(f"{file} is {name}; save it as CSV or as tab-separated text in UTF-8, unpacked")
        if encoding == "utf-8":
            if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
                raise UserError(f"{file} is UTF-16 (a byte order mark says so); read it with --encoding utf-16, or "
                                "save it as UTF-8")
            if head.count(b"\0") > len(head) // 8:
                name = "utf-16-le" if head[1::2].count(b"\0") > head[::2].count(b"\0") else "utf-16-be"
                raise UserError(f"{file} is no UTF-8 text (many of its bytes are zero); if it is UTF-16, read it with "
                                f"--encoding {name}")
            _check_utf8(file)
        elif "\n".encode(encoding) == b"\n" and _is_utf8(file, head):
            raise UserError(f"{file} is UTF-8, not {_shown(encoding)}; leave --encoding {encoding} out, or convert "
                            "the files of a folder to one encoding")
    except OSError as error:
        raise UserError(f"cannot read {file}: {error.strerror}") from error


def _check_utf8(file: Path) -> None:
    bad = others = 0
    chinese = True
    with open(file, "rb") as stream:
        for raw in _split(stream, b"\n", b"\r"):
            if raw.isascii():
                continue
            if _decodes(raw, "utf-8"):
                others += 1
            else:
                bad += 1
                chinese = chinese and _decodes(raw, "gb18030")
    if bad > max(1, others):
        remedy = ("if it is Chinese text of Windows or Excel, read it with --encoding gb18030 (simplified characters, "
                  "GBK) or big5 (traditional ones)" if chinese else "name its encoding, such as --encoding cp1252")
        raise UserError(f"{file} is not UTF-8 ({bad} lines are not); {remedy}, or save it as UTF-8")


def _is_utf8(file: Path, head: bytes) -> bool:
    """Whether a file is UTF-8 with a byte order mark, or with more characters than are UTF-8 by chance."""
    if head.startswith(codecs.BOM_UTF8):
        return True
    number = 0
    with open(file, "rb") as stream:
        for raw in stream:
            if raw.isascii():
                continue
            if not _decodes(raw, "utf-8"):
                return False
            number += sum(ord(character) > 127 for character in raw.decode("utf-8"))
    return number >= 8


def _decodes(raw: bytes, encoding: str) -> bool:
    try:
        raw.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _likely(raw: bytes) -> str:
    """The option for the encoding that a line may have."""
    if _decodes(raw, "gb18030") and any("\u4e00" <= character <= "\u9fff" for character in raw.decode("gb18030")):
        return "--encoding gb18030 for Chinese text of Windows"
    return "--encoding gb18030, cp1252, ..."


def _shown(encoding: str) -> str:
    return encoding.upper()


def _is_object(line: str) -> bool:
    if not line.startswith("{"):
        return False
    try:
        return isinstance(parse_json(line.rstrip().removesuffix(",")), dict)
    except ValueError:
        return False


def csv_rows(file: Path, form: Form, undecoded: Faulty = fail) -> Iterator[tuple[int, list[str]]]:
    """Yield (line where it begins, cells) of the rows of a CSV; rows without a character are skipped.

    Raises:
        UserError: naming file and line: a quote that is not closed, or more text behind a closed one; bytes that are
            not of the encoding. What follows them cannot be read for certain.
    """
    line = 0

    def texts() -> Iterator[str]:
        nonlocal line
        for number, text in lines_of(file, undecoded, form.encoding):
            line = number
            if number > form.skip:
                yield text + "\n"

    reader = csv.reader(texts(), delimiter=form.separator, strict=True)
    while True:
        begin = max(line, form.skip) + 1
        try:
            cells = next(reader, None)
        except csv.Error as error:
            reason = "a quote is opened that is not closed" if "end of data" in str(error) else str(error)
            raise UserError(f"{file}:{begin}: {reason}; in a CSV a cell with quotes stands in quotes, and each quote "
                            'within is doubled: "she said ""good"""') from error
        if cells is None:
            return
        if any(cell.strip() for cell in cells):
            yield begin, cells


def _separator(file: Path, encoding: str) -> tuple[str, int]:
    """What separates the cells of a .csv, and how many lines come before the header."""
    first = next((text for _, text in lines_of(file, lambda message: None, encoding)), "")
    if declared := re.fullmatch(r'"?sep=(.)"?', first):
        return declared.group(1), 1
    rows = {separator: _some_rows(file, Form("csv", encoding, separator)) for separator in SEPARATORS}
    wide = [separator for separator, found in rows.items() if found and len(found[0]) > 1]
    even = [separator for separator in wide if len({len(cells) for cells in rows[separator]}) == 1]
    if len(even) > 1:
        even = [separator for separator in even if sum(map(is_known, rows[separator][0])) > 1] or even
    if len(even) == 1 or not even and len(wide) == 1:
        return (even or wide)[0], 0
    if not wide:
        return ",", 0
    names = " or by ".join(SEPARATORS[separator] for separator in even or wide)
    raise UserError(f"{file}: the cells may be separated by {names}; begin the file with the line sep={wide[0]}, or "
                    "save it as tab-separated text (.tsv)")


def _some_rows(file: Path, form: Form) -> list[list[str]]:
    rows: list[list[str]] = []
    try:
        rows += (cells for _, cells in islice(csv_rows(file, form), _ROWS_LOOKED_AT))
    except UserError:
        pass  # With another separator quotes stand elsewhere; who reads the file tells what is wrong with them.
    return rows


def _is_quoted(file: Path, encoding: str) -> bool:
    """Whether a CSV writer has quoted tab-separated cells: all of the header, or some unmistakably, and the file is a
    CSV without a fault, in which no more rows have another number of cells than of the lines as they are.

    Quotes of a file that is none are text.
    """
    widths, certain, suspected = Counter[int](), False, False
    first = 0
    for _, text in lines_of(file, lambda message: None, encoding):
        if not text:
            continue
        cells = text.split("\t")
        if not first:
            first = len(cells)
            certain = (first > 1 or is_known(text)) and all(
                len(cell) > 2 and cell[0] == cell[-1] == '"' for cell in cells)
        widths[len(cells)] += 1
        if '"' in text:
            certain = certain or any(map(_DOUBLED.fullmatch, cells))
            # A tab or the line's end may stand within quotes.
            suspected = suspected or any(cell.startswith('"') and cell.count('"') % 2 for cell in cells)
    if not (certain or suspected):
        return False
    uneven, uneven_as_csv, expected = widths.total() - widths[first], 0, 0
    try:
        for _, csv_cells in csv_rows(file, Form("csv", encoding), lambda message: None):
            expected = expected or len(csv_cells)
            uneven_as_csv += len(csv_cells) != expected
    except UserError:
        return False
    return uneven_as_csv <= uneven if certain else uneven_as_csv < uneven
