"""An artifact that is open and listens to one utterance after the other."""

from __future__ import annotations

import time
from pathlib import Path
from typing import NamedTuple

from ...runtimes import open_session
from ..artifact import MANIFEST, TOKENIZER, Artifact, sha256
from ..audio.played import Played
from ..audio.recording import samples_source
from ..decoding.tokens import Tokenizer
from ..errors import ArtifactError
from ..streaming.live import run_live
from ..streaming.options import StreamingOptions
from ..streaming.streamer import Streamer
from ..transcription.options import TranscriptionOptions
from ..transcription.transcriber import Transcriber
from ..transcription.transcript import Word
from ..types import Closeable, FloatArray
from .result import Settings
from .utterance import TimedWord

# One try at temperature 0. Whisper's further tries draw words by chance: a second run would give
# other texts, and a difference between two artifacts could be one of luck.
TEMPERATURE = (0.0,)


class Heard(NamedTuple):
    """What was made of one utterance; see ``Result`` for the attributes."""

    text: str
    words: tuple[TimedWord, ...]
    compute_s: float
    cpu_s: float


class OpenedArtifact(Closeable):
    """One artifact, loaded, as the commands ``transcribe`` and ``stream`` run it.

    Args:
        folder: Of the artifact.
        digest: sha256 of its manifest: results must not be filed under another's name.
        settings: Where it runs, and how it listens.

    Raises:
        ConfigError: The settings do not go together.
        ArtifactError: The artifact is gone, or is another by now.
        WhisperqError: It cannot be opened.
    """

    def __init__(self, folder: Path, digest: str, settings: Settings) -> None:
        self._settings = settings
        check_settings(settings)
        artifact = Artifact.read(folder)
        if sha256(folder / MANIFEST) != digest:
            raise ArtifactError(f"{folder} was exported anew meanwhile; give the command again")
        self._generation = artifact.manifest.generation
        self._tokenizer = Tokenizer.read(folder / TOKENIZER, self._generation)
        self._session = open_session(
            artifact, settings.threads, device=settings.device, provider=settings.provider
        )
        self.is_stand_in = self._session.facts.stand_in

    def hear(self, samples: FloatArray, language: str) -> Heard:
        """Transcribe one utterance.

        Args:
            samples: Mono at 16 kHz, shape (n_samples,).
            language: That is spoken; a code.

        Raises:
            ConfigError: The model does not know the language.
            AudioError: The samples are none, or not finite.
            InferenceError: The runtime failed.
        """
        if self._settings.variant == "streaming":
            return self._stream(samples, language)
        return self._transcribe(samples, language)

    def close(self) -> None:
        """Free the session."""
        self._session.close()

    def _transcribe(self, samples: FloatArray, language: str) -> Heard:
        transcriber = Transcriber(self._session, self._tokenizer, self._generation)
        source, options = samples_source(samples), transcription_options(self._settings, language)
        clock = _Clock()
        transcript = transcriber.transcribe(source, options)
        words = [word for segment in transcript.segments for word in segment.words]
        return Heard(transcript.text.strip(), _timed(words), *clock.read())

    def _stream(self, samples: FloatArray, language: str) -> Heard:
        """Hear it live, but as fast as it can be fed: what is committed is the same."""
        options = streaming_options(self._settings, language)
        streamer = Streamer(self._session, self._tokenizer, self._generation, options)
        sound = Played(samples_source(samples), speed=0)
        clock = _Clock()
        events = [event for event in run_live(streamer, sound) if event.kind == "committed"]
        words = [word for event in events for word in event.words]
        return Heard("".join(event.text for event in events).strip(), _timed(words), *clock.read())


class _Clock:
    """Wall-clock and processor time since it was made."""

    def __init__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def read(self) -> tuple[float, float]:
        return time.perf_counter() - self._wall, time.process_time() - self._cpu


def check_settings(settings: Settings) -> None:
    """See that somebody can listen in this way; nothing is loaded.

    Raises:
        ConfigError: Two of the settings do not go together, or a value is out of range.
    """
    if settings.variant == "streaming":
        streaming_options(settings, "en")
    else:
        transcription_options(settings, "en")


def transcription_options(settings: Settings, language: str) -> TranscriptionOptions:
    """The same for the transcriber."""
    return TranscriptionOptions(
        language=language,
        temperature=TEMPERATURE,
        beam_size=settings.beam_size,
        audio_context=settings.audio_context,
        word_timestamps=settings.variant == "word-times",
    )


def streaming_options(settings: Settings, language: str) -> StreamingOptions:
    """The same for the streamer, which refuses a beam."""
    return StreamingOptions(
        language=language,
        temperature=TEMPERATURE,
        beam_size=settings.beam_size,
        audio_context=settings.audio_context,
        policy="local-agreement",
    )


def _timed(words: list[Word]) -> tuple[TimedWord, ...]:
    return tuple(TimedWord(word.word.strip(), word.start, word.end) for word in words)
