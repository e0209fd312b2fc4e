"""From the precision options of ``export`` to a recipe, and from a recipe to a short name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, cast, get_args

from ..errors import ConfigError, UnknownNameError

if TYPE_CHECKING:
    from ...models.quantize import Recipe
    from ..types import Precision, PrecisionName, Rounding


AUTO = "auto"


def pick_precision(name: str | None, flags: Mapping[PrecisionName, bool]) -> str:
    """The one precision that ``--precision`` or a flag names; int8 where nothing does.

    Raises:
        ConfigError: There are several, or there is no such precision.
    """
    from ..types import PrecisionName

    if name is not None and name not in (AUTO, *get_args(PrecisionName)):
        raise UnknownNameError("precision", name, (AUTO, *get_args(PrecisionName)))
    given = [flag for flag, is_given in flags.items() if is_given]
    if name is not None and name not in given:
        given = [*given, cast("PrecisionName", name)]
    if len(given) > 1:
        words = [f"--{flag}" if flags.get(flag) else f"--precision {flag}" for flag in given]
        raise ConfigError(f"{' and '.join(words)} exclude each other; give one precision")
    return given[0] if given else "int8"


def make_recipe(
    chosen: str,
    block: int | None,
    encoder: str | None,
    decoder: str | None,
    head: str | None,
) -> Recipe | None:
    """The recipe that the options ask for; None where measurement is to choose.

    Args:
        chosen: As ``pick_precision`` gives it.
        block: Inputs that share a scale, in every part that this precision is for.
        encoder: ``PRECISION[:BLOCK]`` of this part, instead of that precision.
        decoder: Likewise.
        head: Likewise.

    Raises:
        ConfigError: The options contradict each other or cannot be read.
        UnsupportedPrecisionError: There is no such combination.
    """
    from ...models.quantize import Recipe

    if chosen == AUTO:
        if block or encoder or decoder or head:
            raise ConfigError("--precision auto chooses by itself; leave the --quant options out")
        return None
    base = Recipe.of(cast("PrecisionName", chosen), block)
    return Recipe(
        encoder=parse_precision(encoder) if encoder else base.encoder,
        decoder=parse_precision(decoder) if decoder else base.decoder,
        head=parse_precision(head) if head else base.head,
    )


def parse_precision(text: str) -> Precision:
    """Read ``int8``, ``int8:128`` or ``int4:32``; int4 alone takes its usual block.

    Raises:
        ConfigError: It is not of that form.
        UnsupportedPrecisionError: There is no such combination.
    """
    from ...models.precision_text import parse_precision

    return parse_precision(text)


def pick_rounding(name: str) -> Rounding:
    """How int4 is rounded.

    Raises:
        UnknownNameError: There is no such way.
    """
    from ..types import Rounding

    if name not in get_args(Rounding):
        raise UnknownNameError("rounding", name, get_args(Rounding))
    return cast("Rounding", name)


def recipe_name(recipe: Recipe) -> str:
    """A name for a folder: ``int8``, or the parts where they differ from any plain recipe."""
    if recipe.rounding != "nearest":
        return f"{recipe_name(replace(recipe, rounding='nearest'))}-{recipe.rounding}"
    from ...models.quantize import Recipe
    from ..types import PrecisionName

    for name in get_args(PrecisionName):
        if recipe == Recipe.of(name):
            return str(name)
    parts = (recipe.encoder, recipe.decoder, recipe.head)
    words = [part.name if part.block is None else f"{part.name}b{part.block}" for part in parts]
    return words[0] if len(set(words)) == 1 else "-".join(words)
