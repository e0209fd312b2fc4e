"""Word times for people."""

from __future__ import annotations

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rows import Row, Spread

from .clips import Kind
from .figures import TIMED, Clock, Figures, Sides
from .matching import Shift
from .results import WordResults
from .setups import ORIGINAL

BUSY = 0.10  # share of the core taken by others from which the numbers are suspect
PIPE_WIDTH = 200
KINDS: dict[Kind, str] = {
    "single": "single recordings",
    "placed": "single words, joined",
    "long": "28, 71 and 121 s",
}
CLOCKS: dict[Clock, str] = {"cpu_s": "CPU", "wall_s": "wall"}


class WordTables:
    """Prints the word times of one run; plain text into a pipe."""

    def __init__(self, results: WordResults, figures: Figures) -> None:
        self._results = results
        self._figures = figures
        self._console = Console(highlight=False, markup=False)
        if not self._console.is_terminal:
            self._console.width = PIPE_WIDTH

    def show(self) -> None:
        """Print everything."""
        say, results = self._console.print, self._results
        for key, fact in results.machine.items():
            say(f"{key:9}{fact}")
        for program, versions in results.versions.items():
            say(f"{program}: {', '.join(f'{name} {value}' for name, value in versions.items())}")
        say(f"1 thread on core {results.core}, {results.when}")
        say("ms: half of the times differ by no more / nine of ten (half are later than)")
        for kind in KINDS:
            say(self._words(kind))
        say(self._speed())
        say(f"x: over {ORIGINAL.name} in the same round, median [lowest-highest]; below 1 is less")
        say(f"other processes took {self._figures.others:.0%} of the core")
        if self._figures.others > BUSY:
            say("WARNING: that is much; trust ratios of CPU time only")
        for what, failure in results.failures.items():
            say(f"FAILED: {what}: {failure}")

    def _words(self, kind: Kind) -> Table:
        """What words a program hears, and where."""
        table = self._table(f"word times: {KINDS[kind]}", "words wrong", "same as the original's")
        for side in ("start", "end"):
            table.add_column(f"{side} after the original's, ms", justify="right")
        for side in ("start", "end"):
            table.add_column(f"{side} after the word's, ms", justify="right")
        for setup in self._figures.setups:
            words = self._figures.words(setup, kind)
            table.add_row(
                setup,
                f"{words.n_wrong} of {words.n_said}",
                "-" if words.same is None else f"{words.same:.1%}",
                *_sides(words.from_original),
                *_sides(words.from_places),
            )
        return table

    def _speed(self) -> Table:
        rows = {
            f"{row.name}, {CLOCKS[clock]} {row.unit}": row
            for clock in CLOCKS
            for row in (self._figures.speed(kind, clock) for kind in TIMED)
        }
        table = self._table("word times: time", *rows)
        for setup in self._figures.setups:
            table.add_row(setup, *(_time(row, setup) for row in rows.values()))
        return table

    def _table(self, title: str, *headings: str) -> Table:
        table = Table(box=SIMPLE_HEAD if self._console.is_terminal else None, title="")
        table.add_column(title)
        for heading in headings:
            table.add_column(heading, justify="right")
        return table


def _sides(sides: Sides) -> tuple[str, str]:
    return _shift(sides.start), _shift(sides.end)


def _shift(shift: Shift | None) -> str:
    if shift is None:
        return "-"
    return f"{shift.median:.0f} / {shift.p90:.0f} ({shift.bias:+.0f})"


def _time(row: Row, setup: str) -> str:
    value = row.cells[setup].value
    if value is None:
        return "-"
    if setup == ORIGINAL.name:
        return f"{value.median:.1f} [{value.low:.1f}-{value.high:.1f}]"
    return f"{value.median:.1f}  {_ratio(row.ratio(setup, ORIGINAL.name))}"


def _ratio(ratio: Spread | None) -> str:
    if ratio is None:
        return ""
    return f"x{ratio.median:.2f} [{ratio.low:.2f}-{ratio.high:.2f}]"
