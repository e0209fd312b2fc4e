"""Grids fixed at export, for targets that round every activation to the same steps each time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ..edge.types import FloatArray

SMALLEST_SCALE = np.float32(1e-9)  # of an activation that was zero in every recording


@dataclass(frozen=True)
class Extent:
    """What was seen of one activation over all recordings.

    Attributes:
        low: The smallest value.
        high: The largest.
        least_peak: The smallest of all rows' largest values.
    """

    low: float
    high: float
    least_peak: float

    @classmethod
    def of(cls, x: FloatArray) -> Extent:
        """Of one array; rows lie along the last axis."""
        peaks = x.max(-1)
        return cls(float(x.min()), float(peaks.max()), float(peaks.min()))

    def joined(self, other: Extent) -> Extent:
        """Of both."""
        return Extent(
            min(self.low, other.low),
            max(self.high, other.high),
            min(self.least_peak, other.least_peak),
        )


@dataclass(frozen=True)
class Grid:
    """Evenly spaced values, zero among them: ``value = (step - zero) * scale``.

    Attributes:
        scale: Between two neighbours; one number, or one for each channel.
        zero: The step that stands for 0; an integer whose type is that of all steps.
    """

    scale: np.float32 | FloatArray
    zero: np.integer[Any]

    @classmethod
    def spanning(cls, low: float, high: float, dtype: DTypeLike) -> Grid:
        """All steps of an integer type, from ``low`` to ``high`` or a little beyond."""
        limits = np.iinfo(np.dtype(dtype))
        low, high = min(low, 0.0), max(high, 0.0)
        scale = max(np.float32((high - low) / (limits.max - limits.min)), SMALLEST_SCALE)
        zero = np.clip(np.rint(limits.min - low / scale), limits.min, limits.max)
        return cls(np.float32(scale), limits.dtype.type(int(zero)))

    @classmethod
    def symmetric(cls, extent: Extent) -> Grid:
        """255 steps of int8 around zero."""
        largest = max(abs(extent.low), abs(extent.high))
        scale = max(np.float32(largest / np.iinfo(np.int8).max), SMALLEST_SCALE)
        return cls(np.float32(scale), np.int8(0))

    def steps(self, x: FloatArray) -> NDArray[Any]:
        """The nearest step of every value, in the integer type.

        Source:
            The ONNX operator QuantizeLinear: halves go to the even step, then the ends clamp.
        """
        return self._places(x).astype(self.zero.dtype)

    def round(self, x: FloatArray) -> FloatArray:
        """The nearest value of every value."""
        places = self._places(x)
        places -= np.float32(self.zero)
        places *= self.scale
        return places

    def _places(self, x: FloatArray) -> FloatArray:
        """``steps``, still as floats: they hold 16-bit integers exactly."""
        limits = np.iinfo(self.zero.dtype)
        places = np.divide(x, self.scale, dtype=np.float32)
        np.rint(places, out=places)
        places += np.float32(self.zero)
        np.clip(places, limits.min, limits.max, out=places)
        return places
