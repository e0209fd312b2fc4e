"""The weights of an artifact: as they were meant, and as close to the checkpoint as rounding is."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...models.parameters import Parameters
from ...models.quantize import INT4_SCALE_BITS, LARGEST_INT4_SCALE, Matrix, QuantizedTensor
from ..errors import ExportError, ParityError
from ..parity import WeightRounding
from ..types import FloatArray

HALF_MAX = float(np.finfo(np.float16).max)
INT4_ENDS = (-8, 7)
ROWS_AT_ONCE = 2048  # the floats of a whole embedding would be an export's largest memory


def check_stored(stored: Parameters, wanted: Parameters) -> None:
    """Every integer, scale and vector must come back from the files as it went in.

    A bias that an exporter lost would be missing in the reference too, which is made of the files.

    Raises:
        ParityError: Names the first that did not.
        ExportError: The files hold other parameters altogether.
    """
    if stored.matrices.keys() != wanted.matrices.keys():
        names = sorted(stored.matrices.keys() ^ wanted.matrices.keys())
        raise ExportError(f"the weights file holds other matrices: {', '.join(names)}")
    if lost := wanted.vectors.keys() ^ stored.vectors.keys():
        raise ExportError(f"the weights file holds other vectors: {', '.join(sorted(lost))}")
    for name, vector in wanted.vectors.items():
        if not np.array_equal(vector, stored.vectors[name]):
            raise ExportError(f"{name} is another vector in the weights file")
    for name, matrix in wanted.matrices.items():
        for ours, theirs in zip(_arrays(matrix), _arrays(stored.matrices[name]), strict=True):
            if ours.shape != theirs.shape:
                raise ExportError(f"{name} is {theirs.shape} in the weights file, not {ours.shape}")
            if not np.array_equal(ours, theirs):
                difference = float(np.abs(ours.astype(np.float64) - theirs).max())
                raise ParityError(name, "stored weight's difference", difference, 0.0)


def _arrays(matrix: Matrix) -> tuple[NDArray[Any], ...]:
    return (matrix.values, matrix.scales) if isinstance(matrix, QuantizedTensor) else (matrix,)


class RoundingMeter:
    """Compares every matrix with what it was rounded from, as ``prepare`` makes them.

    One matrix at a time, so that the floats need no memory beside the integers.
    """

    def __init__(self) -> None:
        self._worst, self._matrix = 0.0, ""

    def add(self, name: str, weight: FloatArray, stored: Matrix) -> None:
        """Compare one matrix.

        Args:
            name: Of the matrix.
            weight: The checkpoint's, fused and smoothed: (n_out, n_in).
            stored: What became of it.
        """
        ratio = rounding_ratio(weight, stored)
        if not self._matrix or ratio > self._worst:
            self._worst, self._matrix = ratio, name

    def result(self) -> WeightRounding:
        """Of the worst matrix."""
        return WeightRounding(self._worst, self._matrix)


def rounding_ratio(weight: FloatArray, stored: Matrix) -> float:
    """The largest difference of any element, over the largest that its format explains.

    That is half a step, but for int4's clipped weights; those beyond the largest half, or beyond
    what the largest scale spans, are clipped by any amount.

    Args:
        weight: Shape (n_out, n_in).
        stored: The same, rounded.
    """
    ratio = 0.0
    for start in range(0, len(weight), ROWS_AT_ONCE):
        rows = slice(start, start + ROWS_AT_ONCE)
        found = float(_ratios(weight[rows], stored, rows).max())
        ratio = max(ratio, np.inf if np.isnan(found) else found)
    return ratio


def _ratios(weight: FloatArray, stored: Matrix, rows: slice) -> FloatArray:
    if isinstance(stored, QuantizedTensor):
        return _integer_ratios(
            weight, QuantizedTensor(stored.values[rows], stored.scales[rows], stored.precision)
        )
    kept = stored[rows]
    difference = np.abs(kept.astype(np.float32) - weight)
    if kept.dtype == np.float32:
        return np.where(difference == 0, np.float32(0), np.float32(np.inf))
    clipped = (np.abs(weight) > HALF_MAX) & (np.abs(kept) == HALF_MAX)
    allowed = _half_ulp(kept)
    return np.where(clipped, np.float32(0), difference / allowed)


def _integer_ratios(weight: FloatArray, stored: QuantizedTensor) -> FloatArray:
    n_in = stored.values.shape[1]
    steps = np.abs(stored.scales)
    allowed = steps / 2
    ratios: FloatArray = np.abs(stored.dequantize() - weight)
    ratios /= allowed.repeat(stored.block, 1)[:, :n_in]
    if stored.precision.name == "int4":
        # A weight of the other sign than the one on -8 belongs on 8 and gets 7; where 8 lies moves
        # by what the scale was rounded by.
        moved = np.maximum(_half_ulp(steps), steps / np.float32(2**INT4_SCALE_BITS))
        clipped = steps + 8 * moved
        factor = (allowed / clipped).repeat(stored.block, 1)[:, :n_in]
        np.multiply(ratios, factor, out=ratios, where=np.isin(stored.values, INT4_ENDS))
    largest = LARGEST_INT4_SCALE if stored.precision.name == "int4" else HALF_MAX
    ratios[(steps == largest).repeat(stored.block, 1)[:, :n_in]] = 0
    return ratios


def _half_ulp(x: NDArray[np.floating[Any]]) -> FloatArray:
    """What rounding to a half may move a number by."""
    below_largest = np.nextafter(np.float16(HALF_MAX), np.float16(0))
    size = np.minimum(np.abs(x).astype(np.float16), below_largest)
    spacing = np.asarray(np.spacing(size), np.float32)
    return np.asarray(spacing / 2)
