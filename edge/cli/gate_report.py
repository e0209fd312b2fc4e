"""What an artifact cost and what the gate said, as ``export`` and ``verify`` print it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from .parity_report import size_text
from .screen import Screen

if TYPE_CHECKING:
    from ..artifact import Manifest
    from ..parity import Loss, PrecisionChoice, Speed


def print_gate(screen: Screen, manifest: Manifest) -> None:
    """Print what was measured at the export, and the verdict if it was not to pass."""
    if manifest.choice is not None:
        print_choice(screen, manifest.choice)
    if manifest.calibration is not None:
        made = manifest.calibration
        typer.echo(
            f"int4 rounded by what {made.n_recordings} recordings multiply ({made.rounding})"
        )
    if manifest.parity is not None and manifest.parity.loss is not None:
        typer.echo(loss_text(manifest.parity.loss))
    if manifest.speed is not None:
        print_speed(screen, manifest.speed)
    if manifest.refusal is not None:
        typer.echo(f"refused, and kept because loss was allowed: {manifest.refusal}")


def loss_text(loss: Loss) -> str:
    """One line on the loss of the precision itself."""
    ties = f" ({loss.near_ties:.2%} more are near ties)" if loss.near_ties else ""
    return (
        f"beside the checkpoint: {loss.token_agreement:.2%} of {loss.n_tokens} tokens the same"
        f"{ties}, divergence {loss.divergence:.2g} nats, logits' error {loss.relative_error:.2g}"
    )


def print_speed(screen: Screen, speed: Speed | str) -> None:
    """Print how fast it is beside floats; a warning where that is slower."""
    if isinstance(speed, str):
        screen.note(f"speed not compared: {speed}")
        return
    numbers = (
        f"{speed.recording:.2f} times the time of {speed.against} on this machine "
        f"(encoder {speed.encode:.2f}, decoder {speed.step:.2f}; one thread)"
    )
    if speed.is_slower:
        screen.note(f"warning: slower than {speed.against}: {numbers}")
    else:
        typer.echo(numbers)


def print_choice(screen: Screen, choice: PrecisionChoice) -> None:
    """Print the mixtures that were tried."""
    rows = [
        (
            str(point.n_raises),
            size_text(point.n_bytes),
            f"{point.divergence:.2g}",
            f"{point.token_agreement:.2%}",
            f"{point.wer:.2%}",
            "taken" if point.n_raises == choice.n_raises else "passes" if point.passed else "fails",
        )
        for point in choice.curve
    ]
    columns = ("finer steps", "weights", "divergence", "tokens", "word errors", "")
    screen.table(columns, rows)
    worst = list(choice.losses.items())[:3]
    typer.echo("most sensitive: " + ", ".join(f"{name} ({loss:.2g} nats)" for name, loss in worst))
