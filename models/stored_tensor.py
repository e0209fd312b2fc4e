"""Tensors that stay in their file until they are asked for.

Safetensors and PyTorch files both keep plain arrays at known offsets, so one type serves both, and
a checkpoint that is larger than the memory of a board can still be read tensor by tensor.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..edge.errors import CheckpointError
from ..edge.types import FloatArray

# bfloat16 is no NumPy type; it is read as the upper half of a float32.
DTYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2"}


@dataclass(frozen=True)
class StoredTensor:
    """One array inside a file.

    Attributes:
        path: The file.
        offset: Where the array begins, in bytes.
        dtype: As safetensors spells it; only those in ``DTYPES`` can be read.
        shape: Sizes of the axes.
        strides: Steps along the axes, in elements; None for the C order.
    """

    path: Path
    offset: int
    dtype: str
    shape: tuple[int, ...]
    strides: tuple[int, ...] | None = None

    def read(self) -> FloatArray:
        """The values as float32: a view of the file where that is what it holds, else a copy.

        Raises:
            CheckpointError: The file is gone or shorter than it was.
        """
        steps = self.strides or ()
        last = (
            sum((n - 1) * step for n, step in zip(self.shape, steps, strict=True)) if steps else 0
        )
        n_stored = last + 1 if steps else math.prod(self.shape)
        try:
            stored = np.memmap(self.path, DTYPES[self.dtype], "r", self.offset, (n_stored,))
        except (OSError, ValueError) as error:
            raise CheckpointError(f"{self.path} changed while it was in use: {error}") from error
        values = np.asarray(stored)
        if steps:
            steps = tuple(step * values.itemsize for step in steps)
            values = np.lib.stride_tricks.as_strided(values, self.shape, steps, writeable=False)
        values = values.reshape(self.shape)
        if self.dtype == "BF16":
            return (values.astype(np.uint32) << 16).view(np.float32)
        return np.ascontiguousarray(values, np.float32)


@dataclass(frozen=True)
class StoredWeights:
    """The weights of a checkpoint: its files in order, and where each tensor lies in them."""

    files: tuple[Path, ...]
    tensors: Mapping[str, StoredTensor]

    def digest(self) -> str:
        """Sha256 over the bytes of all files, one after the other; a few seconds per gigabyte."""
        total = hashlib.sha256()
        for path in self.files:
            try:
                with path.open("rb") as file:
                    while block := file.read(1 << 20):
                        total.update(block)
            except OSError as error:
                raise CheckpointError(f"{path} cannot be read: {error.strerror}") from error
        return total.hexdigest()
