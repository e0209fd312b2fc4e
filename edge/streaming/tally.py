"""What is counted of a stream's events."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from itertools import groupby

from ..transcription.word_errors import Unit
from .committed_words import CommittedWords
from .distribution import Delays
from .erasure import Erasure
from .events import Event


class Tally:
    """Counts events as they come, in a memory that does not grow with the stream.

    Args:
        unit: What counts as a word.

    Attributes:
        committed: The committed words, with the times at which they were told.
        erasure: What was shown in vain.
        first_word: From the start of an utterance to the first text of it.
        commit: From the end of a word to its commitment.
        endpoint: From the end of an utterance to the endpoint that a pause made.
        n_updates: Times at which text was told.
        n_utterances: Endpoints.
        n_changed: Utterances whose text at the endpoint is not what had been committed.
        speech_s: Length of all utterances, from the first word to the last.
    """

    def __init__(self, unit: Unit) -> None:
        self.committed = CommittedWords(unit)
        self.erasure = Erasure()
        self.first_word, self.commit, self.endpoint = Delays(), Delays(), Delays()
        self.n_updates = self.n_utterances = self.n_changed = 0
        self.speech_s = 0.0
        self._begin()

    def take(
        self, events: Iterable[Event], fed_s: float, told_s: float, *, sound_is_over: bool
    ) -> None:
        """Count what one call told.

        Args:
            events: In order; those with the same audio time are one update.
            fed_s: Sound fed so far, in seconds.
            told_s: When the call would have ended with the sound arriving in real time.
            sound_is_over: Whether no pause, but the end of the sound ends an utterance.
        """
        for audio_time, update in groupby(events, key=lambda event: event.audio_time):
            # The last frame is padded, so its time may lie behind the end of the sound.
            heard_s = fed_s if sound_is_over else min(audio_time, fed_s)
            self._update(list(update), heard_s, told_s, sound_is_over)

    def _begin(self) -> None:
        """Another utterance follows."""
        self._shown: tuple[float, float] | None = None
        # An utterance may last for hours, so what was said is kept as a digest.
        self._said = hashlib.blake2b()
        self._is_committed = False

    def _update(
        self, events: Sequence[Event], heard_s: float, told_s: float, sound_is_over: bool
    ) -> None:
        commits = [event for event in events if event.kind == "committed"]
        partials = [event for event in events if event.kind == "partial"]
        endpoints = [event for event in events if event.kind == "endpoint"]
        self.n_updates += bool(commits or partials)
        partial = [word.word for word in partials[-1].words] if partials else None
        self.erasure.update(
            [word.word for event in commits for word in event.words],
            [] if endpoints else partial,
        )
        for event in commits:
            self._commit(event, heard_s, told_s)
        if self._shown is None and any(event.text.strip() for event in (*commits, *partials)):
            self._shown = (heard_s, told_s)
        if partial == [] and not self._is_committed:
            self._shown = None  # all of it vanished: nobody had said anything yet
        for event in endpoints:
            self._end(event, heard_s, told_s, sound_is_over)

    def _commit(self, event: Event, heard_s: float, told_s: float) -> None:
        self._is_committed = True
        self._said.update(event.text.encode())
        for word in event.words:
            if self.committed.add(word.word, heard_s, told_s):
                self.commit.add(heard_s - word.end, told_s - word.end)

    def _end(self, event: Event, heard_s: float, told_s: float, sound_is_over: bool) -> None:
        self.n_utterances += 1
        self.speech_s += event.end - event.start
        if self._shown is not None:
            shown_heard_s, shown_told_s = self._shown
            self.first_word.add(shown_heard_s - event.start, shown_told_s - event.start)
        if not sound_is_over:
            self.endpoint.add(heard_s - event.end, told_s - event.end)
        self.n_changed += hashlib.blake2b(event.text.encode()).digest() != self._said.digest()
        self._begin()
