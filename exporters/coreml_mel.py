"""WhisperKit's MelSpectrogram: the log-mel features as a Core ML program.

The same features as ``edge/audio/mel.py``, in operations that Core ML has: the Fourier transform of
every frame is a convolution of the sound with sines and cosines under the window.
"""

from __future__ import annotations

import math

import numpy as np
from coremltools.converters.mil.mil import Builder as mb

from ..edge.audio.mel import FLOOR, N_BINS, PADDING, RANGE, WINDOW_LENGTH, mel_filters
from ..edge.types import HOP_LENGTH, FloatArray
from .coreml_ops import Value


def log_mel(audio: Value, n_mels: int) -> Value:
    """Features of one whole window, computed in floats.

    Args:
        audio: (n_samples,), at 16 kHz.
        n_mels: Rows of the filter bank.

    Returns:
        Shape (1, n_mels, 1, n_samples / 160).
    """
    n_samples = audio.shape[0]
    n_frames = n_samples // HOP_LENGTH
    sound = mb.reshape(x=audio, shape=[1, 1, 1, n_samples])
    sound = mb.pad(x=sound, pad=[0, 0, 0, 0, 0, 0, PADDING, PADDING], mode="reflect")
    waves = mb.conv(x=sound, weight=_waves()[:, None, None], strides=[1, HOP_LENGTH])
    # The frame that is centred on the window's very end is one too many.
    waves = mb.slice_by_size(x=waves, begin=[0, 0, 0, 0], size=[1, 2 * N_BINS, 1, n_frames])
    cosines, sines = mb.split(x=waves, num_splits=2, axis=1)
    power = mb.add(x=mb.square(x=cosines), y=mb.square(x=sines))
    mel = mb.conv(x=power, weight=mel_filters(n_mels)[:, :, None, None])
    bels = mb.mul(
        x=mb.log(x=mb.maximum(x=mel, y=np.float32(FLOOR))), y=np.float32(1 / math.log(10))
    )
    loudest = mb.reduce_max(x=bels, axes=[1, 3], keep_dims=True)
    bels = mb.maximum(x=bels, y=mb.sub(x=loudest, y=np.float32(RANGE)))
    return mb.mul(x=mb.add(x=bels, y=np.float32(4)), y=np.float32(0.25))


def _waves() -> FloatArray:
    """Cosines, then sines of every bin under the Hann window: (2 * N_BINS, WINDOW_LENGTH)."""
    phase = 2 * np.pi * np.arange(WINDOW_LENGTH) / WINDOW_LENGTH
    hann = 0.5 - 0.5 * np.cos(phase)
    turns = np.arange(N_BINS)[:, None] * phase
    return np.concatenate([np.cos(turns) * hann, np.sin(turns) * hann]).astype(np.float32)
