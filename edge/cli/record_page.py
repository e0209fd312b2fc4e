"""The page of HTML beside records."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import MissingDependencyError
from .screen import Screen

if TYPE_CHECKING:
    from ..profiling.comparison import Named


def write_page(screen: Screen, records: Sequence[Named], path: Path) -> Path | None:
    """Write all records as one page; None, and a note, where what draws it is not installed."""
    from ..reports.html import write_report

    if not records:
        return None
    try:
        write_report(records, path)
    except MissingDependencyError as error:
        screen.note(str(error))
        return None
    return path
