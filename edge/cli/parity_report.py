"""How an artifact compares with its reference, as ``export`` and ``verify`` print it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from .screen import Screen

if TYPE_CHECKING:
    from ..artifact import Manifest, Parity


def print_parity(screen: Screen, manifest: Manifest, parity: Parity | None) -> None:
    """Print the precision of every part, and what was measured of those that were compared."""
    weights = {part: str(stored) for part, stored in manifest.quantization.items()}
    if parity is None:
        screen.table(("part", "weights"), list(weights.items()))
        typer.echo("not verified")
        return
    rows = []
    for part in dict.fromkeys([*weights, *parity.parts]):
        found = parity.parts.get(part)
        numbers = (
            (f"{found.cosine:.6f}", f"{found.relative_error:.2e}", f"{found.max_error:.2e}")
            if found
            else ("-", "-", "-")
        )
        rows.append((part, weights.get(part, "-"), *numbers))
    screen.table(("part", "weights", "cosine", "relative error", "max error"), rows)
    typer.echo(
        f"token agreement {parity.token_agreement:.2%}; "
        f"word error rate {parity.wer:.2%}, {parity.wer - parity.wer_reference:+.2%} "
        f"against the checkpoint, over {parity.n_recordings} recordings"
    )


def size_text(n_bytes: int) -> str:
    """Bytes as a reader says them: ``9.3 MiB``."""
    return f"{n_bytes / 2**20:.1f} MiB"
