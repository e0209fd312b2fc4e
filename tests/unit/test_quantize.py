"""The integers themselves."""

from __future__ import annotations

import numpy as np
import pytest

from whisperq_edge.edge.errors import UnsupportedPrecisionError
from whisperq_edge.edge.types import Precision
from whisperq_edge.models.checkpoint import load_checkpoint
from whisperq_edge.models.parameters import prepare, smoothing_factor
from whisperq_edge.models.quantize import (
    BLOCKS,
    DEAD_SCALE,
    QuantizedTensor,
    Recipe,
    checked,
    largest_pair_sum,
    pair_safe_scales,
    quantize,
)

INT8 = Precision("int8")
INT4 = Precision("int4", 32)
HIGHEST_PAIR = 128  # 255 * 128 = 32640 still fits 16 bits


def weights(n_out=40, n_in=320, seed=0):
    return np.random.default_rng(seed).standard_t(4, (n_out, n_in)).astype(np.float32)


@pytest.mark.parametrize("n_in", [1, 2, 7, 320])
def test_no_pair_of_per_channel_integers_can_clamp(n_in):
    for seed in range(20):
        matrix = quantize(weights(n_in=n_in, seed=seed), INT8)
        assert largest_pair_sum(matrix.values) <= HIGHEST_PAIR
        assert np.abs(matrix.values.astype(int)).max() <= 127


def test_the_bound_is_really_needed():
    """The usual scale, largest weight to 127, lets pairs clamp."""
    weight = weights()
    scale = np.abs(weight).max(1, keepdims=True) / 127
    weight[:, 1] = weight[:, 0] = np.abs(weight).max(1)  # two large neighbours of one sign
    assert largest_pair_sum(np.rint(weight / scale).astype(np.int8)) > HIGHEST_PAIR
    assert largest_pair_sum(quantize(weight, INT8).values) <= HIGHEST_PAIR


def test_scales_grow_only_where_a_pair_needs_it():
    weight = np.zeros((2, 4), np.float32)
    weight[0] = [1, -1, 1, -1]  # opposite signs cancel: no need
    weight[1] = [1, 1, 0, 0]  # a pair of one sign: twice the scale
    np.testing.assert_allclose(pair_safe_scales(weight) * 127, [1, 2], rtol=1e-3)


@pytest.mark.parametrize("precision", [Precision("int8"), Precision("int8", 32), INT4])
def test_scales_are_halves_and_nothing_is_clipped_for_it(precision):
    weight = np.random.default_rng(0).standard_t(4, (64, 96)).astype(np.float32) * 0.03
    matrix = quantize(weight, precision)
    np.testing.assert_array_equal(matrix.scales.astype(np.float16), matrix.scales)
    if precision != INT4:  # where the largest weight may be clipped a little, on purpose
        error = np.abs(matrix.dequantize() - weight)
        steps = matrix.scales.repeat(matrix.block, 1)
        assert (error <= steps * 0.5001).all()


def test_scales_below_and_beyond_the_halves():
    weight = np.array([[1e-9, 0], [1e8, 0], [0, 0]], np.float32)
    scales = pair_safe_scales(weight)
    assert scales[0] == np.float32(np.finfo(np.float16).smallest_subnormal)
    assert scales[1] == np.finfo(np.float16).max
    assert scales[2] == DEAD_SCALE


def test_the_bundled_models_integers_are_pair_safe():
    parameters = prepare(load_checkpoint("demo", offline=True), Recipe.of("int8"))
    for name, matrix in parameters.matrices.items():
        assert isinstance(matrix, QuantizedTensor), name
        assert largest_pair_sum(matrix.values) <= HIGHEST_PAIR, name


@pytest.mark.parametrize(
    ("precision", "limit"),
    [
        (Precision("fp32"), 0),
        (Precision("fp16"), 3e-4),
        (INT8, 0.02),
        *((Precision("int8", block), 0.012) for block in BLOCKS),
        *(
            (Precision("int4", block), limit)
            for block, limit in zip(BLOCKS, (0.14, 0.16, 0.19), strict=True)
        ),
    ],
    ids=str,
)
def test_dequantized_weights_are_near(precision, limit):
    weight = weights()
    matrix = quantize(weight, precision)
    back = matrix.dequantize() if isinstance(matrix, QuantizedTensor) else matrix
    assert back.shape == weight.shape
    assert np.linalg.norm(back - weight) <= limit * np.linalg.norm(weight)
    if isinstance(matrix, QuantizedTensor):
        # No element is off by more than half a step, except those of int4 that were clipped.
        steps = np.abs(back - weight) / np.abs(matrix.scales.repeat(matrix.block, 1)[:, :320])
        assert np.quantile(steps, 0.95) <= 0.5 + 1e-4


def test_int4_uses_the_best_of_its_scales():
    weight = weights()
    ours = quantize(weight, Precision("int4", 32)).dequantize()
    blocks = weight.reshape(40, -1, 32)
    scale = np.abs(blocks).max(-1, keepdims=True) / 7
    plain = (np.clip(np.rint(blocks / scale), -8, 7) * scale).reshape(weight.shape)
    assert np.linalg.norm(ours - weight) < 0.95 * np.linalg.norm(plain - weight)


@pytest.mark.parametrize("precision", [INT8, Precision("int8", 64), Precision("int4", 32)], ids=str)
def test_zeros_and_a_short_last_block(precision):
    weight = weights(n_in=100)
    weight[3] = 0
    matrix = quantize(weight, precision)
    assert np.isfinite(matrix.scales).all()
    assert not matrix.dequantize()[3].any()
    assert matrix.dequantize().shape == (40, 100)


def test_halves_never_become_infinite():
    assert np.isfinite(quantize(np.full((1, 2), 1e6, np.float32), Precision("fp16"))).all()


@pytest.mark.parametrize(
    "precision", [Precision("int4"), Precision("int8", 48), Precision("fp16", 32)], ids=str
)
def test_precisions_that_do_not_exist_are_refused(precision):
    with pytest.raises(UnsupportedPrecisionError):
        checked(precision)


def test_recipes():
    assert Recipe.of("int8") == Recipe(INT8, INT8, INT8)
    int4 = Precision("int4", 32)
    assert Recipe.of("int4") == Recipe(int4, int4, INT8)
    assert Recipe.of("int8", 64).head == Precision("int8", 64)


def test_smoothing_leaves_the_product_and_flattens_the_range():
    rng = np.random.default_rng(0)
    gain, shift = rng.normal(1, 0.1, 64).astype(np.float32), np.zeros(64, np.float32)
    gain[5] = 30  # an outlier channel
    weight = weights(n_in=64)
    factor = smoothing_factor(gain, shift, weight)
    assert np.exp(np.log(factor).mean()) == pytest.approx(1, abs=1e-5)
    x = rng.normal(0, 1, (10, 64)).astype(np.float32)
    np.testing.assert_allclose(
        (x * (gain / factor)) @ (weight * factor).T, (x * gain) @ weight.T, rtol=1e-3, atol=1e-3
    )
    assert np.abs(gain / factor).max() < 0.5 * np.abs(gain).max()
