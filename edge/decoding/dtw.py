"""Dynamic time warping: the cheapest way through a matrix, from its first corner to its last."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..types import IntArray


def row_starts(costs: NDArray[np.floating]) -> IntArray:
    """Where the cheapest path enters each row.

    A path steps right, down, or both at once, and costs what all its elements cost together:
    ``best[i, j] = costs[i, j] + min(best[i, j-1], best[i-1, j], best[i-1, j-1])``. Within a row,
    that is the row's running sum plus the running minimum of what it took to get in, so a row takes
    a few passes of NumPy instead of a loop over its elements. openai/whisper sums in float32: where
    two paths cost nearly the same, it may take the other.

    Args:
        costs: Shape (n_rows, n_columns), neither of them 0.

    Returns:
        Its first column in each row, shape (n_rows,), ascending; the first is 0. Of equal paths,
        one that enters rows early.
    """
    costs = costs.astype(np.float64)
    n_rows, n_columns = costs.shape
    columns = np.arange(n_columns)
    best = np.cumsum(costs[0])
    entries = np.zeros((n_rows, n_columns), np.int64)  # of a path that is in this row here
    diagonal = np.zeros((n_rows, n_columns), bool)  # whether one that enters here does so aslant
    for row in range(1, n_rows):
        aslant = np.concatenate([[np.inf], best[:-1]])
        diagonal[row] = aslant <= best
        sums = np.cumsum(costs[row])
        entering = np.minimum(aslant, best) - (sums - costs[row])
        cheapest = np.minimum.accumulate(entering)
        is_entry = np.concatenate([[True], entering[1:] < cheapest[:-1]])
        entries[row] = np.maximum.accumulate(np.where(is_entry, columns, 0))
        best = sums + cheapest

    starts = np.zeros(n_rows, np.int64)
    column = n_columns - 1
    for row in range(n_rows - 1, 0, -1):
        starts[row] = column = entries[row, column]
        column -= int(diagonal[row, column])
    return starts
