"""Writing and reading the tables of a TFLite file, with the flatbuffers library alone.

A table is a dict here and a vector of numbers a NumPy array: one function writes any table of the
schema, and one reads it.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any

import flatbuffers
import numpy as np
from flatbuffers import encode, number_types, packer
from flatbuffers.table import Table

from .tflite_schema import IDENTIFIER, OPERATORS, SCHEMA, Field

Fields = Mapping[str, Any]

_NUMBERS = {
    "bool": number_types.BoolFlags,
    "int8": number_types.Int8Flags,
    "uint8": number_types.Uint8Flags,
    "int32": number_types.Int32Flags,
    "uint32": number_types.Uint32Flags,
    "int64": number_types.Int64Flags,
    "uint64": number_types.Uint64Flags,
    "float32": number_types.Float32Flags,
}
_OFFSET_SIZE = 4  # bytes; of a reference from one table to another
_VTABLE_HEADER = 4  # bytes before the places of the fields, two each


def write_model(model: Fields) -> bytes:
    """The bytes of a model, its weights not among them.

    Args:
        model: The fields of the table "Model".
    """
    builder = flatbuffers.Builder(1 << 20)
    builder.Finish(_write_table(builder, SCHEMA["Model"], model), IDENTIFIER)
    return bytes(builder.Output())


def _write_table(builder: Any, schema: Mapping[str, Field], values: Fields) -> int:  # noqa: ANN401
    """Write what a table refers to, then the table; zeros are not written."""
    written = [
        (schema[name], _write_value(builder, schema[name].kind, value))
        for name, value in values.items()
    ]
    builder.StartObject(1 + max((field.slot for field in schema.values()), default=0))
    for field, value in written:
        if field.kind in _NUMBERS:
            builder.PrependSlot(_NUMBERS[field.kind], field.slot, value, 0)
        else:
            builder.PrependUOffsetTRelativeSlot(field.slot, value, 0)
    return int(builder.EndObject())


def _write_value(builder: Any, kind: str, value: Any) -> Any:  # noqa: ANN401
    if kind in _NUMBERS:
        return value
    if kind == "string":
        return builder.CreateString(value)
    if kind == "operator":
        name, options = value
        return _write_table(builder, OPERATORS[name].options or {}, options)
    if not kind.startswith("["):
        return _write_table(builder, SCHEMA[kind], value)
    kind = kind[1:-1]
    if kind in _NUMBERS:
        return builder.CreateNumpyVector(np.asarray(value, kind))
    tables = [_write_table(builder, SCHEMA[kind], item) for item in value]
    builder.StartVector(_OFFSET_SIZE, len(tables), _OFFSET_SIZE)
    for table in reversed(tables):
        builder.PrependUOffsetTRelative(table)
    return builder.EndVector()


def read_model(data: memoryview) -> Fields:
    """The fields of the table "Model"; what is not there is zero or empty.

    Args:
        data: The file, at least up to its weights.

    Raises:
        ValueError: It is not a TFLite file, or damaged.
    """
    if bytes(data[4:8]) != IDENTIFIER:
        raise ValueError("it is not a TFLite file")
    try:
        return _read_table(Table(data, encode.Get(packer.uoffset, data, 0)), SCHEMA["Model"])
    except (struct.error, IndexError, TypeError, UnicodeDecodeError) as error:
        raise ValueError("it is damaged") from error


def _read_table(table: Any, schema: Mapping[str, Field]) -> Fields:  # noqa: ANN401
    return {
        name: _read_value(table, table.Offset(_VTABLE_HEADER + 2 * field.slot), field.kind)
        for name, field in schema.items()
        if field.kind != "operator"
    }


def _read_value(table: Any, offset: int, kind: str) -> Any:  # noqa: ANN401
    vector = kind.startswith("[")
    element = kind.strip("[]")
    if vector and element in _NUMBERS:
        if not offset:
            return np.zeros(0, element)
        return table.GetVectorAsNumpy(_NUMBERS[element], offset)
    if vector:
        count, start = (table.VectorLen(offset), table.Vector(offset)) if offset else (0, 0)
        places = (start + _OFFSET_SIZE * i for i in range(count))
        return [_read_at(table, place, SCHEMA[element]) for place in places]
    if kind in _NUMBERS:
        return table.Get(_NUMBERS[kind], table.Pos + offset) if offset else 0
    if kind == "string":
        return table.String(table.Pos + offset).decode() if offset else ""
    return _read_at(table, table.Pos + offset, SCHEMA[kind]) if offset else {}


def _read_at(table: Any, place: int, schema: Mapping[str, Field]) -> Fields:  # noqa: ANN401
    return _read_table(Table(table.Bytes, table.Indirect(place)), schema)
