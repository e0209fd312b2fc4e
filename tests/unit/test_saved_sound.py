"""Sound that is saved while it is heard: what a sudden death leaves, and what is refused."""

from __future__ import annotations

import resource
import subprocess
import sys

import numpy as np
import pytest
import soundfile

from whisperq_edge.edge.audio.recording import load_audio
from whisperq_edge.edge.audio.saved_sound import SavedSound
from whisperq_edge.edge.errors import AudioError, ConfigError

SECOND = 16_000


def noise(n):
    return np.random.default_rng(0).uniform(-0.5, 0.5, n).astype(np.float32)


@pytest.mark.parametrize(
    ("name", "tolerance"), [("a.flac", 4e-5), ("A.FLAC", 4e-5), ("a.wav", 4e-5), ("a.ogg", 0.9)]
)
def test_what_was_heard_is_in_the_file(tmp_path, name, tolerance):
    samples = noise(3 * SECOND + 17)
    with SavedSound(tmp_path / name) as saved:
        for start in range(0, len(samples), 1600):
            saved.write(samples[start : start + 1600])
    saved.close()
    found = load_audio(tmp_path / name)
    assert len(found) == len(samples)
    np.testing.assert_allclose(found, samples, atol=tolerance)


@pytest.mark.parametrize("ending", ["flac", "wav"])
@pytest.mark.parametrize("loudness", [0.0, 0.5])
def test_a_program_that_is_killed_leaves_all_but_the_last_second(tmp_path, ending, loudness):
    """Silence too, which takes so few bytes that a buffer would never fill."""
    path = tmp_path / f"a.{ending}"
    code = (
        "import os, signal, sys\n"
        "import numpy as np\n"
        "from whisperq_edge.edge.audio.saved_sound import SavedSound\n"
        f"samples = np.random.default_rng(0).uniform(-1, 1, 10 * {SECOND}).astype(np.float32)\n"
        "saved = SavedSound(sys.argv[1])\n"
        "for block in np.split(samples * float(sys.argv[2]), 100):\n"
        "    saved.write(block)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, path, str(loudness)], check=False, timeout=60
    )
    assert done.returncode == -9
    found = load_audio(path)
    assert 9 * SECOND < len(found) <= 10 * SECOND
    np.testing.assert_allclose(found, 2 * loudness * noise(len(found)), atol=4e-5)


def test_louder_than_full_scale_is_clipped(tmp_path):
    with SavedSound(tmp_path / "a.wav") as saved:
        saved.write(np.array([1.5, -1.5], np.float32))
    np.testing.assert_allclose(load_audio(tmp_path / "a.wav"), [1, -1], atol=1e-4)


def test_a_file_that_exists_is_kept(tmp_path):
    path = tmp_path / "a.flac"
    soundfile.write(path, noise(100), SECOND)
    before = path.read_bytes()
    with pytest.raises(ConfigError, match=r"a\.flac exists; name another file"):
        SavedSound(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("name", ["a.mp3", "a", "a.raw"])
def test_other_endings_are_refused(tmp_path, name):
    with pytest.raises(ConfigError, match=r"sound is saved as \.flac, \.wav, \.ogg"):
        SavedSound(tmp_path / name)
    assert not (tmp_path / name).exists()


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(AudioError, match="cannot be written: No such file or directory"):
        SavedSound(tmp_path / "none" / "a.flac")


@pytest.mark.parametrize("ending", ["flac", "wav"])
def test_a_full_disk_is_one_clear_error(tmp_path, ending):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with SavedSound(tmp_path / f"a.{ending}") as saved:
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, hard))
        try:
            with pytest.raises(AudioError, match="cannot be written; is the disk full"):
                for _ in range(100):
                    saved.write(noise(SECOND))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
