# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""tf.train.Example to bytes, with NumPy for whole batches, and back.

Building Example objects row by row takes three times as long as this. The message is simple enough to be written
directly (https://protobuf.dev/programming-guides/encoding, tensorflow/core/example/feature.proto):

    Example   { Features features = 1; }
    Features  { map<string, Feature> feature = 1; }      an entry is { string key = 1; Feature value = 2; }
    Feature   { BytesList bytes_list = 1; FloatList float_list = 2; Int64List int64_list = 3; }
    FloatList { repeated float value = 1 [packed]; }     Int64List { repeated int64 value = 1 [packed]; }
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, lru_cache

import numpy as np
from google.protobuf.descriptor_pb2 import DescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pb2 import FieldDescriptorProto as Field
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass

from src.common.errors import one_line
from src.corpus.sequences import Ragged

LENGTH_DELIMITED = 2
FLOAT_LIST, INT64_LIST = 2, 3
KINDS = {"bytes_list": object, "float_list": np.float32, "int64_list": np.int64}


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
        for index, (key, field, data, ends) in enumerate(parts):
            start, end = starts[index], ends[row]
            head = _entry_head(key, field, end - start)
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
    rest: np.ndarray = values.astype(np.int64).view(np.uint64).astype(dtype)
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


def decode_example(message: bytes) -> dict[str, np.ndarray]:
    """Parse one tf.train.Example: name -> int64, float32 or object (bytes) array (length,).

    Raises:
        ValueError: the bytes are something else.
    """
    example = _example_class()()
    try:
        example.ParseFromString(message)
    except DecodeError as error:
        raise ValueError(one_line(error)) from error
    values = {}
    for entry in example.features.feature:
        kind = entry.value.WhichOneof("kind") or "int64_list"
        values[entry.key] = np.array(getattr(entry.value, kind).value, KINDS[kind])
    if not values:
        raise ValueError("no features")
    return values


@cache
def _example_class() -> type[Message]:
    """The class of the messages above, in a pool of its own: TensorFlow registers its one under the same name."""
    file = FileDescriptorProto(name="example.proto", package="tensorflow", syntax="proto3")

    def message(name: str, **types: str) -> DescriptorProto:
        made = file.message_type.add(name=name)
        for number, (field, kind) in enumerate(types.items(), 1):
            label, _, kind = kind.rpartition(" ")
            made.field.add(name=field, number=number, label=Field.LABEL_REPEATED if label else Field.LABEL_OPTIONAL,
                           type=getattr(Field, f"TYPE_{kind.upper()}", Field.TYPE_MESSAGE),
                           type_name=kind if kind[0].isupper() else None)
        return made

    message("BytesList", value="repeated bytes")
    message("FloatList", value="repeated float")
    message("Int64List", value="repeated int64")
    feature = message("Feature", bytes_list="BytesList", float_list="FloatList", int64_list="Int64List")
    feature.oneof_decl.add(name="kind")
    for field in feature.field:
        field.oneof_index = 0
    # A map is a list of entries.
    message("Entry", key="string", value="Feature")
    message("Features", feature="repeated Entry")
    message("Example", features="Features")
    pool = DescriptorPool()
    pool.Add(file)
    return GetMessageClass(pool.FindMessageTypeByName("tensorflow.Example"))
