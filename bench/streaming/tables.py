"""Results for people."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rows import Row, Spread

from .figures import LATENCIES, TEXT, WORK, Figures
from .jobs import BUNDLED, SETUPS, Setup
from .results import Results
from .sounds import Kind

BUSY = 0.10  # share of the core taken by others from which the numbers are suspect
PIPE_WIDTH = 200
KINDS: dict[Kind | None, str] = {
    None: "all",
    "single": "one by one",
    "long": "long",
    "joined": "joined",
}


class StreamTables:
    """Prints the figures of one run; plain text into a pipe.

    Args:
        results: Of the run.
        setups: What streamed; ratios are over the first.
    """

    def __init__(self, results: Results, setups: Sequence[Setup] = SETUPS) -> None:
        self._results = results
        self._setups = setups
        self._peer = setups[0].name
        self._figures = Figures(results, setups)
        self._console = Console(highlight=False, markup=False)
        if not self._console.is_terminal:
            self._console.width = PIPE_WIDTH

    def show(self) -> None:
        """Print everything."""
        self._say_what()
        for model in self._figures.models():
            if model == BUNDLED:
                self._show_words(model)
            for sound in self._figures.streams(model):
                self._show_stream(model, sound)
        shares = [played.others for played in self._results.played]
        share = statistics.median(shares) if shares else 0.0
        self._console.print(f"\nother processes took {share:.0%} of the core")
        if share > BUSY:
            self._console.print("WARNING: that is much; trust ratios only")
        for what, failure in self._results.failures.items():
            self._console.print(f"FAILED: {what}: {failure}")

    def _say_what(self) -> None:
        say, results = self._console.print, self._results
        for key, fact in results.machine.items():
            say(f"{key:9}{fact}")
        for engine, versions in results.versions.items():
            say(f"{engine}: {', '.join(f'{name} {value}' for name, value in versions.items())}")
        how = f"1 thread on core {results.core}, CPU time, {results.when}"
        say(f"{how}; chunks of {results.chunk_s:g} s")
        say(f"x: over {self._peer} in the same round, median [lowest-highest]; below 1 is less")
        say(f"finding speech takes {1000 * results.vad_cpu_per_s:.1f} ms per s, counted for none")

    def _show_words(self, model: str) -> None:
        """What windows and policies cost in words, and what they save."""
        table = self._table(f"{model}: words wrong of those said, CPU s per s of sound")
        for heading in (*KINDS.values(), "read again from 30 s", "drawn"):
            table.add_column(heading, justify="right")
        for setup in self._setups:
            whole = self._figures.words(model, setup.name, None)
            if whole is None:
                continue
            found = [self._figures.words(model, setup.name, kind) for kind in KINDS]
            table.add_row(
                setup.name,
                *(
                    f"{words.n_wrong} of {words.n_reference}, {words.cpu_per_s:.3f} s"
                    if words
                    else "-"
                    for words in found
                ),
                *(
                    "-" if count is None else f"{count} of {whole.n_updates}"
                    for count in (whole.n_widened, whole.n_drawn)
                ),
            )
        self._console.print(table)

    def _show_stream(self, model: str, sound: str) -> None:
        duration_s = self._results.sounds[sound].duration_s
        title = f"{model}: {sound}, {duration_s:.0f} s"
        quantities = (*LATENCIES, *TEXT, *WORK) if model == BUNDLED else WORK
        table = self._table(title if model == BUNDLED else f"{title}, scripted words")
        for setup in self._setups:
            table.add_column(f"{setup.contender.name}\n{setup.how}", justify="right")
        for row in self._figures.rows(model, sound, quantities):
            unit = f", {row.unit}" if row.unit else ""
            table.add_row(f"{row.name}{unit}", *self._cells(row))
        self._console.print(table)

    def _table(self, title: str) -> Table:
        table = Table(box=SIMPLE_HEAD if self._console.is_terminal else None, title="")
        table.add_column(title)
        return table

    def _cells(self, row: Row) -> Sequence[str]:
        return [_text(row, setup.name, self._peer) for setup in self._setups]


def _text(row: Row, setup: str, peer: str) -> str:
    value = row.cells[setup].value
    if value is None:
        return "-"
    if setup == peer:
        same = value.low == value.high
        return _number(value.median) + (
            "" if same else f" [{_number(value.low)}-{_number(value.high)}]"
        )
    theirs = row.cells[peer].value
    if theirs is None or theirs.low <= 0 or row.unit == "%":  # a word more is chance, not a ratio
        return _number(value.median)
    return f"{_number(value.median)}  {_ratio(row.ratio(setup, peer))}"


def _ratio(ratio: Spread | None) -> str:
    if ratio is None:
        return ""
    if f"{ratio.low:.2f}" == f"{ratio.high:.2f}":
        return f"x{ratio.median:.2f}"
    return f"x{ratio.median:.2f} [{ratio.low:.2f}-{ratio.high:.2f}]"


def _number(value: float) -> str:
    """Three digits, as far as they are behind the point."""
    n_before = len(str(int(value))) if value >= 1 else 0
    return f"{value:.{max(0, 3 - n_before)}f}"
