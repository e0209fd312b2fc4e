"""Sound that arrives by and by."""

from __future__ import annotations

from abc import abstractmethod

from ..types import Closeable, FloatArray


class SoundStream(Closeable):
    """A microphone, a pipe, or a recording that is played.

    Attributes:
        name: What to call it in messages.
    """

    name: str

    @abstractmethod
    def read(self) -> FloatArray | None:
        """The next sound, mono at 16 kHz, shape (n_samples,); waits for it. None at the end.

        Raises:
            AudioError: The sound cannot be read.
        """

    @property
    @abstractmethod
    def waiting_s(self) -> float:
        """Seconds of sound that have arrived and are not read yet."""
