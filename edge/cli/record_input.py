"""Records as they are named on the command line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..profiling.comparison import Named


def read_records(paths: Sequence[Path]) -> list[Named]:
    """Read records and name them by their files; by their whole paths where the names are alike.

    Raises:
        ConfigError: One cannot be read, or is damaged.
    """
    from ..profiling.comparison import Named
    from ..profiling.record_file import read_record

    times = Counter(path.name for path in paths)
    return [
        Named(path.name if times[path.name] == 1 else str(path), read_record(path))
        for path in paths
    ]
