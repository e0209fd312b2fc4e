"""One recording on its way through the decoder."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from ..audio.mel import log_mel
from ..audio.recording import AudioSource
from ..decoding.alignment import align_text
from ..decoding.decoder import Decoder, Prompted
from ..decoding.fallback import decode_with_fallback, is_silence, needs_fallback
from ..decoding.language import Language
from ..decoding.result import DecodingResult
from ..types import FRAMES_PER_POSITION, FRAMES_PER_SECOND, POSITIONS_PER_SECOND
from .hallucination import Surroundings, skip_hallucinations
from .options import TranscriptionOptions
from .transcript import Segment
from .windows import Cut, Window, cut, short_context
from .word_times import add_words

_HIGH_TEMPERATURE = 0.5  # text drawn above it is too uncertain to lead the next window


class Passage:
    """Goes from window to window, and knows what one tells the next.

    Args:
        decoder: Of the session that is to do it.
        options: How.
        source: The recording; only its length is asked for.

    Attributes:
        seek: Where the next window starts, in mel frames.
        segments: What was found so far.
        language: Given, or detected in the first window with sound.
    """

    def __init__(
        self, decoder: Decoder, options: TranscriptionOptions, source: AudioSource
    ) -> None:
        self.seek = 0
        self.segments: list[Segment] = []
        self.language = decoder.language
        self._decoder = decoder
        self._options = options
        self._source = source
        self._last_speech_s = 0.0
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
        found = self._segments(window, parts, result)
        if self._options.word_timestamps:
            found = self._with_words(window, parts, found, result)
        new = self._finished(window, found)
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

    def _segments(self, window: Window, parts: Cut, result: DecodingResult) -> list[Segment]:
        return [
            Segment(
                id=0,  # some are left out yet
                seek=window.seek,
                start=window.start_s + piece.start_s,
                end=window.start_s + piece.end_s,
                text=self._decoder.tokenizer.decode(piece.tokens),
                tokens=piece.tokens,
                temperature=result.temperature,
                avg_logprob=result.avg_logprob,
                compression_ratio=result.compression_ratio,
                no_speech_prob=result.no_speech_prob,
            )
            for piece in parts.pieces
        ]

    def _with_words(
        self, window: Window, parts: Cut, segments: Sequence[Segment], result: DecodingResult
    ) -> list[Segment]:
        """Give segments their words, leave out what is made up, and correct ``seek``."""
        is_text = self._decoder.tokenizer.is_text
        threshold_s = self._options.hallucination_silence_threshold
        # The pieces are the start of the text; what the window's end cut off is in none of them.
        n_tokens = sum(len(segment.tokens) for segment in segments)
        text = [index for index in range(n_tokens) if is_text(result.tokens[index])]
        probabilities = np.exp([result.logprobs[index] for index in text]).tolist()
        timings = align_text(
            self._decoder.session,
            self._decoder.tokenizer,
            [result.tokens[index] for index in text],
            # A text that repeats what was said before is sure of itself while it is reminded of it.
            probabilities if threshold_s is None else None,
            task=self._options.task,
            language=result.language,
            n_positions=max(1, window.n_frames // FRAMES_PER_POSITION),
        )
        found = add_words(
            segments,
            [sum(map(is_text, segment.tokens)) for segment in segments],
            timings,
            self._options,
            start_s=window.start_s,
            last_speech_s=self._last_speech_s,
        )
        self._seek_behind_words(window, parts, found)
        if threshold_s is not None:
            kept = skip_hallucinations(found, self._surroundings(window), threshold_s)
            found = kept.segments
            if kept.resume is not None:
                self.seek = round(kept.resume * FRAMES_PER_SECOND)
        if found:
            self._last_speech_s = _end_of_words(found)
        return found

    def _seek_behind_words(self, window: Window, parts: Cut, segments: Sequence[Segment]) -> None:
        """Start the next window where the last word ends, unless the model says it was the last."""
        end_s = min(_end_of_words(segments), window.end_s)
        end = round(end_s * FRAMES_PER_SECOND)
        if parts.is_complete or end <= window.seek:
            return
        self.seek = end
        threshold_s = self._options.hallucination_silence_threshold
        if threshold_s is not None:
            rest_s = self._surroundings(window).window_end - end_s
            if rest_s <= threshold_s:
                self.seek = window.seek + window.n_frames

    def _surroundings(self, window: Window) -> Surroundings:
        longest_s = self._decoder.session.contexts.longest / POSITIONS_PER_SECOND
        return Surroundings(
            start=window.start_s,
            sound_end=window.end_s,
            window_end=window.start_s + longest_s,
            recording_end=self._source.duration_s,
            last_speech=self._last_speech_s,
        )

    def _finished(self, window: Window, segments: Sequence[Segment]) -> list[Segment]:
        """Those that say something and last, numbered, and none longer than the sound."""
        spoken = [s for s in segments if s.start != s.end and s.text.strip()]
        return [
            msgspec.structs.replace(
                segment,
                id=number,
                start=min(segment.start, window.end_s),
                end=min(segment.end, window.end_s),
            )
            for number, segment in enumerate(spoken, start=len(self.segments))
        ]


def _end_of_words(segments: Sequence[Segment]) -> float:
    """Where the last word ends; without words, the last segment."""
    ends = (segment.words[-1].end for segment in reversed(segments) if segment.words)
    return next(ends, segments[-1].end)
