"""Which configuration to use, and why not the others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import msgspec

from ..transcription.word_errors import WordErrors
from .comparison import is_emulated
from .limits import Excess, Limits, excesses
from .recommend_figures import Figures, figures_of
from .record import Outcome, Record

FEW_WORDS = 1000  # below which the reader is told how many were counted
NO_LIMITS = Limits()


class Loser(msgspec.Struct, frozen=True):
    """A configuration that was not chosen.

    Attributes:
        number: Its place in the record, from 0.
        figures: What it costs.
        reason: Why, in one line.
        excess: How many times the limit it is that it breaks most; None if it breaks none.
    """

    number: int
    figures: Figures
    reason: str
    excess: float | None = None


class Recommendation(msgspec.Struct, frozen=True):
    """What to use.

    Attributes:
        number: The choice's place in the record, from 0; None where there is none.
        figures: Of the choice.
        notes: What to know before believing it, one line each.
        losers: All others, in the record's order.
    """

    number: int | None
    figures: Figures | None
    notes: tuple[str, ...]
    losers: tuple[Loser, ...]

    @property
    def nearest(self) -> Loser | None:
        """Of those that break a limit, the one that breaks it least; None if none does."""
        over = [loser for loser in self.losers if loser.excess is not None]
        return min(over, key=lambda loser: loser.excess or 0.0, default=None)


def recommend(record: Record, limits: Limits = NO_LIMITS) -> Recommendation:
    """Choose a configuration of those that were measured on one board.

    One rule after the other, each among those that the ones before have left:

    1. It was measured, neither by a stand-in nor on an emulated processor.
    2. It keeps the limits. Where there is a limit on what was not measured, it does not.
    3. Its words were counted, if anyone's were.
    4. It keeps up with live sound, if anyone does; without a limit on speed alone.
    5. It gets no more words wrong than the best, as far as so many words tell: one standard error
       of the best's rate.
    6. It is the fastest in its slowest round; of equals, the one with the least memory.

    A doubtful figure does not exclude, since most doubts are about what slows down: but it is told.

    Args:
        record: What was measured.
        limits: What it may cost.

    Source:
        The rule of one standard error: Breiman, Friedman, Olshen, Stone, "Classification and
        Regression Trees" (1984), section 3.4.3.
    """
    race = _Race(record)
    emulated = is_emulated(record)
    for number in race.left:
        if reason := _unusable(record.outcomes[number], race.figures[number], emulated):
            race.drop(number, reason)
    for number in race.left:
        if broken := list(excesses(race.figures[number], limits)):
            race.drop_over(number, broken)
    race.prefer(lambda figures: figures.errors is not None, "its words were not counted")
    if limits.real_time_factor is None:
        race.prefer(
            lambda figures: figures.slowest < 1,
            "it does not keep up with live sound: {0.slowest:.3g} of real time in a round",
        )
    _drop_inaccurate(race)
    if not race.left:
        return Recommendation(None, None, tuple(record.labels), race.losers())
    choice = min(
        race.left,
        key=lambda number: (race.figures[number].slowest, race.figures[number].peak_bytes or 0),
    )
    best = race.figures[choice]
    for number in race.left:
        if number != choice:
            race.drop(number, _slower(race.figures[number], best))
    return Recommendation(choice, best, tuple(_notes(record, best)), race.losers())


def _unusable(outcome: Outcome, figures: Figures, emulated: bool) -> str | None:
    if outcome.status != "measured":
        return f"{outcome.status}: {outcome.reason}"
    if outcome.stand_in:
        return "it was run by a stand-in, whose times are nobody's"
    if emulated:
        return "the processor was emulated: its times say nothing of any board"
    return None if figures.real_time_factor else "no pass over all clips was finished"


def _drop_inaccurate(race: _Race) -> None:
    counted = [errors for number in race.left if (errors := race.figures[number].errors)]
    if not counted:
        return
    best = min(counted, key=lambda errors: errors.rate)
    allowed = best.rate + noise(best)
    for number in race.left:
        errors = race.figures[number].errors
        if errors is not None and errors.rate > allowed:
            race.drop(
                number,
                f"{_wrong(errors)} of {errors.n_reference} words wrong; the best has "
                f"{_wrong(best)}, give or take {noise(best) * best.n_reference:.1f}",
            )


def noise(errors: WordErrors) -> float:
    """One standard error of a rate of wrong words.

    Two wrong and two right are added, or no error in a few words would mean certainty.

    Source:
        Agresti, Coull, "Approximate is better than 'exact' for interval estimation of binomial
        proportions", The American Statistician 52 (1998).
    """
    n_words = errors.n_reference + 4
    rate = min((_wrong(errors) + 2) / n_words, 1.0)
    return float((rate * (1 - rate) / n_words) ** 0.5)


def _wrong(errors: WordErrors) -> int:
    return errors.substitutions + errors.insertions + errors.deletions


def _slower(loser: Figures, best: Figures) -> str:
    """Why a configuration lost to the choice that is as good in words."""
    assert loser.real_time_factor and best.real_time_factor
    clearly = loser.real_time_factor.low > best.slowest
    text = (
        f"{'slower' if clearly else 'not clearly slower'} at the same words: "
        f"{loser.slowest:.3g} of real time, and the choice {best.slowest:.3g}"
    )
    if loser.peak_bytes is None or best.peak_bytes is None:
        return text
    more_mb = round((loser.peak_bytes - best.peak_bytes) / 1e6)
    return f"{text}; {abs(more_mb)} MB {'less' if more_mb < 0 else 'more'} memory"


def _notes(record: Record, best: Figures) -> Iterator[str]:
    yield from record.labels
    yield from (f"doubtful: {doubt}" for doubt in best.doubts)
    if best.errors is None:
        yield "no words were counted: nothing here says how good the text is"
    elif best.errors.n_reference < FEW_WORDS:
        yield f"words wrong are of {best.errors.n_reference} only"
    if best.slowest >= 1:
        yield f"it does not keep up with live sound: {best.slowest:.3g} of real time"


class _Race:
    """Who is left, and why the others are not."""

    def __init__(self, record: Record) -> None:
        self.figures = [figures_of(outcome, record.protocol) for outcome in record.outcomes]
        self._lost: dict[int, Loser] = {}

    @property
    def left(self) -> list[int]:
        return [number for number in range(len(self.figures)) if number not in self._lost]

    def drop(self, number: int, reason: str, excess: float | None = None) -> None:
        self._lost[number] = Loser(number, self.figures[number], reason, excess)

    def drop_over(self, number: int, broken: Sequence[Excess]) -> None:
        reason = "; ".join(excess.text for excess in broken)
        self.drop(number, reason, max(excess.times for excess in broken))

    def prefer(self, is_good: Callable[[Figures], bool], reason: str) -> None:
        """Drop those that are not good, if anyone is."""
        left = self.left
        good = [number for number in left if is_good(self.figures[number])]
        for number in left:
            if good and number not in good:
                self.drop(number, reason.format(self.figures[number]))

    def losers(self) -> tuple[Loser, ...]:
        return tuple(self._lost[number] for number in sorted(self._lost))
