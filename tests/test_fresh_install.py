"""What a board installs, in an environment of its own: the base and the ``onnx`` extra."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from whisperq_edge.models.random_checkpoint import TINY, write_random_checkpoint

from .fresh_environment import fresh_environment
from .measured_program import run_measured

ROOT = Path(__file__).parents[1]
OLDEST_ONNXRUNTIME = "1.22.0"  # the lower bound in pyproject.toml
HEAVY = ("torch", "transformers", "tensorflow", "scipy", "librosa", "numba")
MOST_KIB = 1_000_000  # of memory, for exporting tiny
MOST_BYTES = 42_000_000  # on disk, of tiny in int8


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    """The interpreter of a new environment with the oldest ONNX Runtime that is supported."""
    packages = [f"{ROOT}[onnx]", f"onnxruntime=={OLDEST_ONNXRUNTIME}"]
    return fresh_environment(tmp_path_factory, "oldest-onnxruntime", packages)


def test_tiny_is_exported_and_verified_with_little_memory_and_no_torch(python, tmp_path):
    checkpoint = write_random_checkpoint(tmp_path / "checkpoint", TINY)
    artifact = tmp_path / "artifact"
    ended = run_measured(
        python, tmp_path, "export", "--target", "onnx", "--int8", "--model", checkpoint,
        "--output", artifact,
    )  # fmt: skip
    assert ended.status == 0, ended.err
    assert ended.peak_kib < MOST_KIB
    assert not set(HEAVY) & set(ended.modules)
    assert sum(file.stat().st_size for file in artifact.iterdir()) < MOST_BYTES


def test_nothing_heavy_is_installed(python):
    code = f"import importlib.util as u; print([n for n in {HEAVY} if u.find_spec(n)])"
    assert subprocess.check_output([python, "-c", code]).strip() == b"[]"


@pytest.mark.parametrize("precision", [("--int8",), ("--int4",), ("--int8", "--portable")])
def test_the_oldest_runtime_transcribes_real_speech(python, tmp_path, recordings, precision):
    ended = run_measured(python, tmp_path, "export", *precision, "--output", tmp_path / "artifact")
    assert ended.status == 0, ended.err
    recording = next(recordings.glob("07_*.flac"))
    ended = run_measured(
        python, tmp_path, "transcribe", recording, "--language", "en",
        "--artifact", tmp_path / "artifact",
    )  # fmt: skip
    assert ended.out.strip() == "brew a dark roast triple shot iced coffee"
