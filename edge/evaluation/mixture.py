"""Mixtures of precisions, from the smallest to the finest: the rungs a target offers, climbed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...exporters.targets import read, target_named
from ...models.parameters import Parameters
from ...models.quantize import INT4_BLOCK, Recipe, checked, part_of
from ..errors import UnknownNameError, UnsupportedPrecisionError
from ..types import Precision

# What each rung is preferred to be, as the table of targets writes it.
RUNGS = (
    (f"int4:{INT4_BLOCK}", "int4:64", "int4:128"),
    ("lut6",),
    ("int8", "int8:32", "int8:64", "int8:128"),
    ("fp16", "fp32"),
)


@dataclass(frozen=True)
class Ladder:
    """The precisions a matrix may have, coarsest first.

    Attributes:
        rungs: At least two. The head starts on the second where the first is int4, because four
            bits there cost the most words.
    """

    rungs: tuple[Precision, ...]

    @classmethod
    def of(cls, offered: Sequence[str]) -> Ladder:
        """The rungs that a layout offers.

        Args:
            offered: As the table of targets lists them.

        Raises:
            UnsupportedPrecisionError: There is nothing to choose between.
        """
        names = [next((name for name in rung if name in offered), None) for rung in RUNGS]
        rungs = tuple(checked(read(name)) for name in names if name)
        if len(rungs) < 2:
            raise UnsupportedPrecisionError(
                f"nothing to choose between: the layout offers {', '.join(offered)}"
            )
        return cls(rungs)

    @classmethod
    def for_target(cls, target: str, layout: str) -> Ladder:
        """The rungs of a layout of a target.

        Raises:
            UnknownNameError: There is no such target or layout.
            UnsupportedPrecisionError: There is nothing to choose between.
        """
        layouts = target_named(target).layouts
        if layout not in layouts:
            raise UnknownNameError("layout", layout, layouts)
        if layouts[layout].is_uniform:
            raise UnsupportedPrecisionError(
                f"nothing to choose between: {target} ({layout}) stores all matrices alike; "
                "give one precision"
            )
        return cls.of(layouts[layout].precisions)

    @property
    def lowest(self) -> Recipe:
        """Everything as coarse as may be."""
        body = self.rungs[0]
        return Recipe(body, body, self.rungs[self._first_of("decoder.embedding")])

    def _first_of(self, name: str) -> int:
        return int(part_of(name) == "head" and self.rungs[0].name == "int4")

    def raises(self, worst_first: Sequence[str]) -> list[tuple[str, Precision]]:
        """Every step up from ``lowest``, in order.

        All matrices climb to one rung, the worst first, before any climbs to the next.
        """
        return [
            (name, rung)
            for index, rung in enumerate(self.rungs)
            for name in worst_first
            if index > self._first_of(name)
        ]

    def recipe(self, worst_first: Sequence[str], n_raises: int) -> Recipe:
        """``lowest`` after the first steps up."""
        lowest = self.lowest
        layers = dict(self.raises(worst_first)[:n_raises])
        return Recipe(lowest.encoder, lowest.decoder, lowest.head, layers)


def n_bytes(parameters: Parameters) -> int:
    """Of all weights as a file holds them: two values of int4 in a byte."""
    vectors, matrices = parameters.vectors.values(), parameters.matrices.values()
    return sum(vector.nbytes for vector in vectors) + sum(matrix.nbytes for matrix in matrices)
