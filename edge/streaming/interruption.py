"""Sound that ends where the user ends it."""

from __future__ import annotations

import signal
from types import FrameType
from typing import Any, Self

from ..audio.sound_stream import SoundStream
from ..types import SAMPLE_RATE, FloatArray

SIGNALS = (signal.SIGINT, signal.SIGTERM)  # Ctrl-C, and how a service is stopped


class UntilInterrupted(SoundStream):
    """Another sound up to the moment of Ctrl-C, or of SIGTERM.

    What had arrived by then is still read, because it was said before. A second signal raises
    KeyboardInterrupt, whatever the program is doing. The signals are caught inside a ``with``
    block, which has to be in the main thread.

    Args:
        sound: Closed together with this one.

    Attributes:
        signal: The number of the signal that came; None before.
    """

    signal: int | None = None

    def __init__(self, sound: SoundStream) -> None:
        self.name = sound.name
        self._sound = sound
        self._waits = False
        self._n_left: int | None = None
        self._handlers: dict[int, Any] = {}

    def __enter__(self) -> Self:
        """Catch the signals, unless whoever started the program has them ignored."""
        for number in SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._handlers[number] = signal.signal(number, self._take)
        return self

    def close(self) -> None:
        """Let the signals do what they did before, and close the sound."""
        while self._handlers:
            signal.signal(*self._handlers.popitem())
        self._sound.close()

    @property
    def waiting_s(self) -> float:
        """See SoundStream."""
        return self._sound.waiting_s

    def read(self) -> FloatArray | None:
        """See SoundStream."""
        if self.signal is None:
            try:
                self._waits = True
                return self._sound.read()
            except _Interrupted:
                pass
            finally:
                self._waits = False
        if self._n_left is None:
            self._n_left = round(self._sound.waiting_s * SAMPLE_RATE)
        if not self._n_left or (samples := self._sound.read()) is None:
            return None
        samples = samples[: self._n_left]
        self._n_left -= len(samples)
        return samples

    def _take(self, number: int, frame: FrameType | None) -> None:
        if self.signal is not None:
            raise KeyboardInterrupt
        self.signal = number
        # Elsewhere the program computes, and an exception would leave that half done.
        if self._waits:
            raise _Interrupted


class _Interrupted(BaseException):
    """Leaves a read that waits for sound."""
