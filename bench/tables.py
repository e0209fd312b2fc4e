"""Results for people and for programs."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from contenders import ANCHOR
from results import Results
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rows import Cell, Row, Spread, others, rows

BUSY = 0.10  # share of the cores taken by others from which the numbers are suspect
PIPE_WIDTH = 200


def show(results: Results) -> None:
    """Print the machine and one table for each size; plain text where nobody looks at colours."""
    console = Console(highlight=False, markup=False)
    if not console.is_terminal:
        console.width = PIPE_WIDTH
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
        console.print(_table(results, size, console.is_terminal))
    if (share := others(results)) > BUSY:
        console.print(f"WARNING: other processes took {share:.0%} of the core; trust ratios only")
    else:
        console.print(f"other processes took {share:.0%} of the core")
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
        "sizes": {size: [asdict(row) for row in rows(results, size)] for size in results.sizes},
    }


def _table(results: Results, size: str, is_terminal: bool) -> Table:
    lines = rows(results, size)
    table = Table(box=SIMPLE_HEAD if is_terminal else None, title="")
    table.add_column(size)
    for engine in results.engines:
        table.add_column(engine, justify="right")
    for row in lines:
        table.add_row(f"{row.name}, {row.unit}", *(_text(row, e) for e in results.engines))
    return table


def _text(row: Row, engine: str) -> str:
    cell: Cell = row.cells[engine]
    if cell.value is None:
        return "-"
    value = _number(cell.value.median)
    if cell.mismatches:
        return f"{value}  {cell.mismatches} MISMATCHES"
    if engine == ANCHOR:
        return f"{value} [{_number(cell.value.low)}-{_number(cell.value.high)}]"
    return f"{value}  {_ratio(cell.ratio)}"


def _ratio(ratio: Spread | None) -> str:
    if ratio is None:
        return "(no ratio)"
    if ratio.low == ratio.high:
        return f"x{ratio.median:.2f}"
    return f"x{ratio.median:.2f} [{ratio.low:.2f}-{ratio.high:.2f}]"


def _number(value: float) -> str:
    return f"{value:.1f}" if value < 100 else f"{value:.0f}"
