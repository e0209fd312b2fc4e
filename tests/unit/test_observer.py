"""Static grids, and what the observer sees of the activations that they are for."""

from __future__ import annotations

import numpy as np
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper

from whisperq_edge.edge.evaluation.calibration import calibration_samples
from whisperq_edge.models.checkpoint import load_checkpoint
from whisperq_edge.models.grid import Extent, Grid
from whisperq_edge.models.observer import observe
from whisperq_edge.models.parameters import Parameters, prepare
from whisperq_edge.models.quantize import Recipe
from whisperq_edge.models.random_checkpoint import MINIATURE, write_random_checkpoint
from whisperq_edge.runtimes.run_reference import ReferenceSession

TYPES = (np.uint8, np.uint16, np.int8)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return load_checkpoint(write_random_checkpoint(tmp_path_factory.mktemp("c"), MINIATURE))


@pytest.fixture(scope="module")
def samples(checkpoint):
    return calibration_samples(checkpoint)


@pytest.fixture(scope="module")
def parameters(checkpoint):
    return prepare(checkpoint, Recipe.of("int8"))


def watched(parameters, checkpoint, samples):
    return observe(parameters, checkpoint.dimensions, checkpoint.generation, samples)


def quantized_by_onnx_runtime(x, grid):
    """Steps and values, as the operators give them."""
    constants = [
        numpy_helper.from_array(np.asarray(grid.scale, np.float32), "scale"),
        numpy_helper.from_array(np.asarray(grid.zero), "zero"),
    ]
    kind = helper.np_dtype_to_tensor_dtype(grid.zero.dtype)
    graph = helper.make_graph(
        [
            helper.make_node("QuantizeLinear", ["x", "scale", "zero"], ["steps"]),
            helper.make_node("DequantizeLinear", ["steps", "scale", "zero"], ["values"]),
        ],
        "grid",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, x.shape)],
        [
            helper.make_tensor_value_info("steps", kind, x.shape),
            helper.make_tensor_value_info("values", TensorProto.FLOAT, x.shape),
        ],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x})


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize(("low", "high"), [(-1.7, 3.1), (0, 0.02), (-900, -5), (0, 0)])
def test_a_grid_rounds_as_onnx_runtime_does(dtype, low, high):
    grid = Grid.spanning(low, high, dtype)
    rng = np.random.default_rng(0)
    inside = rng.uniform(1.3 * low - 0.1, 1.3 * high + 0.1, 2000).astype(np.float32)
    ties = ((np.arange(-40, 40) + 0.5) * grid.scale).astype(np.float32)
    x = np.concatenate([inside, ties])
    steps, values = quantized_by_onnx_runtime(x, grid)
    np.testing.assert_array_equal(grid.steps(x), steps)
    np.testing.assert_array_equal(grid.round(x), values)


@pytest.mark.parametrize("dtype", TYPES)
def test_a_grid_spans_its_range_and_holds_zero(dtype):
    grid = Grid.spanning(-2.5, 7.0, dtype)
    assert grid.zero.dtype == dtype
    ends = np.array([-2.5, 7.0, 0.0], np.float32)
    rounded = grid.round(ends)
    np.testing.assert_allclose(rounded, ends, atol=float(grid.scale) / 2 * 1.001)
    assert rounded[2] == 0
    assert grid.round(np.array([100.0], np.float32)) < 7.0 + grid.scale


def test_a_symmetric_grid_has_its_zero_in_the_middle():
    grid = Grid.symmetric(Extent(-3.0, 2.0, 0.0))
    assert (grid.zero, grid.zero.dtype) == (0, np.int8)
    assert grid.steps(np.array([-3.0, 3.0], np.float32)).tolist() == [-127, 127]


def test_extents_are_joined():
    first = Extent.of(np.array([[1, 5], [-2, 0]], np.float32))
    assert first == Extent(-2, 5, 0)
    assert first.joined(Extent(-1, 9, -4)) == Extent(-2, 9, -4)


def test_every_place_is_seen(parameters, checkpoint, samples):
    extents = watched(parameters, checkpoint, samples[1:2])
    products = {f"{name}.{end}" for name in parameters.matrices for end in ("input", "output")}
    assert products <= extents.keys()
    for place in (
        "encoder.conv1.gelu",
        "encoder.positions.sum",
        "encoder.0.attn_norm.output",
        "encoder.0.qkv.scores",
        "encoder.1.fc2.sum",
        "decoder.positions.sum",
        "decoder.0.qkv.masked",
        "decoder.1.cross_q.weights",
        "decoder.1.cross_q.context",
    ):
        assert place in extents
    for place, extent in extents.items():
        assert np.isfinite([extent.low, extent.high]).all(), place
    assert 0 <= extents["encoder.0.qkv.weights"].low
    assert extents["encoder.0.qkv.weights"].high <= 1
    scores = extents["decoder.0.qkv.scores"]
    assert scores.low < scores.least_peak <= scores.high


def test_more_recordings_only_widen(parameters, checkpoint, samples):
    one, other = (watched(parameters, checkpoint, [sample]) for sample in samples[1:3])
    both = watched(parameters, checkpoint, samples[1:3])
    assert both == {place: one[place].joined(other[place]) for place in one}
    assert both != one


def test_the_reference_rounds_where_it_was_seen(parameters, checkpoint, samples):
    """Fine grids at every place change little; one coarse grid shows, wherever it is."""
    extents = watched(parameters, checkpoint, samples[1:2])
    fine = {p: Grid.spanning(e.low, e.high, np.uint16) for p, e in extents.items()}

    def logits(grids):
        made = Parameters(parameters.matrices, parameters.vectors, grids)
        with ReferenceSession(made, checkpoint.dimensions, checkpoint.generation) as session:
            session.encode(samples[1].mel)
            steps = [session.step(np.array([[token]])) for token in samples[1].tokens]
            return np.concatenate([session.window().ravel()[::7], *(step[0] for step in steps)])

    exact = logits({})
    error = np.linalg.norm(logits(fine) - exact) / np.linalg.norm(exact)
    assert 0 < error < 2e-3
    for place in list(fine)[::9]:
        extent = extents[place]
        coarse = {**fine, place: Grid(np.float32((extent.high - extent.low) / 3), np.int8(0))}
        assert np.linalg.norm(logits(coarse) - exact) / np.linalg.norm(exact) > error, place


def test_calibration_is_the_same_every_time_and_covers_both_kinds(checkpoint, samples):
    again = calibration_samples(checkpoint)
    for one, other in zip(samples, again, strict=True):
        np.testing.assert_array_equal(one.mel, other.mel)
        np.testing.assert_array_equal(one.tokens, other.tokens)
    lengths = {sample.mel.shape[1] for sample in samples}
    assert max(lengths) == 3000
    assert min(lengths) < 1000
    timestamps = [bool((sample.tokens > 50363).any()) for sample in samples]
    assert {True, False} == set(timestamps)
