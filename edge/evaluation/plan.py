"""What ``export --target all`` has to do: one job for each target that is installed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

from ... import __version__
from ...exporters import TARGETS, ExportRequest
from ...exporters.targets import Target, granted, written
from ...models.checkpoint import Checkpoint, load_checkpoint
from ...models.quantize import Recipe
from ..artifact import Artifact, Manifest
from ..errors import ArtifactError
from ..types import Precision, PrecisionName, Progress
from .export import export
from .mixed import export_mixed

FINER: Mapping[PrecisionName, tuple[PrecisionName, ...]] = {
    "int4": ("int4", "int8", "fp16", "fp32"),
    "int5": ("int8", "fp16", "fp32"),
    "int8": ("int8", "fp16", "fp32"),
    "fp16": ("fp16", "fp32"),
    "fp32": ("fp32",),
}


@dataclass(frozen=True)
class Wish:
    """What is asked of every target alike.

    Attributes:
        model: As ``load_checkpoint`` takes it.
        revision: Likewise.
        offline: Likewise.
        recipe: The precisions; None to choose them by measurement.
        precision: A name for them.
        layout: A layout's name; a target without it takes its first.
        windows: Fixed lengths in positions, for targets that need them.
        socs: Qualcomm chips.
        verify: Whether the gate runs.
        allow_loss: Whether what it refuses is kept.
    """

    model: str
    revision: str | None
    offline: bool
    recipe: Recipe | None
    precision: str
    layout: str
    windows: tuple[int, ...]
    socs: tuple[str, ...]
    verify: bool
    allow_loss: bool

    def checkpoint(self, progress: Progress) -> Checkpoint:
        """Load the model.

        Raises:
            CheckpointError: It is not to be had.
        """
        return load_checkpoint(
            self.model, revision=self.revision, offline=self.offline, progress=progress
        )


@dataclass(frozen=True)
class Job:
    """One export.

    Attributes:
        target: Its name.
        wish: With what the target has instead of what it lacks.
        output: Folder of the artifact.
        notes: What it lacks, a line each.
    """

    target: str
    wish: Wish
    output: Path
    notes: tuple[str, ...] = ()

    def run(self, progress: Progress, checkpoint: Checkpoint | None = None) -> Artifact:
        """Do it.

        Args:
            progress: Told how far it is.
            checkpoint: What is exported; None to load it.

        Raises:
            WhisperqError: It could not be done; nothing is left behind.
        """
        wish = self.wish
        request = ExportRequest(
            checkpoint or wish.checkpoint(progress),
            wish.recipe or Recipe.of("int8"),
            wish.layout,
            wish.windows,
            socs=wish.socs,
        )
        target, output, allow_loss = self.target, self.output, wish.allow_loss
        if wish.recipe is None:
            return export_mixed(target, request, output, allow_loss=allow_loss, progress=progress)
        return export(
            target, request, output, verify=wish.verify, allow_loss=allow_loss, progress=progress
        )

    def done(self, checkpoint: Checkpoint) -> Artifact | None:
        """The artifact, if it lies there already as this release would make it."""
        try:
            artifact = Artifact.read(self.output, digests=True)
        except ArtifactError:
            return None
        return artifact if self._matches(artifact.manifest, checkpoint) else None

    def _matches(self, manifest: Manifest, checkpoint: Checkpoint) -> bool:
        wish = self.wish
        fixed = manifest.audio_contexts.fixed
        return (
            manifest.source.digest == checkpoint.digest
            and manifest.tools.get("whisperq-edge") == __version__
            and (manifest.target, manifest.layout) == (self.target, wish.layout)
            and (
                manifest.choice is not None
                if wish.recipe is None
                else manifest.choice is None
                and manifest.quantization
                == granted(self.target, wish.layout, wish.recipe).quantization
            )
            and (not fixed or fixed == (wish.windows or (checkpoint.dimensions.n_audio_ctx,)))
            and (manifest.verdict is not None or not wish.verify)
            and (manifest.refusal is None or wish.allow_loss)
        )


def installed_targets() -> list[str]:
    """The targets whose library is there."""
    return [name for name, target in TARGETS.items() if find_spec(target.module)]


def plan(wish: Wish, targets: Sequence[str], folder: Path, model: str) -> Iterator[Job]:
    """One job for each target, with what it has instead of what it lacks.

    Args:
        wish: What is asked.
        targets: Names in the table.
        folder: Where the artifacts go: ``NAME-TARGET-PRECISION`` below it.
        model: The checkpoint's name.
    """
    for name in targets:
        fitted, notes = fit(wish, name, TARGETS[name])
        yield Job(name, fitted, folder / folder_name(model, name, fitted), notes)


def folder_name(model: str, target: str, wish: Wish) -> str:
    """``demo-onnx-int8``; the layout too, where it is not the native one."""
    words = [re.sub(r"[^A-Za-z0-9.]+", "-", Path(model).name), target, wish.precision]
    return "-".join(words + [wish.layout] * (wish.layout != "native"))


def fit(wish: Wish, name: str, target: Target) -> tuple[Wish, tuple[str, ...]]:
    """The wish as a target can grant it: nothing coarser than asked.

    Returns:
        The wish, and what had to change, a line each. A precision for which there is nothing as
        fine stays, and the export refuses it.
    """
    notes = []
    layout = wish.layout
    if layout not in target.layouts:
        layout = next(iter(target.layouts))
        notes.append(f"{name} has no {wish.layout} layout; taking {layout}")
    offer = target.layouts[layout]
    windows = wish.windows if offer.windows == "choice" else ()
    recipe = wish.recipe
    if recipe is not None and not offer.means:
        for precision in dict.fromkeys(recipe.quantization.values()):
            instead = _finer(precision, offer.precisions)
            if instead not in (None, precision):
                notes.append(f"{name} ({layout}) has no {precision}; taking {instead}")
        encoder, decoder, head = (
            _finer(part, offer.precisions) or part
            for part in (recipe.encoder, recipe.decoder, recipe.head)
        )
        recipe = Recipe(encoder, decoder, head)
    return replace(wish, recipe=recipe, layout=layout, windows=windows), tuple(notes)


def _finer(precision: Precision, offered: Sequence[str]) -> Precision | None:
    """The same precision if it is offered, or the next that is as fine; None if there is none."""
    if written(precision) in offered:
        return precision
    for name in FINER.get(precision.name, ()):
        for one in offered:
            kind, _, block = one.partition(":")
            if kind == name:
                return Precision(name, int(block) if block else None)
    return None
