"""The streamer: sound in as it arrives, events out."""

from __future__ import annotations

import time
from collections.abc import Callable

from ..audio.activity import VoiceActivity
from ..decoding.tokens import Tokenizer
from ..types import FloatArray, GenerationSettings, Session
from .events import Event
from .options import StreamingOptions

_DEFAULT_OPTIONS = StreamingOptions()


class Streamer:
    """Transcribes one stream with one session.

    What is committed does not depend on how the sound is cut into calls of ``feed``.

    Args:
        session: An open artifact.
        tokenizer: Of the same artifact.
        generation: Of the same artifact.
        options: How.
        activity: What tells speech from silence; Silero's model if None and the options want one.
        clock: Seconds, for ``Event.emission_time``.
        notify: Told in one line whenever the streamer begins or ceases to save work.

    Raises:
        ConfigError: The model cannot do what the options ask for.
    """

    def __init__(
        self,
        session: Session,
        tokenizer: Tokenizer,
        generation: GenerationSettings,
        options: StreamingOptions = _DEFAULT_OPTIONS,
        *,
        activity: VoiceActivity | None = None,
        clock: Callable[[], float] = time.monotonic,
        notify: Callable[[str], None] = lambda line: None,
    ) -> None: ...

    def feed(self, samples: FloatArray, *, behind_s: float = 0.0) -> list[Event]:
        """Take in sound, of any length.

        Args:
            samples: Mono at 16 kHz, shape (n_samples,).
            behind_s: Seconds of sound that have arrived and wait behind these: the streamer saves
                work until there are none.
        """
        raise NotImplementedError

    def finish(self) -> list[Event]:
        """The stream is over: commit what is left."""
        raise NotImplementedError
