"""The gate on whole artifacts: what it writes down, what it refuses, what may be kept."""

from __future__ import annotations

import json
from dataclasses import replace

import msgspec
import numpy as np
import pytest

from whisperq_edge.edge.artifact import TOKENIZER, Artifact
from whisperq_edge.edge.decoding.decoder import Decoder
from whisperq_edge.edge.decoding.tokens import Tokenizer
from whisperq_edge.edge.errors import ParityError
from whisperq_edge.edge.evaluation import gate, listening, teacher
from whisperq_edge.edge.evaluation import verify as verify_module
from whisperq_edge.edge.evaluation.export import export, listen
from whisperq_edge.edge.evaluation.recordings import bundled_recordings
from whisperq_edge.edge.evaluation.verify import verify
from whisperq_edge.edge.parity import Speed
from whisperq_edge.edge.transcription.word_errors import word_error_rate
from whisperq_edge.edge.types import Precision, no_progress
from whisperq_edge.exporters import TARGETS, ExportRequest, onnx_weights
from whisperq_edge.models import parameters as parameters_module
from whisperq_edge.models.checkpoint import load_checkpoint
from whisperq_edge.models.quantize import QuantizedTensor, Recipe, quantize
from whisperq_edge.models.random_checkpoint import TINY, write_random_checkpoint
from whisperq_edge.models.reference import NumpyOps
from whisperq_edge.runtimes import open_session

from .sessions import miniature

onnx = pytest.importorskip("onnx", reason="exporting ONNX needs onnx")
EXACT_LAYOUTS = [
    (name, layout)
    for name, target in TARGETS.items()
    for layout, offer in target.layouts.items()
    if "fp32" in offer.precisions and not getattr(offer, "encoder_only", False)
]


@pytest.fixture
def few_words(monkeypatch):
    """Judge by so little that a test stays brief."""
    monkeypatch.setattr(teacher, "MIN_RECORDINGS", 3)
    monkeypatch.setattr(teacher, "MAX_RECORDINGS", 3)
    for module in (listening, verify_module):
        monkeypatch.setattr(module, "OPTIONS", replace(teacher.OPTIONS, sample_len=5))


def test_an_export_says_what_it_cost(tmp_path, few_words):
    made = export("onnx", ExportRequest(miniature(), Recipe.of("int8")), tmp_path / "a")
    manifest = Artifact.read(made.folder).manifest
    parity = manifest.parity
    assert manifest.verdict.passed
    assert manifest.refusal is None
    assert 0.9 < parity.weights.worst <= gate.ROUNDING_LIMIT
    assert 0 < parity.loss.divergence < 1e-3
    assert 1e-3 < parity.loss.relative_error < 0.1
    assert parity.loss.n_tokens == 3 * 5
    assert isinstance(manifest.speed, Speed)
    assert manifest.speed.against == "fp32"
    assert min(manifest.speed.encode, manifest.speed.step, manifest.speed.recording) > 0
    # What was measured against the checkpoint stays known where there is only the artifact.
    again = verify(made)
    assert (again.loss, again.weights) == (parity.loss, parity.weights)


def test_floats_are_not_timed_and_lose_nothing(tmp_path, few_words):
    made = export("onnx", ExportRequest(miniature(), Recipe.of("fp32")), tmp_path / "a")
    assert made.manifest.speed is None
    assert made.manifest.parity.weights.worst == 0
    assert made.manifest.parity.loss.divergence < 1e-6


def test_a_large_model_is_not_written_twice(tmp_path, few_words, monkeypatch):
    from whisperq_edge.edge.evaluation import speed

    monkeypatch.setattr(speed, "MAX_BYTES", 1000)
    made = export("onnx", ExportRequest(miniature(), Recipe.of("int8")), tmp_path / "a")
    assert "too long" in made.manifest.speed


def off_by_one(weight, precision):
    """A quantizer that is wrong by one in a single place."""
    stored = quantize(weight, precision)
    if isinstance(stored, QuantizedTensor):
        stored.values[3, 5] = (stored.values[3, 5] + 2) % 4
    return stored


@pytest.mark.parametrize("precision", ["int8", "int4"])
def test_a_wrong_quantizer_is_refused(precision, tmp_path, few_words, monkeypatch):
    """The graphs agree with the wrong integers, and so does the weights file."""
    monkeypatch.setattr(parameters_module, "quantize", off_by_one)
    request = ExportRequest(miniature(), Recipe.of(precision))
    with pytest.raises(ParityError, match="difference from the checkpoint"):
        export("onnx", request, tmp_path / "a")
    assert not any(tmp_path.iterdir())


def coarse(weight, precision):
    """A quantizer with a sixteenth of the steps, which rounds to them correctly."""
    stored = quantize(weight, precision)
    if not isinstance(stored, QuantizedTensor):
        return stored
    scales = stored.scales * 16
    values = np.rint(weight / scales).astype(np.int8)
    return QuantizedTensor(values, scales, precision)


def test_a_precision_that_costs_too_much_is_refused(tmp_path, few_words, monkeypatch):
    """Stored and computed as it was meant, and still a loss."""
    monkeypatch.setattr(parameters_module, "quantize", coarse)
    request = ExportRequest(miniature(), Recipe.of("int8"))
    tight = msgspec.structs.replace(gate.TOLERANCES["int8"], divergence=1e-4)
    with pytest.raises(ParityError, match="loss: divergence is"):
        export("onnx", request, tmp_path / "a", tolerance=tight)
    assert not any(tmp_path.iterdir())


def test_what_was_refused_can_be_kept_and_says_so(tmp_path, few_words, monkeypatch, call):
    impossible = msgspec.structs.replace(
        gate.TOLERANCES["int8"], divergence=0.0, relative_error=-1.0
    )
    monkeypatch.setitem(gate.TOLERANCES, "int8", impossible)
    folder = tmp_path / "a"
    assert call("export", "--output", folder).status == 4
    assert not any(tmp_path.iterdir())
    kept = call("export", "--output", folder, "--allow-loss")
    assert kept.status == 0, kept.err
    assert "refused, and kept because loss was allowed: " in kept.out
    verdict = json.loads((folder / "artifact.json").read_text())["verdict"]
    assert not verdict["passed"]
    assert [reason.split(":")[0] for reason in verdict["reasons"]][-1] == "loss"
    assert "encoder: relative error is" in verdict["reasons"][0]
    judged = call("verify", folder)
    assert judged.status == 4
    assert "refused, and kept" in judged.out


def test_running_a_refused_artifact_says_so(tmp_path, few_words, monkeypatch, call, recordings):
    impossible = msgspec.structs.replace(gate.TOLERANCES["int8"], divergence=0.0)
    monkeypatch.setitem(gate.TOLERANCES, "int8", impossible)
    assert call("export", "--output", tmp_path / "a", "--allow-loss").status == 0
    sound = sorted(recordings.glob("*.flac"))[0]
    ended = call("transcribe", sound, "--artifact", tmp_path / "a")
    assert ended.status == 0
    assert "warning: the gate refused this artifact: loss: divergence" in ended.err


@pytest.mark.parametrize(("target", "layout"), EXACT_LAYOUTS)
def test_in_floats_every_token_is_the_checkpoints(target, layout, tmp_path, monkeypatch):
    """The bundled model, on recordings of real speech."""
    pytest.importorskip(TARGETS[target].module)
    monkeypatch.setattr(teacher, "MAX_RECORDINGS", 4)
    choice = TARGETS[target].layouts[layout].windows == "choice"
    windows = (400,) if choice else ()
    checkpoint = load_checkpoint("demo", offline=True)
    request = ExportRequest(checkpoint, Recipe.of("fp32"), layout, windows)
    made = export(target, request, tmp_path / "a", verify=False)
    heard = listen(request, made.manifest.audio_contexts, no_progress)
    loss = verify(made, heard=heard).loss
    assert loss.n_tokens > 15
    assert loss.token_agreement == 1
    assert loss.divergence < 1e-6


def test_int8_keeps_the_words_of_all_bundled_recordings(tmp_path):
    """Half a point at most, with either decoder."""
    checkpoint = load_checkpoint("demo", offline=True)
    spoken = list(bundled_recordings(1000))
    errors = {}
    for precision in ("fp32", "int8"):
        request = ExportRequest(checkpoint, Recipe.of(precision))
        made = export("onnx", request, tmp_path / precision, verify=False)
        for decoder in made.manifest.decoders:
            found = word_error_rate(
                [one.text for one in spoken], list(texts(made, decoder, spoken))
            )
            errors[precision] = max(found, errors.get(precision, 0.0))
    assert sum(len(one.text.split()) for one in spoken) > 270
    assert errors["int8"] <= errors["fp32"] + 0.005


def texts(made, decoder, spoken):
    tokenizer = Tokenizer.read(made.folder / TOKENIZER, made.manifest.generation)
    with open_session(made, threads=1, decoder=decoder) as session:
        writer = Decoder(session, tokenizer, made.manifest.generation, teacher.OPTIONS)
        for one in spoken:
            session.encode(teacher.features(one, session.contexts, session.dimensions.n_mels))
            yield writer.decode(writer.begin(writer.detect_language()), 0.0).text


def test_int8_keeps_the_tokens_of_a_random_checkpoint(tmp_path, few_words):
    """True dimensions and heavy tails; logits of random weights often are near ties."""
    checkpoint = load_checkpoint(write_random_checkpoint(tmp_path / "tiny", TINY))
    made = export("onnx", ExportRequest(checkpoint, Recipe.of("int8")), tmp_path / "a")
    loss = made.manifest.parity.loss
    assert loss.token_agreement + loss.near_ties >= 0.99
    assert loss.divergence < 2e-3


def test_a_mixture_of_kernels_is_imitated_matrix_by_matrix(tmp_path, few_words):
    """4-bit, 8-bit and float products in one part round what they take differently."""
    layers = {
        "encoder.0.fc1": Precision("int8"),
        "encoder.1.out": Precision("fp16"),
        "decoder.0.qkv": Precision("int8"),
        "decoder.1.fc2": Precision("fp32"),
    }
    low = Precision("int4", 32)
    recipe = Recipe(low, low, Precision("int8"), layers)
    made = export("onnx", ExportRequest(miniature(), recipe), tmp_path / "a", allow_loss=True)
    for part in made.manifest.parity.parts.values():
        assert part.relative_error < 1e-3 + 3 * part.sensitivity
    rules = made.manifest.graphs["encoder"].activations
    assert rules["encoder.0.fc1"] == "uint8-tensor"
    assert rules["encoder.1.out"] == "float"
    assert rules["encoder"] == "int8-block"
    parameters = onnx_weights.load(made.folder, made.manifest)
    x = np.random.default_rng(0).normal(0, 1, (1, 7, 64)).astype(np.float32)
    own = NumpyOps(parameters, rules).linear(x, "encoder.0.fc1")
    np.testing.assert_array_equal(
        own, NumpyOps(parameters, {"encoder": "uint8-tensor"}).linear(x, "encoder.0.fc1")
    )
    stored = parameters.matrices
    assert stored["encoder.1.out"].dtype == np.float16
    assert stored["decoder.0.qkv"].precision == Precision("int8")
