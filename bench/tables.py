"""Results for people and for programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from contenders import ANCHOR
from goals import verdicts
from results import Results
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rows import Row, Spread, cost_rows, others, speed_rows

BUSY = 0.10  # share of the cores taken by others from which the numbers are suspect
PIPE_WIDTH = 220


def show(results: Results) -> None:
    """Print the machine, the tables of each size and the goals; plain text into a pipe."""
    console = Console(highlight=False, markup=False)
    if not console.is_terminal:
        console.width = PIPE_WIDTH
    box = SIMPLE_HEAD if console.is_terminal else None
    for name, fact in results.machine.items():
        console.print(f"{name:9}{fact}")
    for engine, versions in results.versions.items():
        facts = ", ".join(f"{name} {value}" for name, value in versions.items())
        console.print(f"{engine}: {facts}")
    clock = "CPU time" if results.clock == "cpu_s" else "wall time"
    cores = ", ".join(map(str, results.cores))
    console.print(f"{results.threads} thread(s) on core {cores}, {clock}, {results.when}")
    console.print(f"x: over {ANCHOR} in the same round, median [lowest-highest]; below 1 is less")
    for size in results.sizes:
        for rows in (speed_rows(results, size), cost_rows(results, size)):
            console.print(_table(results, size, rows, box))
    console.print(_goals(results, box))
    share = others(results)
    console.print(f"other processes took {share:.0%} of the core")
    if share > BUSY:
        console.print("WARNING: that is much; trust ratios only")
    for engine, failure in results.failures.items():
        console.print(f"FAILED: {engine}: {failure}")


def summary(results: Results) -> dict[str, Any]:
    """The same as plain data."""
    return {
        "when": results.when,
        "machine": results.machine,
        "versions": results.versions,
        "clock": results.clock,
        "others": others(results),
        "failures": results.failures,
        "sizes": {
            size: {
                row.name: {
                    "unit": row.unit,
                    "engines": {engine: _plain(row, engine) for engine in results.engines},
                }
                for row in (*speed_rows(results, size), *cost_rows(results, size))
            }
            for size in results.sizes
        },
        "goals": {
            size: [
                {**asdict(verdict), "is_reached": verdict.is_reached}
                for verdict in verdicts(results, size)
            ]
            for size in results.sizes
        },
    }


def _plain(row: Row, engine: str) -> dict[str, Any]:
    cell = row.cells[engine]
    value, ratio = cell.value, row.ratio(engine)
    return {
        "value": value and asdict(value),
        "ratio": ratio and asdict(ratio),
        "mismatches": cell.mismatches,
    }


def _table(results: Results, size: str, rows: Sequence[Row], box: Any) -> Table:  # noqa: ANN401
    table = Table(box=box, title="")
    table.add_column(size)
    for row in rows:
        table.add_column(f"{row.name}, {row.unit}", justify="right")
    for engine in results.engines:
        table.add_row(engine, *(_text(row, engine) for row in rows))
    return table


def _goals(results: Results, box: Any) -> Table:  # noqa: ANN401 - rich's own type is private
    table = Table("goal", "ours", "beside", "x", "at most", "", box=box, title="")
    for size in results.sizes:
        for verdict in verdicts(results, size):
            table.add_row(
                f"{size}: {verdict.row}",
                verdict.ours,
                verdict.theirs,
                _ratio(verdict.ratio),
                f"{verdict.at_most:.2f}",
                "reached" if verdict.is_reached else "MISSED",
            )
    return table


def _text(row: Row, engine: str) -> str:
    cell = row.cells[engine]
    if cell.value is None:
        return "-"
    value = _number(cell.value.median)
    if cell.mismatches:
        return f"{value}  {cell.mismatches} MISMATCHES"
    if engine == ANCHOR:
        return f"{value} [{_number(cell.value.low)}-{_number(cell.value.high)}]"
    return f"{value}  {_ratio(row.ratio(engine))}"


def _ratio(ratio: Spread | None) -> str:
    if ratio is None:
        return "(no ratio)"
    if ratio.low == ratio.high:
        return f"x{ratio.median:.2f}"
    return f"x{ratio.median:.2f} [{ratio.low:.2f}-{ratio.high:.2f}]"


def _number(value: float) -> str:
    return f"{value:.1f}" if value < 100 else f"{value:.0f}"
