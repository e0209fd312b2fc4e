"""From the precision options of ``export`` to a recipe, and from a recipe to a short name."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast, get_args

from ..errors import ConfigError, UnknownNameError

if TYPE_CHECKING:
    from ...models.quantize import Recipe
    from ..types import Precision, PrecisionName


def make_recipe(
    chosen: list[PrecisionName],
    block: int | None,
    encoder: str | None,
    decoder: str | None,
    head: str | None,
) -> Recipe:
    """The recipe that the options ask for; int8 where they ask for nothing.

    Args:
        chosen: The precisions whose flag was given; at most one may be.
        block: Inputs that share a scale, in every part that this flag sets.
        encoder: ``PRECISION[:BLOCK]`` of this part, instead of the flag's.
        decoder: Likewise.
        head: Likewise.

    Raises:
        ConfigError: The options contradict each other or cannot be read.
        UnsupportedPrecisionError: There is no such combination.
    """
    from ...models.quantize import Recipe

    if len(chosen) > 1:
        flags = " and ".join(f"--{name}" for name in chosen)
        raise ConfigError(f"{flags} exclude each other; give one precision")
    base = Recipe.of(chosen[0] if chosen else "int8", block)
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
    from ...models.quantize import INT4_BLOCK, checked
    from ..types import Precision, PrecisionName

    name, colon, block = text.partition(":")
    if name not in get_args(PrecisionName):
        raise UnknownNameError("precision", name, get_args(PrecisionName))
    if colon and not block.isdecimal():
        raise ConfigError(f"'{text}' is not PRECISION[:BLOCK], such as int8 or int4:32")
    size = int(block) if block else INT4_BLOCK if name == "int4" else None
    return checked(Precision(cast(PrecisionName, name), size))


def recipe_name(recipe: Recipe) -> str:
    """A name for a folder: ``int8``, or the parts where they differ from any plain recipe."""
    from ...models.quantize import Recipe
    from ..types import PrecisionName

    for name in get_args(PrecisionName):
        if recipe == Recipe.of(name):
            return str(name)
    parts = (recipe.encoder, recipe.decoder, recipe.head)
    words = [part.name if part.block is None else f"{part.name}b{part.block}" for part in parts]
    return words[0] if len(set(words)) == 1 else "-".join(words)
