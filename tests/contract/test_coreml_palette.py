"""Palettes in Core ML's packages: coremltools reads and looks up what we wrote, and so do we."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("coremltools", reason="these tests need coremltools")

import coremltools as ct
from coremltools.converters.mil.frontend.milproto.load import load as load_program
from coremltools.optimize._utils import pack_elements_into_bits
from coremltools.proto.Model_pb2 import Model

from whisperq_edge.edge.errors import ArtifactError
from whisperq_edge.exporters import coreml_weights
from whisperq_edge.models.palette import GROUP, LUT6, PaletteTensor, palettize
from whisperq_edge.models.parameters import Parameters
from whisperq_edge.models.reference import NumpyOps
from whisperq_edge.runtimes.coreml_program import ProgramPackage
from whisperq_edge.runtimes.coreml_storage import TensorType, _elements

from .sessions import artifact, prepared
from .test_coreml import HALF, changed_model, computed, packages

FORM = "coreml-lut6"
MODEL, WEIGHTS = coreml_weights.MODEL_FILE, coreml_weights.WEIGHTS_FILE
LOOK_UP = "constexpr_lut_to_dense"


# The bytes, beside coremltools


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 8, 21])
def test_six_bits_are_unpacked_as_coremltools_packs_them(n):
    values = np.random.default_rng(n).integers(0, 64, n).astype(np.uint8)
    packed = pack_elements_into_bits(values, 6)
    np.testing.assert_array_equal(_elements(packed, TensorType("uint6", (n,))), values)


def test_too_few_bytes_are_refused():
    with pytest.raises(ValueError, match="has 4 elements"):
        _elements(np.zeros(3, np.uint8), TensorType("uint6", (5,)))


@pytest.mark.parametrize("package", ["encoder.mlpackage", "decoder.mlpackage"])
def test_coremltools_looks_up_what_the_executor_does(package):
    """Its own reader, and its own way from indices to weights."""
    [path] = [path for path in packages(FORM) if path.name == package]
    model = Model.FromString((path / MODEL).read_bytes())
    theirs = load_program(model, model.specificationVersion, str((path / WEIGHTS).parent))
    ours = ProgramPackage(path)
    matrices = prepared(FORM).matrices
    n_compared = 0
    for name, function in theirs.functions.items():
        program = ours.program(name)
        compressed = [op for op in function.operations if op.op_type.startswith("constexpr_")]
        assert {operation.op_type for operation in compressed} == {LOOK_UP}
        for operation in compressed:
            dense = operation.materialized_val_inference()
            assert dense.dtype == np.float16
            mine = program._slots[program._places[operation.outputs[0].name]]
            np.testing.assert_array_equal(mine, dense)
            parameter = coreml_weights.parameter_name(operation.outputs[0].name)
            np.testing.assert_array_equal(
                coreml_weights._from_kernel(dense), matrices[parameter].dequantize()
            )
            n_compared += 1
    assert n_compared > 10


def test_a_weight_takes_six_bits_and_its_share_of_a_palette():
    matrices = prepared(FORM).matrices
    bits = {name: 8 * matrix.nbytes / matrix.size for name, matrix in matrices.items()}
    assert all(6 < found <= 6 + 16 / GROUP for found in bits.values())  # of 64 inputs or more
    expected = sum(matrix.nbytes for matrix in matrices.values())
    vectors = sum(2 * vector.size for vector in prepared(FORM).vectors.values())
    stored = sum((path / WEIGHTS).stat().st_size for path in packages(FORM))
    assert expected < stored < 1.15 * (expected + vectors)


def test_groups_of_channels_need_ios_18():
    for path in packages(FORM):
        model = Model.FromString((path / MODEL).read_bytes())
        assert model.specificationVersion == ct.target.iOS18
    assert artifact(FORM).manifest.graphs["encoder"].activations == {"encoder": "float16"}


# The program


@pytest.mark.parametrize("n_taps", [1, 3])
def test_a_single_product_is_exact(n_taps, tmp_path):
    rng = np.random.default_rng(0)
    name, n_in = ("encoder.0.fc1", 320) if n_taps == 1 else ("encoder.conv1", 80)
    weight = rng.standard_t(5, (96, n_taps * n_in)).astype(np.float32)
    bias = rng.normal(0, 1, 96).astype(np.float16)
    parameters = Parameters({name: palettize(weight)}, {f"{name}.bias": bias})
    x = rng.normal(0, 1, (1, 8, n_in)).astype(np.float16).astype(np.float32)

    def body(ops, x):
        return ops.linear(x, name) if n_taps == 1 else ops.conv1d(x, name, stride=2)

    ours = computed(x, parameters, np.float16, ct.target.iOS18, body, tmp_path)
    theirs = body(NumpyOps(parameters, HALF), x)
    # The nearest half of a sum that was rounded in another order.
    step = np.spacing(np.abs(theirs).astype(np.float16)).astype(np.float32)
    terms = np.linalg.norm(x, axis=-1).max() * np.linalg.norm(weight, axis=1)
    assert (np.abs(ours - theirs) <= 0.5 * step + 2**-24 * terms).all()


def test_coremltools_own_search_is_hardly_better():
    """Its k-means of one dimension is exact, and slow."""
    kmeans = pytest.importorskip("coremltools._deps.kmeans1d", reason="the oracle for k-means")
    weight = np.random.default_rng(0).normal(0, 1, (16, 96)).astype(np.float32)
    found = kmeans.cluster(weight.reshape(-1).tolist(), 64)
    best = np.array(found.centroids)[np.array(found.clusters)]
    ours = palettize(weight).dequantize().reshape(-1)
    flat = weight.reshape(-1)
    assert np.linalg.norm(ours - flat) < 1.06 * np.linalg.norm(best - flat)


def test_parameters_come_back_as_palettes():
    [path] = [path for path in packages(FORM) if path.name == "decoder.mlpackage"]
    back = coreml_weights.load(path, artifact(FORM).manifest).matrices
    assert {type(matrix) for matrix in back.values()} == {PaletteTensor}
    assert {matrix.precision for matrix in back.values()} == {LUT6}
    assert back["decoder.embedding"].group == prepared(FORM).matrices["decoder.embedding"].group


# What is refused


def looked_up(operations):
    return next(operation for operation in operations if operation.type == LOOK_UP)


def set_vector_axis(operations):
    operation = looked_up(operations)
    operation.inputs["vector_axis"].CopyFrom(operation.inputs["lut"])


def set_vector_palettes(operations):
    """Pairs of values, half as many."""
    kind = looked_up(operations).inputs["lut"].arguments[0].value.type.tensorType
    kind.dimensions[-2].constant.size //= 2
    kind.dimensions[-1].constant.size = 2


def set_other_groups(operations):
    """More of them than there are channels to share."""
    kind = looked_up(operations).inputs["lut"].arguments[0].value.type.tensorType
    kind.dimensions[0].constant.size *= 64
    kind.dimensions[-2].constant.size //= 64


def set_other_indices(operations):
    looked_up(operations).inputs["indices"].arguments[0].value.type.tensorType.dataType = 35


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (set_vector_axis, "constexpr_lut_to_dense is not as the exporter writes it"),
        (set_vector_palettes, "palettes of shape"),
        (set_other_groups, "palettes of shape"),
        (set_other_indices, "a value has type number 35"),
    ],
)
def test_the_executor_refuses_other_palettes(change, line, tmp_path):
    package = changed_model(tmp_path, FORM, "encoder.mlpackage", change)
    with pytest.raises(ArtifactError, match=line):
        ProgramPackage(package).program()
