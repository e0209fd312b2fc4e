"""``whisperq-edge verify``: an artifact runs beside the reference and is judged."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from .gate_report import print_gate
from .parity_report import print_parity
from .screen import Screen


def verify(
    ctx: typer.Context,
    artifact: Annotated[Path, typer.Argument(help="Folder of the artifact.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Check an artifact's files, then compare it with the NumPy reference on real recordings.

    Past the tolerance that the artifact was made with, the exit status is 4.
    """
    from ..artifact import Artifact
    from ..evaluation.gate import check
    from ..evaluation.verify import verify as compare

    screen: Screen = ctx.obj
    found = Artifact.read(artifact, digests=True)
    screen.note(f"{len(found.manifest.files)} files are as they were exported")
    with screen.progress() as progress:
        parity = compare(found, progress=progress)
    if as_json:
        record = {
            "artifact": str(artifact),
            "parity": parity,
            "tolerance": found.manifest.tolerance,
            "verdict": found.manifest.verdict,
        }
        typer.echo(msgspec.json.encode(record).decode())
    else:
        print_parity(screen, found.manifest, parity)
        print_gate(screen, found.manifest)
    check(parity, found.manifest.tolerance)
    if parity.parts:
        screen.note("within tolerance")
