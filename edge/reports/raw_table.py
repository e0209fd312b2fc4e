"""The table of all figures: a row for each configuration, with nothing left out."""

from __future__ import annotations

from .facts import condition_text
from .rows import Row
from .wording import ABSENT, megabytes, number, percent, seconds, spread

COLUMNS = (
    "configuration",
    "#",
    "of real time",
    "words wrong",
    "peak memory",
    "status and doubts",
    "memory before, loaded",
    "on the disk",
    "each clip",
    "processor time of each clip",
    "a token",
    "opening, s",
    "from nothing to the first text, s",
    "waited for a processor",
    "energy for a second of sound",
    "before",
    "after",
    "ran on",
    "libraries",
    "digest",
)


def raw_cells(row: Row) -> tuple[str, ...]:
    """A cell for each of ``COLUMNS``."""
    outcome = row.outcome
    memory, errors = row.memory, outcome.errors
    wrong = percent(row.error_rate)
    if errors:
        wrong += (
            f" of {errors.n_reference} ({errors.substitutions} other, "
            f"{errors.insertions} too many, {errors.deletions} missing)"
        )
    return (
        row.name,
        str(row.number),
        spread(row.real_time_factor),
        wrong,
        megabytes(row.peak_bytes),
        "; ".join(row.notes) or outcome.status,
        f"{megabytes(memory.before)}, {megabytes(memory.loaded)}" if memory else ABSENT,
        megabytes(outcome.configuration.size_bytes),
        _each({name: spread(total, digits=3) for name, total in row.totals}, "s"),
        _each({name: spread(taken, digits=3) for name, taken in row.cpu_s}, "s"),
        seconds(row.token_s),
        spread(row.load_s),
        spread(row.cold_s),
        percent(row.waited),
        _each({name: number(joules) for name, joules in row.energy_j.items()}, "J"),
        condition_text(outcome.before),
        condition_text(outcome.after),
        outcome.device or ABSENT,
        ", ".join(f"{name} {version}" for name, version in outcome.tools.items()) or ABSENT,
        outcome.configuration.digest[:16],
    )


def _each(values: dict[str, str], unit: str) -> str:
    """Such as "2s: 0.40 s; 10s: 2.0 s"."""
    known = {name: value for name, value in values.items() if value != ABSENT}
    return "; ".join(f"{name}: {value} {unit}" for name, value in known.items()) or ABSENT
