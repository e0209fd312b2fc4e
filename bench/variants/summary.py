"""The same figures for programs: ``--json``."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import streaming.figures
import streaming.results
from rows import Row
from streaming.jobs import BUNDLED, Setup

from .figures import TIMED, Figures
from .results import WordResults
from .setups import ORIGINAL
from .tables import CLOCKS, KINDS


def word_summary(results: WordResults, figures: Figures) -> dict[str, Any]:
    """Words, times and speed of every setup."""
    return {
        **_about(results),
        "words": {
            name: [dataclasses.asdict(figures.words(setup, kind)) for setup in figures.setups]
            for kind, name in KINDS.items()
        },
        "speed": [
            {"clock": clock, **_row(figures.speed(kind, clock), ORIGINAL.name)}
            for clock in CLOCKS
            for kind in TIMED
        ],
        "others": figures.others,
    }


def stream_summary(results: streaming.results.Results, setups: Sequence[Setup]) -> dict[str, Any]:
    """Words, latency and work of every setup."""
    figures = streaming.figures.Figures(results, setups)
    quantities = (
        *streaming.figures.LATENCIES,
        *streaming.figures.TEXT,
        *streaming.figures.WORK,
    )
    words = {setup.name: figures.words(BUNDLED, setup.name, None) for setup in setups}
    return {
        **_about(results),
        "chunk_s": results.chunk_s,
        "words": {name: found and dataclasses.asdict(found) for name, found in words.items()},
        "streams": {
            sound: [_row(row, setups[0].name) for row in figures.rows(BUNDLED, sound, quantities)]
            for sound in figures.streams(BUNDLED)
        },
    }


def _about(results: WordResults | streaming.results.Results) -> dict[str, Any]:
    names = ("when", "machine", "core", "versions", "failures")
    return {name: getattr(results, name) for name in names}


def _row(row: Row, anchor: str) -> dict[str, Any]:
    """Medians and ranges over rounds, and the ratios to the anchor in the same round."""
    setups: Mapping[str, Any] = {
        name: {
            "value": (value := cell.value) and dataclasses.asdict(value),
            "ratio": (ratio := _ratio(row, name, anchor)) and dataclasses.asdict(ratio),
        }
        for name, cell in row.cells.items()
    }
    return {"name": row.name, "unit": row.unit, "setups": setups}


def _ratio(row: Row, name: str, anchor: str) -> Any:  # noqa: ANN401 - a Spread or None
    """None where the anchor took nothing: there is nothing to divide by."""
    theirs = row.cells[anchor].value if anchor in row.cells else None
    return row.ratio(name, anchor) if theirs and theirs.low > 0 else None
