"""ggml's blocks, products and table, beside ggml's own in C and in Python."""

from __future__ import annotations

import ctypes
import warnings
from functools import cache

import numpy as np
import pytest

from whisperq_edge.edge.evaluation.weights import rounding_ratio
from whisperq_edge.edge.types import Precision
from whisperq_edge.models.ggml_blocks import FORMATS, pack, quantize_blocks, unpack
from whisperq_edge.models.ggml_ops import GgmlOps, gelu_table
from whisperq_edge.models.parameters import Parameters

bindings = pytest.importorskip("_pywhispercpp")

TYPES = {"q8_0": 8, "q5_1": 7, "q5_0": 6, "q4_1": 3, "q4_0": 2}  # GGML_TYPE_...
# What multiplies a row of blocks with activations, and how those are rounded.
PRODUCTS = {name: "q8_1" if form.has_minimum else "q8_0" for name, form in FORMATS.items()}
RANDOM = np.random.default_rng(0)
SHAPES = [(1, 32), (7, 64), (64, 384), (3, 1504)]
VALUES = {
    "normal": lambda shape: RANDOM.normal(0, 0.05, shape),
    "heavy-tailed": lambda shape: RANDOM.normal(0, 0.3, shape) ** 3,
    "halves": lambda shape: np.float16(RANDOM.normal(0, 0.05, shape)),
    "zeros": np.zeros,
    "one-in-zeros": lambda shape: np.eye(*shape),
    "constant": lambda shape: np.full(shape, 0.37),
    "of-one-sign": lambda shape: np.abs(RANDOM.normal(0, 1, shape)),
    "of-one-size": lambda shape: np.sign(RANDOM.normal(0, 1, shape)),
    "ties-of-8-bits": lambda shape: ties(shape, 127),
    "ties-of-5-bits": lambda shape: ties(shape, -16),
    "ties-of-4-bits": lambda shape: ties(shape, 8),
    "scales-below-normal-halves": lambda shape: RANDOM.normal(0, 1e-5, shape),
    "scales-below-halves": lambda shape: RANDOM.normal(0, 1e-7, shape),
    "below-normal-floats": lambda shape: RANDOM.normal(0, 1e-40, shape),
    "scales-above-halves": lambda shape: RANDOM.normal(0, 1e7, shape),
    "huge": lambda shape: RANDOM.normal(0, 1e37, shape),
}


def ties(shape, largest):
    """Whole and half numbers, and in every block the one that makes the scale one."""
    values = RANDOM.integers(-2 * abs(largest), 2 * abs(largest), shape) / 2
    values[:, ::32] = largest
    return values


@cache
def ggml():
    """ggml's functions in C, through the module that is linked to them."""
    library = ctypes.CDLL(bindings.__file__)
    library.ggml_cpu_init()  # fills its tables
    return library


def in_c(weight, name):
    """A matrix as ggml's C stores it."""
    out = np.zeros(weight.size // 32 * FORMATS[name].layout.itemsize, np.uint8)
    rows, n_in = map(ctypes.c_int64, weight.shape)
    function = ggml().ggml_quantize_chunk
    function.restype = ctypes.c_size_t
    function(TYPES[name], at(weight), at(out), ctypes.c_int64(0), rows, n_in, None)
    return out


def at(array):
    return ctypes.c_void_p(array.ctypes.data)


@pytest.mark.parametrize("values", VALUES)
@pytest.mark.parametrize("name", FORMATS)
def test_the_blocks_are_ggmls_own(name, values):
    gguf = pytest.importorskip("gguf")
    for shape in SHAPES:
        weight = np.ascontiguousarray(VALUES[values](shape), np.float32)
        ours = pack(quantize_blocks(weight, Precision(name)))
        with warnings.catch_warnings(action="ignore"):  # theirs divides by zero
            theirs = gguf.quants.quantize(weight, gguf.GGMLQuantizationType(TYPES[name]))
        np.testing.assert_array_equal(ours, theirs.reshape(-1))
        np.testing.assert_array_equal(ours, in_c(weight, name))


@pytest.mark.parametrize("name", FORMATS)
def test_blocks_come_back_and_stand_for_what_ggml_says(name):
    gguf = pytest.importorskip("gguf")
    weight = RANDOM.normal(0, 0.05, (64, 384)).astype(np.float32)
    stored = quantize_blocks(weight, Precision(name))
    packed = pack(stored)
    assert packed.nbytes == stored.nbytes
    back = unpack(packed, weight.shape, Precision(name))
    for ours, theirs in zip(back.arrays, stored.arrays, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    rows = packed.reshape(len(weight), -1)
    theirs = gguf.quants.dequantize(rows, gguf.GGMLQuantizationType(TYPES[name]))
    np.testing.assert_array_equal(stored.dequantize(), theirs)
    part = stored.rows(slice(3, 9))
    np.testing.assert_array_equal(part.dequantize(), theirs[3:9])


@pytest.mark.parametrize("name", FORMATS)
def test_rounding_explains_the_blocks_and_no_step_more(name):
    for values in ("normal", "heavy-tailed", "of-one-size", "scales-below-halves"):
        weight = np.ascontiguousarray(VALUES[values]((64, 384)), np.float32)
        stored = quantize_blocks(weight, Precision(name))
        assert rounding_ratio(weight, stored) <= 1
    weight = VALUES["normal"]((64, 384)).astype(np.float32)
    stored = quantize_blocks(weight, Precision(name))
    stored.values[3, 5] += 2 if stored.values[3, 5] < 2 else -2
    assert rounding_ratio(weight, stored) > 1.5


def test_rows_that_are_not_whole_blocks_are_refused():
    with pytest.raises(ValueError, match="rows of 240 are not whole blocks of 32"):
        quantize_blocks(np.zeros((4, 240), np.float32), Precision("q8_0"))


@pytest.mark.parametrize("name", FORMATS)
def test_a_product_is_ggmls(name):
    """What rounding the reference imitates, row by row against the kernels that run."""
    weight = RANDOM.normal(0, 0.05, (48, 384)).astype(np.float32)
    stored = quantize_blocks(weight, Precision(name))
    x = RANDOM.normal(0, 1, (1, 5, 384)).astype(np.float32)
    ops = GgmlOps(Parameters({"encoder.0.out": stored}, {}), {"encoder": "ggml"})
    ours = ops.linear(x, "encoder.0.out")[0]
    rounding = PRODUCTS[name]
    rows = pack(stored).reshape(len(weight), -1)
    theirs = np.array([[dot(name, row, rounded(rounding, one)) for row in rows] for one in x[0]])
    assert np.linalg.norm(ours - theirs) / np.linalg.norm(theirs) < 2e-6


def rounded(rounding, x):
    """Activations in blocks, as ggml's kernels round them."""
    out = np.zeros(len(x) // 32 * {"q8_0": 34, "q8_1": 36}[rounding], np.uint8)
    getattr(ggml(), f"quantize_row_{rounding}")(at(x), at(out), ctypes.c_int64(len(x)))
    return out


def dot(name, row, x):
    n = len(row) // FORMATS[name].layout.itemsize * 32
    found, none = ctypes.c_float(), ctypes.c_size_t(0)
    function = getattr(ggml(), f"ggml_vec_dot_{name}_{PRODUCTS[name]}")
    function(n, ctypes.byref(found), none, at(row), none, at(x), none, 1)
    return found.value


def test_gelu_is_ggmls_table():
    bits = np.array((ctypes.c_uint16 * 2**16).in_dll(ggml(), "ggml_table_gelu_f16"))
    finite = np.isfinite(np.arange(2**16, dtype=np.uint16).view(np.float16))
    theirs = bits.view(np.float16).astype(np.float32)
    others = gelu_table()[finite] != theirs[finite]
    assert np.count_nonzero(others) <= 2  # as another compiler joins multiplications and sums
