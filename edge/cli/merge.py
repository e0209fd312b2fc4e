"""``whisperq-edge profile merge``: records of one board become one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .record_input import read_records
from .screen import Screen


def merge(
    ctx: typer.Context,
    records: Annotated[list[Path], typer.Argument(metavar="RECORD...", help="Files to join.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="File of the joined record.")],
) -> None:
    """Join records of the same board and protocol.

    Of a configuration that is in several, the later figures stay as they are and the earlier are
    left out: passes of two runs are never put together. A failure never replaces figures.
    """
    from ..profiling.merge import merge as join
    from ..profiling.record_file import write_record
    from ..reports.wording import count

    screen: Screen = ctx.obj
    joined, replaced = join(read_records(records))
    write_record(joined, output)
    for one in replaced:
        screen.note(
            f"{one.configuration.name}: kept that of {one.kept}, left out that of {one.dropped}"
        )
    screen.note(f"{count(len(joined.outcomes), 'configuration')} in {output}")
