"""The first step: every artifact of the study, made where it is missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ...models.checkpoint import Checkpoint
from ...models.tensors import n_parameters
from ..artifact import MANIFEST, Artifact, sha256
from ..evaluation.plan import Job
from ..evaluation.several import affordable_workers, run_side_by_side
from .cells import Cell
from .pace import Pace, Report
from .study import Missing


@dataclass(frozen=True)
class Made:
    """A cell, and the artifact that it has become.

    Attributes:
        cell: What was wanted.
        artifact: As it was read.
        digest: sha256 of its manifest.
    """

    cell: Cell
    artifact: Artifact
    digest: str

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.cell.checkpoint} {self.cell.precision} {self.cell.target}"


def export_cells(
    cells: Sequence[Cell], checkpoints: Mapping[str, Checkpoint], report: Report
) -> tuple[list[Made], list[Missing], int]:
    """Export what is not there already, several side by side, each in a process of its own.

    They are not verified: accuracy is measured afterwards.

    Args:
        cells: Of the study.
        checkpoints: By their names in it.
        report: Told how far it is.

    Returns:
        The artifacts in the order of the cells, what could not be had, and how many are new.
    """
    found = {cell.job.output: cell.job.done(checkpoints[cell.checkpoint]) for cell in cells}
    todo = [cell for cell in cells if found[cell.job.output] is None]
    pace, missing = Pace("export", len(todo), report), list[Missing]()
    for batch in _batches(todo):
        checkpoint = checkpoints[batch[0].checkpoint]

        def tell(job: Job, stage: str, done: float) -> None:
            pace.tell(f"{job.output.name}: {stage}")

        pace.tell(", ".join(cell.job.output.name for cell in batch))
        n_workers = affordable_workers(n_parameters(checkpoint.dimensions))
        outcomes = run_side_by_side([cell.job for cell in batch], n_workers, tell)
        for cell, outcome in zip(batch, outcomes, strict=True):
            name = f"{cell.checkpoint} {cell.precision} {cell.target}"
            if outcome.error:
                missing.append(Missing(name, outcome.error))
            else:
                found[cell.job.output] = Artifact.read(cell.job.output)
        pace.finish(len(batch))
    made = [_made(cell, artifact) for cell in cells if (artifact := found[cell.job.output])]
    return made, missing, len(todo) - len(missing)


def _made(cell: Cell, artifact: Artifact) -> Made:
    return Made(cell, artifact, sha256(artifact.folder / MANIFEST))


def _batches(cells: Sequence[Cell]) -> list[list[Cell]]:
    """Cells of one checkpoint and precision: such as run side by side have a target each."""
    kinds: dict[tuple[str, str], list[Cell]] = {}
    for cell in cells:
        kinds.setdefault((cell.checkpoint, cell.precision), []).append(cell)
    return list(kinds.values())
