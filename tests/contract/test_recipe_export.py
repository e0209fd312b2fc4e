"""Exports by a recipe file and by calibration recordings: every target with int4, and the gate."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import msgspec
import numpy as np
import pytest

from whisperq_edge.edge.artifact import Artifact
from whisperq_edge.edge.errors import ParityError
from whisperq_edge.edge.evaluation import listening, plan, teacher
from whisperq_edge.edge.evaluation import verify as verify_module
from whisperq_edge.edge.evaluation.calibration import bundled_calibration, calibrated_rounding
from whisperq_edge.edge.evaluation.export import export
from whisperq_edge.edge.evaluation.plan import Job, Wish, fit
from whisperq_edge.edge.evaluation.recordings import bundled_recordings
from whisperq_edge.edge.evaluation.verify import verify
from whisperq_edge.edge.types import Precision
from whisperq_edge.exporters import TARGETS, ExportRequest, exporter_for
from whisperq_edge.models import gptq
from whisperq_edge.models.parameters import prepare
from whisperq_edge.models.quantize import QuantizedTensor, Recipe

from .sessions import WINDOWS, miniature

INT4, INT8 = Precision("int4", 32), Precision("int8")
CALIBRATED = Recipe(INT4, INT4, INT8, {"encoder.1.fc1": INT8}, rounding="gptq")
# Every target whose own layout stores our int4.
ROUNDED = [
    name for name, target in TARGETS.items() if "int4:32" in target.layouts["native"].precisions
]


@cache
def rounder():
    return calibrated_rounding(miniature(), list(bundled_recordings(2, split="dev")))


@cache
def made(target):
    """An artifact of the miniature by a recipe of single layers, rounded by recordings."""
    pytest.importorskip(TARGETS[target].module)
    is_fixed = TARGETS[target].layouts["native"].windows == "choice"
    request = ExportRequest(miniature(), CALIBRATED, windows=WINDOWS if is_fixed else ())
    folder = Path(mkdtemp(prefix=f"{target}-")) / "artifact"
    return export(target, request, folder, verify=False, rounder=rounder())


@pytest.fixture
def few_words(monkeypatch):
    """Judge by so little that a test stays brief."""
    monkeypatch.setattr(teacher, "MIN_RECORDINGS", 2)
    monkeypatch.setattr(teacher, "MAX_RECORDINGS", 2)
    for module in (listening, verify_module):
        monkeypatch.setattr(module, "OPTIONS", replace(teacher.OPTIONS, sample_len=3))


def test_the_targets_with_int4_are_these():
    assert {"onnx", "openvino", "tflite", "coreml"} <= set(ROUNDED)


@pytest.mark.parametrize("target", ROUNDED)
def test_every_target_holds_the_same_calibrated_integers(target):
    artifact = made(target)
    exporter = exporter_for(target)
    stored = exporter.read_parameters(artifact.folder, artifact.manifest).matrices
    wanted = prepare(miniature(), CALIBRATED, rounder=rounder()).matrices
    plain = prepare(miniature(), replace(CALIBRATED, rounding="nearest")).matrices
    others = []
    for name, matrix in wanted.items():
        np.testing.assert_array_equal(stored[name].values, matrix.values)
        np.testing.assert_array_equal(stored[name].scales, plain[name].scales)
        if not np.array_equal(matrix.values, plain[name].values):
            others.append(name)
    assert set(others) == set(wanted) - {"encoder.1.fc1", "decoder.embedding"}


@pytest.mark.parametrize("target", ROUNDED)
def test_the_manifest_says_what_was_done_and_verify_believes_it(target, few_words):
    manifest = Artifact.read(made(target).folder).manifest
    assert manifest.quantization["encoder.1.fc1"] == INT8
    assert manifest.rounding == "gptq"
    assert manifest.calibration.n_recordings == 2
    assert manifest.calibration == rounder().calibration
    parity = verify(made(target))
    for part in parity.parts.values():
        assert part.relative_error < 1e-3 + 3 * part.sensitivity


def test_the_gate_judges_it_like_any_other(tmp_path, few_words):
    pytest.importorskip("onnx")
    request = ExportRequest(miniature(), CALIBRATED)
    artifact = export("onnx", request, tmp_path / "a", rounder=rounder())
    parity = artifact.manifest.parity
    assert artifact.manifest.verdict.passed
    assert 0.1 < parity.weights.worst <= 1.001
    assert parity.loss.divergence < 0.2


def test_the_gate_refuses_integers_that_are_worse_than_plain_ones(tmp_path, monkeypatch, few_words):
    pytest.importorskip("onnx")
    right = gptq.round_by_moment

    def wrong(weight, precision, moment):
        stored = right(weight, precision, moment)
        values = stored.values.copy()
        values[5, :16] = values[5, 15::-1]
        return QuantizedTensor(values, stored.scales, precision)

    monkeypatch.setattr(gptq, "round_by_moment", wrong)
    fresh = gptq.CalibratedRounding(rounder().moments, rounder().calibration)
    request = ExportRequest(miniature(), CALIBRATED)
    with pytest.raises(ParityError, match="over what rounding explains"):
        export("onnx", request, tmp_path / "a", rounder=fresh)
    assert not (tmp_path / "a").exists()


def test_plain_artifacts_have_the_manifest_that_they_had(tmp_path):
    pytest.importorskip("onnx")
    recipe = replace(CALIBRATED, rounding="nearest")
    artifact = export("onnx", ExportRequest(miniature(), recipe), tmp_path / "a", verify=False)
    assert artifact.manifest.calibration is None
    before = json.loads((tmp_path / "a" / "artifact.json").read_bytes())
    del before["calibration"]  # as releases before it wrote
    (tmp_path / "a" / "artifact.json").write_text(json.dumps(before))
    assert Artifact.read(tmp_path / "a").manifest.rounding == "nearest"


# --- the command line


def write_recipe(path, *, digest="0" * 64, layers='"encoder.0.fc1" = "int4:64"', more=""):
    path.write_text(
        f'format = 1\n{more}\n[checkpoint]\nname = "other"\ndigest = "{digest}"\n'
        f'[parts]\nencoder = "int8"\ndecoder = "int8"\nhead = "int8"\n[layers]\n{layers}\n'
    )
    return path


def test_export_takes_a_recipe(call, tmp_path, few_words):
    pytest.importorskip("onnx")
    path = write_recipe(tmp_path / "my-mix.toml", more='rounding = "gptq"')
    ended = call("export", "--recipe", path, "--json")
    assert ended.status == 0, ended.err
    record = json.loads(ended.out)
    assert record["artifact"].endswith("demo-onnx-my-mix")
    assert record["quantization"]["encoder.0.fc1"] == {"name": "int4", "block": 64}
    assert record["quantization"]["encoder"]["name"] == "int8"
    assert record["verdict"]["passed"]
    manifest = Artifact.read(Path(record["artifact"])).manifest
    assert manifest.calibration.digest == bundled_calibration()
    # Measured on another checkpoint, which is worth a word and no more.
    assert "warning: the recipe was measured on other (000000000000)" in ended.err


def test_a_recipe_of_this_checkpoint_is_no_warning(call, tmp_path):
    pytest.importorskip("onnx")
    path = write_recipe(tmp_path / "mix.toml", digest=miniature().digest)
    model = miniature().weights.files[0].parent
    ended = call(
        *("export", "--recipe", path, "--no-verify"),
        *("--model", model, "--output", tmp_path / "a"),
    )
    assert ended.status == 0, ended.err
    assert "warning" not in ended.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--int4",), "leave out --int4"),
        (("--precision", "auto"), "leave out --precision"),
        (("--quant-block", "64"), "leave out --quant-block"),
        (("--quant-head", "int8"), "leave out --quant-head"),
        (("--rounding", "gptq"), "leave out --rounding"),
        (("--calibration", "demo"), "--rounding gptq"),
    ],
)
def test_a_recipe_says_it_all(call, tmp_path, arguments, words):
    ended = call("export", "--recipe", write_recipe(tmp_path / "mix.toml"), *arguments)
    assert ended.status == 2
    assert words in ended.err


def test_a_layer_that_is_not_there_is_refused_and_leaves_nothing(call, tmp_path):
    pytest.importorskip("onnx")
    path = write_recipe(tmp_path / "mix.toml", layers='"encoder.0.fc3" = "int8"')
    ended = call("export", "--recipe", path, "--output", tmp_path / "a")
    assert ended.status == 2
    assert "unknown matrix 'encoder.0.fc3'; did you mean 'encoder.0.fc" in ended.err
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["mix.toml"]


def test_a_precision_that_the_target_lacks_is_refused(call, tmp_path):
    pytest.importorskip("onnx")
    path = write_recipe(tmp_path / "mix.toml", layers='"encoder.0.fc1" = "lut6"')
    ended = call("export", "--recipe", path, "--output", tmp_path / "a")
    assert ended.status == 4
    assert "it offers" in ended.err


def test_gptq_without_int4_is_refused(call, tmp_path):
    pytest.importorskip("onnx")
    ended = call("export", "--int8", "--rounding", "gptq", "--output", tmp_path / "a")
    assert ended.status == 2
    assert "is for int4" in ended.err


# --- all targets at once


def wish_for(recipe, **changes):
    wish = Wish("demo", None, True, recipe, "mix", "native", (), (), True, False)
    return replace(wish, **changes)


def test_a_target_without_int4_gets_its_nearest_and_keeps_the_layers():
    fitted, notes = fit(wish_for(CALIBRATED), "qualcomm", TARGETS["qualcomm"])
    assert fitted.recipe.rounding == "nearest"
    assert any("no int4; rounding to the nearest" in note for note in notes)
    assert fitted.recipe == Recipe(INT8, INT8, INT8, {"encoder.1.fc1": INT8})
    fitted, _ = fit(wish_for(CALIBRATED), "tflite", TARGETS["tflite"])
    assert fitted.recipe == CALIBRATED
    chosen = wish_for(None, rounding="gptq")
    assert fit(chosen, "onnx", TARGETS["onnx"])[0].rounding == "gptq"
    assert fit(chosen, "qualcomm", TARGETS["qualcomm"])[0].rounding == "nearest"


def test_an_artifact_that_heard_other_recordings_is_made_again():
    pytest.importorskip("onnx")
    artifact = made("onnx")
    wish = wish_for(CALIBRATED, verify=False, calibration=tuple(bundled_recordings(2, split="dev")))
    assert Job("onnx", wish, artifact.folder).done(miniature()) is not None
    for other in (
        replace(wish, calibration=()),
        replace(wish, calibration=tuple(bundled_recordings(3, split="dev"))),
        replace(wish, recipe=replace(CALIBRATED, rounding="nearest")),
    ):
        assert Job("onnx", other, artifact.folder).done(miniature()) is None


def test_a_job_listens_to_the_recordings_of_its_wish(tmp_path, monkeypatch):
    pytest.importorskip("onnx")
    heard = []

    def listening_to(checkpoint, recordings, progress):
        heard.extend(recordings)
        return rounder()

    monkeypatch.setattr(plan, "calibrated_rounding", listening_to)
    own = tuple(bundled_recordings(1))
    wish = wish_for(CALIBRATED, verify=False, calibration=own)
    Job("onnx", wish, tmp_path / "a").run(lambda *_: None, miniature())
    assert [recording.name for recording in heard] == [recording.name for recording in own]


def test_the_manifest_takes_no_other_rounding():
    raw = msgspec.json.encode({"rounding": "gtpq", "n_recordings": 1, "digest": ""})
    with pytest.raises(msgspec.ValidationError, match="gtpq"):
        msgspec.json.decode(raw, type=type(rounder().calibration))
