"""What activations look like on real recordings: the calibration of static grids."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from ..edge.types import FloatArray, GenerationSettings, IntArray, ModelDimensions
from .grid import Extent
from .parameters import Parameters
from .reference import NumpyOps
from .whisper import decode, encode


@dataclass(frozen=True)
class CalibrationSample:
    """One recording, for a target whose activations have fixed ranges.

    Attributes:
        mel: Log-mel features of one window, (n_mels, n_frames).
        tokens: The prompt and what was said, (n_tokens,).
    """

    mel: FloatArray
    tokens: IntArray


class ObservingOps(NumpyOps):
    """Computes without rounding and keeps what it sees.

    Args:
        parameters: Quantized like the export's, whose grids are sought.

    Attributes:
        extents: Of every place passed so far; ``NumpyOps.at`` names them.
    """

    def __init__(self, parameters: Parameters) -> None:
        super().__init__(Parameters(parameters.matrices, parameters.vectors))
        self.extents: dict[str, Extent] = {}

    def at(self, x: FloatArray, place: str) -> FloatArray:
        """See NumpyOps; nothing is rounded."""
        extent = Extent.of(x)
        self.extents[place] = self.extents.get(place, extent).joined(extent)
        return x


def observe(
    parameters: Parameters,
    dimensions: ModelDimensions,
    generation: GenerationSettings,
    samples: Iterable[CalibrationSample],
    done: Callable[[int], None] = lambda _: None,
) -> dict[str, Extent]:
    """Run the model over recordings whose text is known.

    Every token is a step of its own, as in decoding: so the head is seen at all of them, and no
    row of attention scores holds a token that is yet to come.

    Args:
        parameters: Of the export.
        dimensions: The model's shape.
        generation: Names the alignment heads.
        samples: At least one.
        done: Told the number of samples done.

    Returns:
        The extent of every place in the encoder and the decoder.
    """
    ops = ObservingOps(parameters)
    for i, sample in enumerate(samples):
        encode(ops, np.ascontiguousarray(sample.mel.T)[None], dimensions)
        for token in sample.tokens[: dimensions.n_text_ctx]:
            ops.tokens = np.array([[token]], np.int64)
            ops.alignment = []
            decode(ops, dimensions, generation.alignment_heads)
            ops.cache.n_past += 1
        done(i + 1)
    return ops.extents
