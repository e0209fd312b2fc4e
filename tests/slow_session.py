"""A real session on a computer that is too slow for it, by a clock of its own."""

from __future__ import annotations


class SlowClock:
    """Seconds that pass only while somebody waits or computes.

    Attributes:
        now_s: What it shows.
        slowness: Seconds of computing per second of window that is encoded.
    """

    def __init__(self, slowness):
        self.now_s = 0.0
        self.slowness = slowness

    def __call__(self):
        return self.now_s

    def sleep(self, seconds):
        self.now_s += seconds


class SlowSession:
    """Stands before another session, and lets time pass whenever that computes."""

    def __init__(self, session, clock):
        self._session = session
        self._clock = clock

    def __getattr__(self, name):
        return getattr(self._session, name)

    def encode(self, mel):
        self._clock.sleep(self._clock.slowness * mel.shape[1] / 100)
        self._session.encode(mel)

    def step(self, tokens):
        # A token takes a small model on a board about as long as 40 ms of window.
        self._clock.sleep(self._clock.slowness * 0.04 * tokens.shape[1] ** 0.5)
        return self._session.step(tokens)
