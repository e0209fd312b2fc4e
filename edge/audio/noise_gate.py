"""A gate before a voice detector: silence and steady noise cost next to nothing."""

from __future__ import annotations

from collections import deque

import numpy as np

from ..types import SAMPLE_RATE, FloatArray
from .activity import VoiceActivity

BAND_HZ = (200, 4000)  # where speech stands out; rumble and hum lie below
LIMIT = 2.0  # mean ratio to the spectrum of the noise at which a frame stands out
CLOSING_S = 1.0  # so long nothing may stand out, nor be taken for a voice
LEARNING_S = 0.3  # before the noise is known well enough to say what stands out
MEMORY_S = 1.0  # over which the noise's spectrum is averaged
WARM_UP_S = 0.25  # of what was passed over, heard before what stood out
UNLIKELY = 0.1  # a probability below which nothing hints at a voice
FLOOR_DB = -90.0  # quieter sound is taken for silence: it would be the last bit of 16


class NoiseGate(VoiceActivity):
    """Asks a detector only about frames that differ from the noise before them.

    Speech changes its spectrum many times a second; what keeps its spectrum is noise, whatever its
    loudness. The gate opens at the first frame that stands out and lets the detector hear what came
    just before, so that a word is judged with its beginning. It closes after a second in which
    nothing stood out or was taken for a voice.

    Args:
        activity: The detector.

    Attributes:
        n_frame: See VoiceActivity.
    """

    def __init__(self, activity: VoiceActivity) -> None:
        self.n_frame = activity.n_frame
        self._activity = activity
        self._noise = _Noise(self.n_frame)
        self._n_closing = self._frames(CLOSING_S)
        self._n_steady = 0  # frames since anything stood out
        self._passed_over: deque[FloatArray] = deque(maxlen=self._frames(WARM_UP_S))

    def probability(self, frame: FloatArray) -> float:
        """See VoiceActivity; 0 for what is passed over."""
        stands_out = self._noise.hear(frame)
        self._n_steady = 0 if stands_out else self._n_steady + 1
        if self._n_steady > self._n_closing:
            self._passed_over.append(frame.copy())
            return 0.0
        for earlier in self._passed_over:
            self._activity.probability(earlier)
        self._passed_over.clear()
        probability = self._activity.probability(frame)
        if probability >= UNLIKELY:
            self._n_steady = 0
        return probability

    def reset(self) -> None:
        """See VoiceActivity."""
        self._activity.reset()
        self._noise = _Noise(self.n_frame)
        self._n_steady = 0
        self._passed_over.clear()

    def _frames(self, seconds: float) -> int:
        return round(seconds * SAMPLE_RATE / self.n_frame)


class _Noise:
    """The mean power spectrum of what was heard lately."""

    def __init__(self, n_frame: int) -> None:
        self._window = np.hanning(n_frame).astype(np.float32)
        bins = [round(hertz * n_frame / SAMPLE_RATE) for hertz in BAND_HZ]
        self._band = slice(*bins)
        self._floor = np.float32(10 ** (FLOOR_DB / 10) * np.square(self._window).sum())
        self._n_learning = round(LEARNING_S * SAMPLE_RATE / n_frame)
        self._n_memory = round(MEMORY_S * SAMPLE_RATE / n_frame)
        self._power = np.zeros(bins[1] - bins[0], np.float32)
        self._n_heard = 0

    def hear(self, frame: FloatArray) -> bool:
        """Whether the frame stands out, or the noise is not known yet."""
        spectrum = np.fft.rfft(frame * self._window)[self._band]
        power = np.square(spectrum.real) + np.square(spectrum.imag) + self._floor
        ratio = float((power / self._power).mean()) if self._n_heard else 1.0
        if ratio < 1 / LIMIT:  # something louder has ended: what was learnt of it hides speech
            self._n_heard = 0
        self._n_heard = min(self._n_heard + 1, self._n_memory)
        newest = 1 / self._n_heard
        self._power = (1 - newest) * self._power + newest * power
        return self._n_heard < self._n_learning or ratio > LIMIT
