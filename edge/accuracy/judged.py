"""An artifact, judged by a set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from .difference import Difference, holm, paired_difference
from .result import Settings
from .scoring import Score, score
from .store import ResultStore
from .summary import Summary, summarize
from .task import find_result
from .utterance import Utterance


@dataclass(frozen=True)
class Judged:
    """What is known of one artifact.

    Attributes:
        name: What to call it.
        digest: sha256 of its manifest.
        scores: Of the utterances that there are results of, in the set's order; at least one.
        is_stand_in: Whether something else than the target's library computed: no times then.
    """

    name: str
    digest: str
    scores: tuple[Score, ...]
    is_stand_in: bool

    @cached_property
    def summary(self) -> Summary:
        """All scores together."""
        return summarize(self.scores)

    @property
    def real_time_factor(self) -> float | None:
        """Seconds of computing per second of sound; None where the times are nobody's."""
        if self.is_stand_in or not self.summary.sound_s:
            return None
        return self.summary.compute_s / self.summary.sound_s


def judge(
    name: str,
    digest: str,
    utterances: Sequence[Utterance],
    settings: Settings,
    store: ResultStore,
) -> Judged | None:
    """Score what is recorded of an artifact; None if nothing is.

    Raises:
        MissingDependencyError: What compares texts is not installed.
    """
    found = [
        (utterance, result)
        for utterance in utterances
        if (result := find_result(store, digest, utterance, settings)) is not None
    ]
    if not found:
        return None
    scores = tuple(score(utterance, result) for utterance, result in found)
    return Judged(name, digest, scores, any(result.stand_in for _, result in found))


class Beside(NamedTuple):
    """An artifact beside the first one.

    Attributes:
        name: Of the artifact.
        difference: Its word error rate minus that of the first.
        adjusted_p: The p-value, adjusted for there being as many comparisons as there are.
    """

    name: str
    difference: Difference
    adjusted_p: float


def beside_first(judged: Sequence[Judged]) -> list[Beside]:
    """Every other artifact beside the first, by the utterances that both have results of.

    Those that share no utterance with speech are left out.
    """
    differences: list[tuple[str, Difference]] = []
    first = {score.id: score for score in judged[0].scores} if judged else {}
    for other in judged[1:]:
        shared = [score for score in other.scores if score.id in first]
        if any(score.words.n_reference for score in shared):
            pairs = [first[score.id] for score in shared]
            differences.append((other.name, paired_difference(shared, pairs)))
    adjusted = holm([difference.p_value for _, difference in differences])
    return [Beside(*one, p) for one, p in zip(differences, adjusted, strict=True)]


class Worst(NamedTuple):
    """An utterance that was misheard, and the score of each artifact that has one, by name."""

    id: str
    scores: dict[str, Score]


def worst_utterances(judged: Sequence[Judged], n: int) -> list[Worst]:
    """The utterances in which some artifact has most words wrong, that one's count first.

    Args:
        judged: Artifacts, under names that differ.
        n: The most there may be.
    """
    scores: dict[str, dict[str, Score]] = {}
    for one in judged:
        for each in one.scores:
            scores.setdefault(each.id, {})[one.name] = each
    errors = {
        name: sorted((each.words.errors for each in found.values()), reverse=True)
        for name, found in scores.items()
    }
    wrong = [name for name in scores if errors[name][0]]
    ranked = sorted(wrong, key=lambda name: ([-count for count in errors[name]], name))
    return [Worst(name, scores[name]) for name in ranked[:n]]
