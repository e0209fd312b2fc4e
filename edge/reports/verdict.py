"""One sentence: what should run on this board, and how far it can be trusted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..profiling.comparison import is_emulated
from ..profiling.recommend import noise, recommend
from ..profiling.record import Record
from .rows import Row
from .wording import count, first_few, megabytes, number, percent

FEW_WORDS = 1000  # below which the reader is told how many were counted


@dataclass(frozen=True)
class Verdict:
    """What a record comes down to.

    Attributes:
        sentence: The advice, with its figures.
        doubts: What to know beside it, a sentence each.
        row: What is advised; None where nothing can be.
    """

    sentence: str
    doubts: tuple[str, ...]
    row: Row | None


def verdict(record: Record, rows: Sequence[Row]) -> Verdict:
    """Say what ``recommend`` chooses without any limits of the reader's own.

    Args:
        record: What was measured.
        rows: ``rows_of(record)``.
    """
    number = recommend(record).number
    if number is None:
        doubts = _words_doubts(rows) if is_emulated(record) else _left_out(rows, [])
        return Verdict(_nothing(record, rows), tuple(doubts), None)
    choice = rows[number]
    timed = [row for row in rows if row.real_time_factor]
    judged = [row for row in timed if row.outcome.errors] or timed
    its_doubts = choice.outcome.doubts
    doubts = [
        *_speed_doubts(choice, judged),
        *_words_doubts([choice]),
        *([f"Its figures are doubtful: {'; '.join(its_doubts)}."] if its_doubts else []),
        *_left_out(rows, judged),
    ]
    return Verdict(f"Use {_named(choice)}: {_figures(choice)}.", tuple(doubts), choice)


def _slowest(row: Row) -> float:
    return row.real_time_factor.high if row.real_time_factor else float("inf")


def _fastest(row: Row) -> float:
    return row.real_time_factor.low if row.real_time_factor else float("inf")


def _is_as_accurate(row: Row, choice: Row) -> bool:
    """Whether so many words cannot tell that it is worse; always, where none were counted."""
    errors, best = row.outcome.errors, choice.outcome.errors
    return errors is None or best is None or errors.rate <= best.rate + noise(best)


def _named(row: Row) -> str:
    """Such as "tiny int8 openvino with 2 threads"."""
    what, _, how = row.name.partition(", ")
    return f"{what} with {how}"


def _figures(row: Row) -> str:
    figures = []
    if row.real_time_factor:
        figures.append(f"{number(row.real_time_factor.median)} of real time")
    if row.peak_bytes:
        figures.append(megabytes(row.peak_bytes))
    if row.error_rate is not None:
        figures.append(f"{percent(row.error_rate)} words wrong")
    return ", ".join(figures)


def _speed_doubts(choice: Row, judged: Sequence[Row]) -> list[str]:
    doubts = []
    if _slowest(choice) >= 1:
        slowest = number(_slowest(choice), 3)
        doubts.append(
            f"It does not keep up with live sound: its slowest round took {slowest} of real time."
        )
    equal = [
        _named(row)
        for row in judged
        if row is not choice and _is_as_accurate(row, choice) and _fastest(row) < _slowest(choice)
    ]
    if equal:
        doubts.append(f"No clear difference in speed from {first_few(equal)}.")
    return doubts


def _words_doubts(rows: Sequence[Row]) -> list[str]:
    errors = [row.outcome.errors for row in rows if row.outcome.errors]
    if not errors:
        return ["Words were not counted: nothing here says how good the text is."]
    n_words = min(one.n_reference for one in errors)
    if n_words < FEW_WORDS:
        return [f"Words wrong are of {count(n_words, 'word')} only."]
    return []


def _left_out(rows: Sequence[Row], judged: Sequence[Row]) -> list[str]:
    """How many were not considered, and why."""
    numbers = {row.number for row in judged}
    left = [row for row in rows if row.number not in numbers]
    ran = [row for row in left if row.is_measured]
    reasons = {
        "failed": [row for row in left if row.outcome.status == "failed"],
        "skipped": [row for row in left if row.outcome.status == "skipped"],
        "run by a stand-in": [row for row in ran if row.outcome.stand_in],
        "without counted words": [row for row in ran if row.has_costs],
    }
    parts = [f"{len(those)} {reason}" for reason, those in reasons.items() if those]
    return [f"Left out: {', '.join(parts)}."] if parts else []


def _nothing(record: Record, rows: Sequence[Row]) -> str:
    if is_emulated(record):
        return (
            "No advice: the processor was emulated, so times and memory say nothing of any board."
        )
    if not rows:
        return "No advice: nothing was measured."
    if any(row.is_measured and not row.has_costs for row in rows):
        return "No advice: only stand-ins ran here, and their times are nobody's."
    return f"No advice: none of {count(len(rows), 'configuration')} was measured."
