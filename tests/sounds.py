"""Sounds in which nobody speaks: silence, noise, hum, clicks and music.

All are mono at 16 kHz and the same on every run. Levels are those of the root mean square, in dB of
full scale: a quiet room behind a microphone lies about -60, somebody who speaks about -25.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from whisperq_edge.edge.types import SAMPLE_RATE

EXPONENTS = {"white": 0.0, "pink": 0.5, "brown": 1.0}  # of 1/f, for the amplitude
LOWEST_HZ = 20.0
BEAT_S = 0.5  # 120 in a minute


def silence(seconds):
    return np.zeros(round(seconds * SAMPLE_RATE), np.float32)


def noise(colour, level, seconds, seed=0):
    """Noise whose power falls with frequency as its colour says."""
    n = round(seconds * SAMPLE_RATE)
    spectrum = np.fft.rfft(np.random.default_rng(seed).standard_normal(n))
    hertz = np.maximum(np.fft.rfftfreq(n, 1 / SAMPLE_RATE), LOWEST_HZ)
    return at_level(np.fft.irfft(spectrum * hertz ** -EXPONENTS[colour], n), level)


def hum(level, seconds, mains_hz=50.0):
    """What a bad cable picks up: mains and its harmonics."""
    time = _time(seconds)
    parts = (np.sin(2 * np.pi * mains_hz * k * time + k) / k for k in (1, 2, 3, 5, 7, 9))
    return at_level(sum(parts), level)


def clicks(peak, seconds, seed=0):
    """About two a second, each a few milliseconds long; ``peak`` in dB is the highest."""
    rng = np.random.default_rng(seed)
    sound = silence(seconds)
    for start in rng.integers(0, len(sound) - 200, round(2 * seconds)):
        n = rng.integers(20, 160)
        sound[start : start + n] += rng.standard_normal(n) * np.exp(-np.arange(n) / (n / 5))
    return (sound / np.abs(sound).max() * 10 ** (peak / 20)).astype(np.float32)


def music(seconds, level=-20.0, seed=0):
    """A band without a singer: chords, bass, a melody, and drums."""
    rng = np.random.default_rng(seed)
    sound = silence(seconds).astype(np.float64)
    n_beats = int(seconds / BEAT_S)
    scale = (0, 2, 4, 7, 9, 12, 14, 16)  # pentatonic
    roots = (0, 9, 5, 7)  # C, A, F, G
    for beat in range(n_beats):
        at = beat * BEAT_S
        root = roots[beat // 4 % 4]
        third = 3 if root == 9 else 4
        if beat % 4 == 0:
            for semitone in (0, third, 7):
                _add(sound, at, _tone(60 + root % 12 + semitone - 12, 4 * BEAT_S, 0.5, 1.5))
        _add(sound, at, _tone(36 + root % 12, BEAT_S, 0.9, 0.3))
        _add(sound, at, _drum(rng, 0.9 if beat % 2 == 0 else 0.0, 0.5 * (beat % 2)))
        _add(sound, at + BEAT_S / 2, _drum(rng, 0.0, 0.15))
        for half in (0.0, 0.5):
            if rng.random() < 0.7:
                _add(sound, at + half * BEAT_S, _tone(72 + rng.choice(scale), 0.4, 0.6, 0.25))
    return at_level(sound, level)


def at_level(sound, level):
    """The sound, scaled to this level in dB."""
    return (sound * 10 ** ((level - level_db(sound)) / 20)).astype(np.float32)


def level_db(sound):
    """Of the root mean square."""
    return 10 * np.log10(np.mean(np.square(sound, dtype=np.float64)))


@cache
def _tone(midi, seconds, loudness, decay_s):
    """A plucked or struck note: harmonics that die away, the high ones first."""
    time = _time(seconds)
    hertz = 440 * 2 ** ((midi - 69) / 12)
    note = np.zeros_like(time)
    for harmonic in range(1, int(min(8, SAMPLE_RATE / 2 / hertz)) + 1):
        envelope = np.exp(-time / decay_s * (1 + 0.3 * harmonic)) / harmonic
        note += envelope * np.sin(2 * np.pi * hertz * harmonic * time)
    return loudness * note * np.minimum(1, time / 0.005)


def _drum(rng, bass, snare):
    time = _time(0.2)
    pitch = 2 * np.pi * (50 * time - 8 * np.exp(-time / 0.03))
    low = bass * np.sin(pitch) * np.exp(-time / 0.06)
    return low + snare * rng.standard_normal(len(time)) * np.exp(-time / 0.04)


def _add(sound, at_s, part):
    start = round(at_s * SAMPLE_RATE)
    sound[start : start + len(part)] += part[: max(0, len(sound) - start)]


def _time(seconds):
    return np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
