"""Log-mel features, the encoder's input.

Source: openai/whisper ``whisper/audio.py`` for what is computed. How: only frames that hear sound
are transformed, in single precision, in blocks that stay in a small processor's cache.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from ..types import HOP_LENGTH, SAMPLE_RATE, FloatArray

WINDOW_LENGTH = 400  # samples under one frame: 25 ms
PADDING = WINDOW_LENGTH // 2  # frames are centred, so half of the first lies before the sound
N_BINS = WINDOW_LENGTH // 2 + 1
FLOOR = 1e-10  # least power, so that silence has a logarithm
RANGE = 8.0  # decades kept below the loudest value of a window
BLOCK_FRAMES = 256


def log_mel(samples: FloatArray, n_mels: int, n_frames: int) -> FloatArray:
    """Turn one window of sound into the encoder's input.

    Args:
        samples: Mono at 16 kHz, shape (n_samples,); followed by silence up to the window's end,
            or cut there.
        n_mels: Rows of the filter bank: 80, or 128 for large-v3.
        n_frames: Length of the window in frames of 10 ms; even, as an encoder position is two.

    Returns:
        Log10 power, scaled to about -1 to 1, shape (n_mels, n_frames). The memory is time-first:
        its transpose is contiguous.
    """
    if n_frames < 2:
        raise ValueError(f"n_frames is {n_frames}, at least 2 are needed")
    samples = samples[: n_frames * HOP_LENGTH]
    n_heard = min(n_frames, -(-(len(samples) + PADDING) // HOP_LENGTH))
    features = np.full((n_frames, n_mels), FLOOR, np.float32)
    _mel_power(_padded(samples, n_heard, n_frames), features[:n_heard])
    np.maximum(features, FLOOR, out=features)
    np.log10(features, out=features)
    np.maximum(features, features.max() - RANGE, out=features)
    features += 4.0
    features /= 4.0
    return features.T


def _padded(samples: FloatArray, n_heard: int, n_frames: int) -> FloatArray:
    """The sound under the first ``n_heard`` frames, mirrored at both ends of the window."""
    padded = np.zeros((n_heard - 1) * HOP_LENGTH + WINDOW_LENGTH, np.float32)
    padded[PADDING : PADDING + len(samples)] = samples
    padded[:PADDING] = padded[2 * PADDING : PADDING : -1]
    if n_heard == n_frames:
        end = PADDING + n_frames * HOP_LENGTH
        n_mirrored = len(padded) - end
        padded[end:] = padded[end - 2 : end - 2 - n_mirrored : -1]
    return padded


def _mel_power(padded: FloatArray, out: FloatArray) -> None:
    """Power in each mel band, shape (n_frames, n_mels)."""
    frames = sliding_window_view(padded, WINDOW_LENGTH)[::HOP_LENGTH]
    filters = mel_filters(out.shape[1]).T
    windowed = np.empty((BLOCK_FRAMES, WINDOW_LENGTH), np.float32)
    for start in range(0, len(frames), BLOCK_FRAMES):
        block = frames[start : start + BLOCK_FRAMES]
        np.multiply(block, _hann(), out=windowed[: len(block)])
        spectrum = np.fft.rfft(windowed[: len(block)])  # double precision before NumPy 2
        parts = spectrum.view(spectrum.real.dtype)
        np.square(parts, out=parts)
        power = parts[:, 0::2] + parts[:, 1::2]
        np.matmul(power, filters, out=out[start : start + BLOCK_FRAMES])


@cache
def _hann() -> FloatArray:
    """The periodic Hann window."""
    phase = 2 * np.pi * np.arange(WINDOW_LENGTH) / WINDOW_LENGTH
    return (0.5 - 0.5 * np.cos(phase)).astype(np.float32)


@cache
def mel_filters(n_mels: int) -> FloatArray:
    """Triangular filters of equal area, evenly spaced on the mel scale from 0 to 8 kHz.

    Returns:
        Weights, shape (n_mels, 201), one column per bin of 40 Hz.

    Source:
        Slaney, "Auditory Toolbox" (Interval Research, 1998), the form that Whisper was trained on.
    """
    edges = _hertz(np.linspace(0.0, _mel(SAMPLE_RATE / 2), n_mels + 2))
    bins = np.linspace(0.0, SAMPLE_RATE / 2, N_BINS)
    lower, centre, upper = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    rising = (bins - lower) / (centre - lower)
    falling = (upper - bins) / (upper - centre)
    triangles = np.maximum(0.0, np.minimum(rising, falling))
    filters: FloatArray = (triangles * 2.0 / (upper - lower)).astype(np.float32)
    filters.flags.writeable = False  # the cache hands the same array to everyone
    return filters


# Slaney's scale: 3 mel per 200 Hz up to 1 kHz; from there 27 mel for each factor of 6.4.
_KNEE_HZ, _KNEE_MEL = 1000.0, 15.0
_MEL_PER_HZ = _KNEE_MEL / _KNEE_HZ
_LOG_STEP = np.log(6.4) / 27.0


def _mel(hertz: float) -> float:
    if hertz < _KNEE_HZ:
        return hertz * _MEL_PER_HZ
    return float(_KNEE_MEL + np.log(hertz / _KNEE_HZ) / _LOG_STEP)


def _hertz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(
        mel < _KNEE_MEL, mel / _MEL_PER_HZ, _KNEE_HZ * np.exp((mel - _KNEE_MEL) * _LOG_STEP)
    )
