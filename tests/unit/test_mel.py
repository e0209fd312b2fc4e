"""tests/golden/mel.npz: a sound of 0.25 s and what transformers' extractor makes of it."""

from pathlib import Path

import numpy as np
import pytest

from whisperq_edge.edge.audio import mel
from whisperq_edge.edge.audio.mel import log_mel, mel_filters

GOLDEN = Path(__file__).parent.parent / "golden" / "mel.npz"
SILENCE = -1.5  # of a window that holds nothing else: (log10(1e-10) + 4) / 4


def noise(n, seed=0):
    return (0.1 * np.random.default_rng(seed).standard_normal(n)).astype(np.float32)


def speechlike(n):
    """A gliding voice with pauses: loud, quiet and silent frames in one window."""
    t = np.arange(n) / 16_000
    pitch = np.cumsum(120 + 40 * np.sin(2 * np.pi * 0.7 * t)) / 16_000
    voice = sum(np.sin(2 * np.pi * k * pitch) / k for k in range(1, 30))
    return (0.2 * voice * np.clip(np.sin(2 * np.pi * 1.3 * t), 0, 1) ** 2).astype(np.float32)


def transformers_log_mel(samples, n_mels, n_frames):
    transformers = pytest.importorskip("transformers", reason="the oracle is transformers")
    extractor = transformers.WhisperFeatureExtractor(feature_size=n_mels)
    window = extractor.pad(
        {"input_features": [samples[:, None]]},
        padding="max_length",
        max_length=160 * n_frames,
        truncation=True,
        return_tensors="np",
    )["input_features"][:, :, 0]
    return extractor._np_extract_fbank_features(window, "cpu")[0]


@pytest.mark.parametrize("n_mels", [80, 128])
def test_golden_frames(n_mels):
    golden = np.load(GOLDEN)
    expected = golden[f"features_{n_mels}"]
    samples = golden["samples"].astype(np.float32) / 32_768
    np.testing.assert_allclose(log_mel(samples, n_mels, expected.shape[1]), expected, atol=1e-5)


@pytest.mark.parametrize("n_mels", [80, 128])
@pytest.mark.parametrize("make", [noise, speechlike])
@pytest.mark.parametrize("n_samples", [1, 16_007, 500_000])
def test_equals_transformers(make, n_samples, n_mels):
    samples = make(n_samples)
    expected = transformers_log_mel(samples, n_mels, 3000)
    np.testing.assert_allclose(log_mel(samples, n_mels, 3000), expected, atol=1e-4)


@pytest.mark.parametrize("n_frames", [2, 4, 100, 512, 514])
@pytest.mark.parametrize("missing", [-100, 0, 30, 170, 300])
def test_short_windows_equal_transformers(n_frames, missing):
    samples = noise(160 * n_frames - missing)
    expected = transformers_log_mel(samples, 80, n_frames)
    np.testing.assert_allclose(log_mel(samples, 80, n_frames), expected, atol=1e-5)


def test_equals_the_extractor_as_it_is_called():
    transformers = pytest.importorskip("transformers", reason="the oracle is transformers")
    samples = speechlike(80_000)
    extractor = transformers.WhisperFeatureExtractor(feature_size=80)
    expected = extractor(samples, sampling_rate=16_000, return_tensors="np").input_features[0]
    np.testing.assert_allclose(log_mel(samples, 80, 3000), expected, atol=1e-4)


@pytest.mark.parametrize("n_mels", [80, 128])
def test_filters_equal_transformers(n_mels):
    transformers = pytest.importorskip("transformers", reason="the oracle is transformers")
    expected = transformers.WhisperFeatureExtractor(feature_size=n_mels).mel_filters.T
    np.testing.assert_allclose(mel_filters(n_mels), expected, rtol=0, atol=1e-7)


def test_filters_have_equal_area_and_are_read_only():
    filters = mel_filters(80)
    assert filters.shape == (80, 201)
    wide = filters[60:]  # the low ones are too narrow for bins of 40 Hz to show their area
    np.testing.assert_allclose(40 * wide.sum(axis=1), 1.0, atol=0.01)
    with pytest.raises(ValueError, match="read-only"):
        filters[0, 0] = 1.0


def test_a_tone_lies_in_its_band():
    tone = np.sin(2 * np.pi * 1000 * np.arange(16_000) / 16_000).astype(np.float32)
    loudest = log_mel(tone, 80, 100)[:, 50].argmax()
    assert 40 * mel_filters(80)[loudest].argmax() == pytest.approx(1000, abs=40)


def test_silence_and_no_sound_at_all():
    for samples in (np.zeros(16_000, np.float32), np.zeros(0, np.float32)):
        np.testing.assert_allclose(log_mel(samples, 80, 200), SILENCE, atol=1e-6)


def test_the_loudest_value_is_that_of_the_window():
    samples = np.concatenate([noise(16_000) * 1e-4, noise(16_000)])
    quiet, both = log_mel(samples, 80, 100), log_mel(samples, 80, 200)
    assert both.max() - both.min() == pytest.approx(2.0, abs=1e-5)  # 8 decades, scaled by 4
    assert quiet.max() < both.max()


def test_result_is_single_precision_and_time_first_in_memory():
    samples = noise(16_000)
    before = samples.copy()
    features = log_mel(samples, 80, 100)
    assert features.shape == (80, 100)
    assert features.dtype == np.float32
    assert features.T.flags.c_contiguous
    np.testing.assert_array_equal(samples, before)


def test_double_precision_spectra_are_as_good(monkeypatch):
    """NumPy before 2 transforms in double precision."""
    rfft = np.fft.rfft
    single = log_mel(speechlike(32_000), 80, 300)
    monkeypatch.setattr(mel.np.fft, "rfft", lambda x: rfft(x.astype(np.float64)))
    np.testing.assert_allclose(log_mel(speechlike(32_000), 80, 300), single, atol=1e-4)


def test_a_window_of_no_length_is_a_mistake():
    with pytest.raises(ValueError, match="at least 2"):
        log_mel(noise(160), 80, 0)
