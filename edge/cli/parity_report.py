"""How an artifact compares with its reference, as ``export`` and ``verify`` print it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import typer

from .screen import Screen

if TYPE_CHECKING:
    from ..artifact import Manifest
    from ..parity import Parity


def print_parity(screen: Screen, manifest: Manifest, parity: Parity | None) -> None:
    """Print the precision of every part, and what was measured of those that were compared."""
    weights = weights_by_part(manifest)
    if parity is None:
        screen.table(("part", "weights"), list(weights.items()))
        typer.echo("not verified")
        return
    if parity.token_agreement is None and parity.n_words:
        screen.table(("part", "weights"), list(weights.items()))
        typer.echo(
            f"words alone were judged: error rate {parity.wer:.2%} over {parity.n_words} words in "
            f"{parity.n_recordings} recordings"
        )
        return
    from ..artifact import PLAIN_DECODER
    from ..parity import TOGETHER

    # A graph that does the work of a part on some machines only: its part, and the user's words.
    alternatives = {
        PLAIN_DECODER: ("decoder", "decoder, old CPUs"),
        TOGETHER: ("decoder", TOGETHER),
    }
    unseen = "together, below" if TOGETHER in parity.parts else "with the decoder"
    rows = []
    for part in dict.fromkeys([*weights, *parity.parts]):
        stored_as, name = alternatives.get(part, (part, part))
        found = parity.parts.get(part)
        numbers = (
            (f"{found.cosine:.6f}", f"{found.relative_error:.2e}", f"{found.max_error:.2e}")
            if found
            else (unseen, "", "")
        )
        rows.append((name, weights[stored_as], *numbers))
    screen.table(("part", "weights", "cosine", "relative error", "max error"), rows)
    if parity.token_agreement is None:
        typer.echo("words not judged: another program decodes what this encodes")
        return
    typer.echo(f"token agreement {parity.token_agreement:.2%}; {_words(parity)}")


def weights_by_part(manifest: Manifest) -> dict[str, str]:
    """How the weights of each part are stored, and how many matrices differ from that."""
    from ...models.quantize import PARTS, part_of

    table = manifest.quantization
    others = Counter((part_of(name), stored) for name, stored in table.items() if name not in PARTS)
    return {
        part: ", ".join(
            [str(table[part])]
            + [f"{n} in {stored}" for (owner, stored), n in others.items() if owner == part]
        )
        for part in PARTS
        if part in table
    }


def _words(parity: Parity) -> str:
    if parity.wer_reference is None:
        return (
            f"word error rate {parity.wer:.2%} over {parity.n_recordings} recordings; "
            "the checkpoint's is not known, since the export was not verified"
        )
    if not parity.judges_words:
        return (
            f"words not judged: the checkpoint itself misses {parity.wer_reference:.0%} of them "
            f"in the {parity.n_recordings} bundled recordings"
        )
    return (
        f"word error rate {parity.wer:.2%}, {parity.wer - parity.wer_reference:+.2%} "
        f"against the checkpoint, over {parity.n_words} words in {parity.n_recordings} recordings"
    )


def size_text(n_bytes: int) -> str:
    """Bytes as a reader says them: ``9.3 MiB``."""
    return f"{n_bytes / 2**20:.1f} MiB"
