"""``whisperq-edge export --target all``: every target that is installed, side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import typer

from ..errors import ConfigError
from .export_index import record_finished
from .parity_report import size_text
from .screen import Screen

if TYPE_CHECKING:
    from ..artifact import Artifact
    from ..evaluation.plan import Job, Wish
    from ..evaluation.several import Outcome, Report

ALL = "all"


class Row(msgspec.Struct, frozen=True):
    """What became of one target."""

    target: str
    precision: str
    artifact: str | None
    bytes: int | None
    seconds: float | None
    token_agreement: float | None
    wer: float | None
    verdict: str
    status: int


def export_all(screen: Screen, wish: Wish, folder: Path, *, as_json: bool) -> None:
    """Export to every installed target and print a table.

    Args:
        screen: Where to print.
        wish: What is asked of each.
        folder: Where the artifacts go.
        as_json: Print rows instead of the table.

    Raises:
        ConfigError: Nothing is installed, or the checkpoint cannot be read.
        Exit: With the status of the first target that failed.
    """
    from ...models.tensors import n_parameters
    from ..evaluation.plan import installed_targets, plan
    from ..evaluation.several import affordable_workers, run_side_by_side

    targets = installed_targets()
    if not targets:
        raise ConfigError("no target is installed; whisperq-edge targets shows what to install")
    with screen.progress() as progress:  # a download, once for all
        checkpoint = wish.checkpoint(progress)
    jobs = list(plan(wish, targets, folder, checkpoint.name))
    for note in (note for job in jobs for note in job.notes):
        screen.note(note)
    done = {job.target: job.done(checkpoint) for job in jobs}
    todo = [job for job in jobs if done[job.target] is None]
    n_workers = affordable_workers(n_parameters(checkpoint.dimensions))
    with rows_of_progress(screen, [job.target for job in todo]) as report:
        outcomes = {o.job.target: o for o in run_side_by_side(todo, n_workers, report)}
    rows = [_row(job, done[job.target], outcomes.get(job.target)) for job in jobs]
    for job in todo:
        if not outcomes[job.target].status:
            record_finished(screen, job.output)
    _print(screen, rows, as_json)
    if failed := next((row.status for row in rows if row.status), 0):
        raise typer.Exit(failed)


def _row(job: Job, found: Artifact | None, outcome: Outcome | None) -> Row:
    if outcome is not None and outcome.error is not None:
        return Row(
            job.target, job.wish.precision, None, None, round(outcome.seconds, 1), None, None,
            outcome.error, outcome.status,
        )  # fmt: skip
    from ..artifact import Artifact

    artifact = found or Artifact.read(job.output)
    manifest = artifact.manifest
    parity, verdict = manifest.parity, manifest.verdict
    said = "not verified" if verdict is None else "passed" if verdict.passed else "loss allowed"
    return Row(
        job.target,
        job.wish.precision,
        str(artifact.folder),
        artifact.size,
        None if outcome is None else round(outcome.seconds, 1),
        parity.loss.token_agreement if parity and parity.loss else None,
        parity.wer if parity and parity.judges_words else None,
        said if outcome else f"{said}; was there already",
        0,
    )


def _print(screen: Screen, rows: Sequence[Row], as_json: bool) -> None:
    if as_json:
        typer.echo(msgspec.json.encode(rows).decode())
        return
    screen.table(
        ("target", "precision", "size", "export", "tokens", "word errors", "verdict"),
        [
            (
                row.target,
                row.precision,
                "" if row.bytes is None else size_text(row.bytes),
                "" if row.seconds is None else f"{row.seconds:.1f} s",
                "" if row.token_agreement is None else f"{row.token_agreement:.2%}",
                "" if row.wer is None else f"{row.wer:.2%}",
                row.verdict,
            )
            for row in rows
        ],
    )


@contextmanager
def rows_of_progress(screen: Screen, targets: Sequence[str]) -> Iterator[Report]:
    """Draw one bar for each target; without a terminal, say the stages if details are wanted."""
    shown: dict[str, str] = {}
    if not screen.draws:

        def say(job: Job, stage: str, _: float) -> None:
            if shown.get(job.target) != stage:
                shown[job.target] = stage
                screen.detail(f"{job.target}: {stage} ...")

        yield say
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.fields[target]}"),
        BarColumn(),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
    )
    bars = Progress(*columns, console=Console(stderr=True), transient=True)
    tasks = {
        target: bars.add_task("waiting", total=1.0, start=False, target=target)
        for target in targets
    }

    def draw(job: Job, stage: str, done: float) -> None:
        task = tasks[job.target]
        if job.target not in shown:
            bars.start_task(task)
        shown[job.target] = stage
        bars.update(task, description=stage, completed=done)

    with bars:
        yield draw
