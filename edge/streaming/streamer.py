"""The streamer: sound in as it arrives, events out."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np

from ..audio.activity import AlwaysActive, VoiceActivity
from ..audio.noise_gate import NoiseGate
from ..audio.recording import checked_samples
from ..decoding.decoder import Decoder
from ..decoding.language import Language
from ..decoding.timing import WordTiming
from ..decoding.tokens import Tokenizer
from ..transcription.transcript import Word
from ..types import (
    HOP_LENGTH,
    POSITIONS_PER_SECOND,
    SAMPLE_RATE,
    FloatArray,
    GenerationSettings,
    Session,
)
from .align_att import AlignAtt
from .emitter import Emitter
from .endpointing import Endpointer
from .events import Event
from .hypothesis import Hypothesis
from .local_agreement import LocalAgreement
from .options import StreamingOptions
from .policy import Policy
from .pressure import Pressure
from .recognizer import Counts, Recognizer
from .silence import without_silence
from .sound_buffer import SoundBuffer
from .trimming import choose_cut
from .utterance import Utterance

LEAD_S = 2.0  # sound kept while nobody speaks, in which the start of an utterance may still lie
TAIL_S = 0.3  # sound after the last voice that belongs to the utterance
SPARE_S = 1.0  # of the longest window, left free for the sound that comes before the next update
UNSURE_TEMPERATURE = 0.5  # text drawn above it is too uncertain to lead what follows
_DEFAULT_OPTIONS = StreamingOptions()


class Streamer:
    """Transcribes one stream with one session.

    Nothing is decoded while nobody speaks. While somebody does, the sound since he began is decoded
    again and again as it grows, what the policy is sure of is committed, and the next decoding
    follows the committed words. A pause ends the utterance, and commits the rest. A buffer that
    grows too long is cut after committed words, which then become the prompt.

    What is committed does not depend on how the sound is cut into calls of ``feed``.

    Args:
        session: An open artifact.
        tokenizer: Of the same artifact.
        generation: Of the same artifact.
        options: How.
        activity: What tells speech from silence; Silero's model if None and the options want one.
        clock: Seconds, for ``Event.emission_time``.
        notify: Told in one line whenever the streamer begins or ceases to save work.
        start_s: Where the sound starts in a stream that was begun before, in seconds.
        previous_text: What was committed of it.

    Attributes:
        counts: What was done so far.

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
        start_s: float = 0.0,
        previous_text: str = "",
    ) -> None:
        self._options = options
        self._tokenizer = tokenizer
        self._recognizer = Recognizer(Decoder(session, tokenizer, generation, options), options)
        self._policy = _policy(options)
        self._endpointer = Endpointer(
            activity or _activity(options),
            threshold=options.vad_threshold,
            min_silence_s=options.min_silence_s,
        )
        self._pressure = Pressure(options.chunk_s, notify)
        self._emitter = Emitter(clock, start_s)
        self._sound = SoundBuffer()
        self._unheard: FloatArray = np.empty(0, np.float32)  # less than a frame
        self._utterance: Utterance | None = None
        self._longest_s = session.contexts.longest / POSITIONS_PER_SECOND - SPARE_S
        self._n_most = session.dimensions.n_text_ctx // 2 - 1  # tokens of text before
        self._prompt = self._encode(options.initial_prompt)
        self._previous = [*self._prompt, *self._encode(previous_text)][-self._n_most :]

    @property
    def counts(self) -> Counts:
        """What was done so far."""
        return self._recognizer.counts

    @property
    def language(self) -> Language | None:
        """Of the utterance, given or detected; None before anything was decoded."""
        return self._recognizer.language

    def feed(self, samples: FloatArray, *, behind_s: float = 0.0) -> list[Event]:
        """Take in sound, of any length.

        Args:
            samples: Mono at 16 kHz, shape (n_samples,).
            behind_s: Seconds of sound that have arrived and wait behind these: the streamer saves
                work until there are none.

        Returns:
            What is new, in order.

        Raises:
            AudioError: The samples have another shape or type, or are not finite.
            InferenceError: The runtime failed.
        """
        samples = checked_samples(samples, "stream")
        self._emitter.begin()
        self._pressure.take(behind_s)
        n_frame = self._endpointer.n_frame
        self._unheard = np.concatenate([self._unheard, samples])
        n_whole = len(self._unheard) // n_frame * n_frame
        frames, self._unheard = self._unheard[:n_whole], self._unheard[n_whole:]
        return [event for frame in frames.reshape(-1, n_frame) for event in self._hear(frame)]

    def finish(self) -> list[Event]:
        """The stream is over: commit what is left.

        Sound may be fed again afterwards; it follows without a gap, as another utterance.
        """
        events: list[Event] = []
        if len(self._unheard):
            frame = np.pad(self._unheard, (0, self._endpointer.n_frame - len(self._unheard)))
            self._unheard = self._unheard[:0]
            events += self._hear(frame)
        if self._utterance is not None:
            events += self._end(self._utterance)
        self._endpointer.reset()
        return events

    def _hear(self, frame: FloatArray) -> list[Event]:
        self._sound.append(frame)
        self._emitter.hear(self._sound.end)
        self._endpointer.take(frame)
        if self._utterance is None:
            if not self._endpointer.speaking:
                self._sound.forget(self._sound.end - round(LEAD_S * SAMPLE_RATE))
                return []
            start = max(self._endpointer.start, self._sound.start)
            self._utterance = Utterance(start, updated=start)
            self._recognizer.reset()
            self._policy.reset()
        if not self._endpointer.speaking:
            return self._end(self._utterance)
        new_s = (self._sound.end - self._utterance.updated) / SAMPLE_RATE
        return self._update(self._utterance) if new_s >= self._chunk_s else []

    @property
    def _limit_s(self) -> float:
        """The length from which the buffer is cut."""
        wanted_s = self._options.buffer_trimming_s
        return min(wanted_s, self._pressure.effort.longest_s, self._longest_s)

    @property
    def _chunk_s(self) -> float:
        """New sound between two updates; never so much that the buffer outgrows the window."""
        return min(self._options.chunk_s * self._pressure.effort.chunk, self._limit_s / 2)

    def _update(self, utterance: Utterance) -> list[Event]:
        """Hear what there is, while more is to come."""
        stop = utterance.updated = self._sound.end
        if self._endpointer.voiced_until - utterance.start < HOP_LENGTH:
            return []
        hypothesis = self._recognize(utterance, stop, final=False)
        events: list[Event] = []
        if not hypothesis.is_doubtful:
            n_agreed = self._policy.agreed(hypothesis)
            events += self._commit(utterance, hypothesis.words[:n_agreed])
            shown = hypothesis.words[n_agreed:] if self._pressure.effort.partials else ()
            events += self._show(utterance, shown)
        if (stop - utterance.start) / SAMPLE_RATE > self._limit_s:
            events += self._trim(utterance, stop)
        return events

    def _trim(self, utterance: Utterance, stop: int) -> list[Event]:
        """Cut the buffer after a committed word; commit all of it where that frees too little."""
        length_s = (stop - utterance.start) / SAMPLE_RATE
        cut = choose_cut(
            utterance.kept,
            self._silences(utterance, stop),
            self._options.buffer_trimming,
            least_s=length_s - self._limit_s + self._chunk_s,
        )
        if cut is not None and length_s - cut.at_s + self._chunk_s <= self._longest_s:
            self._lead_on(utterance.cut(cut.n_words, cut.at_s))
            return []
        return self._close(utterance, stop)

    def _end(self, utterance: Utterance) -> list[Event]:
        """Hear the whole utterance, commit what is left of it and say that it ended."""
        self._utterance = None
        voiced = self._endpointer.voiced_until + round(TAIL_S * SAMPLE_RATE)
        stop = min(self._sound.end, max(voiced, utterance.updated))
        events = self._close(utterance, stop)
        events += self._show(utterance, ())
        if utterance.words:
            events.append(self._emitter.event("endpoint", utterance.words))
        # Whoever speaks next need not go on with this: a prompt that does not fit costs words.
        self._previous = list(self._prompt)
        return events

    def _close(self, utterance: Utterance, stop: int) -> list[Event]:
        """Commit all of the buffer up to the sample ``stop``, where it starts from now on."""
        events: list[Event] = []
        # What was left by a cut may be the silence behind the last word, where nobody speaks.
        if self._endpointer.voiced_until - utterance.start >= HOP_LENGTH:
            hypothesis = self._recognize(utterance, stop, final=True)
            events += self._commit(utterance, hypothesis.words)
            if hypothesis.temperature > UNSURE_TEMPERATURE:
                utterance.kept.clear()
                self._previous.clear()
        self._lead_on(utterance.cut(len(utterance.kept), (stop - utterance.start) / SAMPLE_RATE))
        self._policy.reset()
        self._sound.forget(stop)
        return events

    def _recognize(self, utterance: Utterance, stop: int, *, final: bool) -> Hypothesis:
        effort = self._pressure.effort
        # What is not shown need not be said: AlignAtt knows where the sure part ends.
        stops = not final and not effort.partials and isinstance(self._policy, AlignAtt)
        hypothesis = self._recognizer.hear(
            self._sound.between(utterance.start, stop),
            utterance.given(self._previous),
            final=final,
            thrifty=effort.chunk > 1,
            frame_threshold=self._options.frame_threshold if stops else None,
        )
        self._pressure.count_update()
        least_s = self._options.hallucination_silence_threshold
        if least_s is None:
            return hypothesis
        silences = self._silences(utterance, stop)
        return hypothesis.outside([one for one in silences if one[1] - one[0] > least_s])

    def _silences(self, utterance: Utterance, stop: int) -> list[tuple[float, float]]:
        """The buffer's silent stretches, in seconds from its start."""
        first = utterance.start
        return [
            ((start - first) / SAMPLE_RATE, (end - first) / SAMPLE_RATE)
            for start, end in self._endpointer.silences(first, stop)
        ]

    def _commit(self, utterance: Utterance, words: Sequence[WordTiming]) -> list[Event]:
        if not words:
            return []
        placed = self._placed(utterance, words, stay=True)
        utterance.kept += words
        utterance.words += placed
        return [self._emitter.event("committed", placed)]

    def _show(self, utterance: Utterance, words: Sequence[WordTiming]) -> list[Event]:
        """The partial event, unless it says what the last one did."""
        text = "".join(word.word for word in words)
        if text == utterance.partial:
            return []
        utterance.partial = text
        placed = self._placed(utterance, words, stay=False)
        return [self._emitter.event("partial", placed)]

    def _placed(
        self, utterance: Utterance, words: Sequence[WordTiming], *, stay: bool
    ) -> list[Word]:
        silences = self._silences(utterance, self._sound.end)
        tight = [without_silence(word, silences) for word in words]
        return self._emitter.placed(tight, utterance.start, stay=stay)

    def _lead_on(self, tokens: Sequence[int]) -> None:
        """Let committed tokens that left the buffer lead what follows."""
        if self._options.condition_on_previous_text:
            self._previous = [*self._previous, *tokens][-self._n_most :]
        else:
            self._previous = list(self._prompt)

    def _encode(self, text: str | None) -> list[int]:
        stripped = (text or "").strip()
        return self._tokenizer.encode(f" {stripped}") if stripped else []


def _policy(options: StreamingOptions) -> Policy:
    if options.policy == "local-agreement":
        return LocalAgreement()
    return AlignAtt(options.frame_threshold)


def _activity(options: StreamingOptions) -> VoiceActivity:
    if not options.vad:
        return AlwaysActive()
    from ..audio.silero import SileroActivity

    return NoiseGate(SileroActivity())
