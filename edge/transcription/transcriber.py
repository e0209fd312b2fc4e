"""The transcriber: a recording of any length to text."""

from __future__ import annotations

from collections.abc import Callable

from ..audio.recording import AudioSource, samples_source
from ..decoding.decoder import Decoder
from ..decoding.tokens import Tokenizer
from ..types import (
    FRAMES_PER_POSITION,
    HOP_LENGTH,
    FloatArray,
    GenerationSettings,
    Progress,
    Session,
    no_progress,
)
from .options import TranscriptionOptions
from .passage import Passage
from .transcript import Segment, Transcript
from .windows import Window

_DEFAULT_OPTIONS = TranscriptionOptions()


class Transcriber:
    """Transcribes recordings with one session, one after the other.

    It works as openai/whisper's ``transcribe``, with these differences: features are scaled window
    by window and the end is padded with silence, so that no more than a window is in memory; a
    window of digital silence is passed over; a short window is encoded short (see
    ``TranscriptionOptions.audio_context``); segments without text are left out, and none ends
    after the sound; words are as probable as they were when decoded, unless
    ``hallucination_silence_threshold`` asks for openai/whisper's own measure.

    Args:
        session: An open artifact.
        tokenizer: Of the same artifact.
        generation: Of the same artifact.
    """

    def __init__(
        self, session: Session, tokenizer: Tokenizer, generation: GenerationSettings
    ) -> None:
        self._session = session
        self._tokenizer = tokenizer
        self._generation = generation

    def transcribe(
        self,
        source: AudioSource | FloatArray,
        options: TranscriptionOptions = _DEFAULT_OPTIONS,
        *,
        progress: Progress = no_progress,
        on_segment: Callable[[Segment], None] | None = None,
    ) -> Transcript:
        """Transcribe a recording from its start.

        Args:
            source: The sound, or its samples: mono at 16 kHz, shape (n_samples,).
            options: How.
            progress: Told after every window, as "transcribe".
            on_segment: Given each segment as soon as it is known, so that none is lost if the
                rest is interrupted.

        Returns:
            The text; its language is empty where there was no sound to detect it in.

        Raises:
            ConfigError: The model cannot do what the options ask for.
            AudioError: The sound cannot be read.
            InferenceError: The runtime failed.
        """
        if not isinstance(source, AudioSource):
            source = samples_source(source)
        decoder = Decoder(self._session, self._tokenizer, self._generation, options)
        passage = Passage(decoder, options, source)
        n_window = self._session.contexts.longest * FRAMES_PER_POSITION * HOP_LENGTH
        while len(samples := source.read(passage.seek * HOP_LENGTH, n_window)) >= HOP_LENGTH:
            for segment in passage.take(Window(passage.seek, samples)):
                if on_segment is not None:
                    on_segment(segment)
            progress("transcribe", min(1.0, passage.seek * HOP_LENGTH / source.n_samples))
        return Transcript(
            text="".join(segment.text for segment in passage.segments),
            segments=tuple(passage.segments),
            language="" if passage.language is None else passage.language.code,
            duration=source.duration_s,
        )
