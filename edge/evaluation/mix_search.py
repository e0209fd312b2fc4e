"""The smallest mixture of precisions that keeps a limit, found along a path of cheap gains."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import msgspec

from ...exporters.targets import read
from ...models.quantize import Recipe
from ..errors import ConfigError
from ..parity import CurvePoint
from ..types import Progress, Rounding, no_progress
from .lab_journal import LabJournal, MixPoint
from .mixed import Judge
from .recipe_file import by_parts
from .sensitivity import Sensitivity

QUARTERS = 4  # of the path, whose ends are measured before the search: the printed curve


class Step(msgspec.Struct, frozen=True):
    """One matrix stored more finely.

    Attributes:
        matrix: Its name.
        precision: What it gets.
        gain: Divergence saved for every byte, as measured on this matrix alone.
    """

    matrix: str
    precision: str
    gain: float


def steps_of(sensitivity: Sensitivity) -> tuple[dict[str, str], list[Step]]:
    """The cheapest mixture, and every step up from it that pays, the best first.

    Losses are taken to add up. Of each matrix only the precisions on the lower convex hull of
    bytes and loss come into question: the others cost more bytes for each bit of loss saved.

    Args:
        sensitivity: Every matrix in every precision.

    Returns:
        The precision of each matrix at the start; the steps, those of one matrix in their order.
    """
    start: dict[str, str] = {}
    steps: list[Step] = []
    for matrix, losses in sensitivity.losses.items():
        sizes = sensitivity.n_bytes[matrix]
        hull = _lower_hull([(sizes[p], losses[p], p) for p in losses])
        start[matrix] = hull[0][2]
        for (size, loss, _), (larger, smaller, precision) in pairwise(hull):
            steps.append(Step(matrix, precision, (loss - smaller) / (larger - size)))
    return start, sorted(steps, key=lambda step: -step.gain)


def _lower_hull(points: Sequence[tuple[int, float, str]]) -> list[tuple[int, float, str]]:
    """From the fewest bytes to the least loss; every gain is smaller than the one before."""
    hull: list[tuple[int, float, str]] = []
    for point in sorted(points):
        if hull and point[1] >= hull[-1][1]:
            continue
        while hull and (point[0] == hull[-1][0] or _is_above(hull, point)):
            hull.pop()
        hull.append(point)
    return hull


def _is_above(hull: Sequence[tuple[int, float, str]], point: tuple[int, float, str]) -> bool:
    """Whether the last point lies on or above the line from the one before to a new one."""
    if len(hull) < 2:
        return False
    (x0, y0, _), (x1, y1, _), (x2, y2, _) = hull[-2], hull[-1], point
    return (y0 - y1) * (x2 - x0) <= (y0 - y2) * (x1 - x0)


@dataclass(frozen=True)
class MixPath:
    """Mixtures from the smallest to the finest, each a step from the one before."""

    start: Mapping[str, str]
    steps: Sequence[Step]

    def mixture(self, n_steps: int) -> dict[str, str]:
        """The precision of each matrix after the first steps."""
        return {**self.start, **{s.matrix: s.precision for s in self.steps[:n_steps]}}

    def led_by(self, n_steps: int) -> MixPath:
        """The first steps in another order: the last of them is taken beforehand.

        A step of a large matrix comes late, since it gains little a byte; once it is taken, many of
        the small ones before it may not be needed.
        """
        last = self.steps[n_steps - 1]
        others = [step for step in self.steps[:n_steps] if step.matrix != last.matrix]
        return MixPath({**self.start, last.matrix: last.precision}, others)


class Tried(NamedTuple):
    """A mixture, and what was measured of it."""

    mixture: Mapping[str, str]
    point: CurvePoint


@dataclass
class MixSearch:
    """Looks for the smallest mixture that keeps a limit; what is measured goes to the journal.

    Attributes:
        judge: Measures mixtures.
        journal: What is known already.
        passes: Whether a point keeps the limit.
        rounding: Of int4.
        progress: Told the stage "try mixtures".
    """

    judge: Judge
    journal: LabJournal
    passes: Callable[[CurvePoint], bool]
    rounding: Rounding = "nearest"
    progress: Progress = no_progress

    def run(self, path: MixPath) -> tuple[Tried, ...]:
        """Measure mixtures along a path until the smallest that keeps the limit is known.

        The ends and the quarters are measured in any case, so that there is a curve to look at.
        Then the last of them that fails and the one after it are brought together by bisection:
        word errors rise and fall by chance, and a lucky mixture before one that fails is not
        taken. Then the same once more with the step that was last needed taken first.

        Returns:
            What was measured, the chosen one last if the limit can be kept at all.
        """
        tried: list[Tried] = []
        needed = self._first_kept(path, tried)
        if needed:
            path = path.led_by(needed)
            needed = self._first_kept(path, tried)
        if needed is not None:
            tried.append(self._tried(path.mixture(needed)))
        self.progress("try mixtures", 1.0)
        return tuple(tried)

    def _first_kept(self, path: MixPath, tried: list[Tried]) -> int | None:
        """The steps to the smallest mixture that keeps the limit, as do all beyond it."""
        n_steps = len(path.steps)
        grid = sorted({round(n_steps * quarter / QUARTERS) for quarter in range(QUARTERS + 1)})
        n_before, n_most = len(tried), len(grid) + max(1, n_steps.bit_length() - 2)

        def keeps(n: int) -> bool:
            self.progress("try mixtures", min(1.0, (len(tried) - n_before) / n_most))
            tried.append(self._tried(path.mixture(n)))
            return tried[-1].point.passed

        failed = [n for n in grid if not keeps(n)]
        fails = max(failed, default=-1)
        passes = next((n for n in grid if n > fails), None)
        while passes is not None and fails >= 0 and passes - fails > 1:
            middle = (fails + passes) // 2
            if keeps(middle):
                passes = middle
            else:
                fails = middle
        return passes

    def _tried(self, mixture: Mapping[str, str]) -> Tried:
        key = hashlib.sha256(msgspec.json.encode(sorted(mixture.items()))).hexdigest()
        point = self.journal.mixes.get(key)
        if point is None:
            point = self.judge.point(recipe_of(mixture, self.rounding), 0)
            self.journal.append(MixPoint(key, point))
        return Tried(mixture, msgspec.structs.replace(point, passed=self.passes(point)))


def recipe_of(mixture: Mapping[str, str], rounding: Rounding) -> Recipe:
    """A mixture as a recipe; without int4 it has nothing to round by recordings."""
    matrices = {name: read(text) for name, text in mixture.items()}
    recipe = by_parts(matrices, rounding)
    return recipe if recipe.has_int4 else by_parts(matrices)


def chosen(tried: Sequence[Tried], limit: str) -> Tried:
    """The mixture that a search ended with.

    Args:
        tried: From ``MixSearch.run``.
        limit: In words, for the message.

    Raises:
        ConfigError: The finest mixture does not keep it.
    """
    last = tried[-1]
    if not last.point.passed:
        raise ConfigError(
            f"not even the finest mixture keeps {limit}: it has a word error rate of "
            f"{last.point.wer:.4f} and a divergence of {last.point.divergence:.6f}; allow more, "
            "or offer finer --precisions"
        )
    return last
