"""The artifacts that are profiled: those that are named, or exports of every wanted kind."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

from ..errors import ConfigError
from .export_all import rows_of_progress
from .export_index import data_folder
from .profile_options import ALL, chosen
from .screen import Screen

if TYPE_CHECKING:
    from ...models.checkpoint import Checkpoint
    from ..artifact import Artifact
    from ..evaluation.plan import Job
    from ..types import PrecisionName

PRECISIONS = ("int8", "int5", "int4", "fp16", "fp32")


def named_artifacts(folders: Sequence[Path]) -> list[Artifact]:
    """The artifacts in these folders.

    Raises:
        ArtifactError: One is incomplete, changed or of another version.
    """
    from ..artifact import Artifact

    return [Artifact.read(folder) for folder in folders]


def exported_artifacts(screen: Screen, model: str, targets: str, precisions: str) -> list[Artifact]:
    """Exports of a model, made where they are missing.

    They are not verified: accuracy is measured beside the speed. What is there already, verified or
    not, is taken as it is. An export that fails is left out, with a line that says why.

    Args:
        screen: Told about it.
        model: As ``export`` takes it.
        targets: Names with commas, or ``all`` for those that are installed.
        precisions: Likewise, or ``all`` for what each target offers.

    Raises:
        ConfigError: There is nothing to export to, or nothing came of it.
    """
    from ...exporters import TARGETS
    from ...models.tensors import n_parameters
    from ..evaluation.plan import installed_targets
    from ..evaluation.several import affordable_workers, run_side_by_side

    installed = installed_targets()
    names = installed if targets.strip() == ALL else chosen("target", targets, list(TARGETS))
    if not names:
        raise ConfigError(
            "no target can be exported here; name artifacts, or see: whisperq-edge targets"
        )
    found: list[Artifact] = []
    checkpoint = _checkpoint(screen, model)
    for precision in chosen("precision", precisions, PRECISIONS):
        jobs = list(_jobs(screen, checkpoint, model, names, cast("PrecisionName", precision)))
        done = {job.target: job.done(checkpoint) for job in jobs}
        todo = [job for job in jobs if done[job.target] is None]
        n_workers = affordable_workers(n_parameters(checkpoint.dimensions))
        with rows_of_progress(screen, [job.target for job in todo]) as report:
            outcomes = run_side_by_side(todo, n_workers, report)
        for outcome in outcomes:
            if outcome.error:
                screen.note(f"{outcome.job.target} {precision} is left out: {outcome.error}")
            else:
                done[outcome.job.target] = outcome.job.done(checkpoint)
        found += [artifact for artifact in done.values() if artifact is not None]
    if not found:
        raise ConfigError("there is nothing to profile")
    return found


def _checkpoint(screen: Screen, model: str) -> Checkpoint:
    from ...models.checkpoint import load_checkpoint

    with screen.progress() as progress:
        return load_checkpoint(model, progress=progress)


def _jobs(
    screen: Screen,
    checkpoint: Checkpoint,
    model: str,
    targets: Sequence[str],
    precision: PrecisionName,
) -> Iterator[Job]:
    """One for each target that offers the precision."""
    from ...exporters.targets import offers
    from ...models.quantize import Recipe
    from ..evaluation.plan import Wish, plan

    recipe = Recipe.of(precision)
    wish = Wish.unjudged(model, precision)
    for job in plan(wish, targets, data_folder() / "artifacts", checkpoint.name):
        if offers(job.target, job.wish.layout, recipe):
            yield job
        else:
            screen.detail(f"{job.target} has no {precision}; left out")
