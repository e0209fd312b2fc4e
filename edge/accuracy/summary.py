"""How well an artifact does on a set, and how surely that is known."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

from ..errors import ConfigError
from .interval import Interval, by_speaker, ratio_interval
from .scoring import Score


class Summary(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a set's scores come to. Rates are sums over sums, not means of utterances' rates.

    Words that are inserted where nobody speaks count as errors too.

    Attributes:
        wer: Word errors per word of the references; None where nobody speaks in the whole set.
        cer: Character errors per character, likewise.
        substitutions: Per word of the references; None likewise, as for the next two.
        insertions: Per word.
        deletions: Per word.
        hallucinations: Share of the utterances whose text is made up (``is_hallucination``).
        empty: Share of the utterances with speech whose text is empty; None without such.
        n_utterances: All of them.
        n_silent: Those where nobody speaks.
        n_words: Of the references.
        n_speakers: Different ones.
        sound_s: Length of all sound.
        compute_s: Wall-clock time of all transcriptions.
    """

    wer: Interval | None
    cer: Interval | None
    substitutions: float | None
    insertions: float | None
    deletions: float | None
    hallucinations: Interval
    empty: Interval | None
    n_utterances: int
    n_silent: int
    n_words: int
    n_speakers: int
    sound_s: float
    compute_s: float


def summarize(scores: Sequence[Score]) -> Summary:
    """Sum up a set.

    Args:
        scores: Of one artifact under the same settings, in any order; at least one.

    Raises:
        ConfigError: There are none, or two of one utterance.
    """
    if not scores:
        raise ConfigError("there are no results to sum up")
    refuse_repeated(scores)
    words = [score.words for score in scores]
    n_words = sum(counts.n_reference for counts in words)

    def per_word(n_edits: int) -> float | None:
        return n_edits / n_words if n_words else None

    hallucinations = _interval(
        scores, [score.is_hallucination for score in scores], [1] * len(scores)
    )
    assert hallucinations is not None  # there are utterances
    return Summary(
        wer=_interval(scores, [n.errors for n in words], [n.n_reference for n in words]),
        cer=_interval(
            scores,
            [score.characters.errors for score in scores],
            [score.characters.n_reference for score in scores],
        ),
        substitutions=per_word(sum(counts.substitutions for counts in words)),
        insertions=per_word(sum(counts.insertions for counts in words)),
        deletions=per_word(sum(counts.deletions for counts in words)),
        hallucinations=hallucinations,
        empty=_interval(
            scores,
            [score.is_empty for score in scores],
            [not score.is_silent for score in scores],
        ),
        n_utterances=len(scores),
        n_silent=sum(score.is_silent for score in scores),
        n_words=n_words,
        n_speakers=len({score.speaker for score in scores}),
        sound_s=math.fsum(score.duration_s for score in scores),
        compute_s=math.fsum(score.compute_s for score in scores),
    )


def refuse_repeated(scores: Sequence[Score]) -> None:
    """Refuse two scores of one utterance, which would count it twice.

    Raises:
        ConfigError: There are two.
    """
    seen: set[str] = set()
    for score in scores:
        if score.id in seen:
            raise ConfigError(f"there are two results of the utterance '{score.id}'")
        seen.add(score.id)


def _interval(
    scores: Sequence[Score], numerators: Sequence[int], denominators: Sequence[int]
) -> Interval | None:
    speakers = [score.speaker for score in scores]
    return ratio_interval(by_speaker(speakers, numerators), by_speaker(speakers, denominators))
