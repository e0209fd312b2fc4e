"""Safetensors files, read in place.

The ``safetensors`` library cannot give NumPy a bfloat16 tensor, and many fine-tunes are stored so;
the format is a length, a JSON table and the arrays, which is all that is read here.

Source: https://github.com/huggingface/safetensors, section Format of its README.
"""

from __future__ import annotations

import math
from pathlib import Path

import msgspec

from ..edge.errors import CheckpointError
from .stored_tensor import StoredTensor

_LENGTH_SIZE = 8  # bytes of the little-endian length that a file begins with
_MAX_TABLE = 100 << 20  # bytes; the limit that the format itself sets
_BITS = {"F64": 64, "F32": 32, "F16": 16, "BF16": 16, "I64": 64, "I32": 32, "I16": 16, "I8": 8}


class _Entry(msgspec.Struct):
    dtype: str
    shape: tuple[int, ...]
    data_offsets: tuple[int, int]


def read_safetensors(path: Path) -> dict[str, StoredTensor]:
    """Find the tensors of one file.

    Raises:
        CheckpointError: The file is missing, truncated or not a safetensors file.
    """
    try:
        with path.open("rb") as file:
            size = path.stat().st_size
            n_table = int.from_bytes(file.read(_LENGTH_SIZE), "little")
            start = _LENGTH_SIZE + n_table
            if size < _LENGTH_SIZE or n_table > _MAX_TABLE or start > size:
                raise CheckpointError(f"{path} is not a safetensors file, or only its beginning")
            table = file.read(n_table)
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror}") from error
    try:
        entries = msgspec.json.decode(table, type=dict[str, msgspec.Raw])
        entries.pop("__metadata__", None)
        found = {name: msgspec.json.decode(raw, type=_Entry) for name, raw in entries.items()}
    except msgspec.MsgspecError as error:
        raise CheckpointError(f"{path} is not a safetensors file: {error}") from error
    for name, entry in found.items():
        begin, end = entry.data_offsets
        if start + end > size:
            raise CheckpointError(
                f"{path} is truncated: {name} ends at byte {start + end} of {size}; "
                "download it again"
            )
        n_bytes = math.prod(entry.shape) * _BITS.get(entry.dtype, 0) // 8
        if begin < 0 or (entry.dtype in _BITS and end - begin != n_bytes):
            raise CheckpointError(f"{path} is corrupt: {name} has the wrong number of bytes")
    return {
        name: StoredTensor(path, start + entry.data_offsets[0], entry.dtype, entry.shape)
        for name, entry in found.items()
    }
