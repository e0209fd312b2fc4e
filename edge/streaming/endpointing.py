"""Where an utterance starts, and where it ends."""

from __future__ import annotations

from collections import deque

from ..audio.activity import VoiceActivity
from ..types import SAMPLE_RATE, FloatArray

HYSTERESIS = 0.15  # a voice that was heard goes on until it is this much less likely
LOWEST_THRESHOLD = 0.01  # at which a voice goes on, however low the one at which it starts
ONSET_S = 0.12  # a voice at least this long starts an utterance: a click is shorter, a word longer
PADDING_S = 0.3  # before the voice, for the soft consonants that no detector is sure of
RETAINED_S = 60.0  # how far back silences are known: farther than any buffer reaches


class Endpointer:
    """Cuts a stream into utterances at its pauses.

    Everything is counted in samples from the start of the stream.

    Args:
        activity: Tells speech from everything else.
        threshold: Probability at which a voice starts.
        min_silence_s: A pause this long ends the utterance.

    Attributes:
        n_frame: Samples that ``take`` wants.
        speaking: Whether an utterance has started and not ended.
        start: While speaking: the stream's sample at which it starts, a little before the voice.
        voiced_until: The stream's sample up to which the last voice was heard; 0 before the first.
    """

    def __init__(self, activity: VoiceActivity, *, threshold: float, min_silence_s: float) -> None:
        self.n_frame = activity.n_frame
        self.speaking = False
        self.start = 0
        self.voiced_until = 0
        self._activity = activity
        self._threshold = threshold
        self._lower_threshold = max(min(LOWEST_THRESHOLD, threshold), threshold - HYSTERESIS)
        self._min_silence = round(min_silence_s * SAMPLE_RATE)
        self._now = 0
        self._onset: int | None = None  # where the voice that is being heard began
        self._earliest = 0  # no utterance starts before: the last one lies there
        self._voiced: deque[tuple[int, int]] = deque()  # what was heard of voices, in order

    def take(self, frame: FloatArray) -> None:
        """Hear the next frame, shape (n_frame,)."""
        probability = self._activity.probability(frame)
        start, self._now = self._now, self._now + self.n_frame
        if probability >= (self._threshold if self._onset is None else self._lower_threshold):
            self._hear_voice(start)
        else:
            self._onset = None
            if self.speaking and self._now - self.voiced_until >= self._min_silence:
                self._end(self.voiced_until)

    def silences(self, start: int, end: int) -> list[tuple[int, int]]:
        """The stretches of ``start`` to ``end`` in which no voice was heard, in order.

        What lies more than a minute back is not known any more, and taken for voice.
        """
        start = max(start, self._now - round(RETAINED_S * SAMPLE_RATE))
        silences: list[tuple[int, int]] = []
        for voice_start, voice_end in self._voiced:
            if start < min(voice_start, end):
                silences.append((start, min(voice_start, end)))
            start = max(start, voice_end)
        if start < end:
            silences.append((start, end))
        return silences

    def reset(self) -> None:
        """The utterance is over, if there is one, and what comes next has nothing to do with it.

        The stream's samples are counted on.
        """
        self._activity.reset()
        self._onset = None
        self._end(self._now)

    def _hear_voice(self, start: int) -> None:
        if self._onset is None:
            self._onset = start
        if not self.speaking:
            if self._now - self._onset < ONSET_S * SAMPLE_RATE:
                return
            self.speaking = True
            self.start = max(self._earliest, self._onset - round(PADDING_S * SAMPLE_RATE))
        self.voiced_until = self._now
        if self._voiced and self._voiced[-1][0] == self._onset:
            self._voiced.pop()
        self._voiced.append((self._onset, self._now))
        while self._voiced[0][1] < self._now - RETAINED_S * SAMPLE_RATE:
            self._voiced.popleft()

    def _end(self, end: int) -> None:
        self.speaking = False
        self._earliest = end
