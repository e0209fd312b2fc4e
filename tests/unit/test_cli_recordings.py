"""Recordings that are hard to take: each is a text, or one clear line and the right status."""

from __future__ import annotations

import struct
import sys

import numpy as np
import pytest
import soundfile

from ..measured_program import run_measured

RATE = 16_000
MOST_KIB = 250_000  # of memory, however long the recording


@pytest.fixture(scope="module")
def command(artifact):
    return ("transcribe", "--artifact", artifact.folder, "--language", "en")


def test_ten_milliseconds(call, command, tmp_path):
    noise = np.random.default_rng(0).normal(0, 0.01, RATE // 100)
    soundfile.write(tmp_path / "a.wav", noise, RATE)
    ended = call(*command, tmp_path / "a.wav")
    assert ended.status == 0, ended.err
    assert "in 0.0 s of sound" in ended.err


def test_samples_that_are_no_numbers(call, command, tmp_path):
    samples = np.zeros(2 * RATE, np.float32)
    samples[RATE] = np.nan
    soundfile.write(tmp_path / "a.wav", samples, RATE, subtype="FLOAT")
    ended = call(*command, tmp_path / "a.wav")
    assert ended.status == 7
    (line,) = ended.err.splitlines()
    assert "a.wav" in line
    assert "1.0" in line


def test_a_file_without_samples(call, command, tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(0), RATE)
    ended = call(*command, tmp_path / "a.wav")
    assert ended.status == 7
    (line,) = ended.err.splitlines()
    assert "a.wav" in line


def test_three_hours_take_no_more_memory(command, recordings, tmp_path):
    """Silence, and then an order; the file is sparse, the reading is not."""
    speech, rate = soundfile.read(next(recordings.glob("07_*.flac")), dtype="int16")
    assert rate == RATE
    n_silent = 3 * 3600 * RATE
    n_samples = n_silent + len(speech)
    path = tmp_path / "long.wav"
    header = struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        b"RIFF", 36 + 2 * n_samples, b"WAVE",
        b"fmt ", 16, 1, 1, RATE, 2 * RATE, 2, 16,
        b"data", 2 * n_samples,
    )  # fmt: skip
    with path.open("wb") as file:
        file.write(header)
        file.seek(len(header) + 2 * n_silent)
        file.write(speech.tobytes())
    ended = run_measured(sys.executable, tmp_path, *command, path)
    assert ended.status == 0, ended.err
    assert ended.out.strip() == "brew a dark roast triple shot iced coffee"
    assert " words in 1080" in ended.err
    assert ended.peak_kib < MOST_KIB
