"""What ``export`` is asked to store weights as: from its options, or from a recipe file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError
from .labelled_speech import labelled_speech
from .precision import make_recipe, pick_precision, pick_rounding, recipe_name
from .screen import Screen

if TYPE_CHECKING:
    from ...models.checkpoint import Checkpoint
    from ...models.quantize import Recipe
    from ..evaluation.recipe_file import RecipeFile
    from ..evaluation.recordings import LabelledRecording
    from ..types import PrecisionName, Rounding


@dataclass(frozen=True)
class WantedPrecisions:
    """What is asked for.

    Attributes:
        recipe: None where measurement is to choose.
        name: For a folder.
        rounding: Of the recipe, or of the one that measurement will choose.
        file: Where the recipe comes from, if from a file.
    """

    recipe: Recipe | None
    name: str
    rounding: Rounding
    file: RecipeFile | None = None

    def warn(
        self,
        screen: Screen,
        checkpoint: Checkpoint,
        calibration: tuple[LabelledRecording, ...] = (),
    ) -> None:
        """Say what of a recipe file does not hold here: no more than its measurements.

        Its layers are checked by the export, and what becomes of them by the gate.
        """
        if self.file is None:
            return
        mark = self.file.checkpoint
        if mark is not None and mark.digest != checkpoint.digest:
            screen.note(
                f"warning: the recipe was measured on {mark.name} ({mark.digest[:12]}), not on "
                f"this checkpoint ({checkpoint.digest[:12]}); the gate alone speaks for it"
            )
        if (heard := self.file.calibration_digest) is None:
            return
        from ..evaluation.calibration import bundled_calibration, digest_of

        if heard != (digest_of(calibration) if calibration else bundled_calibration()):
            screen.note(
                "warning: the recipe was measured with other calibration recordings; name them "
                "by --calibration"
            )


def wanted_precisions(
    recipe_file: Path | None,
    precision: str | None,
    flags: Mapping[PrecisionName, bool],
    parts: Mapping[str, Any],
    rounding: str | None,
) -> WantedPrecisions:
    """Read the options.

    Args:
        recipe_file: ``--recipe``, which excludes all others.
        precision: ``--precision``.
        flags: ``--int8`` and its siblings.
        parts: The ``--quant`` options, as ``make_recipe`` names them.
        rounding: ``--rounding``.

    Raises:
        ConfigError: They contradict each other or cannot be read.
    """
    if recipe_file is None:
        how = pick_rounding(rounding or "nearest")
        chosen = pick_precision(precision, flags)
        recipe = make_recipe(chosen, **parts)
        if recipe is None:
            name = chosen if how == "nearest" else f"{chosen}-{how}"
            return WantedPrecisions(None, name, how)
        recipe = replace(recipe, rounding=how)
        return WantedPrecisions(recipe, recipe_name(recipe), how)
    given = [f"--{name}" for name, is_given in flags.items() if is_given]
    given += ["--precision"] * (precision is not None) + ["--rounding"] * (rounding is not None)
    given += [f"--quant-{name}" for name, value in parts.items() if value is not None]
    if given:
        raise ConfigError(f"--recipe says how all is stored; leave out {', '.join(given)}")
    from ..evaluation.recipe_file import read_recipe_file

    file = read_recipe_file(recipe_file)
    return WantedPrecisions(file.recipe, recipe_file.stem, file.rounding, file)


def calibration_speech(name: str | None, rounding: Rounding) -> tuple[LabelledRecording, ...]:
    """The recordings of ``--calibration``; none for the bundled ones.

    Raises:
        ConfigError: Nothing listens to them, or there is no such set.
    """
    if name is None:
        return ()
    if rounding == "nearest":
        raise ConfigError("--calibration is what --rounding gptq listens to; give both")
    return tuple(labelled_speech(name))
