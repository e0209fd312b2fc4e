"""What ``profile`` ends with: a line for each configuration."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from ..profiling.record import Record
from ..profiling.summary import (
    Spread,
    error_rate,
    peak_bytes,
    real_time_factor,
    stage_s,
    token_s,
)
from .screen import Screen

SHORT_CLIP = "5s"


class Row(msgspec.Struct, frozen=True):
    """One configuration, with its figures derived; None where there is none.

    Attributes:
        configuration: Its name.
        status: See ``Outcome``.
        reason: Likewise.
        real_time_factor: Median, lowest and highest.
        short_clip_s: Of the clip of 5 s, likewise.
        token_ms: Likewise.
        peak_bytes: The most resident memory.
        word_error_rate: Words wrong of those said.
        doubts: See ``Outcome``.
    """

    configuration: str
    status: str
    reason: str | None
    real_time_factor: Spread | None
    short_clip_s: Spread | None
    token_ms: Spread | None
    peak_bytes: int | None
    word_error_rate: float | None
    doubts: tuple[str, ...]


def rows_of(record: Record) -> Iterator[Row]:
    """In the record's order."""
    for outcome in record.outcomes:
        token = token_s(outcome)
        yield Row(
            outcome.configuration.name,
            outcome.status,
            outcome.reason,
            real_time_factor(outcome, record.protocol),
            stage_s(outcome, "total", SHORT_CLIP),
            None if token is None else Spread(*(1e3 * value for value in token)),
            peak_bytes(outcome),
            error_rate(outcome),
            outcome.doubts,
        )


def print_profile(screen: Screen, record: Record) -> None:
    """The table, and below it why a row has no figures or cannot be trusted."""
    rows = list(rows_of(record))
    screen.table(
        ("configuration", "real time", "5 s", "token", "peak", "words wrong", "doubts"),
        [
            (
                row.configuration,
                _spread(row.real_time_factor, 3)
                or ("-" if row.status == "measured" else row.status),
                _median(row.short_clip_s, "{:.3f} s"),
                _median(row.token_ms, "{:.2f} ms"),
                "" if row.peak_bytes is None else f"{row.peak_bytes / 1e6:.0f} MB",
                "" if row.word_error_rate is None else f"{row.word_error_rate:.1%}",
                str(len(row.doubts) or ""),
            )
            for row in rows
        ],
    )
    for row in rows:
        for line in (*([row.reason] if row.reason else []), *row.doubts):
            screen.note(f"{row.configuration}: {line}")


def profile_json(record: Record, path: Path, report: Path | None) -> str:
    """The rows, and where the record and its report are, as JSON."""
    return msgspec.json.encode(
        {
            "record": str(path),
            "report": None if report is None else str(report),
            "rows": [
                {
                    **msgspec.structs.asdict(row),
                    **{
                        name: getattr(row, name) and getattr(row, name)._asdict()
                        for name in ("real_time_factor", "short_clip_s", "token_ms")
                    },
                }
                for row in rows_of(record)
            ],
        }
    ).decode()


def _spread(value: Spread | None, digits: int) -> str:
    if value is None:
        return ""
    return f"{value.median:.{digits}f} ({value.low:.{digits}f}-{value.high:.{digits}f})"


def _median(value: Spread | None, form: str) -> str:
    return "" if value is None else form.format(value.median)
