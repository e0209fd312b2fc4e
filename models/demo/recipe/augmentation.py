"""Changes to a recording that keep its words: speed, room, equalizer, band limits, noise."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from clips import SAMPLE_RATE, Clip, Wave, level

ROOM_S = 0.3  # the longest echo that is computed
EQUALIZER_HZ = (0, 300, 1000, 2500, 5000, 8000)
EQUALIZER_DB = 7.0
LINE_HZ = (3200.0, 4000.0)  # upper limits of a telephone line
RUMBLE_HZ = (100.0, 400.0)  # lower limits of a small loudspeaker
DECAY_60_DB = 6.9  # exponent after which an echo is 60 dB down


def change_speed(clip: Clip, factor: float) -> Clip:
    """Play faster (factor above 1) or slower, with the pitch."""
    n_samples = int(len(clip.samples) / factor)
    positions = np.arange(n_samples) * factor
    samples = np.interp(positions, np.arange(len(clip.samples)), clip.samples)
    return replace(
        clip,
        samples=samples.astype(np.float32),
        start_s=clip.start_s / factor,
        end_s=clip.end_s / factor,
    )


def colour(samples: Wave, draw: random.Random, numbers: np.random.Generator) -> Wave:
    """Another room, another microphone: one product of spectra."""
    n_fft = 1 << (len(samples) + int(ROOM_S * SAMPLE_RATE) - 1).bit_length()
    hertz = np.linspace(0, SAMPLE_RATE / 2, n_fft // 2 + 1, dtype=np.float32)
    spectrum = np.fft.rfft(samples, n_fft)
    if draw.random() < 0.5:
        spectrum *= np.fft.rfft(_echo(draw, numbers), n_fft)
    if draw.random() < 0.6:
        gains_db = numbers.uniform(-EQUALIZER_DB, EQUALIZER_DB, len(EQUALIZER_HZ))
        spectrum *= 10 ** (np.interp(hertz, EQUALIZER_HZ, gains_db) / 20)
    limit = draw.random()
    if limit < 0.35:
        spectrum /= 1 + (hertz / draw.uniform(*LINE_HZ)) ** 24
    elif limit < 0.45:
        spectrum /= 1 + (draw.uniform(*RUMBLE_HZ) / (hertz + 1)) ** 8
    return np.fft.irfft(spectrum, n_fft)[: len(samples)].astype(np.float32)


def _echo(draw: random.Random, numbers: np.random.Generator) -> Wave:
    """An impulse response: the sound itself, and noise that dies away."""
    reverberation_s = draw.uniform(0.08, 0.5)
    times_s = np.arange(int(min(ROOM_S, reverberation_s) * SAMPLE_RATE)) / SAMPLE_RATE
    echo = numbers.standard_normal(len(times_s)) * np.exp(-DECAY_60_DB * times_s / reverberation_s)
    echo *= draw.uniform(0.02, 0.12)
    echo[0] = 1.0
    return echo.astype(np.float32)


class Noise:
    """Background sound: recorded, coloured, or several voices at once."""

    def __init__(
        self,
        recorded: Sequence[Clip],
        voices: Sequence[Clip],
        draw: random.Random,
        numbers: np.random.Generator,
    ) -> None:
        self._recorded, self._voices = recorded, voices
        self._draw, self._numbers = draw, numbers

    def __call__(self, n_samples: int) -> Wave:
        """Noise of power one."""
        kind = self._draw.random()
        if kind < 0.45 and self._recorded:
            noise = self._repeated(self._draw.choice(self._recorded).samples, n_samples)
        elif kind < 0.75 or not self._voices:
            noise = self._coloured(n_samples)
        else:
            several = [self._draw.choice(self._voices).samples for _ in range(4)]
            noise = np.sum([self._repeated(voice, n_samples) for voice in several], axis=0)
        return (noise / (level(noise) + 1e-9)).astype(np.float32)

    def _repeated(self, samples: Wave, n_samples: int) -> Wave:
        first = self._draw.randrange(len(samples))
        return np.resize(np.roll(samples, -first), n_samples)

    def _coloured(self, n_samples: int) -> Wave:
        """White to pink."""
        spectrum = np.fft.rfft(self._numbers.standard_normal(n_samples, dtype=np.float32))
        spectrum *= (np.arange(len(spectrum)) + 1.0) ** -self._draw.uniform(0, 1)
        return np.fft.irfft(spectrum, n_samples).astype(np.float32)


def scaled_to_peak(samples: Wave, peak_db: float) -> Wave:
    """The same sound with this peak, in dB below full scale."""
    return samples * np.float32(10 ** (peak_db / 20) / (np.abs(samples).max() + 1e-6))
