"""TFLite artifacts on ``tflite-runtime``, in an environment of its own: NumPy 1, Python 3.11."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ..fresh_environment import fresh_environment
from ..measured_program import run_measured

ROOT = Path(__file__).parents[2]
NEWEST_PYTHON = (3, 11)  # that there is a wheel for

# Beams split and join, windows change their length, and the reference does the same.
BESIDE_THE_REFERENCE = """
import sys
from pathlib import Path
import numpy as np
from whisperq_edge.edge.artifact import Artifact
from whisperq_edge.exporters import exporter_for
from whisperq_edge.runtimes import open_session
from whisperq_edge.runtimes.run_reference import ReferenceSession

artifact = Artifact.read(Path(sys.argv[1]))
manifest = artifact.manifest
parameters = exporter_for("tflite").read_parameters(artifact.folder, manifest)
rng = np.random.default_rng(0)
with open_session(artifact, threads=1) as session:
    print(session.facts.runtime, session.facts.version)
    rules = session.facts.activations
    reference = ReferenceSession(parameters, manifest.dimensions, manifest.generation, rules)
    for n_positions in (60, 200, 1, 60):
        session.encode(rng.normal(0, 0.5, (80, 2 * n_positions)).astype(np.float32))
        reference.adopt(session.window())
        for sources, tokens in (
            ([0], [[50258, 50259, 50359]]),
            ([0, 0, 0], [[7], [8], [9]]),
            ([2, 0, 1], [[7], [7], [7]]),
            ([1], [[11, 12]]),
        ):
            for one in (session, reference):
                one.reorder(np.array(sources))
            ours, theirs = (one.step(np.array(tokens)) for one in (session, reference))
            assert np.array_equal(ours.argmax(1), theirs.argmax(1))
            error = np.linalg.norm(ours - theirs) / np.linalg.norm(theirs)
            assert error < float(sys.argv[2]), error
            assert np.abs(session.alignment - reference.alignment).max() < float(sys.argv[2])
"""


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    """The interpreter of a new environment with tflite-runtime instead of ai-edge-litert."""
    if sys.version_info[:2] > NEWEST_PYTHON:
        pytest.skip("tflite-runtime has no wheel for this Python")
    return fresh_environment(tmp_path_factory, "tflite-runtime", [f"{ROOT}[tflite-runtime]"])


@pytest.fixture(scope="module")
def exported(python, tmp_path_factory):
    """The bundled model, exported and verified there; by precision, made when asked for."""
    made = {}

    def export(precision):
        if precision not in made:
            folder = tmp_path_factory.mktemp("exported")
            ended = run_measured(
                python, folder, "export", "--target", "tflite", f"--{precision}", "--output",
                folder / "artifact",
            )  # fmt: skip
            assert ended.status == 0, ended.err
            made[precision] = folder / "artifact"
        return made[precision]

    return export


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_it_agrees_with_the_reference(python, exported, precision):
    folder = exported(precision)
    parity = json.loads((folder / "artifact.json").read_text())["parity"]
    assert parity["token_agreement"] == 1
    limit = "1e-5" if precision != "int8" else "0.03"  # some of what is rounded tips over
    done = subprocess.run(
        [python, "-c", BESIDE_THE_REFERENCE, folder, limit],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["tflite-runtime", "2.14.0"]


def test_it_transcribes_real_speech(python, exported, tmp_path, recordings):
    ended = run_measured(
        python, tmp_path, "transcribe", next(recordings.glob("07_*.flac")), "--language", "en",
        "--artifact", exported("int8"),
    )  # fmt: skip
    assert ended.out.strip() == "brew a dark roast triple shot iced coffee"


def test_int4_is_refused_in_one_line(python, tmp_path):
    ended = run_measured(
        python, tmp_path, "export", "--target", "tflite", "--int4", "--output", tmp_path / "a"
    )
    assert ended.status == 5
    assert "tflite-runtime 2.14.0 does not multiply int4; export with --int8" in ended.err
    assert not (tmp_path / "a").exists()
