"""What ``export --target all`` has to do: one job for each target that is installed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Self

from ... import __version__
from ...exporters import TARGETS, ExportRequest
from ...exporters.targets import Layout, Target, granted, read, written
from ...models.checkpoint import Checkpoint, load_checkpoint
from ...models.quantize import Recipe
from ..artifact import Artifact, Manifest
from ..errors import ArtifactError
from ..parity import Calibration
from ..types import Precision, PrecisionName, Progress, Rounding
from .calibration import bundled_calibration, calibrated_rounding, digest_of
from .export import export
from .mixed import export_mixed
from .recordings import LabelledRecording

FINER: Mapping[PrecisionName, tuple[PrecisionName, ...]] = {
    "int4": ("int4", "int5", "int8", "fp16", "fp32"),
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
        rounding: Of the recipe that measurement chooses.
        calibration: Recordings for a rounding that listens; empty for the bundled ones.
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
    rounding: Rounding = "nearest"
    calibration: tuple[LabelledRecording, ...] = ()

    @property
    def is_calibrated(self) -> bool:
        """Whether recordings have a say in the integers."""
        return (self.recipe.rounding if self.recipe else self.rounding) != "nearest"

    @classmethod
    def unjudged(cls, model: str, precision: PrecisionName) -> Self:
        """An export that somebody else judges, and so neither verified nor refused.

        Args:
            model: As ``load_checkpoint`` takes it.
            precision: A plain one.
        """
        return cls(
            model,
            revision=None,
            offline=False,
            recipe=Recipe.of(precision),
            precision=precision,
            layout="native",
            windows=(),
            socs=(),
            verify=False,
            allow_loss=True,
        )

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
            wish.recipe or replace(Recipe.of("int8"), rounding=wish.rounding),
            wish.layout,
            wish.windows,
            socs=wish.socs,
        )
        target, output, allow_loss = self.target, self.output, wish.allow_loss
        rounder = None
        if wish.calibration and request.recipe.rounding != "nearest":
            rounder = calibrated_rounding(request.checkpoint, wish.calibration, progress)
        if wish.recipe is None:
            return export_mixed(
                target, request, output, allow_loss=allow_loss, rounder=rounder, progress=progress
            )
        return export(
            target,
            request,
            output,
            verify=wish.verify,
            allow_loss=allow_loss,
            rounder=rounder,
            progress=progress,
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
            and self._is_calibrated(manifest.calibration)
            and (not fixed or fixed == (wish.windows or (checkpoint.dimensions.n_audio_ctx,)))
            and (manifest.verdict is not None or not wish.verify)
            and (manifest.refusal is None or wish.allow_loss)
        )

    def _is_calibrated(self, found: Calibration | None) -> bool:
        wish = self.wish
        wanted = wish.recipe.rounding if wish.recipe else wish.rounding
        if found is None or wanted == "nearest":
            return found is None and wanted == "nearest"
        given = digest_of(wish.calibration) if wish.calibration else bundled_calibration()
        return (found.rounding, found.digest) == (wanted, given)


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
    precision = wish.precision
    if recipe is not None:
        meant = offer.granted(recipe)
        taken = {stored: _finer(stored, offer) or stored for stored in meant.quantization.values()}
        changed = {stored: other for stored, other in taken.items() if stored != other}
        notes += [f"{name} ({layout}) has no {a}; taking {b}" for a, b in changed.items()]
        if changed:
            recipe = replace(
                meant,
                encoder=taken[meant.encoder],
                decoder=taken[meant.decoder],
                head=taken[meant.head],
                layers={matrix: taken[stored] for matrix, stored in meant.layers.items()},
            )
            # The head is not told: it may be finer, as it is in int4.
            precision = "-".join(dict.fromkeys((recipe.encoder.name, recipe.decoder.name)))
    fitted = replace(wish, recipe=recipe, precision=precision, layout=layout, windows=windows)
    if fitted.is_calibrated and not _rounds_int4(fitted, offer):
        notes.append(f"{name} ({layout}) has no int4; rounding to the nearest")
        plain = recipe and replace(recipe, rounding="nearest")
        precision = precision.removesuffix("-gptq")
        fitted = replace(fitted, recipe=plain, precision=precision, rounding="nearest")
    return fitted, tuple(notes)


def _rounds_int4(wish: Wish, offer: Layout) -> bool:
    """Whether there is int4 in what a layout makes of a wish."""
    if wish.recipe is not None:
        return wish.recipe.has_int4 and not offer.means.get("int4")
    return any(text.startswith("int4:") for text in offer.precisions)


def _finer(precision: Precision, offer: Layout) -> Precision | None:
    """The same precision if it is offered, or the next that is as fine; None if there is none."""
    if written(precision) in offer.precisions:
        return precision
    for name in FINER.get(precision.name, ()):
        own = offer.means.get(name, name)
        for one in offer.precisions:
            if one.partition(":")[0] == own:
                return read(one)
    return None
