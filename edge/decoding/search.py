"""Searching for the likeliest text: the loop that every method shares."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import NamedTuple

from ..types import FloatArray, IntArray, Session
from .rules import LogitRule


class Choice(NamedTuple):
    """What a search appends to its hypotheses.

    Attributes:
        tokens: Shape (n_hypotheses, 1).
        sources: The old hypothesis that each new one continues; None where each continues itself.
    """

    tokens: IntArray
    sources: IntArray | None = None


class Candidate(NamedTuple):
    """One text that a search found.

    Attributes:
        tokens: Ids after the prompt, without the end of the text.
        logprobs: Log probability of each of those ids, then of the end of the text, if it came.
        ended: Whether the end of the text came; otherwise there was no room for more.
    """

    tokens: tuple[int, ...]
    logprobs: tuple[float, ...]
    ended: bool

    @property
    def sum_logprob(self) -> float:
        """Log probability of the whole text, and of its end, if it came."""
        return sum(self.logprobs)

    @property
    def avg_logprob(self) -> float:
        """Mean log probability of a token; the end of the text counts as one."""
        return self.sum_logprob / (len(self.tokens) + 1)


class Search(ABC):
    """One way to choose tokens; used for one text.

    Attributes:
        n_start: Hypotheses at the first step, all equal.
        sampled: The tokens after the prompt, of each hypothesis.
    """

    n_start: int = 1
    sampled: list[list[int]]

    @abstractmethod
    def choose(self, logits: FloatArray) -> Choice | None:
        """Choose the next token of every hypothesis.

        Args:
            logits: Shape (n_hypotheses, n_vocab); may be changed.

        Returns:
            None when the search is over.
        """

    @abstractmethod
    def candidates(self) -> list[Candidate]:
        """The texts found so far, finished or not; at least one."""


Watch = Callable[[Sequence[Sequence[int]]], bool]
"""Shown what every hypothesis has sampled, before its last token is fed: says whether to stop.

The session's ``alignment`` is then what the last token was chosen by.
"""


def run(
    search: Search,
    session: Session,
    logits: FloatArray,
    rules: Sequence[LogitRule],
    n_tokens: int,
    watches: Sequence[Watch] = (),
) -> None:
    """Search until it is over, ``n_tokens`` are sampled or a watch stops it.

    Args:
        search: The method; afterwards it holds the candidates.
        session: Holds the prompt and ``search.n_start`` hypotheses.
        logits: What the prompt predicts, one row for each hypothesis; changed.
        rules: Applied in this order at every step.
        n_tokens: The most tokens to sample.
        watches: Asked after every token.
    """
    for n_left in range(n_tokens, 0, -1):
        for rule in rules:
            rule.apply(logits, search.sampled)
        choice = search.choose(logits)
        if choice is None:
            return
        stops = [watch(search.sampled) for watch in watches]  # every watch sees every step
        if any(stops) or n_left == 1:
            return
        if choice.sources is not None:
            session.reorder(choice.sources)
        logits = session.step(choice.tokens)


def best(candidates: Sequence[Candidate], length_penalty: float | None) -> Candidate:
    """The likeliest candidate, lengths taken into account.

    Args:
        candidates: At least one; the first of equals wins.
        length_penalty: The alpha of Google's translation system (arXiv 1609.08144, equation 14);
            None divides by the length instead.
    """

    def score(candidate: Candidate) -> float:
        length = len(candidate.tokens)
        if length_penalty is None:
            return candidate.sum_logprob / max(1, length)
        return candidate.sum_logprob / float(((5 + length) / 6) ** length_penalty)

    return max(candidates, key=score)
