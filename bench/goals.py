"""What this project wants of its best target on a CPU, and whether a run reached it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from contenders import ANCHOR, CONTENDERS, Contender
from results import Results
from rows import LOAD_ROW, LONG_ROW, PEAK_ROW, SHIPPED_ROW, Row, Spread, cost_rows, speed_rows


@dataclass(frozen=True)
class Verdict:
    """One goal for one size of model.

    Attributes:
        row: What is compared.
        ours: Our target: the one that is fastest at 30 s.
        theirs: The peer that it has to beat.
        ratio: Ours over theirs, round by round.
        at_most: The goal, for the median.
    """

    row: str
    ours: str
    theirs: str
    ratio: Spread
    at_most: float

    @property
    def is_reached(self) -> bool:
        """Whether the median is within the goal."""
        return self.ratio.median <= self.at_most


def verdicts(results: Results, size: str) -> list[Verdict]:
    """Judge one size; goals that lack a measurement are left out."""
    rows = {row.name: row for row in (*speed_rows(results, size), *cost_rows(results, size))}
    peers = [contender for contender in CONTENDERS if contender.is_peer]
    best = _fastest(rows[LONG_ROW], (c for c in CONTENDERS if not c.is_peer and c.is_8_bit))
    if best is None:
        return []
    pads = (peer for peer in peers if peer.windows[0] == "padded")
    goals = (
        (LONG_ROW, _fastest(rows[LONG_ROW], (peer for peer in peers if peer.is_8_bit)), 0.65),
        (SHIPPED_ROW, _fastest(rows[SHIPPED_ROW], pads), 0.17),
        (LOAD_ROW, ANCHOR, 1.0),
        (PEAK_ROW, ANCHOR, 1.0),
    )
    return [
        Verdict(name, best, peer, ratio, at_most)
        for name, peer, at_most in goals
        if peer and (ratio := rows[name].ratio(best, peer))
    ]


def _fastest(row: Row, contenders: Iterable[Contender]) -> str | None:
    """The engine with the least median, of those that said the right words."""
    medians = {
        contender.name: cell.value.median
        for contender in contenders
        if (cell := row.cells.get(contender.name)) and cell.value and not cell.mismatches
    }
    return min(medians, key=medians.__getitem__, default=None)
