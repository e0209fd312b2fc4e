import logging
import os
import re
import sys
import tracemalloc

import numpy as np
import pytest
import soundfile
import soxr

from whisperq_edge.edge.audio.recording import load_audio, open_recording, samples_source
from whisperq_edge.edge.errors import AudioError

SECOND = 16_000


def tone(rate, duration_s=2.0, hertz=440.0, amplitude=0.5):
    t = np.arange(round(rate * duration_s)) / rate
    return (amplitude * np.sin(2 * np.pi * hertz * t)).astype(np.float32)


def noise(n, seed=0):
    return np.random.default_rng(seed).uniform(-0.5, 0.5, n).astype(np.float32)


@pytest.fixture
def wav(tmp_path):
    """Writes a wav file and gives its path."""

    def make(samples, rate=SECOND, name="a.wav", subtype="FLOAT"):
        path = tmp_path / name
        soundfile.write(path, samples, rate, subtype=subtype)
        return path

    return make


def read_in_pieces(recording, n):
    pieces, start = [], 0
    while len(piece := recording.read(start, n)):
        pieces.append(piece.copy())
        start += len(piece)
    return np.concatenate(pieces)


@pytest.mark.parametrize(
    ("name", "subtype", "rate", "n_channels", "tolerance"),
    [
        ("a.wav", "PCM_16", 16_000, 1, 1e-4),
        ("a.wav", "PCM_U8", 16_000, 1, 1e-2),
        ("a.wav", "PCM_24", 44_100, 2, 1e-3),
        ("a.wav", "PCM_32", 22_050, 1, 1e-3),
        ("a.wav", "FLOAT", 8_000, 1, 1e-3),
        ("a.wav", "DOUBLE", 96_000, 6, 1e-3),
        ("a.wav", "ULAW", 8_000, 1, 2e-2),
        ("a.flac", "PCM_16", 48_000, 2, 1e-3),
        ("a.ogg", "VORBIS", 44_100, 2, 2e-2),
        ("a.ogg", "OPUS", 48_000, 1, 3e-2),
        ("a.mp3", "MPEG_LAYER_III", 44_100, 2, 2e-2),
    ],
)
def test_any_file_gives_the_same_tone(tmp_path, name, subtype, rate, n_channels, tolerance):
    path = tmp_path / name
    channels = np.repeat(tone(rate)[:, None], n_channels, axis=1)
    soundfile.write(path, channels, rate, subtype=subtype)
    samples = load_audio(path)
    assert samples.dtype == np.float32
    assert abs(len(samples) - 2 * SECOND) <= 1
    middle = slice(SECOND // 2, 3 * SECOND // 2)  # resampling and codecs ring at the ends
    np.testing.assert_allclose(samples[middle], tone(SECOND)[middle], atol=tolerance)


def test_channels_are_averaged(wav):
    left, right = noise(SECOND, 1), noise(SECOND, 2)
    samples = load_audio(wav(np.stack([left, right], axis=1)))
    np.testing.assert_allclose(samples, (left + right) / 2, atol=1e-7)


@pytest.mark.parametrize("rate", [8_000, 11_025, 44_100, 48_000])
def test_blocks_equal_resampling_at_once(wav, rate):
    original = noise(5 * rate + 17)
    with open_recording(wav(original, rate)) as recording:
        samples = read_in_pieces(recording, 4_321)
    assert abs(len(samples) - len(original) * SECOND / rate) <= 1
    np.testing.assert_allclose(samples, soxr.resample(original, rate, SECOND), atol=1e-4)


def test_what_an_open_recording_says(wav):
    with open_recording(str(wav(tone(44_100, 1.5), 44_100, name="a.talk.wav"))) as recording:
        assert recording.name == "a.talk"
        assert recording.n_samples == 24_000
        assert recording.duration_s == 1.5
    recording.close()


def test_windows_move_forward_and_back_by_the_retained_sound(wav):
    original = noise(100 * SECOND)
    with open_recording(wav(original)) as recording:
        for start_s in (0, 29, 10, 40, 10, 55, 95, 65):
            start = start_s * SECOND
            samples = recording.read(start, 10 * SECOND)
            np.testing.assert_array_equal(samples, original[start : start + 10 * SECOND])
        with pytest.raises(ValueError, match="is gone"):
            recording.read(20 * SECOND, 1)


def test_a_jump_forward(wav):
    original = noise(200 * SECOND)
    with open_recording(wav(original)) as recording:
        np.testing.assert_array_equal(recording.read(150 * SECOND, 9), original[-50 * SECOND :][:9])
        np.testing.assert_array_equal(recording.read(121 * SECOND, 9), original[121 * SECOND :][:9])
        assert len(recording.read(500 * SECOND, 9)) == 0


@pytest.mark.parametrize("make", [samples_source, None])
def test_reads_at_the_end_come_back_short(wav, make):
    original = noise(SECOND)
    source = make(original) if make else open_recording(wav(original))
    with source:
        np.testing.assert_array_equal(source.read(SECOND - 10, 30), original[-10:])
        assert source.read(SECOND, 30).shape == (0,)
        assert source.read(SECOND + 50, 30).shape == (0,)
        assert source.read(0, 0).shape == (0,)
        assert source.n_samples == SECOND
        with pytest.raises(ValueError, match="negative"):
            source.read(-1, 30)
        with pytest.raises(ValueError, match="negative"):
            source.read(0, -1)


def test_memory_does_not_grow_with_the_recording(wav):
    duration_s = 600
    path = wav(np.zeros(duration_s * SECOND, np.int16), subtype="PCM_16")
    with open_recording(path) as recording:
        tracemalloc.start()
        for start in range(0, duration_s * SECOND, 30 * SECOND):
            recording.read(start, 30 * SECOND)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 4 * 180 * SECOND  # 30 s behind, 30 s window, 5 s ahead, before and after moving


def test_ten_milliseconds(wav):
    assert len(load_audio(wav(noise(160)))) == 160
    assert abs(len(load_audio(wav(noise(441), 44_100))) - 160) <= 1


def broken(tmp_path, content, name="a.wav"):
    path = tmp_path / name
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("name", ["a.wav", "a.mp3", "a.txt", "a.raw", "a.m4a", "a"])
def test_a_file_that_is_not_sound(tmp_path, name):
    path = broken(tmp_path, b"These are words, not sound. " * 100, name)
    with pytest.raises(AudioError, match="is not a sound file that libsndfile reads") as raised:
        open_recording(path)
    assert f"ffmpeg -i '{path}'" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_paths_that_hold_no_sound(tmp_path, wav):
    for path, message in [
        (tmp_path / "missing.wav", "no such file"),
        (tmp_path, "is a folder"),
        (broken(tmp_path, b"", "empty.wav"), r"is empty \(0 bytes\)"),
        (wav(np.zeros(0), name="none.wav"), "holds no samples"),
        (tmp_path / "a.wav" / "b.wav", "no such file"),
        (tmp_path / ("a" * 300), "cannot be read"),
        ("nul\0.wav", "cannot be read"),
    ]:
        with pytest.raises(AudioError, match=message):
            open_recording(path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_permission_denied(wav):
    path = wav(noise(160))
    path.chmod(0)
    with pytest.raises(AudioError, match="permission denied"):
        open_recording(path)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_found_and_placed(wav, value):
    samples = noise(10 * 8_000)
    samples[60_000] = value
    with open_recording(wav(samples, 8_000)) as recording:
        assert len(recording.read(0, 100)) == 100
        with pytest.raises(AudioError, match=r"a\.wav: NaN or infinity at 7\.500 s"):
            recording.read(0, 10 * SECOND)
    with pytest.raises(AudioError, match=r"audio: NaN or infinity at 3\.750 s"):
        samples_source(samples)


def test_values_too_large_for_single_precision(wav):
    with pytest.raises(AudioError, match=r"infinity at 0\.000 s"):
        open_recording(wav(np.array([[np.inf, -np.inf]] * 100)))
    with pytest.raises(AudioError, match=r"infinity at 0\.000 s"):
        samples_source(np.full(100, 1e300))


def test_a_wav_that_was_cut_off_gives_what_is_there(wav):
    original = noise(4 * SECOND)
    path = wav(original)
    path.write_bytes(path.read_bytes()[: 4 * 2 * SECOND])
    samples = load_audio(path)
    assert 0 <= 2 * SECOND - len(samples) < 100  # the header's bytes
    np.testing.assert_array_equal(samples, original[: len(samples)])


@pytest.mark.parametrize("name", ["a.flac", "a.mp3"])
def test_a_compressed_file_that_was_cut_off_gives_what_is_there(tmp_path, name, caplog):
    path = tmp_path / name
    soundfile.write(path, noise(20 * 44_100), 44_100)
    whole = load_audio(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert not caplog.records
    with open_recording(path) as recording:
        assert recording.duration_s == pytest.approx(20, abs=0.1)
        samples = recording.read(0, 20 * SECOND)
        assert recording.n_samples == len(samples)
    assert 10 * SECOND - 3_000 < len(samples) < 10 * SECOND  # the codec's last block is gone
    inner = slice(0, len(samples) - 2_000)  # the resampler's and the codec's last block differ
    np.testing.assert_allclose(samples[inner], whole[inner], atol=1e-4)
    [record] = caplog.records
    assert record.levelno == logging.WARNING
    assert re.search(r"is damaged: (9|10)\.\d s are missing at its end", record.getMessage())


def test_a_file_without_any_whole_block_is_damaged(tmp_path):
    path = tmp_path / "a.flac"
    soundfile.write(path, noise(SECOND), SECOND)
    path.write_bytes(path.read_bytes()[:1_000])
    with pytest.raises(AudioError, match="is damaged: libsndfile cannot decode its beginning"):
        open_recording(path)


def test_a_flac_that_does_not_say_its_length(tmp_path):
    path = tmp_path / "a.flac"
    soundfile.write(path, noise(100_000), SECOND)
    whole = load_audio(path)
    content = bytearray(path.read_bytes())
    content[21] &= 0xF0  # the 36 bits of STREAMINFO's number of samples, as an encoder to a pipe
    content[22:26] = bytes(4)
    path.write_bytes(content)
    with open_recording(path) as recording:
        assert recording.n_samples == 100_000
        np.testing.assert_array_equal(recording.read(0, 100_001), whole)


def test_a_rate_that_cannot_be_speech(wav):
    with pytest.raises(AudioError, match="a rate of 1 Hz is too low"):
        open_recording(wav(noise(160), rate=1))


def test_a_missing_libsndfile_says_how_to_get_it(wav, monkeypatch):
    class NoLibrary:
        def find_spec(self, name, path=None, target=None):
            if name == "soundfile":
                raise OSError("sndfile library not found")

    path = wav(noise(160))
    monkeypatch.delitem(sys.modules, "soundfile")
    monkeypatch.setattr(sys, "meta_path", [NoLibrary(), *sys.meta_path])
    with pytest.raises(AudioError, match="apt-get install libsndfile1"):
        open_recording(path)


def test_samples_source():
    samples = noise(100)
    source = samples_source(samples, "lecture")
    assert (source.name, source.n_samples, source.duration_s) == ("lecture", 100, 100 / SECOND)
    np.testing.assert_array_equal(source.read(50, 20), samples[50:70])
    doubles = samples_source(samples.astype(np.float64)).read(0, 100)
    assert doubles.dtype == np.float32


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (np.zeros((2, 100), np.float32), r"shape \(2, 100\); one channel"),
        (np.float32(0), r"shape \(\)"),
        (np.zeros(100, np.int16), "int16; floats from -1 to 1"),
        (np.zeros(100, np.complex64), "complex64; floats"),
        (np.zeros(0, np.float32), "there are no samples"),
    ],
)
def test_arrays_that_are_not_one_channel_of_floats(samples, message):
    with pytest.raises(AudioError, match=message):
        samples_source(samples)
