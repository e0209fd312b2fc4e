"""What a study exports: a checkpoint for a target in a precision, each only once."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

from ...exporters import TARGETS
from ...exporters.targets import granted, offers
from ..evaluation.plan import Job, Wish, fit, folder_name
from ..profiling.configuration import precision_name
from .config import GeneralPrecision, StudyConfig


@dataclass(frozen=True)
class Cell:
    """One artifact of the study.

    Attributes:
        checkpoint: As the file names it.
        target: The format.
        precision: Its general name.
        stored: What the format calls it: "int4:32", "q8_0".
        instead_of: Coarser precisions that were asked for and that the target has not.
        job: Exports it.
    """

    checkpoint: str
    target: str
    precision: GeneralPrecision
    stored: str
    instead_of: tuple[GeneralPrecision, ...]
    job: Job


@dataclass(frozen=True)
class Absent:
    """A precision that a target has not, nor a finer one."""

    checkpoint: str
    target: str
    precision: GeneralPrecision
    reason: str


def cells_of(
    config: StudyConfig, models: Mapping[str, str], folder: Path
) -> tuple[list[Cell], list[Absent]]:
    """Every artifact that the study needs, and what cannot be had.

    Args:
        config: Of the study.
        models: What ``export --model`` takes for each of its checkpoints.
        folder: Where the artifacts go.
    """
    cells, absent = list[Cell](), list[Absent]()
    for checkpoint in config.checkpoints:
        for target in config.targets:
            for found in _of_target(config, checkpoint, models[checkpoint], target, folder):
                if isinstance(found, Cell):
                    cells.append(found)
                else:
                    absent.append(found)
    return cells, absent


def _of_target(
    config: StudyConfig, checkpoint: str, model: str, target: str, folder: Path
) -> Iterator[Cell | Absent]:
    """One cell for each way in which the target stores weights, finest wish first in the file."""
    found: dict[str, Cell] = {}
    for asked in config.precisions:
        wish, _ = fit(Wish.unjudged(model, asked), target, TARGETS[target])
        recipe = wish.recipe
        assert recipe is not None
        if not offers(target, wish.layout, recipe):
            reason = f"{target} ({wish.layout}) has no {asked}, and nothing as fine"
            yield Absent(checkpoint, target, asked, reason)
            continue
        precision = cast(GeneralPrecision, recipe.encoder.name)
        wish = replace(wish, precision=precision)
        stored = precision_name(granted(target, wish.layout, recipe).quantization)
        before = found.get(stored)
        instead = (before.instead_of if before else ()) + ((asked,) if asked != precision else ())
        name = folder_name(_slug(checkpoint), target, wish)
        found[stored] = Cell(
            checkpoint, target, precision, stored, instead, Job(target, wish, folder / name)
        )
    yield from found.values()


def _slug(checkpoint: str) -> str:
    """A name for a folder, unlike that of any other checkpoint of the study."""
    return re.sub(r"[^A-Za-z0-9.]+", "-", checkpoint).strip("-")
