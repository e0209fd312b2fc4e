"""Palettes: what k-means gives, how it is kept, and what the gate says of it."""

from __future__ import annotations

import math

import numpy as np
import pytest

from whisperq_edge.edge.errors import ParityError, UnsupportedPrecisionError
from whisperq_edge.edge.evaluation.gate import ROUNDING_LIMIT
from whisperq_edge.edge.evaluation.mixture import Ladder, n_bytes
from whisperq_edge.edge.evaluation.weights import check_stored, rounding_ratio
from whisperq_edge.edge.types import Precision
from whisperq_edge.models.palette import (
    GROUP,
    LUT6,
    N_CENTROIDS,
    PaletteTensor,
    group_rows,
    palettize,
)
from whisperq_edge.models.parameters import Parameters
from whisperq_edge.models.quantize import Recipe, checked, quantize
from whisperq_edge.models.reference import NumpyOps


def weights(n_out=48, n_in=320, seed=0):
    return np.random.default_rng(seed).standard_t(4, (n_out, n_in)).astype(np.float32)


def worse(matrix, **changes):
    """A palette that is wrong in what is given."""
    given = {"indices": matrix.indices.copy(), "centroids": matrix.centroids.copy(), **changes}
    return PaletteTensor(given["indices"], given["centroids"])


# What k-means gives


def test_every_weight_has_the_nearest_value_of_its_group():
    weight = weights()
    matrix = palettize(weight)
    assert matrix.group == GROUP
    for row, indices in enumerate(matrix.indices):
        palette = matrix.centroids[row // GROUP]
        distances = np.abs(weight[row][:, None] - palette)
        chosen = distances[np.arange(len(indices)), indices]
        np.testing.assert_array_equal(chosen, distances.min(1))


def test_palettes_are_halves_in_order_and_span_their_weights():
    weight = weights()
    matrix = palettize(weight)
    palettes = matrix.centroids
    assert palettes.shape == (3, N_CENTROIDS)
    np.testing.assert_array_equal(palettes, palettes.astype(np.float16))
    assert (np.diff(palettes) >= 0).all()
    groups = weight.reshape(3, -1)
    assert (palettes[:, 0] <= groups.min(1)).all()
    assert (palettes[:, -1] >= groups.max(1)).all()


def test_the_error_is_what_theory_expects_of_64_values():
    """Panter and Dite: ``sqrt(3) * pi / 2`` over the square of their number, of a normal weight."""
    weight = np.random.default_rng(0).normal(0, 1, (16, 3000)).astype(np.float32)
    error = np.sqrt(np.square(palettize(weight).dequantize() - weight).mean())
    assert error == pytest.approx(math.sqrt(math.sqrt(3) * math.pi / 2) / N_CENTROIDS, rel=0.05)


def test_heavy_tails_cost_less_than_with_even_steps():
    weight = weights(16)
    low, high = weight.min(), weight.max()
    steps = np.rint((weight - low) / (high - low) * (N_CENTROIDS - 1))
    even = steps / (N_CENTROIDS - 1) * (high - low) + low
    ours = palettize(weight).dequantize()
    assert np.linalg.norm(ours - weight) < 0.5 * np.linalg.norm(even - weight)


def test_the_error_lies_between_those_of_eight_and_four_bits():
    weight = weights()
    errors = [
        np.linalg.norm(quantize(weight, precision).dequantize() - weight)
        for precision in (Precision("int8"), LUT6, Precision("int4", 32))
    ]
    assert errors[0] < errors[1] < errors[2] / 2


def test_the_same_weights_give_the_same_bytes():
    weight = weights()
    first, second = palettize(weight), palettize(weight.copy())
    for one, other in zip(first.arrays, second.arrays, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_few_values_are_kept_exactly():
    weight = np.random.default_rng(0).choice([-0.5, 0, 0.25], (16, 60)).astype(np.float32)
    np.testing.assert_array_equal(palettize(weight).dequantize(), weight)


@pytest.mark.parametrize("value", [0.0, 0.1, -3e-9, 65504.0, -1e9])
def test_a_matrix_of_one_value(value):
    weight = np.full((16, 20), value, np.float32)
    matrix = palettize(weight)
    nearest = np.float32(np.float16(max(value, -65504)))
    np.testing.assert_array_equal(matrix.dequantize(), nearest)
    assert rounding_ratio(weight, matrix) <= ROUNDING_LIMIT


@pytest.mark.parametrize("shape", [(16, 1), (1, 3), (7, 5), (23, 2)])
def test_small_and_odd_matrices(shape):
    weight = weights(*shape)
    matrix = palettize(weight)
    assert matrix.dequantize().shape == shape
    assert rounding_ratio(weight, matrix) <= ROUNDING_LIMIT
    assert matrix.nbytes == math.ceil(shape[0] * shape[1] * 6 / 8) + 128 * len(matrix.centroids)


def test_groups_divide_whispers_matrices():
    for n_out in (80, 384, 512, 768, 1024, 1280, 1536, 3072, 5120):
        assert group_rows(n_out) == GROUP
    assert [group_rows(n) for n in (51864, 51865, 51866)] == [24, 23, 25933]  # vocabularies
    assert group_rows(7) == 7


# Where matrices are handled


def test_a_recipe_has_palettes_throughout():
    assert Recipe.of("lut6") == Recipe(LUT6, LUT6, LUT6)
    assert isinstance(quantize(weights(), LUT6), PaletteTensor)
    with pytest.raises(UnsupportedPrecisionError, match="no choice of blocks"):
        checked(Precision("lut6", 32))


def test_the_reference_looks_tokens_up_and_multiplies():
    weight = weights()
    matrix = palettize(weight)
    parameters = Parameters({"decoder.embedding": matrix}, {})
    ops = NumpyOps(parameters, {"decoder": "float16", "head": "float16"})
    ops.tokens = np.array([[3, 40]])
    np.testing.assert_array_equal(
        ops.embedding("decoder.embedding")[0], matrix.dequantize()[[3, 40]]
    )
    x = np.random.default_rng(0).normal(0, 1, (1, 1, 320)).astype(np.float32)
    np.testing.assert_array_equal(
        ops.head(x, "decoder.embedding"), (x @ matrix.dequantize().T)[:, 0]
    )


def test_sizes_count_packed_indices():
    matrix = palettize(weights())
    parameters = Parameters({"encoder.0.fc1": matrix}, {"encoder.0.fc1.bias": np.zeros(4, "f4")})
    assert parameters.size == 48 * 320
    assert n_bytes(parameters) == 48 * 320 * 6 // 8 + 3 * 128 + 16


def test_a_ladder_climbs_over_palettes():
    """The head skips four bits, as on every ladder."""
    ladder = Ladder.for_target("coreml", "native")
    assert ladder.rungs[:3] == (Precision("int4", 32), LUT6, Precision("int8"))
    assert ladder.lowest.head == LUT6


# What the gate says


def test_what_is_right_is_explained():
    for seed in range(5):
        weight = weights(seed=seed)
        assert 0.9 < rounding_ratio(weight, palettize(weight)) <= ROUNDING_LIMIT


def test_a_wrong_index_is_not():
    weight = weights()
    matrix = palettize(weight)
    for step in (1, -1):
        indices = matrix.indices.copy()
        indices[20, 7] = np.clip(int(indices[20, 7]) + step, 0, 63)
        assert rounding_ratio(weight, worse(matrix, indices=indices)) > ROUNDING_LIMIT


def test_palettes_of_other_groups_are_not():
    weight = weights()
    weight[:16] *= 4
    matrix = palettize(weight)
    swapped = worse(matrix, centroids=matrix.centroids[::-1].copy())
    assert rounding_ratio(weight, swapped) > ROUNDING_LIMIT


def test_a_palette_that_does_not_span_its_weights_is_not():
    """The nearest of its values is chosen, and yet the largest weight is lost."""
    weight = weights(16)
    matrix = palettize(weight)
    centroids = matrix.centroids.copy()
    centroids[0, -1] = centroids[0, -2]
    indices = np.minimum(matrix.indices, 62)
    assert rounding_ratio(weight, worse(matrix, indices=indices, centroids=centroids)) == np.inf


def test_a_palette_of_a_few_values_is_not():
    """It spans its weights, and each has the nearest value."""
    weight = np.random.default_rng(0).normal(0, 1, (16, 320)).astype(np.float32)
    matrix = palettize(weight)
    palette = matrix.centroids[0, np.linspace(0, 63, 9).astype(int)].repeat(8)[:64]
    palette[-1] = matrix.centroids[0, -1]
    indices = np.abs(weight[..., None] - palette).argmin(-1).astype(np.uint8)
    few = PaletteTensor(indices, palette[None])
    assert 1.5 < rounding_ratio(weight, few) < 10


def test_what_is_no_number_is_not():
    weight = weights()
    matrix = palettize(weight)
    weight[3, 5] = np.nan
    assert rounding_ratio(weight, matrix) == np.inf


def test_what_is_stored_is_compared_index_by_index():
    matrix = palettize(weights())
    wanted = Parameters({"encoder.0.fc1": matrix}, {})
    check_stored(Parameters({"encoder.0.fc1": worse(matrix)}, {}), wanted)
    for name in ("indices", "centroids"):
        changed = getattr(matrix, name).copy()
        changed[0, 0] += 1
        stored = Parameters({"encoder.0.fc1": worse(matrix, **{name: changed})}, {})
        with pytest.raises(ParityError, match="stored weight's difference"):
            check_stored(stored, wanted)
