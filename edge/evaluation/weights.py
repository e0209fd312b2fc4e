"""The weights of an artifact: as they were meant, and as close to the checkpoint as rounding is."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...models.ggml_blocks import GgmlTensor
from ...models.gptq import CalibratedRounding, Moment, output_errors
from ...models.palette import PaletteTensor, nearest
from ...models.parameters import Parameters
from ...models.quantize import (
    INT4_SCALE_BITS,
    LARGEST_INT4_SCALE,
    Matrix,
    QuantizedTensor,
    quantize,
)
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
    return (matrix,) if isinstance(matrix, np.ndarray) else matrix.arrays


class RoundingMeter:
    """Compares every matrix with what it was rounded from, as ``prepare`` makes them.

    One matrix at a time, so that the floats need no memory beside the integers.

    Args:
        rounder: What int4 was rounded by, if not to the nearest; see ``calibrated_ratio``.
    """

    def __init__(self, rounder: CalibratedRounding | None = None) -> None:
        self._worst, self._matrix = 0.0, ""
        self._moments = rounder.moments if rounder else {}

    def add(self, name: str, weight: FloatArray, stored: Matrix) -> None:
        """Compare one matrix.

        Args:
            name: Of the matrix.
            weight: The checkpoint's, fused and smoothed: (n_out, n_in).
            stored: What became of it.
        """
        moment = self._moments.get(name)
        if (
            isinstance(stored, QuantizedTensor)
            and stored.precision.name == "int4"
            and moment is not None
        ):
            ratio = calibrated_ratio(weight, stored, moment)
        else:
            ratio = rounding_ratio(weight, stored)
        if not self._matrix or ratio > self._worst:
            self._worst, self._matrix = ratio, name

    def result(self) -> WeightRounding:
        """Of the worst matrix."""
        return WeightRounding(self._worst, self._matrix)


def calibrated_ratio(weight: FloatArray, stored: QuantizedTensor, moment: Moment) -> float:
    """The largest error of any output's products, over that of plain rounding.

    An integer that makes up for another's error may be several steps from its weight, so that no
    bound on elements says whether it is right. What it is for does: no output may be further from
    the floats' than the nearest integers bring it, under the same scales. The nearest integers
    have to pass by themselves.

    Args:
        weight: Shape (n_out, n_in).
        stored: The same, rounded by the moment.
        moment: Of what the matrix multiplies.
    """
    plain = quantize(weight, stored.precision)
    assert isinstance(plain, QuantizedTensor)
    if not np.array_equal(plain.scales, stored.scales):
        return float(np.inf)
    ours, theirs = (output_errors(weight, matrix, moment) for matrix in (stored, plain))
    ratios = np.where(ours == 0, 0.0, np.inf)
    np.divide(ours, theirs, out=ratios, where=theirs > 0)
    worst = float(np.sqrt(ratios.max()))
    return max(np.inf if np.isnan(worst) else worst, rounding_ratio(weight, plain))


def rounding_ratio(weight: FloatArray, stored: Matrix) -> float:
    """The largest difference of any element, over the largest that its format explains.

    That is half a step, but for int4's clipped weights; those beyond the largest half, or beyond
    what the largest scale spans, are clipped by any amount. A palette explains the difference from
    its nearest value, if it spans its weights and differs less on the whole than half an even step.

    Args:
        weight: Shape (n_out, n_in).
        stored: The same, rounded.
    """
    n_rows = stored.group if isinstance(stored, PaletteTensor) else ROWS_AT_ONCE
    ratio = 0.0
    for start in range(0, len(weight), n_rows):
        rows = slice(start, start + n_rows)
        found = float(_ratios(weight[rows], stored, rows).max())
        ratio = max(ratio, np.inf if np.isnan(found) else found)
    return ratio


def _ratios(weight: FloatArray, stored: Matrix, rows: slice) -> FloatArray:
    if isinstance(stored, PaletteTensor):
        palette = stored.centroids[rows.start // stored.group]
        return _palette_ratios(weight, palette[stored.indices[rows]], palette)
    if isinstance(stored, GgmlTensor):
        part = stored.rows(rows)
        return np.asarray(np.abs(part.dequantize() - weight) / part.largest_error())
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


def _palette_ratios(weight: FloatArray, kept: FloatArray, palette: FloatArray) -> FloatArray:
    """Of the weights under one palette."""
    weight = np.clip(weight, -HALF_MAX, HALF_MAX)
    difference = np.abs(kept - weight)
    least = np.abs(palette[nearest(weight, palette)] - weight)
    ratios = np.where(difference == 0, np.float32(0), np.float32(np.inf))
    np.divide(difference, least, out=ratios, where=least > 0)
    ratios[(weight < palette[0]) | (weight > palette[-1])] = np.inf
    # 64 even steps would differ by half a step at most; that the least and the largest are halves
    # moves them as well.
    step = (palette[-1] - palette[0]) / (len(palette) - 1)
    allowed = step / 2 + _half_ulp(palette[[0, -1]]).max()
    on_the_whole = np.sqrt(np.square(difference, dtype=np.float64).mean()) / allowed
    return np.asarray(np.maximum(ratios, np.float32(on_the_whole)))


def _half_ulp(x: NDArray[np.floating[Any]]) -> FloatArray:
    """What rounding to a half may move a number by."""
    below_largest = np.nextafter(np.float16(HALF_MAX), np.float16(0))
    size = np.minimum(np.abs(x).astype(np.float16), below_largest)
    spacing = np.asarray(np.spacing(size), np.float32)
    return np.asarray(spacing / 2)
