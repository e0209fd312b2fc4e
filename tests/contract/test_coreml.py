"""What is particular to Core ML artifacts, and to the executor that runs them off Apple."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("coremltools", reason="these tests need coremltools")

import coremltools as ct
from coremltools.converters.mil.frontend.milproto.load import load as load_program
from coremltools.converters.mil.mil import Builder as mb
from coremltools.converters.mil.mil import Function, types
from coremltools.proto.Model_pb2 import Model

from whisperq_edge.edge.artifact import Artifact, sha256
from whisperq_edge.edge.audio.mel import log_mel
from whisperq_edge.edge.errors import ArtifactError, ConfigError, InferenceError
from whisperq_edge.edge.evaluation.export import export
from whisperq_edge.edge.evaluation.recordings import bundled_recordings
from whisperq_edge.edge.types import Precision
from whisperq_edge.exporters import ExportRequest, coreml_weights, exporter_for
from whisperq_edge.exporters.coreml_layouts import ggml_name
from whisperq_edge.exporters.coreml_ops import CoremlOps
from whisperq_edge.exporters.coreml_package import save
from whisperq_edge.models.parameters import Parameters
from whisperq_edge.models.quantize import Recipe, quantize
from whisperq_edge.models.random_checkpoint import MINIATURE
from whisperq_edge.models.reference import NumpyOps
from whisperq_edge.runtimes import open_session
from whisperq_edge.runtimes.coreml_kernels import KERNELS
from whisperq_edge.runtimes.coreml_program import ProgramPackage
from whisperq_edge.runtimes.coreml_storage import read_functions
from whisperq_edge.runtimes.run_coreml_reference import CoremlReferenceRuntime
from whisperq_edge.runtimes.run_reference import ReferenceSession
from whisperq_edge.runtimes.runtime import SessionOptions

from .sessions import ENCODERS, FORMS, WINDOWS, artifact, checkpoint, reference, session

COREML = [name for name, form in FORMS.items() if form.target == "coreml"]
MODEL, WEIGHTS = coreml_weights.MODEL_FILE, coreml_weights.WEIGHTS_FILE
HALF = {"decoder": "float16", "encoder": "float16", "head": "float16"}


def relative(a, b):
    return np.linalg.norm(a - b) / np.linalg.norm(b)


def packages(form):
    return sorted(artifact(form).folder.glob("*.mlpackage"))


def described(features):
    """Name, element type and shape of a function's inputs or outputs."""
    kinds = {65568: "float32", 65552: "float16", 131104: "int32"}
    arrays = [(feature.name, feature.type.multiArrayType) for feature in features]
    return {name: (kinds[array.dataType], tuple(array.shape)) for name, array in arrays}


def changed_model(folder, form, name, change):
    """A copy of a package whose model went through ``change``."""
    source = next(path for path in packages(form) if path.name == name)
    copy = shutil.copytree(source, folder / name)
    model = Model.FromString((copy / MODEL).read_bytes())
    for function in model.mlProgram.functions.values():
        change(function.block_specializations[function.opset].operations)
    (copy / MODEL).write_bytes(model.SerializeToString())
    return copy


# What is written


@pytest.mark.parametrize("form", COREML)
def test_coremltools_reads_what_was_saved(form):
    """Its own reader builds the program anew and infers every type again."""
    for package in packages(form):
        model = Model.FromString((package / MODEL).read_bytes())
        weights = str((package / WEIGHTS).parent)
        program = load_program(model, model.specificationVersion, weights)
        assert program.functions.keys() == model.mlProgram.functions.keys()
        assert ct.models.MLModel(str(package), skip_model_load=True).get_spec() == model
    # It writes the table of contents anew when it opens a package; to the same bytes.
    Artifact.read(artifact(form).folder, digests=True)


@pytest.mark.parametrize("form", COREML)
def test_the_manifest_names_what_the_programs_take_and_give(form):
    made = artifact(form)
    for graph in made.manifest.graphs.values():
        model = Model.FromString(((made.folder / graph.file).parent / MODEL).read_bytes())
        about = model.description
        about = about.functions[0] if about.functions else about
        for specs, features in ((graph.inputs, about.input), (graph.outputs, about.output)):
            told = {spec.name: (spec.dtype, spec.shape) for spec in specs}
            assert told == described(features)


def test_whisperkit_finds_its_names_shapes_and_types():
    d, positions, text = MINIATURE.n_text_state, WINDOWS[-1], MINIATURE.n_text_ctx
    cache = ("float16", (1, MINIATURE.n_text_layer * d, 1, text))
    update = ("float16", (1, MINIATURE.n_text_layer * d, 1, 1))
    features = {"melspectrogram_features": ("float16", (1, 80, 1, 2 * positions))}
    embeds = {"encoder_output_embeds": ("float16", (1, d, 1, positions))}
    wanted = {
        "MelSpectrogram.mlpackage": ({"audio": ("float32", (320 * positions,))}, features),
        "AudioEncoder.mlpackage": (features, embeds),
        "TextDecoder.mlpackage": (
            {
                "input_ids": ("int32", (1,)),
                "cache_length": ("int32", (1,)),
                "key_cache": cache,
                "value_cache": cache,
                "kv_cache_update_mask": ("float16", (1, text)),
                "decoder_key_padding_mask": ("float16", (1, text)),
                **embeds,
            },
            {
                "logits": ("float16", (1, 1, MINIATURE.n_vocab)),
                "key_cache_updates": update,
                "value_cache_updates": update,
                "alignment_heads_weights": ("float16", (1, positions)),
            },
        ),
    }
    found = packages("coreml-whisperkit-int8")
    assert {path.name for path in found} == wanted.keys()
    for path in found:
        about = Model.FromString((path / MODEL).read_bytes()).description
        assert (described(about.input), described(about.output)) == wanted[path.name]
    beside = {path.name for path in artifact("coreml-whisperkit-int8").folder.iterdir()}
    assert {"tokenizer.json", "config.json", "generation_config.json"} <= beside


def test_whisperkits_alignment_is_the_mean_of_the_heads():
    form, tokens = "coreml-whisperkit-fp16", np.array([[50258, 50259, 7]])
    mel = np.random.default_rng(0).normal(0, 0.5, (80, 2 * WINDOWS[-1])).astype(np.float32)
    with session(form) as opened, reference(form) as theirs:
        for either in (opened, theirs):
            either.encode(mel)
            either.step(tokens)
        mean = theirs.alignment.mean(1, keepdims=True)
        assert relative(opened.alignment, mean) < 5e-3
        assert relative(theirs.alignment[:, :1], mean) > 1e-2  # and no single head


def test_whispercpp_finds_its_name_shapes_and_types():
    [path] = packages("coreml-whispercpp-int8")
    assert path.name == f"ggml-{ggml_name(checkpoint(ENCODERS[0]).name)}-encoder.mlpackage"
    assert ggml_name("openai/whisper-large-v3-turbo") == "large-v3-turbo"
    about = Model.FromString((path / MODEL).read_bytes()).description
    assert described(about.input) == {"logmel_data": ("float32", (1, 80, 2 * WINDOWS[-1]))}
    assert described(about.output) == {"output": ("float32", (1, WINDOWS[-1], 64))}


@pytest.mark.parametrize("form", ENCODERS)
def test_an_encoder_alone_gives_what_another_decoder_expects(form):
    """The checkpoint's own output: nothing is smoothed that our decoder would have to undo."""
    mel = np.random.default_rng(0).normal(0, 0.5, (80, 2 * WINDOWS[-1])).astype(np.float32)
    with session(form) as opened, reference("onnx-fp32") as exact:
        opened.encode(mel)
        exact.encode(mel)
        assert relative(opened.window(), exact.encoded()) < (0.04 if "int8" in form else 3e-3)
        with pytest.raises(InferenceError, match=r"for whisper\.cpp"):
            opened.step(np.array([[50258]]))


def test_the_embedding_is_stored_once():
    [decoder] = [path for path in packages("coreml-int8") if path.name.startswith("decoder")]
    n_table = MINIATURE.n_vocab * MINIATURE.n_text_state
    assert n_table < (decoder / WEIGHTS).stat().st_size < 1.5 * n_table


def test_windows_share_their_weights():
    [encoder] = [path for path in packages("coreml-int8") if path.name.startswith("encoder")]
    functions, default = read_functions(encoder)
    assert list(functions) == [f"positions_{n}" for n in WINDOWS]
    assert default == f"positions_{WINDOWS[-1]}"
    places = []
    for function in functions.values():
        attributes = [operation.attributes for operation in function.operations]
        constants = [constant for given in attributes for constant in given.values()]
        places.append({c.offset for c in constants if c.offset is not None})
    assert places[0] == places[1]
    assert places[0]


def test_an_export_is_the_same_in_every_process(tmp_path):
    code = (
        "import sys; from pathlib import Path\n"
        "from whisperq_edge.edge.evaluation.export import export\n"
        "from whisperq_edge.exporters import ExportRequest\n"
        "from whisperq_edge.models.checkpoint import load_checkpoint\n"
        "from whisperq_edge.models.quantize import Recipe\n"
        "checkpoint = load_checkpoint(sys.argv[1])\n"
        "request = ExportRequest(checkpoint, Recipe.of('int8'), 'native', (100,))\n"
        "export('coreml', request, Path(sys.argv[2]), verify=False)\n"
    )
    source = checkpoint("coreml-int8").weights.files[0].parent
    made = []
    for seed in ("1", "2"):
        folder = tmp_path / seed
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        subprocess.run([sys.executable, "-c", code, source, folder], env=environment, check=True)
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        assert {path.stat().st_mode & 0o777 for path in files} == {0o644}
        made.append({path.relative_to(folder): sha256(path) for path in files})
        made[-1].pop(Path("artifact.json"))  # says when
    assert made[0] == made[1]


# Products, on inputs that are equal to the bit


def computed(x, parameters, dtype, target, body, folder):
    """What the executor makes of a saved program of a few operations; (1, t, d) in and out."""
    kind = types.fp32 if dtype is np.float32 else types.fp16
    columns = x.swapaxes(1, 2)[:, :, None]

    def build():
        with Function({"x": mb.placeholder(columns.shape, dtype=kind)}, target) as function:
            ops = CoremlOps(parameters, MINIATURE, dtype, function.inputs)
            function.set_outputs([mb.identity(x=body(ops, function.inputs["x"]), name="y")])
        return function

    save(folder / "piece.mlpackage", {"main": build}, target, {})
    y = ProgramPackage(folder / "piece.mlpackage").program().predict({"x": columns})["y"]
    return y[:, :, 0].swapaxes(1, 2)


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8", "int4:32"])
@pytest.mark.parametrize("n_taps", [1, 3])
def test_a_single_product_is_exact(precision, n_taps, tmp_path):
    rng = np.random.default_rng(0)
    name, n_in = ("encoder.0.fc1", 320) if n_taps == 1 else ("encoder.conv1", 80)
    stored, _, block = precision.partition(":")
    weight = rng.standard_t(5, (96, n_taps * n_in)).astype(np.float32)
    dtype = np.float32 if precision == "fp32" else np.float16
    parameters = Parameters(
        {name: quantize(weight, Precision(stored, int(block) if block else None))},
        {f"{name}.bias": rng.normal(0, 1, 96).astype(dtype)},
    )
    x = rng.normal(0, 1, (1, 8, n_in)).astype(dtype).astype(np.float32)

    def body(ops, x):
        return ops.linear(x, name) if n_taps == 1 else ops.conv1d(x, name, stride=2)

    target = ct.target.iOS18 if block else ct.target.iOS16
    ours = computed(x, parameters, dtype, target, body, tmp_path)
    theirs = body(NumpyOps(parameters, {} if precision == "fp32" else HALF), x)
    if precision == "fp32":
        assert relative(ours, theirs) < 2e-6
        return
    # The nearest half of a sum that was rounded in another order, which shows where much cancels.
    np.testing.assert_array_equal(ours, ours.astype(np.float16))
    step = np.spacing(np.abs(theirs).astype(np.float16)).astype(np.float32)
    terms = np.linalg.norm(x, axis=-1).max() * np.linalg.norm(weight, axis=1)
    assert (np.abs(ours - theirs) <= 0.5 * step + 2**-24 * terms).all()


def test_a_single_norm_is_exact(tmp_path):
    rng = np.random.default_rng(0)
    gain, shift = (rng.normal(1, 0.3, 96).astype(np.float32) for _ in range(2))
    parameters = Parameters({}, {"encoder.norm.gain": gain, "encoder.norm.shift": shift})
    x = rng.normal(1, 2, (1, 8, 96)).astype(np.float32)

    def body(ops, x):
        return ops.layer_norm(x, "encoder.norm")

    ours = computed(x, parameters, np.float32, ct.target.iOS16, body, tmp_path)
    assert relative(ours, body(NumpyOps(parameters), x)) < 1e-6


def test_half_noise_rounds_every_result_of_parts_in_halves():
    parameters = Parameters(
        {"encoder.0.fc1": np.random.default_rng(0).normal(0, 1, (8, 8)).astype(np.float32)},
        {"encoder.0.fc1.bias": np.full(8, 1 / 3, np.float32)},
    )
    ops = NumpyOps(parameters, {"encoder": "float16", "decoder": "float"})
    x = np.full((1, 1, 8), np.float32(1) / 3)
    ops.float_noise = np.random.default_rng(0)
    for y in (ops.linear(x, "encoder.0.fc1"), ops.gelu(x), ops.add(x, x)):
        np.testing.assert_array_equal(y, y.astype(np.float16))
    place = ops.at(x, "decoder.0.fc1.output")
    assert not np.array_equal(place, place.astype(np.float16))


# The executor beside coremltools and PyTorch


def operations():
    """One of every operation that coremltools can compute itself, and the same by our kernel."""
    rng = np.random.default_rng(0)
    x = rng.normal(0, 2, (2, 6, 3, 5)).astype(np.float32)
    y = rng.normal(0, 2, (2, 6, 3, 5)).astype(np.float32)
    square, rows = rng.normal(0, 1, (1, 2, 4, 4)).astype(np.float32), x[0, 0]
    i32 = np.int32
    yield from ((kind, {"x": x, "y": y}, {}) for kind in ("add", "mul", "sub", "maximum"))
    yield "gelu", {"x": x}, {"mode": "EXACT"}
    yield "square", {"x": x}, {}
    yield "log", {"x": np.abs(x)}, {"epsilon": np.float32(1e-3)}
    yield "softmax", {"x": x, "axis": i32(-1)}, {}
    yield from (
        ("matmul", {"x": square, "y": square, "transpose_x": a, "transpose_y": b}, {})
        for a in (False, True) for b in (False, True)
    )  # fmt: skip
    yield "layer_norm", {"x": x, "axes": np.array([1], i32), "epsilon": np.float32(1e-5)}, {}
    yield "linear", {"x": rows, "weight": rows + 1, "bias": rows[:, 0]}, {}
    yield "gather", {"x": x, "indices": np.array([3, 0], i32), "axis": i32(1)}, {}
    yield "split", {"x": x, "num_splits": i32(3), "axis": i32(1)}, {}
    yield "concat", {"values": [x, y], "axis": i32(1)}, {}
    yield "reshape", {"x": x, "shape": np.array([2, 2, 9, 5], i32)}, {}
    yield "transpose", {"x": x, "perm": np.array([0, 2, 1, 3], i32)}, {}
    yield "expand_dims", {"x": rows, "axes": np.array([0, 2], i32)}, {}
    yield "squeeze", {"x": square[:, :, :1], "axes": np.array([0, 2], i32)}, {}
    yield "reduce_mean", {"x": x, "axes": np.array([1], i32)}, {"keep_dims": False}
    yield "reduce_max", {"x": x, "axes": np.array([1, 3], i32)}, {"keep_dims": True}
    sizes = {"begin": np.array([0, 1, 0, 2], i32), "size": np.array([2, 3, 1, 3], i32)}
    yield "slice_by_size", {"x": x, **sizes}, {}
    spans = {"begin": np.array([0, 1, 0, 0], i32), "end": np.array([2, 4, 3, 5], i32)}
    yield "slice_by_index", {"x": x, **spans, "stride": np.array([1, 1, 1, 2], i32)}, {}
    widths = np.array([0, 0, 0, 0, 0, 0, 1, 2], i32)
    yield "pad", {"x": x, "pad": widths, "mode": "reflect", "constant_val": np.float32(0)}, {}
    yield "pad", {"x": x, "pad": widths, "mode": "constant", "constant_val": np.float32(0)}, {}


OPERATIONS = list(operations())


@pytest.mark.parametrize(
    ("kind", "arguments", "settings"), OPERATIONS, ids=[kind for kind, *_ in OPERATIONS]
)
def test_a_kernel_computes_what_coremltools_computes(kind, arguments, settings):
    with Function({"unused": mb.placeholder((1,))}, ct.target.iOS16):
        result = getattr(mb, kind)(**arguments, **settings)
    wanted = result if isinstance(result, (list, tuple)) else [result]
    ours = KERNELS[kind](**{
        name: [np.asarray(v) for v in value] if name == "values" else np.asarray(value)
        for name, value in arguments.items()
    } | ({"epsilon": settings["epsilon"]} if "epsilon" in settings else {}))  # fmt: skip
    ours = ours if isinstance(ours, list) else [ours]
    assert len(ours) == len(wanted)
    for a, b in zip(ours, wanted, strict=True):
        assert b.val is not None, "coremltools does not compute this one"
        np.testing.assert_allclose(a, b.val, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("n_taps", "stride", "pad"), [(1, 1, 0), (3, 1, 1), (3, 2, 1), (4, 2, 0)])
def test_the_convolution_is_pytorchs(n_taps, stride, pad):
    torch = pytest.importorskip("torch", reason="the oracle for convolutions")
    rng = np.random.default_rng(0)
    x, weight, bias = (
        rng.normal(0, 1, shape).astype(np.float32)
        for shape in ((1, 6, 1, 20), (4, 6, 1, n_taps), (4,))
    )
    wanted = torch.nn.functional.conv2d(
        *map(torch.from_numpy, (x, weight, bias)), stride=(1, stride), padding=(0, pad)
    )
    ours = KERNELS["conv"](
        x=x, weight=weight, bias=bias, strides=np.array([1, stride]), pad=np.array([0, 0, pad, pad])
    )
    np.testing.assert_allclose(ours, wanted.numpy(), atol=1e-5)


def test_the_batch_norm_is_pytorchs():
    torch = pytest.importorskip("torch", reason="the oracle for batch norms")
    rng = np.random.default_rng(0)
    x = rng.normal(0, 1, (1, 6, 1, 5)).astype(np.float32)
    mean, variance, gamma, beta = (rng.uniform(0.5, 2, 6).astype(np.float32) for _ in range(4))
    given = map(torch.from_numpy, (x, mean, variance, gamma, beta))
    wanted = torch.nn.functional.batch_norm(*given, eps=1e-3)
    ours = KERNELS["batch_norm"](
        x=x, mean=mean, variance=variance, gamma=gamma, beta=beta, epsilon=np.float32(1e-3)
    )
    np.testing.assert_allclose(ours, wanted.numpy(), atol=1e-6)


@pytest.mark.parametrize("form", ["coreml-fp32", "coreml-fp16", "coreml-int8", "coreml-int4-32"])
def test_the_executor_reads_the_bytes_that_coremltools_reads(form):
    for package in packages(form):
        theirs = coreml_weights._Reader(package)
        functions, _ = read_functions(package)
        ours = {op.outputs[0][0]: op for op in next(iter(functions.values())).operations}
        n_compared = 0
        for name, operation in theirs.parameters():
            mine = ours[coreml_weights.constant_name(name)]
            bindings = {key: value[0] for key, value in mine.inputs.items()}
            constants = {**mine.attributes, **bindings}
            for key in {"val", "quantized_data", "data", "scale"} & constants.keys():
                value = (
                    operation.attributes[key]
                    if key in operation.attributes
                    else operation.inputs[key].arguments[0].value
                )
                np.testing.assert_array_equal(constants[key].array, theirs.array(value))
                n_compared += 1
        assert n_compared > 30


@pytest.mark.parametrize("form", ["coreml-whisperkit-fp16"])
def test_whisperkits_features_are_ours(form):
    [package] = [path for path in packages(form) if path.name.startswith("Mel")]
    program = ProgramPackage(package).program()
    n_samples = 320 * WINDOWS[-1]
    recording = next(iter(bundled_recordings(4))).samples[:n_samples]
    audio = np.zeros(n_samples, np.float32)
    audio[: len(recording)] = recording
    ours = program.predict({"audio": audio})["melspectrogram_features"][0, :, 0]
    wanted = log_mel(audio, 80, 2 * WINDOWS[-1])
    assert np.abs(ours - wanted).max() < 1e-3  # halves of numbers up to 2


# What is refused


def set_gelu_mode(operations):
    for operation in operations:
        if (
            operation.type == "const"
            and "mode" in operation.attributes["name"].immediateValue.tensor.strings.values[0]
        ):
            value = operation.attributes["val"].immediateValue.tensor.strings.values
            value[0] = "TANH_APPROXIMATION"


def set_unknown_operation(operations):
    next(op for op in operations if op.type == "gelu").type = "relu"


def set_unknown_parameter(operations):
    operation = next(op for op in operations if op.type == "softmax")
    operation.inputs["surprise"].CopyFrom(operation.inputs["x"])


def set_missing_parameter(operations):
    del next(op for op in operations if op.type == "softmax").inputs["axis"]


def set_other_shape(operations):
    operation = next(op for op in operations if op.type == "constexpr_affine_dequantize")
    operation.outputs[0].type.tensorType.dimensions[0].constant.size += 1


def set_other_type(operations):
    operation = next(op for op in operations if op.type == "constexpr_affine_dequantize")
    operation.attributes["scale"].type.tensorType.dataType = 11


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (set_gelu_mode, "gelu has mode TANH_APPROXIMATION"),
        (set_unknown_operation, "the operation relu is not one"),
        (set_unknown_parameter, "softmax has a parameter surprise"),
        (set_missing_parameter, "softmax lacks axis"),
        (set_other_shape, "declared is"),
        (set_other_type, "there is no float32 at"),
    ],
)
def test_the_executor_refuses_what_it_does_not_know(change, line, tmp_path):
    package = changed_model(tmp_path, "coreml-int8", "encoder.mlpackage", change)
    with pytest.raises(ArtifactError, match=line):
        ProgramPackage(package).program()


def test_a_damaged_package_is_one_line(tmp_path):
    source = packages("coreml-int8")[0]
    copy = shutil.copytree(source, tmp_path / "a.mlpackage")
    whole = (copy / MODEL).read_bytes()
    (copy / MODEL).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ArtifactError, match="damaged"):
        ProgramPackage(copy)
    (copy / MODEL).unlink()
    with pytest.raises(ArtifactError, match="cannot be read"):
        ProgramPackage(copy)


def test_a_result_that_is_no_half_is_one_line():
    with CoremlReferenceRuntime().open(artifact("coreml-fp16"), SessionOptions(1)) as opened:
        mel = np.full((80, 2 * WINDOWS[0]), 7e4, np.float32)
        with pytest.raises(InferenceError, match="exceeds its type"):
            opened.encode(mel)


def test_inputs_of_another_shape_or_type_are_refused():
    program = ProgramPackage(packages("coreml-whisperkit-fp16")[0]).program()
    right = np.zeros((1, 80, 1, 2 * WINDOWS[-1]), np.float32)
    name = "melspectrogram_features"
    for feeds, line in (
        ({}, "the program takes"),
        ({name: right[0]}, "has shape"),
        ({name: right.astype(np.int32)}, "the program takes floats"),
    ):
        with pytest.raises(InferenceError, match=line):
            program.predict(feeds)


# Which runtime opens it


@pytest.mark.skipif(sys.platform == "darwin", reason="there Core ML itself opens it")
def test_off_apple_a_stand_in_runs_it_and_says_so():
    made = artifact("coreml-int8")
    with open_session(made, threads=1) as opened:
        assert opened.facts.stand_in
        assert "in place of Core ML" in opened.facts.runtime
    with pytest.raises(InferenceError, match="no choice of --device"):
        open_session(made, threads=1, device="CPU_AND_NE")


@pytest.mark.skipif(sys.platform == "darwin", reason="there it opens")
def test_core_ml_itself_is_for_macos():
    from whisperq_edge.runtimes.run_coreml import CoremlRuntime

    made: Artifact = artifact("coreml-int8")
    with pytest.raises(InferenceError, match="macOS only"):
        CoremlRuntime().open(made, SessionOptions(1))


def test_windows_longer_than_the_checkpoints_are_refused(tmp_path):
    request = ExportRequest(checkpoint(ENCODERS[0]), Recipe.of("int8"), "native", (100, 500))
    with pytest.raises(ConfigError, match="windows of up to 5 s"):
        export("coreml", request, tmp_path / "artifact")
    assert not any(tmp_path.iterdir())


def test_the_command_line_verifies_an_encoder_alone(call):
    ended = call("verify", artifact("coreml-whispercpp-int8").folder)
    assert ended.status == 0
    assert "another program decodes" in ended.out
    assert "decoder" not in ended.out


def test_float_layers_make_their_program_compute_in_floats(tmp_path):
    plain = Recipe.of("int8")
    recipe = Recipe(plain.encoder, plain.decoder, plain.head, {"encoder.0.fc1": Precision("fp32")})
    request = ExportRequest(checkpoint("coreml-int8"), recipe, "native", (100,))
    made = export("coreml", request, tmp_path / "artifact", verify=False)
    rules = {part: graph.activations for part, graph in made.manifest.graphs.items()}
    assert rules == {
        "encoder": {"encoder": "float"},
        "decoder": {"decoder": "float16", "head": "float16"},
    }
    mel = np.random.default_rng(0).normal(0, 0.5, (80, 200)).astype(np.float32)
    parameters = exporter_for("coreml").read_parameters(made.folder, made.manifest)
    theirs = ReferenceSession(parameters, made.manifest.dimensions, made.manifest.generation)
    with open_session(made, threads=1) as opened:
        for either in (opened, theirs):
            either.encode(mel)
        assert relative(opened.window(), theirs.window()) < 1e-5
