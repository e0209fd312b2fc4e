"""Palettes: weights as indices into 64 values of their own, the 6 bits of Core ML.

The values are the centroids of k-means over the weights of a few output channels. Where weights are
dense, so are the values: 64 of them do what even steps need twice as many for.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..edge.types import FloatArray, Precision

BITS = 6
N_CENTROIDS = 2**BITS
LUT6 = Precision("lut6")
# Output channels that share a palette, where so many divide them. In a model of tiny's size half as
# many take 2 % more bits for 5 % less error; one palette a matrix saves 2 %, for 19 % more.
GROUP = 16
ROUNDS = 8  # more of them change the error by less than a hundredth
HALF_MAX = np.float32(np.finfo(np.float16).max)


@dataclass(frozen=True)
class PaletteTensor:
    """A matrix as indices into palettes; ``weight = centroids[group of the row][index]``.

    Attributes:
        indices: Below ``N_CENTROIDS``, shape (n_out, n_in).
        centroids: Ascending, shape (n_groups, N_CENTROIDS); every one is a half. The groups have
            equally many rows.
        precision: The format that the two were made for.
    """

    indices: NDArray[np.uint8]
    centroids: FloatArray
    precision: Precision = LUT6

    @property
    def size(self) -> int:
        """Weights."""
        return self.indices.size

    @property
    def nbytes(self) -> int:
        """As a file holds it: indices packed, centroids as halves."""
        return -(-self.indices.size * BITS // 8) + 2 * self.centroids.size

    @property
    def arrays(self) -> tuple[NDArray[np.uint8], FloatArray]:
        """What it is made of."""
        return self.indices, self.centroids

    @property
    def group(self) -> int:
        """Rows that share a palette."""
        return len(self.indices) // len(self.centroids)

    def dequantize(self) -> FloatArray:
        """The matrix that the indices stand for, shape (n_out, n_in)."""
        found = np.empty(self.indices.shape, np.float32)
        grouped = (array.reshape(len(self.centroids), -1) for array in (self.indices, found))
        for palette, indices, weights in zip(self.centroids, *grouped, strict=True):
            weights[:] = palette[indices]
        return found


def palettize(weight: FloatArray, precision: Precision = LUT6) -> PaletteTensor:
    """Store one matrix in palettes.

    Each weight gets the centroid that is nearest to it. The least and the largest of a group are
    centroids, up to a half, so that no weight lies beyond its palette.

    Args:
        weight: Shape (n_out, n_in).
        precision: As the result names it.
    """
    n_out, n_in = weight.shape
    groups = np.clip(weight, -HALF_MAX, HALF_MAX).reshape(-1, group_rows(n_out) * n_in)
    centroids = np.empty((len(groups), N_CENTROIDS), np.float32)
    indices = np.empty(groups.shape, np.uint8)
    for number, group in enumerate(groups):
        centroids[number] = _centroids(np.sort(group))
        indices[number] = nearest(group, centroids[number])
    return PaletteTensor(indices.reshape(n_out, n_in), centroids, precision)


def nearest(weights: FloatArray, centroids: FloatArray) -> NDArray[np.intp]:
    """The index of the nearest of ascending centroids; the lower one of two."""
    return np.searchsorted((centroids[1:] + centroids[:-1]) / 2, weights)


def group_rows(n_out: int) -> int:
    """Rows that share a palette: the fewest, but ``GROUP``, that divide them all.

    Core ML has no shorter last group. Of Whisper's matrices only the table of tokens needs more
    than ``GROUP``: 51,865 rows are 2,255 times 23.
    """
    return next(rows for rows in range(min(GROUP, n_out), n_out + 1) if n_out % rows == 0)


def _centroids(weights: FloatArray) -> FloatArray:
    """Of one group: Lloyd's k-means in one dimension, from the places that theory expects.

    For many values, the least squared error has values as dense as the cube root of the weights'
    density. Between neighbours in order, that density is one over their distance; so its cube root
    grows by the distance to the power of two thirds from one to the next. From there a few rounds
    end within 5 % of the least error that there is, in weights of the bundled model; the exact
    search takes a thousand times as long.

    Args:
        weights: Of the group, ascending.

    Returns:
        Shape (N_CENTROIDS,), ascending, each a half.

    Source:
        Panter and Dite 1951, "Quantization distortion in pulse-count modulation with nonuniform
        spacing of levels"; Lloyd 1982, "Least squares quantization in PCM", method I.
    """
    exact = weights.astype(np.float64)
    growth = np.concatenate([[0.0], np.cumsum(np.cbrt(np.square(np.diff(exact))))])
    centroids = np.interp(np.linspace(0, growth[-1], N_CENTROIDS), growth, exact)
    sums = np.concatenate([[0.0], np.cumsum(exact)])
    for _ in range(ROUNDS):
        borders = np.searchsorted(exact, (centroids[1:] + centroids[:-1]) / 2)
        ends = np.concatenate([[0], borders, [len(exact)]])
        counts, totals = np.diff(ends), np.diff(sums[ends])
        np.divide(totals, counts, out=centroids, where=counts > 0)
        centroids[0], centroids[-1] = exact[0], exact[-1]
    halves = centroids.astype(np.float16)
    # Outwards, so that the ends stay ends.
    if halves[0] > exact[0]:
        halves[0] = np.nextafter(halves[0], np.float16(-np.inf))
    if halves[-1] < exact[-1]:
        halves[-1] = np.nextafter(halves[-1], np.float16(np.inf))
    return halves.astype(np.float32)
