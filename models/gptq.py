"""Rounding to int4 that minds what the matrix multiplies: GPTQ, by calibration recordings.

The scales are those of plain rounding, and so is the format; only integers differ. Every target
that holds the one holds the other.

Source:
    Frantar et al. 2022, GPTQ (arXiv 2210.17323): algorithm 1, inputs in order of their energy.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ..edge.parity import Calibration
from ..edge.types import FloatArray, Precision
from .quantize import Matrix, QuantizedTensor, quantize

Moment = NDArray[np.float64]
"""Mean of x x^T over the inputs x that a matrix has multiplied: (n_in, n_in), symmetric."""

# Of the mean energy of an input, added to each. Little sound is heard for so many numbers: without
# it errors are moved to where that sound was silent, and other sound is not.
DAMPING = 0.1
COLUMNS_AT_ONCE = 128  # whose errors are passed on to the later ones in one product
LOW, HIGH = -8, 7


class CalibratedRounding:
    """Rounds the matrices of one checkpoint: int4 by what they multiply, all else to the nearest.

    What was rounded is kept, so that mixtures of precisions can be tried in turn.

    Args:
        moments: Of the checkpoint's matrices, by name; those without are rounded to the nearest.
        calibration: What they were measured on, for the manifest.
    """

    def __init__(self, moments: Mapping[str, Moment], calibration: Calibration) -> None:
        self.moments = moments
        self.calibration = calibration
        self._rounded: dict[tuple[str, Precision], QuantizedTensor] = {}

    def __call__(self, name: str, weight: FloatArray, precision: Precision) -> Matrix:
        """Store one matrix; see ``quantize``.

        Args:
            name: Of the matrix.
            weight: The checkpoint's, (n_out, n_in); int4 is never smoothed.
            precision: The format.
        """
        if precision.name != "int4" or name not in self.moments:
            return quantize(weight, precision)
        key = (name, precision)
        if key not in self._rounded:
            self._rounded[key] = round_by_moment(weight, precision, self.moments[name])
        return self._rounded[key]


def round_by_moment(weight: FloatArray, precision: Precision, moment: Moment) -> QuantizedTensor:
    """Choose integers whose products differ least from the floats'.

    Each input's rounding error is made up for by the inputs that are yet to be rounded. An output
    for which that is no gain keeps its nearest integers.

    Args:
        weight: Shape (n_out, n_in).
        precision: int4, in blocks.
        moment: Of what it multiplies.
    """
    nearest = quantize(weight, precision)
    assert isinstance(nearest, QuantizedTensor) and precision.name == "int4"
    values = _with_feedback(weight, nearest, _damped(moment))
    chosen = QuantizedTensor(values, nearest.scales, precision)
    worse = output_errors(weight, chosen, moment) >= output_errors(weight, nearest, moment)
    values[worse] = nearest.values[worse]
    return chosen


def output_errors(
    weight: FloatArray, stored: QuantizedTensor, moment: Moment
) -> NDArray[np.float64]:
    """The mean squared error of every output, on sound like that of the calibration.

    Args:
        weight: Shape (n_out, n_in).
        stored: The same, rounded.
        moment: Of what it multiplies; damped here.

    Returns:
        Shape (n_out,).
    """
    error = weight.astype(np.float64) - stored.dequantize()
    products = error @ _damped(moment)
    products *= error
    return np.asarray(products.sum(1))


def _damped(moment: Moment) -> Moment:
    energy = float(np.diag(moment).mean())
    # Where nothing was heard all inputs count alike, which is plain rounding.
    return moment + np.eye(len(moment)) * (DAMPING * energy if energy > 0 else 1.0)


def _with_feedback(
    weight: FloatArray, nearest: QuantizedTensor, damped: Moment
) -> NDArray[np.int8]:
    n_out, n_in = weight.shape
    # The inputs with the most energy first, while there are others to make up for their errors.
    order = np.argsort(-np.diag(damped), kind="stable")
    inverse = np.linalg.inv(damped[np.ix_(order, order)])
    # Row j of the upper factor says what an error in input j asks of those after it.
    feedback = np.linalg.cholesky(inverse).T
    scales = nearest.scales.repeat(nearest.block, 1)[:, :n_in][:, order].astype(np.float64)
    left = weight[:, order].astype(np.float64)
    rounded = np.empty((n_out, n_in), np.int8)
    for start in range(0, n_in, COLUMNS_AT_ONCE):
        end = min(start + COLUMNS_AT_ONCE, n_in)
        errors = np.empty((n_out, end - start))
        for j in range(start, end):
            integers = np.clip(np.rint(left[:, j] / scales[:, j]), LOW, HIGH)
            rounded[:, j] = integers
            error = (left[:, j] - integers * scales[:, j]) / feedback[j, j]
            errors[:, j - start] = error
            left[:, j + 1 : end] -= np.outer(error, feedback[j, j + 1 : end])
        left[:, end:] -= errors @ feedback[start:end, end:]
    values = np.empty_like(rounded)
    values[:, order] = rounded
    return values
