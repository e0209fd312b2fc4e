"""The numbers that a stream is judged by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec

from ..transcription.word_errors import Match, Unit, WordErrors, compare, split
from .committed_words import MOST_WORDS, CommittedWords
from .distribution import Latency
from .lateness import average_lagging, stream_lagging
from .reference import Reference, ReferenceSegment
from .resegmentation import resegment
from .tally import Tally


class Lagging(msgspec.Struct, frozen=True):
    """An average lagging, in seconds.

    Attributes:
        unaware_s: Computation-unaware.
        aware_s: Computation-aware.
        pace: Whether the length of the reference or of the text itself set the pace; see
            ``average_lagging``.
    """

    unaware_s: float
    aware_s: float
    pace: Literal["reference", "text"]


class StreamReport(msgspec.Struct, frozen=True, kw_only=True):
    """One stream, measured. None stands for what was not measured.

    Attributes:
        unit: What is called a word here: a character in languages without spaces.
        sound_s: Sound fed, in seconds.
        speech_s: Of that, utterances that ended, from the first word's start to the last one's end.
        n_utterances: Of those.
        n_words: Words committed.
        n_updates: Times at which partial or committed text was told.
        updates_per_s: Of those, per second of sound.
        updates_per_speech_s: Likewise, per second of speech.
        errors: Of the committed text; None without a reference.
        laal: Length-adaptive average lagging over all of the sound; see ``average_lagging``.
        stream_laal: Its mean over the reference's segments; None without those.
        first_word: From the start of an utterance to the first text of it, partial or committed,
            that did not vanish altogether. The start is that of its first committed word.
        commit: From the end of a word to its commitment.
        endpoint: From the end of an utterance's last word to its endpoint. The end of the sound is
            no endpoint.
        n_erased: Shown words that were taken back; see ``Erasure``.
        normalized_erasure: Those per word of the final text.
        n_changed: Utterances whose committed text changed afterwards; 0, or the streamer is broken.
        compute_s: Time that the calls took.
        cpu_s: Processor time that they took, on all cores; other threads of the process count.
        real_time_factor: Time computed per second of sound.
        cpu_per_sound: Processor time per second of sound.
        most_behind_s: The most sound that would have waited at any moment, arriving in real time.
        encoded_per_sound: Seconds of window that the encoder was given, per second of sound.
        notes: What stands in the way of a number that was asked for.
    """

    unit: Unit
    sound_s: float
    speech_s: float
    n_utterances: int
    n_words: int
    n_updates: int
    updates_per_s: float | None
    updates_per_speech_s: float | None
    errors: WordErrors | None
    laal: Lagging | None
    stream_laal: Lagging | None
    first_word: Latency | None
    commit: Latency | None
    endpoint: Latency | None
    n_erased: int
    normalized_erasure: float | None
    n_changed: int
    compute_s: float
    cpu_s: float
    real_time_factor: float | None
    cpu_per_sound: float | None
    most_behind_s: float
    encoded_per_sound: float | None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Usage:
    """What a stream took.

    Attributes:
        sound_s: Sound fed.
        compute_s: Time that the calls took.
        cpu_s: Processor time that they took.
        most_behind_s: The most sound that would have waited.
        encoded_s: Windows encoded, their padding included; None if not known.
    """

    sound_s: float
    compute_s: float
    cpu_s: float
    most_behind_s: float
    encoded_s: float | None


def report_on(tally: Tally, usage: Usage, reference: Reference | None) -> StreamReport:
    """Put the numbers together.

    Args:
        tally: Of all events.
        usage: Of all calls.
        reference: What was said.

    Raises:
        MissingDependencyError: There is a reference, and jiwer is not installed.
    """
    committed, sound_s, speech_s = tally.committed, usage.sound_s, tally.speech_s
    errors = stream_laal = None
    notes: list[str] = []
    if not committed.complete:
        notes.append(f"more than {MOST_WORDS} words: no error rate and no average lagging")
    elif reference is not None:
        said = split(reference.text, committed.unit)
        errors, matches = compare(said, committed.words)
        stream_laal = _stream_laal(committed, matches, reference.segments)
        if not reference.segments:
            notes.append("the reference has no segments: no StreamLAAL")
    else:
        notes.append("no reference: no error rate; LAAL's pace is that of the text itself")
    return StreamReport(
        unit=committed.unit,
        sound_s=sound_s,
        speech_s=speech_s,
        n_utterances=tally.n_utterances,
        n_words=committed.n,
        n_updates=tally.n_updates,
        updates_per_s=_ratio(tally.n_updates, sound_s),
        updates_per_speech_s=_ratio(tally.n_updates, speech_s),
        errors=errors,
        laal=_laal(committed, sound_s, errors.n_reference if errors else None),
        stream_laal=stream_laal,
        first_word=tally.first_word.latency(),
        commit=tally.commit.latency(),
        endpoint=tally.endpoint.latency(),
        n_erased=tally.erasure.n_erased,
        normalized_erasure=tally.erasure.normalized,
        n_changed=tally.n_changed,
        compute_s=usage.compute_s,
        cpu_s=usage.cpu_s,
        real_time_factor=_ratio(usage.compute_s, sound_s),
        cpu_per_sound=_ratio(usage.cpu_s, sound_s),
        most_behind_s=usage.most_behind_s,
        encoded_per_sound=_ratio(usage.encoded_s, sound_s),
        notes=tuple(notes),
    )


def _laal(committed: CommittedWords, sound_s: float, n_reference: int | None) -> Lagging | None:
    if not committed.words or not sound_s:
        return None
    n_pace = n_reference or len(committed.words)
    unaware_s, aware_s = (
        average_lagging(times, sound_s, n_pace)
        for times in (committed.unaware_s, committed.aware_s)
    )
    return Lagging(unaware_s, aware_s, "text" if n_reference is None else "reference")


def _stream_laal(
    committed: CommittedWords, matches: Sequence[Match], segments: Sequence[ReferenceSegment]
) -> Lagging | None:
    n_references = [len(split(segment.text, committed.unit)) for segment in segments]
    places = [(segment.start, segment.end) for segment in segments]
    cuts = resegment(matches, n_references)
    unaware_s, aware_s = (
        stream_lagging([times[start:stop] for start, stop in cuts], places, n_references)
        for times in (committed.unaware_s, committed.aware_s)
    )
    if unaware_s is None or aware_s is None:
        return None
    return Lagging(unaware_s, aware_s, "reference")


def _ratio(part: float | None, whole: float) -> float | None:
    return part / whole if part is not None and whole else None
