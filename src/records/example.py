# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""tf.train.Example to bytes and back, with NumPy for whole batches.

Building Example objects row by row costs more than tokenising the text. The message is simple enough to be
written directly (https://protobuf.dev/programming-guides/encoding, tensorflow/core/example/feature.proto):

    Example   { Features features = 1; }
    Features  { map<string, Feature> feature = 1; }      an entry is { string key = 1; Feature value = 2; }
    Feature   { BytesList bytes_list = 1; FloatList float_list = 2; Int64List int64_list = 3; }
    FloatList { repeated float value = 1 [packed]; }     Int64List { repeated int64 value = 1 [packed]; }
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import numpy as np

from src.corpus.ragged import Ragged

LENGTH_DELIMITED = 2
FLOAT_LIST, INT64_LIST = 2, 3


def encode_examples(columns: Mapping[str, np.ndarray | Ragged]) -> list[bytes]:
    """Serialise rows as tf.train.Example.

    Args:
        columns: name -> (rows, length) array or rows of different lengths, integer (written as int64_list) or floating
            (float_list, float32).

    Returns:
        One message a row, features in the order of `columns`.
    """
    parts = []
    for name, column in columns.items():
        if isinstance(column, Ragged):
            values, row_ends = column.values, column.ends
        else:
            values, row_ends = column.reshape(-1), column.shape[1] * np.arange(1, len(column) + 1)
        if np.issubdtype(values.dtype, np.floating):
            data, ends = np.ascontiguousarray(values, "<f4").tobytes(), 4 * row_ends
            parts.append((name.encode(), FLOAT_LIST, data, ends.tolist()))
        else:
            data, ends = _encode_varints(values, row_ends)
            parts.append((name.encode(), INT64_LIST, data, ends.tolist()))
    messages = []
    starts = [0] * len(parts)
    for row in range(len(next(iter(columns.values())))):
        pieces = [b""]
        size = 0
        for index, (name, field, data, ends) in enumerate(parts):
            start, end = starts[index], ends[row]
            head = _entry_head(name, field, end - start)
            pieces.append(head)
            pieces.append(data[start:end])
            size += len(head) + end - start
            starts[index] = end
        pieces[0] = b"\x0a" + _varint(size)
        messages.append(b"".join(pieces))
    return messages


def _encode_varints(values: np.ndarray, row_ends: np.ndarray) -> tuple[bytes, np.ndarray]:
    """Varints of an integer array (values,), one after the other, and where each row's bytes end.

    Args:
        values: the rows one after the other.
        row_ends: int64 (rows,), where each row ends in `values`.
    """
    low, high = (int(values.min()), int(values.max())) if values.size else (0, 0)
    if 0 <= low and high < 1 << 7:
        return values.astype(np.uint8).tobytes(), row_ends
    # Two's complement: a negative int64 takes ten bytes, as protobuf has it.
    groups = 10 if low < 0 else -(-high.bit_length() // 7)
    dtype = np.uint64 if groups > 4 else np.uint32
    rest = values.astype(np.int64).view(np.uint64).astype(dtype)
    digits = np.empty((len(values), groups), np.uint8)
    used = np.empty(digits.shape, bool)
    continued = np.ones(values.shape, bool)
    sizes = np.zeros(values.shape, np.uint8)
    for group in range(groups):
        # A varint ends at its last digit that is not zero; the digits before carry the continuation bit.
        used[:, group] = continued
        sizes += continued
        continued = rest > dtype(0x7F)
        digits[:, group] = rest.astype(np.uint8) & np.uint8(0x7F) | continued.view(np.uint8) << np.uint8(7)
        rest = rest >> dtype(7)
    return digits[used].tobytes(), np.concatenate(([0], np.cumsum(sizes, dtype=np.int64)))[row_ends]


@lru_cache(maxsize=1 << 16)
def _entry_head(name: bytes, field: int, size: int) -> bytes:
    """What precedes the packed values of one map entry, `size` bytes long; an empty list has no value field."""
    packed = b"\x0a" + _varint(size) if size else b""
    feature = bytes([field << 3 | LENGTH_DELIMITED]) + _varint(len(packed) + size) + packed
    entry = b"\x0a" + _varint(len(name)) + name + b"\x12" + _varint(len(feature) + size) + feature
    return b"\x0a" + _varint(len(entry) + size) + entry


@lru_cache(maxsize=1 << 16)
def _varint(value: int) -> bytes:
    digits = bytearray()
    while value > 0x7F:
        digits.append(value & 0x7F | 0x80)
        value >>= 7
    digits.append(value)
    return bytes(digits)


class MalformedExample(ValueError):
    """The bytes are no tf.train.Example."""


def decode_example(message: bytes) -> dict[str, np.ndarray]:
    """Parse one tf.train.Example: name -> int64, float32 or object (bytes) array (length,).

    Raises:
        MalformedExample: the bytes are something else.
    """
    values: dict[str, np.ndarray] = {}
    for field, features in _fields(message):
        if field != 1:
            raise MalformedExample(f"field {field} in Example")
        for _, entry in _fields(features):
            parts = dict(_fields(entry))
            name = bytes(parts.get(1, b""))
            try:
                values[name.decode()] = _decode_feature(parts.get(2, b""))
            except UnicodeDecodeError as error:
                raise MalformedExample("a feature's name is not UTF-8") from error
    if not values:
        raise MalformedExample("no features")
    return values


def _decode_feature(message: bytes) -> np.ndarray:
    for field, content in _fields(message):
        items = [item for _, item in _fields(content)]
        if field == 1:
            return np.array(items, object)
        if field == FLOAT_LIST:
            return np.frombuffer(b"".join(items), "<f4")
        if field == INT64_LIST:
            return np.array([value for item in items for value in _decode_varints(item)], np.uint64).view(np.int64)
    return np.zeros(0, np.int64)


def _fields(message: bytes) -> list[tuple[int, bytes]]:
    """(field number, content) of a message; a lone varint or fixed32 comes as its own bytes."""
    fields = []
    position, end = 0, len(message)
    while position < end:
        key, position = _read_varint(message, position)
        wire = key & 7
        if wire == LENGTH_DELIMITED:
            size, position = _read_varint(message, position)
        elif wire == 5:
            size = 4
        elif wire == 0:
            size = _read_varint(message, position)[1] - position
        else:
            raise MalformedExample(f"wire type {wire}")
        if position + size > end:
            raise MalformedExample("a field is longer than its message")
        fields.append((key >> 3, message[position:position + size]))
        position += size
    return fields


def _read_varint(message: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if position >= len(message) or shift > 63:
            raise MalformedExample("a number does not end")
        digit = message[position]
        value |= (digit & 0x7F) << shift
        position += 1
        if digit < 0x80:
            return value & (1 << 64) - 1, position
        shift += 7


def _decode_varints(message: bytes) -> list[int]:
    values = []
    position = 0
    while position < len(message):
        value, position = _read_varint(message, position)
        values.append(value)
    return values
