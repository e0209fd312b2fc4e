"""A report as CSV, for a spreadsheet: a line for each configuration, units in the names."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from ..profiling.comparison import Named
from ..profiling.summary import Spread
from .facts import board_name
from .rows import STAGES, Row, rows_of

Cell = str | int | float | None


def csv_table(records: Sequence[Named]) -> str:
    """All configurations of all records; what was not measured is an empty cell.

    Args:
        records: Their clips give the columns, so those of unlike protocols have more of them.
    """
    lines = [_line(named, row) for named in records for row in rows_of(named.record)]
    columns = list(dict.fromkeys(column for line in lines for column in line))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n", restval="")
    writer.writeheader()
    writer.writerows(lines)
    return text.getvalue()


def _line(named: Named, row: Row) -> dict[str, Cell]:
    record, outcome = named.record, row.outcome
    configuration, errors = outcome.configuration, outcome.errors
    line: dict[str, Cell] = {
        "record": named.name,
        "board": board_name(record),
        "created": record.created,
        "whisperq_edge": record.package,
        "labels": "; ".join(record.labels),
        "model": configuration.model,
        "target": configuration.target,
        "layout": configuration.layout,
        "precision": configuration.precision,
        "threads": configuration.threads,
        "device": outcome.device or configuration.device,
        "provider": configuration.provider,
        "digest": configuration.digest,
        "status": outcome.status,
        "reason": outcome.reason,
        "stand_in": str(outcome.stand_in).lower(),
        "doubts": "; ".join(outcome.doubts),
        **_spread("real_time_factor", row.real_time_factor),
        **_spread("token_s", row.token_s),
        **_spread("load_s", row.load_s),
        **_spread("cold_s", row.cold_s),
        "peak_bytes": row.peak_bytes,
        "size_bytes": configuration.size_bytes,
        "word_error_rate": errors.rate if errors else None,
        "reference_words": errors.n_reference if errors else None,
    }
    for clip, total in row.totals:
        line |= _spread(f"total_s[{clip}]", total)
    for clip, taken in row.cpu_s:
        line |= _spread(f"cpu_s[{clip}]", taken)
    line |= {f"middle_pass_{stage}_s": row.stages.get(stage) for stage in STAGES}
    line |= {f"energy_j_per_s[{name}]": joules for name, joules in row.energy_j.items()}
    return {name: _inert(cell) for name, cell in (line | _conditions(row)).items()}


def _inert(cell: Cell) -> Cell:
    """Text that no spreadsheet takes for a formula: a record may come from somebody else."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(("=", "+", "-", "@")) else cell


def _spread(name: str, values: Spread | None) -> dict[str, Cell]:
    middle, low, high = values or (None, None, None)
    return {name: middle, f"{name}_low": low, f"{name}_high": high}


def _conditions(row: Row) -> dict[str, Cell]:
    return {
        f"hottest_c_{when}": max(condition.temperatures_c.values(), default=None)
        if condition
        else None
        for when, condition in (("before", row.outcome.before), ("after", row.outcome.after))
    }
