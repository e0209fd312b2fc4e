"""The bytes of an ``.mlpackage``, read without Apple's tools.

A package is a table of contents, a model in protocol buffers and a file of weights. Only what the
exporter writes is read; anything else is an ArtifactError, never a guess.

Source:
    The messages of coremltools' ``mlmodel/format/Model.proto`` and ``MIL.proto``, by their field
    numbers, and the layout of ``MILBlob/Blob/StorageFormat.hpp`` and ``BlobDataType.hpp``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..edge.errors import ArtifactError

Message = dict[int, list[Any]]  # field number to its values: integers or bytes

_DTYPES = {
    1: "bool",
    2: "str",
    10: "float16",
    11: "float32",
    21: "int8",
    23: "int32",
    25: "int4",
    38: "uint6",
}
_BLOB_SENTINEL = 0xDEADBEEF
_BLOB_DTYPES = {1: "float16", 2: "float32", 4: "int8", 8: "int4", 13: "uint6"}
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5  # wire types


@dataclass(frozen=True)
class TensorType:
    """Element type and shape of a value."""

    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Constant:
    """A value that the file holds.

    Attributes:
        array: Its elements; those of ``int4`` and ``uint6`` as bytes.
        dtype: As the file says.
        offset: Where it lies among the weights; None if the model itself holds it.
    """

    array: NDArray[Any]
    dtype: str
    offset: int | None


@dataclass(frozen=True)
class Operation:
    """One operation of a function.

    Attributes:
        kind: Its name in MIL.
        inputs: By parameter, the names of values or constants, one or several.
        attributes: Constants that belong to the operation itself.
        outputs: Names and types of its results.
    """

    kind: str
    inputs: Mapping[str, tuple[str | Constant, ...]]
    attributes: Mapping[str, Constant]
    outputs: tuple[tuple[str, TensorType], ...]


@dataclass(frozen=True)
class StoredFunction:
    """One function of a package: what it takes, does and gives."""

    inputs: Mapping[str, TensorType]
    operations: tuple[Operation, ...]
    outputs: tuple[str, ...]


def read_functions(package: Path) -> tuple[dict[str, StoredFunction], str]:
    """Every function of a package, and the name of its default.

    Raises:
        ArtifactError: The package is missing, damaged or of a kind that the exporter never writes.
    """
    try:
        table = json.loads((package / "Manifest.json").read_text())
        entries = table["itemInfoEntries"]
        model = package / "Data" / entries[table["rootModelIdentifier"]]["path"]
        weights = np.memmap(model.parent / "weights" / "weight.bin", np.uint8, "r")
        return _Reader(weights).functions(fields(memoryview(model.read_bytes())))
    except OSError as error:
        raise ArtifactError(f"{package} cannot be read: {error.strerror}") from error
    except (LookupError, TypeError, ValueError) as error:
        raise ArtifactError(f"{package} is damaged: {error}") from error


def fields(message: memoryview) -> Message:
    """The fields of one protocol buffer message, undecoded.

    Raises:
        ValueError: The bytes are no message.
    """
    found: Message = {}
    place = 0
    while place < len(message):
        key, place = _varint(message, place)
        number, wire = key >> 3, key & 7
        value: Any
        if wire == _VARINT:
            value, place = _varint(message, place)
        elif wire in (_BYTES, _FIXED64, _FIXED32):
            size = {_FIXED64: 8, _FIXED32: 4}.get(wire)
            if size is None:
                size, place = _varint(message, place)
            value, place = message[place : place + size], place + size
            if len(value) != size:
                raise ValueError("the model ends within a field")
        else:
            raise ValueError(f"a field has wire type {wire}")
        found.setdefault(number, []).append(value)
    return found


def _varint(message: memoryview, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if place >= len(message):
            raise ValueError("the model ends within a number")
        byte = message[place]
        value |= (byte & 127) << shift
        place, shift = place + 1, shift + 7
        if byte < 128:
            return value, place


class _Reader:
    """Decodes messages; ``weights`` is the mapped file that constants lie in."""

    def __init__(self, weights: NDArray[np.uint8]) -> None:
        self.weights = weights

    def functions(self, model: Message) -> tuple[dict[str, StoredFunction], str]:
        program = fields(model[502][0])
        description = fields(model[2][0])
        default = _text(description[21][0]) if 21 in description else "main"
        stored = {name: self._function(body) for name, body in _entries(program[2])}
        if default not in stored:
            raise ValueError(f"there is no function {default}")
        return stored, default

    def _function(self, message: Message) -> StoredFunction:
        blocks = dict(_entries(message[3]))
        block = blocks[_text(message[2][0])]
        inputs = dict(_named_type(fields(value)) for value in message.get(1, []))
        operations = tuple(self._operation(fields(value)) for value in block.get(3, []))
        return StoredFunction(inputs, operations, tuple(map(_text, block.get(2, []))))

    def _operation(self, message: Message) -> Operation:
        return Operation(
            kind=_text(message[1][0]),
            inputs={
                name: tuple(self._binding(fields(value)) for value in argument.get(1, []))
                for name, argument in _entries(message.get(2, []))
            },
            attributes={
                name: self._constant(value) for name, value in _entries(message.get(5, []))
            },
            outputs=tuple(_named_type(fields(value)) for value in message.get(3, [])),
        )

    def _binding(self, message: Message) -> str | Constant:
        return _text(message[1][0]) if 1 in message else self._constant(fields(message[2][0]))

    def _constant(self, message: Message) -> Constant:
        kind = _tensor_type(fields(message[2][0]))
        if 5 in message:
            offset = fields(message[5][0])[2][0]
            return Constant(self._blob(offset, kind), kind.dtype, offset)
        tensor = fields(fields(message[3][0])[1][0])
        return Constant(_immediate(tensor, kind), kind.dtype, None)

    def _blob(self, offset: int, kind: TensorType) -> NDArray[Any]:
        sentinel, stored = self.weights[offset : offset + 8].view(np.uint32)
        n_bytes, start = self.weights[offset + 8 : offset + 24].view(np.uint64)
        if sentinel != _BLOB_SENTINEL or _BLOB_DTYPES.get(int(stored)) != kind.dtype:
            raise ValueError(f"there is no {kind.dtype} at {offset} of the weights")
        raw = self.weights[int(start) : int(start + n_bytes)]
        return _elements(raw, kind)


def _elements(raw: NDArray[np.uint8], kind: TensorType) -> NDArray[Any]:
    n = int(np.prod(kind.shape, dtype=np.int64))
    if kind.dtype == "int4":
        nibbles = np.stack([raw & 15, raw >> 4], axis=-1).reshape(-1)[:n].astype(np.int8)
        return np.where(nibbles > 7, nibbles - 16, nibbles).astype(np.int8).reshape(kind.shape)
    flat = _six_bits(raw)[:n] if kind.dtype == "uint6" else raw.view(kind.dtype)
    if flat.size != n:
        raise ValueError(f"a constant of {kind.shape} has {flat.size} elements")
    return flat.reshape(kind.shape)


def _six_bits(raw: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Four values in three bytes, each from the lowest free bit on."""
    a, b, c = np.pad(raw, (0, -raw.size % 3)).reshape(-1, 3).T
    values = (a & 63, a >> 6 | (b & 15) << 2, b >> 4 | (c & 3) << 4, c >> 2)
    return np.stack(values, axis=-1).reshape(-1)


def _immediate(tensor: Message, kind: TensorType) -> NDArray[Any]:
    """A small constant; which of the fields holds it depends on its type."""
    field = next(number for number in (1, 2, 3, 4, 7) if number in tensor)
    values = fields(tensor[field][0]).get(1, [])
    if kind.dtype == "str":
        return np.array([_text(value) for value in values]).reshape(kind.shape)
    if field == 7:
        return _elements(np.frombuffer(values[0], np.uint8), kind)
    if kind.dtype == "float32":
        return _elements(np.frombuffer(b"".join(values), np.uint8), kind)
    # Booleans and integers are varints, packed or one by one; negative ones have 64 bits.
    numbers = [
        n for value in values for n in ([value] if isinstance(value, int) else _packed(value))
    ]
    signed = [n - (1 << 64) if n >> 63 else n for n in numbers]
    return np.array(signed, kind.dtype).reshape(kind.shape)


def _packed(values: memoryview) -> Iterator[int]:
    place = 0
    while place < len(values):
        value, place = _varint(values, place)
        yield value


def _named_type(message: Message) -> tuple[str, TensorType]:
    return _text(message[1][0]), _tensor_type(fields(message[2][0]))


def _tensor_type(value_type: Message) -> TensorType:
    tensor = fields(value_type[1][0])
    number = tensor[1][0]
    if number not in _DTYPES:
        raise ValueError(f"a value has type number {number}")
    sizes = (fields(fields(dimension)[1][0]) for dimension in tensor.get(3, []))
    return TensorType(_DTYPES[number], tuple(size.get(1, [0])[0] for size in sizes))


def _entries(entries: list[memoryview]) -> Iterator[tuple[str, Message]]:
    """A map, which is a list of messages of key and value."""
    for entry in map(fields, entries):
        yield _text(entry[1][0]), fields(entry[2][0])


def _text(value: memoryview) -> str:
    return bytes(value).decode()
