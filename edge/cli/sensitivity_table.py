"""What ``sensitivity`` prints: the table of matrices, and the curve of mixtures."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

from .screen import Screen

if TYPE_CHECKING:
    from rich.text import Text

    from ..evaluation.recipe_file import RecipeFile
    from ..evaluation.sensitivity import Sensitivity
    from ..parity import CurvePoint

# From little lost to much: dark blue to yellow, which every eye tells apart; black or white ink.
SHADES = (
    ("#00224e", "white"),
    ("#35456c", "white"),
    ("#666970", "white"),
    ("#948e77", "black"),
    ("#c8b866", "black"),
    ("#fee838", "black"),
)
FLOOR = 1e-9


def print_sensitivity(screen: Screen, found: Sequence[str], sensitivity: Sensitivity) -> None:
    """A row a matrix, a column a precision: nats, coloured in a terminal.

    Args:
        screen: Where to print.
        found: Names of matrices, in the order of the rows.
        sensitivity: The figures.
    """
    columns = ("matrix", "MB", *sensitivity.precisions)
    rows = [
        (
            name,
            f"{max(sensitivity.n_bytes[name].values()) / 1e6:.2f}",
            *(f"{loss:.1e}" for loss in sensitivity.losses[name].values()),
        )
        for name in found
    ]
    if not sys.stdout.isatty():
        screen.table(columns, rows)
        return
    from rich.console import Console
    from rich.table import Table

    values = [loss for row in sensitivity.losses.values() for loss in row.values()]
    least, most = (math.log(max(FLOOR, end)) for end in (min(values), max(values)))
    table = Table(*columns)
    for name, size, *texts in rows:
        losses = sensitivity.losses[name].values()
        cells = [
            _coloured(text, (math.log(max(FLOOR, loss)) - least) / (most - least or 1.0))
            for text, loss in zip(texts, losses, strict=True)
        ]
        table.add_row(name, size, *cells)
    Console().print(table)


def _coloured(text: str, share: float) -> Text:
    from rich.text import Text

    paper, ink = SHADES[min(len(SHADES) - 1, int(share * len(SHADES)))]
    return Text(text, style=f"{ink} on {paper}")


def print_curve(
    screen: Screen, points: Sequence[CurvePoint], wer_reference: float, n_recordings: int
) -> None:
    """A row a mixture, smallest first; nothing where none was tried.

    Args:
        screen: Where to print.
        points: What was measured.
        wer_reference: Of the checkpoint in floats.
        n_recordings: That it was measured on.
    """
    if not points:
        return
    typer.echo(
        f"\nmixtures, on {n_recordings} recordings; in floats {wer_reference:.2%} of words wrong"
    )
    screen.table(
        ("MB", "divergence", "same tokens", "word errors", "rise", "limit"),
        [
            (
                f"{point.n_bytes / 1e6:.2f}",
                f"{point.divergence:.6f}",
                f"{point.token_agreement:.1%}",
                f"{point.wer:.2%}",
                f"{100 * (point.wer - wer_reference):+.2f}",
                "kept" if point.passed else "broken",
            )
            for point in points
        ],
    )


def print_mix(screen: Screen, recipe: RecipeFile) -> None:
    """The mixture that was chosen, in as few lines as it takes."""
    parts = ", ".join(f"{part} {precision}" for part, precision in recipe.parts.items())
    assert recipe.measured is not None
    size = f"{recipe.measured.n_bytes / 1e6:.2f} MB"
    typer.echo(f"\nsmallest mix within {recipe.measured.limit}, {size}: {parts}")
    by_precision: dict[str, list[str]] = {}
    for name, precision in recipe.layers.items():
        by_precision.setdefault(precision, []).append(name)
    for precision, names in by_precision.items():
        typer.echo(f"  {precision}: {', '.join(names)}")
