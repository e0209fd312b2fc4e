"""From a buffer of sound to the words that follow those already given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..audio.mel import log_mel
from ..decoding.decoder import Decoder, Prompted
from ..decoding.fallback import is_silence, needs_fallback
from ..decoding.language import Language
from ..decoding.result import DecodingResult
from ..decoding.timing import WordTiming, alignment_matrix, word_timings
from ..transcription.windows import short_context
from ..types import (
    FRAMES_PER_POSITION,
    HOP_LENGTH,
    POSITIONS_PER_SECOND,
    FloatArray,
)
from .attention_watch import AttentionWatch
from .hypothesis import Hypothesis
from .options import StreamingOptions

SURE_LANGUAGE = 0.5  # below it, the language is asked again at the next update
SURE_LOGPROB = -0.3  # mean of a token; below it the short window may be to blame
SAMPLES_PER_POSITION = FRAMES_PER_POSITION * HOP_LENGTH


@dataclass(frozen=True)
class Given:
    """Text that a hypothesis has to follow.

    Attributes:
        previous: Tokens of the text before the buffer.
        tokens: Of the words at the buffer's start, which the model continues.
        probabilities: Of those.
    """

    previous: Sequence[int] = ()
    tokens: Sequence[int] = ()
    probabilities: Sequence[float] = ()


@dataclass
class Counts:
    """How often what was done, for who wants to know what the guard costs.

    Attributes:
        encoded_s: Windows encoded in all, in seconds, their padding included.
        updates: Hypotheses made.
        widened: Of those, how many were read again from the longest window.
        drawn: Of those, how many had to be drawn at a higher temperature.
    """

    encoded_s: float = 0.0
    updates: int = 0
    widened: int = 0
    drawn: int = 0


@dataclass(frozen=True)
class _Attempt:
    """One decoding, and where the decoder looked meanwhile.

    Attributes:
        result: The text behind the given one.
        attention: See ``AttentionWatch.rows``.
        n_before: Rows before those of the text.
        is_short: Whether the window was shorter than the longest.
        is_doubtful: Whether the text fails the thresholds.
    """

    result: DecodingResult
    attention: FloatArray
    n_before: int
    is_short: bool
    is_doubtful: bool

    @property
    def is_unsure(self) -> bool:
        """Whether another window might read otherwise."""
        return self.is_doubtful or self.result.avg_logprob < SURE_LOGPROB


class Recognizer:
    """Makes hypotheses, each from the whole buffer.

    The buffer is encoded as short as it is. A text that is not sure is read again from the longest
    window, which Whisper was trained on, before anything is left to chance; as long as more sound
    is to come, only while that makes the text likelier.

    Args:
        decoder: Greedy, without timestamps.
        options: How.

    Attributes:
        counts: What was done so far.
    """

    def __init__(self, decoder: Decoder, options: StreamingOptions) -> None:
        self.counts = Counts()
        self._decoder = decoder
        self._options = options
        self.reset()

    def reset(self) -> None:
        """Another utterance begins."""
        self._language = self._decoder.language
        self._widening_helps = True

    @property
    def language(self) -> Language | None:
        """Of the utterance, given or detected; None before its first hypothesis."""
        return self._language

    def hear(
        self,
        samples: FloatArray,
        given: Given,
        *,
        final: bool,
        thrifty: bool = False,
        frame_threshold: int | None = None,
    ) -> Hypothesis:
        """Recognize a buffer.

        Args:
            samples: The buffer, shape (n_samples,).
            given: The text it begins with.
            final: Whether no more sound will come: then the fallbacks to the longest window and to
                higher temperatures are worth their time.
            thrifty: Whether to do without the longest window unless the text is doubtful and final.
            frame_threshold: Stop at the first token that is read from the last so many positions
                of sound; None goes on to the end of the text.
        """
        session = self._decoder.session
        n_sound = min(session.contexts.longest, -(-len(samples) // SAMPLES_PER_POSITION))
        longest = shortest = session.contexts.longest
        if self._options.audio_context == "auto":
            shortest = short_context(session.contexts, n_sound * FRAMES_PER_POSITION)
        self.counts.updates += 1
        prompted, watch = self._prompt(samples, given, shortest, n_sound, frame_threshold)
        found = self._attempt(prompted, watch, given, 0, is_short=shortest < longest)
        may_widen = (final and found.is_doubtful) or (
            not thrifty and (final or self._widening_helps)
        )
        if found.is_short and found.is_unsure and may_widen:
            self.counts.widened += 1
            prompted, watch = self._prompt(samples, given, longest, n_sound, frame_threshold)
            wide = self._attempt(prompted, watch, given, 0, is_short=False)
            is_likelier = wide.result.avg_logprob > found.result.avg_logprob
            self._widening_helps = is_likelier and not wide.is_doubtful
            if is_likelier or not wide.is_doubtful:
                found = wide
        if final and found.is_doubtful:
            found = self._drawn(prompted, watch, given, found)
        return self._hypothesis(found, given, n_sound)

    def _prompt(
        self,
        samples: FloatArray,
        given: Given,
        n_positions: int,
        n_sound: int,
        frame_threshold: int | None,
    ) -> tuple[Prompted, AttentionWatch]:
        session = self._decoder.session
        n_frames = n_positions * FRAMES_PER_POSITION
        session.encode(log_mel(samples, session.dimensions.n_mels, n_frames))
        self.counts.encoded_s += n_positions / POSITIONS_PER_SECOND
        language = self._language
        if language is None or (not given.tokens and (language.probability or 1.0) < SURE_LANGUAGE):
            language = self._language = self._decoder.detect_language()
        prompted = self._decoder.begin(language, previous=given.previous, prefix=given.tokens)
        limit = None if frame_threshold is None else n_sound - frame_threshold
        return prompted, AttentionWatch(session, len(given.tokens), n_sound, limit)

    def _attempt(
        self,
        prompted: Prompted,
        watch: AttentionWatch,
        given: Given,
        index: int,
        *,
        is_short: bool,
    ) -> _Attempt:
        """Decode at the temperature of this index."""
        watch.restart()
        result = self._decoder.decode(prompted, self._options.temperature[index], watch)
        rows = watch.rows(len(result.tokens), ended=result.ended)
        unfinished = not (result.ended or watch.stopped)
        is_doubtful = unfinished or needs_fallback(result, self._options)
        return _Attempt(result, rows, watch.n_before, is_short, is_doubtful)

    def _drawn(
        self, prompted: Prompted, watch: AttentionWatch, given: Given, found: _Attempt
    ) -> _Attempt:
        """The first text at a higher temperature that is good enough, or the last."""
        self.counts.drawn += 1
        for index in range(1, len(self._options.temperature)):
            found = self._attempt(prompted, watch, given, index, is_short=found.is_short)
            if not found.is_doubtful:
                break
        return found

    def _hypothesis(self, found: _Attempt, given: Given, n_sound: int) -> Hypothesis:
        result = found.result
        words: list[WordTiming] = []
        attended: list[int] = []
        if not is_silence(result, self._options):
            words, attended = self._new_words(found, given)
        return Hypothesis(
            tuple(words),
            tuple(attended),
            n_sound,
            is_doubtful=found.is_doubtful,
            temperature=result.temperature,
        )

    def _new_words(self, found: _Attempt, given: Given) -> tuple[list[WordTiming], list[int]]:
        """The words behind the given ones, and the furthest position that each was read from."""
        n_given, result = len(given.tokens), found.result
        matrix = alignment_matrix(found.attention)[found.n_before :]
        peaks = matrix.argmax(axis=1)
        timed = word_timings(
            found.attention,
            [*given.tokens, *result.tokens],
            [*given.probabilities, *np.exp(result.logprobs)],
            self._decoder.tokenizer,
            result.language,
            n_prompt=found.n_before,
        )
        words, attended, end = [], [], 0
        for word in timed:
            start, end = end, end + len(word.tokens)
            if end <= n_given:
                continue
            if start < n_given:  # punctuation that belongs to a word which stays as it is
                tokens = word.tokens[n_given - start :]
                text = self._decoder.tokenizer.decode(tokens)
                word = word._replace(word=text, tokens=tokens, start=word.end)
            words.append(word)
            attended.append(int(peaks[max(start, n_given) : end].max()))
        return words, attended
