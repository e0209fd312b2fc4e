"""ggml's blocks: 32 inputs of a row share a half, their scale, and some formats a second one.

    q8_0   weight = scale * integer, -127..127
    q5_0   likewise, -16..15; the largest weight of a block is -16 times its scale
    q4_0   likewise, -8..7
    q5_1   weight = scale * integer + minimum, 0..31
    q4_1   likewise, 0..15

The integers are those of ggml's own quantizers, bit for bit, so that a file written from a
checkpoint is the file that whisper.cpp's tools would have made of it.

Source: ggml-org/ggml ``src/ggml-quants.c``, ``quantize_row_q8_0_ref`` and its siblings, and
``src/ggml-common.h`` for how a block lies in memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..edge.types import FloatArray, Precision, PrecisionName

BLOCK = 32  # inputs under one scale, in every one of these formats
HALF_BLOCK = BLOCK // 2
HALF_MAX = np.finfo(np.float16).max


class Format(NamedTuple):
    """How a block is stored.

    Attributes:
        bits: Of an integer.
        has_minimum: Whether the block's least weight is kept, and integers count up from it.
    """

    bits: int
    has_minimum: bool

    @property
    def layout(self) -> np.dtype[np.void]:
        """A block as it lies in a file: the bits of a byte are little-endian, as all is."""
        fields: list[tuple[str, str] | tuple[str, str, int]] = [("scale", "<f2")]
        if self.has_minimum:
            fields.append(("minimum", "<f2"))
        if self.bits == 8:
            return np.dtype([*fields, ("bytes", "i1", BLOCK)])
        if self.bits == 5:
            fields.append(("fifth_bits", "u1", BLOCK // 8))
        return np.dtype([*fields, ("nibbles", "u1", HALF_BLOCK)])


FORMATS: Mapping[PrecisionName, Format] = {
    "q8_0": Format(8, has_minimum=False),
    "q5_1": Format(5, has_minimum=True),
    "q5_0": Format(5, has_minimum=False),
    "q4_1": Format(4, has_minimum=True),
    "q4_0": Format(4, has_minimum=False),
}


@dataclass(frozen=True)
class GgmlTensor:
    """A matrix in one of ggml's blocks; ``weight = values * scale + minimum``.

    Attributes:
        values: Integers, shape (n_out, n_in).
        scales: Shape (n_out, n_blocks), each a half.
        minima: Likewise; None where the format has none.
        precision: The format that they were made for.
    """

    values: NDArray[np.int8]
    scales: FloatArray
    minima: FloatArray | None
    precision: Precision

    @property
    def size(self) -> int:
        """Weights."""
        return self.values.size

    @property
    def nbytes(self) -> int:
        """As a file holds it."""
        return self.scales.size * FORMATS[self.precision.name].layout.itemsize

    @property
    def arrays(self) -> tuple[NDArray[np.int8] | FloatArray, ...]:
        """What it is made of."""
        minima = () if self.minima is None else (self.minima,)
        return (self.values, self.scales, *minima)

    def rows(self, rows: slice) -> GgmlTensor:
        """A part of it."""
        minima = None if self.minima is None else self.minima[rows]
        return GgmlTensor(self.values[rows], self.scales[rows], minima, self.precision)

    def dequantize(self) -> FloatArray:
        """The matrix that the integers stand for, shape (n_out, n_in)."""
        weight = self.values * self.scales.repeat(BLOCK, 1)
        if self.minima is not None:
            weight += self.minima.repeat(BLOCK, 1)
        return weight

    def largest_error(self) -> FloatArray:
        """What these formats may move each weight by, shape (n_out, n_in).

        Half a step, and what the block's halves were rounded by: the integers are chosen before
        that. Where the largest weight sits on the one end, the other end is clipped by a step.
        """
        moved = _half_spacing(self.scales)
        error = (np.abs(self.scales) / 2 + moved / 2).repeat(BLOCK, 1)
        error += np.abs(self.values) * moved.repeat(BLOCK, 1)
        form = FORMATS[self.precision.name]
        if self.minima is not None:
            error += _half_spacing(self.minima).repeat(BLOCK, 1)
        elif form.bits < 8:
            # A weight of the other sign than the one on -8 belongs on 8 and gets 7.
            on_end = self.values == 2 ** (form.bits - 1) - 1
            error += on_end * (np.abs(self.scales) / 2 + moved).repeat(BLOCK, 1)
        return np.asarray(error, np.float32)


def quantize_blocks(weight: FloatArray, precision: Precision) -> GgmlTensor:
    """Store one matrix in ggml's blocks.

    Args:
        weight: Shape (n_out, n_in); ``n_in`` is a multiple of ``BLOCK``.
        precision: One of ``FORMATS``.

    Raises:
        ValueError: The rows are not whole blocks.
    """
    n_out, n_in = weight.shape
    if n_in % BLOCK:
        raise ValueError(f"rows of {n_in} are not whole blocks of {BLOCK}")
    form = FORMATS[precision.name]
    blocks = np.ascontiguousarray(weight, np.float32).reshape(-1, BLOCK)
    # As in C, a scale beyond the largest half becomes infinite. One whose inverse is infinite gives
    # integers that are no numbers, which x86 casts to 0; the half that is stored is 0 as well.
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        if form.bits == 8:
            values, scales, minima = _q8_0(blocks)
        elif form.has_minimum:
            values, scales, minima = _from_minimum(blocks, form.bits)
        else:
            values, scales, minima = _from_largest(blocks, form.bits)
        kept = [half.astype(np.float16).astype(np.float32) for half in (scales, minima)]
    return GgmlTensor(
        values.astype(np.int8).reshape(n_out, n_in),
        kept[0].reshape(n_out, -1),
        kept[1].reshape(n_out, -1) if form.has_minimum else None,
        precision,
    )


def _q8_0(blocks: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    scales = np.abs(blocks).max(1) / np.float32(127)
    scaled = blocks * _inverse(scales)
    # C's roundf: half goes away from zero. A float of this size holds the sum exactly.
    values = np.trunc(scaled + np.copysign(np.float32(0.5), scaled))
    # 0.49999997 + 0.5 would be 1 in floats.
    is_number = np.isfinite(values) & (np.abs(scaled) >= 0.5)
    return np.where(is_number, values, np.float32(0)), scales, scales


def _from_largest(blocks: FloatArray, bits: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """The largest weight of a block on the lowest integer, whatever its sign."""
    middle = np.float32(2 ** (bits - 1))
    position = np.abs(blocks).argmax(1)[:, None]
    scales = np.take_along_axis(blocks, position, 1)[:, 0] / -middle
    steps = blocks * _inverse(scales) + (middle + np.float32(0.5))
    return _limited(steps, bits) - middle, scales, scales


def _from_minimum(blocks: FloatArray, bits: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    minima = blocks.min(1)
    scales = (blocks.max(1) - minima) / np.float32(2**bits - 1)
    steps = (blocks - minima[:, None]) * _inverse(scales) + np.float32(0.5)
    return _limited(steps, bits), scales, minima


def _inverse(scales: FloatArray) -> FloatArray:
    return np.where(scales == 0, np.float32(0), np.float32(1) / scales)[:, None]


def _limited(steps: FloatArray, bits: int) -> FloatArray:
    limited = np.clip(np.trunc(steps), np.float32(0), np.float32(2**bits - 1))
    return np.where(np.isfinite(steps), limited, np.float32(0))


def pack(tensor: GgmlTensor) -> NDArray[np.uint8]:
    """The blocks of a matrix as whisper.cpp reads them, row after row."""
    form = FORMATS[tensor.precision.name]
    stored = np.zeros(tensor.scales.size, form.layout)
    with np.errstate(over="ignore"):
        stored["scale"] = tensor.scales.reshape(-1)
        if tensor.minima is not None:
            stored["minimum"] = tensor.minima.reshape(-1)
    values = tensor.values.reshape(-1, BLOCK)
    if form.bits == 8:
        stored["bytes"] = values
        return stored.view(np.uint8)
    unsigned = (values + (0 if form.has_minimum else 2 ** (form.bits - 1))).astype(np.uint8)
    # The first half of a block lies in the lower four bits, the second in the upper.
    stored["nibbles"] = unsigned[:, :HALF_BLOCK] & 15 | unsigned[:, HALF_BLOCK:] << 4
    if form.bits == 5:
        stored["fifth_bits"] = np.packbits(unsigned >> 4, axis=1, bitorder="little")
    return stored.view(np.uint8)


def unpack(data: NDArray[np.uint8], shape: tuple[int, int], precision: Precision) -> GgmlTensor:
    """What ``pack`` made of a matrix.

    Args:
        data: The blocks, as many bytes as they take.
        shape: (n_out, n_in).
        precision: One of ``FORMATS``.

    Raises:
        ValueError: There is another number of bytes.
    """
    form = FORMATS[precision.name]
    n_out, n_in = shape
    stored = np.ascontiguousarray(data).reshape(-1).view(form.layout)
    if stored.size * BLOCK != n_out * n_in:
        raise ValueError(f"{stored.size} blocks are not a matrix of {n_out} by {n_in}")
    if form.bits == 8:
        values = stored["bytes"]
    else:
        nibbles = stored["nibbles"]
        values = np.concatenate([nibbles & 15, nibbles >> 4], axis=1)
        if form.bits == 5:
            values |= np.unpackbits(stored["fifth_bits"], axis=1, bitorder="little") << 4
        values = values.astype(np.int8)
        values -= np.int8(0 if form.has_minimum else 2 ** (form.bits - 1))
    halves = {
        name: stored[name].astype(np.float32).reshape(n_out, -1)
        for name in ("scale", "minimum")[: 1 + form.has_minimum]
    }
    values = np.ascontiguousarray(values.reshape(shape))
    return GgmlTensor(values, halves["scale"], halves.get("minimum"), precision)


def _half_spacing(x: FloatArray) -> FloatArray:
    """What rounding to a half may move a number by."""
    below_largest = np.nextafter(np.float16(HALF_MAX), np.float16(0))
    size = np.minimum(np.abs(x), np.float32(below_largest)).astype(np.float16)
    return np.asarray(np.spacing(size), np.float32) / np.float32(2)
