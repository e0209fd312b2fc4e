"""The transcriber: a recording of any length to text."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..audio.mel import log_mel
from ..audio.recording import AudioSource, samples_source
from ..decoding.decoder import Decoder, Prompted
from ..decoding.fallback import decode_with_fallback, is_silence, needs_fallback
from ..decoding.language import Language
from ..decoding.result import DecodingResult
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
from .transcript import Segment, Transcript
from .windows import Piece, Window, cut, short_context

_HIGH_TEMPERATURE = 0.5  # text drawn above it is too uncertain to lead the next window
_DEFAULT_OPTIONS = TranscriptionOptions()


class Transcriber:
    """Transcribes recordings with one session, one after the other.

    It works as openai/whisper's ``transcribe``, with these differences: features are scaled window
    by window and the end is padded with silence, so that no more than a window is in memory; a
    window of digital silence is passed over; a short window is encoded short (see
    ``TranscriptionOptions.audio_context``); segments without text are left out, and none ends
    after the sound.

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
        passage = _Passage(decoder, options)
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


class _Passage:
    """One recording on its way through the decoder, and what one window tells the next.

    Attributes:
        seek: Where the next window starts, in mel frames.
        segments: What was found so far.
        language: Given, or detected in the first window with sound.
    """

    def __init__(self, decoder: Decoder, options: TranscriptionOptions) -> None:
        self.seek = 0
        self.segments: list[Segment] = []
        self.language = decoder.language
        self._decoder = decoder
        self._options = options
        prompt = options.initial_prompt
        self._previous = [] if prompt is None else decoder.tokenizer.encode(f" {prompt.strip()}")

    def take(self, window: Window) -> list[Segment]:
        """Transcribe a window, move on, and return what is new."""
        if not window.samples.any():  # digital silence; large models invent words for it
            self.seek += window.n_frames
            return []
        result = self._decode(window)
        self.language = Language(result.language, result.language_probability)
        if is_silence(result, self._options):
            self.seek += window.n_frames
            return []
        parts = cut(result.tokens, self._decoder.tokenizer, window.n_frames)
        self.seek += parts.n_frames
        new = self._segments(window, parts.pieces, result)
        self.segments += new
        self._previous += [token for segment in new for token in segment.tokens]
        if not self._options.condition_on_previous_text or result.temperature > _HIGH_TEMPERATURE:
            self._previous.clear()
        return new

    def _decode(self, window: Window) -> DecodingResult:
        contexts = self._decoder.session.contexts
        if self._options.audio_context == "auto":
            n_positions = short_context(contexts, window.n_frames)
            if n_positions < contexts.longest:
                result = self._decoder.decode(
                    self._prompt(window, n_positions), self._options.temperature[0]
                )
                # Whisper was trained on whole windows: a doubtful text gets one before chance.
                if result.ended and not needs_fallback(result, self._options):
                    return result
        return decode_with_fallback(self._decoder, self._prompt(window, contexts.longest))

    def _prompt(self, window: Window, n_positions: int) -> Prompted:
        session = self._decoder.session
        n_frames = n_positions * FRAMES_PER_POSITION
        session.encode(log_mel(window.samples, session.dimensions.n_mels, n_frames))
        language = self.language or self._decoder.detect_language()
        return self._decoder.begin(language, previous=self._previous)

    def _segments(
        self, window: Window, pieces: Sequence[Piece], result: DecodingResult
    ) -> list[Segment]:
        segments: list[Segment] = []
        for piece in pieces:
            text = self._decoder.tokenizer.decode(piece.tokens)
            if piece.start_s == piece.end_s or not text.strip():
                continue
            segments.append(
                Segment(
                    id=len(self.segments) + len(segments),
                    seek=window.seek,
                    start=min(window.start_s + piece.start_s, window.end_s),
                    end=min(window.start_s + piece.end_s, window.end_s),
                    text=text,
                    tokens=piece.tokens,
                    temperature=result.temperature,
                    avg_logprob=result.avg_logprob,
                    compression_ratio=result.compression_ratio,
                    no_speech_prob=result.no_speech_prob,
                )
            )
        return segments
