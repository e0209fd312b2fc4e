"""What every matrix costs in every precision: measured one by one, and kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ...exporters.targets import read
from ...models.checkpoint import Checkpoint
from ...models.parameters import Rounder, prepare, to_nearest
from ...models.quantize import Recipe
from ..types import Progress, no_progress
from .blas import one_blas_thread
from .lab_journal import Cell, LabJournal
from .listening import Heard
from .ranking import Probe


@dataclass(frozen=True)
class Sensitivity:
    """The table: for every matrix, what it costs in every precision.

    Attributes:
        precisions: As the command line writes them, in the order asked for.
        losses: Divergence from the unquantized checkpoint, in nats, where this matrix alone is so
            stored: by matrix, then by precision.
        n_bytes: Of the matrix, likewise.
    """

    precisions: tuple[str, ...]
    losses: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    n_bytes: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    @classmethod
    def of(cls, precisions: Sequence[str], cells: Mapping[tuple[str, str], Cell]) -> Sensitivity:
        """From cells by matrix and precision; all of them have to be there."""
        names = dict.fromkeys(matrix for matrix, _ in cells)
        wanted = {name: [cells[name, precision] for precision in precisions] for name in names}
        return cls(
            tuple(precisions),
            {name: {c.precision: c.divergence for c in row} for name, row in wanted.items()},
            {name: {c.precision: c.n_bytes for c in row} for name, row in wanted.items()},
        )


@one_blas_thread()
def measure_sensitivity(
    checkpoint: Checkpoint,
    precisions: Sequence[str],
    heard: Sequence[Heard],
    journal: LabJournal,
    *,
    rounder: Rounder = to_nearest,
    progress: Progress = no_progress,
) -> Sensitivity:
    """Store one matrix at a time in each precision, and see what the checkpoint loses.

    Args:
        checkpoint: What is measured.
        precisions: As the command line writes them.
        heard: What it makes of recordings, in floats.
        journal: What is known already, and where what is found goes.
        rounder: See ``prepare``.
        progress: Told the stage "measure the matrices".
    """
    exact = prepare(checkpoint, Recipe.of("fp32"))
    names = tuple(exact.matrices)
    cells = {
        (name, precision): journal.cells.get((name, precision))
        for name in names
        for precision in precisions
    }
    n_known = sum(cell is not None for cell in cells.values())
    probe = Probe(exact, checkpoint.dimensions, heard) if n_known < len(cells) else None
    for precision in precisions:
        missing = [name for name in names if cells[name, precision] is None]
        if not missing or probe is None:
            continue
        stored = read(precision)
        # One precision at a time: in all of them at once a model would fill the memory.
        coarse = prepare(checkpoint, Recipe(stored, stored, stored), rounder=rounder)
        for name in missing:
            progress("measure the matrices", n_known / len(cells))
            # Float arithmetic can make a divergence of nothing come out just below it.
            divergence = max(0.0, probe.divergence(coarse, name))
            cell = Cell(name, precision, divergence, coarse.matrices[name].nbytes)
            journal.append(cell)
            cells[name, precision] = cell
            n_known += 1
    progress("measure the matrices", 1.0)
    return Sensitivity.of(precisions, {key: cell for key, cell in cells.items() if cell})
