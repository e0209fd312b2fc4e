"""A session and a sound that tell when each stage of a transcription begins and ends.

Decoding and transcription use them as any other, so that what is measured is the product.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Literal

from ..audio.recording import AudioSource
from ..types import FloatArray, IntArray, Session

Work = Literal["encode", "prompt", "decode"]
Watch = Callable[[Work], AbstractContextManager[None]]
"""Entered where a stage begins, and left where it ends."""


def unwatched(work: Work) -> AbstractContextManager[None]:
    """The Watch of whoever asks for the text alone."""
    return nullcontext()


class StagedSession(Session):
    """Another session, watched; closing it leaves the other open.

    Args:
        session: What does the work.
        watch: Told of "encode", of "prompt": all tokens up to the first that is predicted, and of
            "decode", once for each token after it.
    """

    def __init__(self, session: Session, watch: Watch) -> None:
        self.dimensions = session.dimensions
        self.contexts = session.contexts
        self.facts = session.facts
        self._session = session
        self._watch = watch

    def encode(self, mel: FloatArray) -> None:
        """See Session."""
        with self._watch("encode"):
            self._session.encode(mel)

    def step(self, tokens: IntArray) -> FloatArray:
        """See Session."""
        # A prompt is fed in one call or two, of which only the first may be of a single token.
        is_prompt = tokens.shape[1] > 1 or self._session.n_past == 0
        with self._watch("prompt" if is_prompt else "decode"):
            return self._session.step(tokens)

    def reorder(self, sources: IntArray) -> None:
        """See Session."""
        self._session.reorder(sources)

    def rewind(self, n_tokens: int) -> None:
        """See Session."""
        self._session.rewind(n_tokens)

    @property
    def n_past(self) -> int:
        """See Session."""
        return self._session.n_past

    @property
    def alignment(self) -> FloatArray:
        """See Session."""
        return self._session.alignment

    def window(self) -> FloatArray:
        """See Session."""
        return self._session.window()

    def close(self) -> None:
        """See Session."""


class StagedSource(AudioSource):
    """Samples in memory that tell when a window of them was taken.

    Args:
        samples: Mono at 16 kHz, shape (n_samples,).
        on_read: Called after every read.
    """

    name = "clip"

    def __init__(self, samples: FloatArray, on_read: Callable[[], None]) -> None:
        self._samples = samples
        self._on_read = on_read

    @property
    def n_samples(self) -> int:
        """See AudioSource."""
        return len(self._samples)

    def read(self, start: int, n: int) -> FloatArray:
        """See AudioSource."""
        found = self._samples[start : start + n]
        self._on_read()
        return found
