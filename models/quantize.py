"""Weight quantization, done once for every target.

A recipe and a checkpoint give the same integers everywhere: quality is judged once, on the NumPy
reference, and a target has only to match it. Scales are floats that a half holds exactly, because
some targets store nothing wider.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..edge.errors import UnsupportedPrecisionError
from ..edge.types import FloatArray, Precision, PrecisionName, Rounding
from .ggml_blocks import FORMATS, GgmlTensor, quantize_blocks
from .palette import LUT6, PaletteTensor, palettize

BLOCKS = (32, 64, 128)  # inputs that may share a scale
BLOCKED = ("int8", "int4")  # whose blocks are the user's to choose
INT4_BLOCK = 32  # what keeps the words
INT4_SCALE_BITS = 8  # significant ones: kernels keep such scales as bfloat16
LARGEST_INT4_SCALE = np.float32(65280)  # of the halves with so few bits
PER_CHANNEL = Precision("int8")
HALF = Precision("fp16")
CONVOLUTIONS = ("encoder.conv1", "encoder.conv2")
INT8_MAX = 127  # symmetric: -128 is never used
# Of zeros alone any scale is right, but kernels that store unsigned bytes take 128 times the sum of
# the inputs away again in float32, and what is left of that is as large as the scale makes it.
DEAD_SCALE = np.float32(2**-14)  # the smallest normal half
PARTS = ("encoder", "decoder", "head")


@dataclass(frozen=True)
class QuantizedTensor:
    """A matrix as integers and scales; ``weight = values * scale``, zero is always exact.

    Attributes:
        values: Signed integers, shape (n_out, n_in); within +-127, or -8..7 for int4.
        scales: Shape (n_out, n_blocks); one block for per-channel scales. The last block may be
            shorter than the others. Every one is a half.
        precision: The format that the two were made for.
    """

    values: NDArray[np.int8]
    scales: FloatArray
    precision: Precision

    @property
    def size(self) -> int:
        """Weights."""
        return self.values.size

    @property
    def nbytes(self) -> int:
        """As a file holds it: two values of int4 in a byte."""
        shared = 2 if self.precision.name == "int4" else 1
        return self.values.size // shared + self.scales.nbytes

    @property
    def arrays(self) -> tuple[NDArray[np.int8], FloatArray]:
        """What it is made of."""
        return self.values, self.scales

    @property
    def block(self) -> int:
        """Inputs under one scale."""
        return self.precision.block or self.values.shape[1]

    @property
    def kernel_block(self) -> int:
        """Inputs that a blocked kernel rounds together; per-channel scales fit any number."""
        n_in = self.values.shape[1]
        widest_first = sorted(BLOCKS, reverse=True)
        whole = (block for block in widest_first if n_in % block == 0)
        return self.precision.block or next(whole, min(BLOCKS))

    def dequantize(self) -> FloatArray:
        """The matrix that the integers stand for, shape (n_out, n_in)."""
        n_in = self.values.shape[1]
        spread = self.scales if self.precision.block is None else self.scales.repeat(self.block, 1)
        return self.values * spread[:, :n_in]


Matrix = QuantizedTensor | PaletteTensor | GgmlTensor | NDArray[np.float32] | NDArray[np.float16]
"""Floats are NumPy's arrays; all else has ``size``, ``nbytes``, ``arrays``, ``dequantize``."""


def floats_of(matrix: Matrix) -> NDArray[np.float32] | NDArray[np.float16]:
    """A matrix that is stored as floats.

    Raises:
        UnsupportedPrecisionError: It is stored as something that the caller does not know.
    """
    if isinstance(matrix, np.ndarray):
        return matrix
    raise UnsupportedPrecisionError(f"{matrix.precision} is a format of another target")


def part_of(name: str) -> str:
    """The part of a recipe ("encoder", "decoder", "head") that a matrix belongs to.

    The cross-attention's keys and values are decoder weights that the encoder's graph runs.
    """
    if name == "decoder.embedding":
        return "head"
    return "encoder" if name.startswith("encoder.") or name == "decoder.cross_kv" else "decoder"


def precision_of(name: str, quantization: Mapping[str, Precision]) -> Precision:
    """How the matrix ``name`` is stored, by the table of a recipe or a manifest.

    ggml has no blocks for convolutions, which stay halves.
    """
    stored = quantization.get(name) or quantization[part_of(name)]
    return HALF if stored.name in FORMATS and name in CONVOLUTIONS else stored


@dataclass(frozen=True)
class Recipe:
    """The precision of each part; ``head`` is the tied embedding and output head.

    Attributes:
        encoder: Of its matrices, and of ``decoder.cross_kv``.
        decoder: Of the others.
        head: Of the table.
        layers: Matrices that differ from their part, by name ("encoder.0.fc1").
        rounding: How the integers of int4 are chosen.
    """

    encoder: Precision
    decoder: Precision
    head: Precision
    layers: Mapping[str, Precision] = field(default_factory=dict)
    rounding: Rounding = "nearest"

    @property
    def quantization(self) -> dict[str, Precision]:
        """The table that a manifest holds: parts, then the matrices that differ."""
        parts = {"encoder": self.encoder, "decoder": self.decoder, "head": self.head}
        return {**parts, **self.layers}

    @property
    def has_int4(self) -> bool:
        """Whether there are matrices that ``rounding`` is for: any but the head's."""
        others = {**self.quantization, "head": None, "decoder.embedding": None}.values()
        return any(stored is not None and stored.name == "int4" for stored in others)

    def precision(self, name: str) -> Precision:
        """Of the matrix ``name``."""
        return precision_of(name, self.quantization)

    @classmethod
    def of(cls, name: PrecisionName, block: int | None = None) -> Recipe:
        """The recipe behind ``--int8`` and its siblings.

        int8 is per channel by default: the one form with fast kernels on every CPU, those without
        dot-product instructions included. int4 needs blocks; the head stays int8 then, because
        four bits there cost the most words.
        """
        if name == "int4":
            body = checked(Precision("int4", block or INT4_BLOCK))
            return cls(body, body, PER_CHANNEL)
        body = checked(Precision(name, block))
        return cls(body, body, body)


def checked(precision: Precision) -> Precision:
    """The same precision, if there is such a one.

    Raises:
        UnsupportedPrecisionError: The block is not one of ``BLOCKS`` or does not belong there.
    """
    if precision.block is not None and precision.block not in BLOCKS:
        raise UnsupportedPrecisionError(
            f"a block of {precision.block} is not offered; use one of {', '.join(map(str, BLOCKS))}"
        )
    if precision.block is not None and precision.name not in BLOCKED:
        raise UnsupportedPrecisionError(
            f"{precision.name} has no choice of blocks; leave the block out"
        )
    if precision.block is None and precision.name == "int4":
        raise UnsupportedPrecisionError("int4 needs a block: 32, 64 or 128")
    return precision


def quantize(weight: FloatArray, precision: Precision) -> Matrix:
    """Store one matrix in a precision.

    Args:
        weight: Shape (n_out, n_in).
        precision: The format; per-channel int8 gets pair-safe scales.
    """
    if precision.name == "fp32":
        return np.ascontiguousarray(weight, np.float32)
    if precision.name == "fp16":
        # The largest finite half stands in for what would overflow; Whisper's are far below.
        limit = np.finfo(np.float16).max
        return np.clip(weight, -limit, limit).astype(np.float16)
    if precision == LUT6:
        return palettize(weight)
    if precision.name in FORMATS:
        return quantize_blocks(weight, precision)
    if precision.block is None:
        return _per_channel_int8(weight, precision)
    blocks = _blocks(weight, precision.block)
    scales = _int8_scales(blocks) if precision.name == "int8" else _int4_scales(blocks)
    low, high = (-INT8_MAX, INT8_MAX) if precision.name == "int8" else (-8, 7)
    values = np.clip(np.rint(blocks / scales[..., None]), low, high).astype(np.int8)
    n_out, n_in = weight.shape
    values = np.ascontiguousarray(values.reshape(n_out, -1)[:, :n_in])
    return QuantizedTensor(values, scales, precision)


def _per_channel_int8(weight: FloatArray, precision: Precision) -> QuantizedTensor:
    scales = pair_safe_scales(weight)
    scaled = weight / scales[:, None]
    np.rint(scaled, out=scaled)
    np.clip(scaled, -INT8_MAX, INT8_MAX, out=scaled)
    return QuantizedTensor(scaled.astype(np.int8), scales[:, None], precision)


def pair_safe_scales(weight: FloatArray) -> FloatArray:
    """Scales per output channel that no integer kernel can overflow.

    x86 without VNNI multiplies unsigned by signed bytes and adds two neighbouring products in 16
    bits, clamped: ``255 * (w[2j] + w[2j+1])`` must stay below 2**15. A full-range int8 matrix
    breaks that and loses words silently. Raising the scale of the few channels concerned until no
    pair of one sign sums beyond 127 costs a fraction of a bit there; rounding adds at most one,
    and 255 * 128 = 32640 still fits. The results are then equal on every CPU.

    Args:
        weight: Shape (n_out, n_in); pairs are neighbours along ``n_in``.

    Returns:
        Shape (n_out,); ``DEAD_SCALE`` for a channel of zeros.
    """
    n_in = weight.shape[1]
    paired = weight if n_in % 2 == 0 else np.pad(weight, ((0, 0), (0, 1)))
    largest = np.abs(weight).max(1)
    for sign in (1, -1):
        part = np.maximum(paired * sign, 0)
        np.maximum(largest, (part[:, ::2] + part[:, 1::2]).max(1), out=largest)
    return _half_above(largest / INT8_MAX)


def largest_pair_sum(values: NDArray[np.int8]) -> int:
    """The largest sum of one sign over neighbouring inputs; 128 at most where pair-safe."""
    n_in = values.shape[1]
    wide = values.astype(np.int16) if n_in % 2 == 0 else np.pad(values, ((0, 0), (0, 1)))
    positive, negative = np.maximum(wide, 0), np.maximum(-wide, 0)
    return max(int((part[:, ::2] + part[:, 1::2]).max()) for part in (positive, negative))


def _blocks(weight: FloatArray, block: int) -> FloatArray:
    n_out, n_in = weight.shape
    padded = np.pad(weight, ((0, 0), (0, -n_in % block)))
    return padded.reshape(n_out, -1, block)


def _int8_scales(blocks: FloatArray) -> FloatArray:
    return _half_above(np.abs(blocks).max(-1) / INT8_MAX)


def _half_above(scales: FloatArray) -> FloatArray:
    """The next half, so that what they scale stays in range; ``DEAD_SCALE`` for a scale of zero."""
    limited = np.minimum(scales, np.float32(np.finfo(np.float16).max))
    halves = limited.astype(np.float16)
    below = halves < limited
    halves[below] = np.nextafter(halves[below], np.float16(np.inf))
    return np.where(scales > 0, halves.astype(np.float32), DEAD_SCALE)


def _int4_scales(blocks: FloatArray) -> FloatArray:
    """Of three ways to span -8..7, the one with the least squared error, block by block.

    The largest weight may sit on -8 (the scale is then negative if it is positive), on +-7, or a
    little beyond and be clipped; none of them wins everywhere.
    """
    largest = np.abs(blocks).max(-1)
    position = np.abs(blocks).argmax(-1)[..., None]
    signed = np.take_along_axis(blocks, position, -1)[..., 0]
    best = np.ones_like(largest)
    least = np.full_like(largest, np.inf)
    for candidate in (signed / -8, largest / 7, largest / 7.5):
        limited = np.clip(candidate, -LARGEST_INT4_SCALE, LARGEST_INT4_SCALE)
        halves = _shortened(np.asarray(limited, np.float32)).astype(np.float16)
        halves = halves.astype(np.float32)
        scales = np.where(halves == 0, DEAD_SCALE, halves)[..., None]
        error = blocks - np.clip(np.rint(blocks / scales), -8, 7) * scales
        squared = np.einsum("obk,obk->ob", error, error)
        better = squared < least
        best[better], least[better] = scales[..., 0][better], squared[better]
    return np.asarray(best, np.float32)


def _shortened(scales: FloatArray) -> FloatArray:
    """The nearest numbers of ``INT4_SCALE_BITS`` significant bits."""
    fraction, exponent = np.frexp(scales)
    steps = np.float32(2**INT4_SCALE_BITS)
    return np.ldexp(np.rint(fraction * steps) / steps, exponent)
