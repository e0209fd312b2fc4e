"""What every matrix multiplies on real recordings, summed to its second moments."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from ..edge.types import FloatArray, GenerationSettings, ModelDimensions
from .gptq import Moment
from .observer import CalibrationSample
from .parameters import Parameters
from .reference import NumpyOps
from .whisper import decode, encode


class MomentOps(NumpyOps):
    """Computes without rounding and sums x x^T of every product's inputs x.

    Args:
        parameters: The checkpoint's, in floats.
    """

    def __init__(self, parameters: Parameters) -> None:
        super().__init__(parameters)
        self._sums: dict[str, Moment] = {}
        self._n_rows: dict[str, int] = {}

    def at(self, x: FloatArray, place: str) -> FloatArray:
        """See NumpyOps; nothing is rounded."""
        name, _, what = place.rpartition(".")
        if what == "input":
            rows = x.reshape(-1, x.shape[-1]).astype(np.float64)
            # One matrix for the sum, and one for the product: the moments are what needs memory.
            self._sums[name] = self._sums.get(name, 0.0) + rows.T @ rows
            self._n_rows[name] = self._n_rows.get(name, 0) + len(rows)
        return x

    def head(self, x: FloatArray, name: str) -> FloatArray:
        """Not needed: its table is the embedding as well, and rounded to the nearest."""
        return x[:, -1]

    @property
    def moments(self) -> dict[str, Moment]:
        """By matrix; float64, eight times the square of its inputs in bytes."""
        return {name: total / self._n_rows[name] for name, total in self._sums.items()}


def input_moments(
    parameters: Parameters,
    dimensions: ModelDimensions,
    generation: GenerationSettings,
    samples: Iterable[CalibrationSample],
    done: Callable[[int], None] = lambda _: None,
) -> dict[str, Moment]:
    """Run the model over recordings whose text is known.

    Args:
        parameters: The checkpoint's, in floats, not smoothed.
        dimensions: The model's shape.
        generation: Names the alignment heads.
        samples: At least one.
        done: Told the number of samples done.

    Returns:
        The moment of every matrix but the head's.
    """
    ops = MomentOps(parameters)
    for i, sample in enumerate(samples):
        encode(ops, np.ascontiguousarray(sample.mel.T)[None], dimensions)
        ops.tokens = sample.tokens[None, : dimensions.n_text_ctx]
        ops.alignment = []
        decode(ops, dimensions, generation.alignment_heads)
        done(i + 1)
    return ops.moments
