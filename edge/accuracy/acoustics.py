"""Rooms and noise, computed."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ..types import SAMPLE_RATE

DIRECT_TO_REVERBERANT_DB = 0.0
FIRST_ECHO_S = 0.0025  # until then there is nothing but the direct sound
FRAME = SAMPLE_RATE // 50  # 20 ms
ACTIVE_BELOW_LOUDEST_DB = 35.0  # fainter frames are pauses
LOWEST_NOISE_HZ = 50.0  # pink noise has no end of power at low frequencies

Doubles = NDArray[np.float64]


def room_response(rt60_s: float, bits: np.random.PCG64) -> Doubles:
    """What a room makes of a click: the direct sound, then noise that dies away.

    Args:
        rt60_s: Time in which the noise falls by 60 dB.
        bits: Where the noise comes from.

    Returns:
        Pressure at 16 kHz, its energy 1, the direct sound first; as long as ``rt60_s``.

    Source:
        Late reverberation as white noise under an exponential: J.-D. Polack, "La transmission de
        l'énergie sonore dans les salles" (Le Mans, 1988).
    """
    n_samples, n_before = round(rt60_s * SAMPLE_RATE), round(FIRST_ECHO_S * SAMPLE_RATE)
    decay = 10.0 ** (-3 * np.arange(n_samples) / (rt60_s * SAMPLE_RATE))  # 60 dB: a factor of 1000
    response = white_noise(n_samples, bits) * decay
    response[:n_before] = 0.0
    response *= math.sqrt(10 ** (-DIRECT_TO_REVERBERANT_DB / 10) / np.sum(response**2))
    response[0] = 1.0
    scaled: Doubles = response / math.sqrt(np.sum(response**2))
    return scaled


def pink_noise(n_samples: int, bits: np.random.PCG64) -> Doubles:
    """Noise with as much power in each octave, about as the noise of rooms and streets.

    Returns:
        Shape (``n_samples``,); of no particular level, and without anything below 50 Hz.
    """
    n_padded = fast_length(max(n_samples, SAMPLE_RATE))
    frequencies = np.fft.rfftfreq(n_padded, 1 / SAMPLE_RATE)
    audible = frequencies >= LOWEST_NOISE_HZ
    spectrum = np.fft.rfft(white_noise(n_padded, bits))
    spectrum[audible] /= np.sqrt(frequencies[audible])
    spectrum[~audible] = 0.0
    noise: Doubles = np.fft.irfft(spectrum, n_padded)[:n_samples]
    return noise


def white_noise(n_samples: int, bits: np.random.PCG64) -> Doubles:
    """Independent values of mean 0 and variance 1, normal but for the far tails.

    Sums of twelve even values, in integers: so they are the same ones on every machine, where
    NumPy's own normal values may change with its version.
    """
    parts = bits.random_raw(3 * n_samples).view(np.uint16).reshape(n_samples, 12)
    sums = parts.sum(axis=1, dtype=np.int64)
    noise: Doubles = sums / 2.0**16 - 6.0
    return noise


def noise_gain(speech: Doubles, noise: Doubles, snr_db: float) -> float:
    """The factor that puts noise ``snr_db`` below the speech.

    The level of the speech is that of its active frames alone, as ITU-T P.56 has it, so that
    pauses, of which one recording has more than another, do not make the noise fainter.

    Args:
        speech: What the noise is added to.
        noise: Of the same length.
        snr_db: Level of the speech over that of the noise.

    Returns:
        0 where there is no sound to be louder than.
    """
    power = float(np.mean(noise**2)) if len(noise) else 0.0
    if power == 0.0:
        return 0.0
    return math.sqrt(active_power(speech) / power / 10 ** (snr_db / 10))


def active_power(samples: Doubles) -> float:
    """Mean square of the frames of 20 ms that are no more than 35 dB below the loudest one."""
    n_frames = max(1, math.ceil(len(samples) / FRAME))
    padded = np.zeros(n_frames * FRAME)
    padded[: len(samples)] = samples
    powers = np.mean(padded.reshape(n_frames, FRAME) ** 2, axis=1)
    loud = powers >= powers.max() * 10 ** (-ACTIVE_BELOW_LOUDEST_DB / 10)
    return float(powers[loud].mean())


def convolve(samples: Doubles, response: Doubles) -> Doubles:
    """The full convolution, ``len(samples) + len(response) - 1`` long, by Fourier transform."""
    n_full = len(samples) + len(response) - 1
    n_padded = fast_length(n_full)
    product = np.fft.rfft(samples, n_padded) * np.fft.rfft(response, n_padded)
    result: Doubles = np.fft.irfft(product, n_padded)[:n_full]
    return result


def fast_length(least: int) -> int:
    """The next power of two: a large prime factor makes a Fourier transform slow."""
    return 1 << max(0, least - 1).bit_length()
