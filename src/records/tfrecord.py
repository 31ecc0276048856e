# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The framing of TFRecord files: writing records, counting those of a file and checking them, without TensorFlow.

    uint64 length, uint32 masked CRC-32C of the length, `length` bytes, uint32 masked CRC-32C of these bytes

all little-endian (https://www.tensorflow.org/tutorials/load_data/tfrecord). MindSpore's reader does not check the
payload's CRC, and takes a file that was cut between two records for a shorter one. TensorFlow's writer cannot
continue a file, and every process would take seconds and 300 MB to import it.
"""

from __future__ import annotations

import mmap
import struct
from functools import lru_cache
from pathlib import Path

import google_crc32c

from src.common.errors import UserError

HEADER = struct.Struct("<QI")
FOOTER = struct.Struct("<I")


def framed(message: bytes) -> bytes:
    """The bytes of one record in a file."""
    return b"".join((_header(len(message)), message, FOOTER.pack(masked_crc32c(message))))


@lru_cache(maxsize=1 << 12)
def _header(length: int) -> bytes:
    return HEADER.pack(length, masked_crc32c(length.to_bytes(8, "little")))


def scan(path: str | Path, check_payload: bool) -> tuple[int, bytes]:
    """Walk the records of a file and check the CRC of every length and, with `check_payload`, of the contents.

    Returns:
        Number of records; the bytes of the first one.

    Raises:
        UserError: naming file and byte offset: empty, compressed, no TFRecord file, truncated or damaged.
    """
    try:
        with open(path, "rb") as stream:
            size = stream.seek(0, 2)
            if not size:
                raise UserError(f"{path} is empty; expected a TFRecord file")
            with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
                if data[:2] == b"\x1f\x8b":
                    raise UserError(f"{path} is compressed with gzip; unpack it first (gzip -d)")
                return _walk(str(path), data, size, check_payload)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error


def _walk(path: str, data: mmap.mmap, size: int, check_payload: bool) -> tuple[int, bytes]:
    offset = rows = 0
    first = b""
    unpack = HEADER.unpack_from
    # A length whose CRC is right is believed; all of them come first from the same few, so they are remembered.
    good: dict[int, int] = {}
    while offset < size:
        if offset + HEADER.size > size:
            raise UserError(f"{path} is truncated: record {rows + 1} begins at byte {offset}, and the file ends inside "
                            f"its header at byte {size}; copy or make the file again")
        length, crc = unpack(data, offset)
        if good.get(length) != crc:
            if masked_crc32c(data[offset:offset + 8]) != crc:
                what = "is no TFRecord file" if not rows else "is damaged"
                raise UserError(f"{path} {what}: the CRC of the record length at byte {offset} is wrong")
            good[length] = crc
        end = offset + HEADER.size + length + FOOTER.size
        if end > size:
            raise UserError(f"{path} is truncated: record {rows + 1} begins at byte {offset} and needs bytes up to "
                            f"{end}, but the file ends at byte {size}; copy or make the file again")
        if check_payload or not rows:
            payload = data[offset + HEADER.size:end - FOOTER.size]
            if masked_crc32c(payload) != FOOTER.unpack_from(data, end - FOOTER.size)[0]:
                raise UserError(f"{path} is damaged: the CRC of record {rows + 1} at byte {offset} is wrong")
            first = first or payload
        offset = end
        rows += 1
    return rows, first


def masked_crc32c(data: bytes) -> int:
    """TFRecord's mask of the CRC-32C (Castagnoli): rotated right by 15 bits plus a constant."""
    crc = google_crc32c.value(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
