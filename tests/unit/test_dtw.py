"""Dynamic time warping beside every path there is, and beside openai/whisper's."""

from __future__ import annotations

import numpy as np
import pytest

from whisperq_edge.edge.decoding.dtw import row_starts


def paths(n_rows, n_columns):
    """Every path from the first corner to the last."""
    if n_rows == 1 and n_columns == 1:
        yield [(0, 0)]
        return
    here = (n_rows - 1, n_columns - 1)
    for row, column in ((n_rows, n_columns - 1), (n_rows - 1, n_columns), (here)):
        if row and column:
            yield from ([*path, here] for path in paths(row, column))


@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (5, 1), (2, 2), (3, 6), (5, 4), (4, 5)])
def test_no_path_is_cheaper(shape):
    every = list(paths(*shape))
    for seed in range(20):
        costs = np.random.default_rng(seed).normal(size=shape)
        cheapest = min(every, key=lambda path: sum(costs[place] for place in path))
        expected = [min(j for i, j in cheapest if i == row) for row in range(shape[0])]
        assert row_starts(costs).tolist() == expected


@pytest.mark.parametrize("shape", [(1, 40), (7, 300), (31, 1500), (60, 50)])
def test_rows_start_where_openais_path_enters_them(shape):
    timing = pytest.importorskip("whisper.timing", reason="the oracle is openai-whisper")
    for seed in range(5):
        costs = np.random.default_rng(seed).normal(size=shape)
        rows, columns = timing.dtw_cpu(costs)
        first = np.pad(np.diff(rows), (1, 0), constant_values=1).astype(bool)
        np.testing.assert_array_equal(row_starts(costs), columns[first])


def test_a_clear_diagonal_is_followed():
    costs = np.ones((4, 20), np.float32)
    for row in range(4):
        costs[row, 5 * row : 5 * row + 5] = -1
    assert row_starts(costs).tolist() == [0, 5, 10, 15]
