"""The grids of a Qualcomm export: every activation and every small constant is rounded to one."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ..edge.errors import ExportError
from ..models.grid import Extent, Grid
from ..models.parameters import Parameters
from ..models.quantize import QuantizedTensor

HEAD = "decoder.embedding"
MASK = "decoder.mask"
# How far below a row's largest score a masked token has to be, to have no weight: exp(-20) of 448
# tokens together is 1e-6, less than half a step of 16 bits.
MASK_DISTANCE = 20.0
# Other recordings go beyond what the calibration saw. 16 bits have steps to spare, 8 have not.
HEADROOM = {np.dtype(np.uint16): 2.0, np.dtype(np.uint8): 1.0}
INT32_MAX = np.iinfo(np.int32).max
UINT16_MAX = np.iinfo(np.uint16).max


def static_grids(
    parameters: Parameters, extents: Mapping[str, Extent], dtype: DTypeLike
) -> dict[str, Grid]:
    """A grid for every place that ``QualcommOps`` rounds at.

    Args:
        parameters: Of the export.
        extents: Of every place, as observed.
        dtype: Of the activations, uint8 or uint16.

    Raises:
        ExportError: A bias does not fit the steps that its product sums in.
    """
    grids = {
        place: _activation(place, extent, np.uint16 if is_wide(place) else dtype)
        for place, extent in extents.items()
    }
    masked = [grid for place, grid in grids.items() if place.endswith(".masked")]
    widest = max(float(grid.scale) for grid in masked)
    # Its largest step is 0; the smallest reaches from the top of any layer's scores to the bottom.
    grids[MASK] = Grid(np.float32(widest), np.uint16(UINT16_MAX))
    for name, vector in parameters.vectors.items():
        if name.endswith(".gain"):
            grids[name] = _constant(vector, np.uint16)
        elif name.endswith(".shift") or name == "encoder.positions":
            grids[name] = _constant(vector, dtype)
    for name, matrix in parameters.matrices.items():
        bias = parameters.bias(name)
        if bias is not None and isinstance(matrix, QuantizedTensor):
            grids[f"{name}.bias"] = _bias(name, bias, grids[f"{name}.input"], matrix)
    return grids


def is_wide(place: str) -> bool:
    """Whether a place has 16 bits in every layout.

    The head has: a step of 8 bits is larger than the lead of most tokens. So has the softmax: that
    of 8 bits is off by a tenth on the HTP, and everything after it. The products around it have
    not, because a V69 multiplies single rows of 16 bits wrongly.
    """
    return place.startswith(HEAD) or place.endswith((".masked", ".softmax"))


def widened(grid: Grid) -> Grid:
    """A grid of 16 bits that holds every value of one of 8."""
    if grid.zero.dtype == np.uint16:
        return grid
    factor = UINT16_MAX // np.iinfo(np.uint8).max  # 257, and nothing is left over
    return Grid(np.float32(grid.scale / factor), np.uint16(int(grid.zero) * factor))


def _activation(place: str, extent: Extent, dtype: DTypeLike) -> Grid:
    room = HEADROOM[np.dtype(dtype)]
    low, high = extent.low * room, extent.high * room
    if place.endswith((".softmax", ".weights")):
        return Grid.spanning(0.0, 1.0 if room > 1 else high, dtype)
    if place.endswith(".masked"):
        low = extent.least_peak * room - MASK_DISTANCE
    return Grid.spanning(low, high, dtype)


def _constant(vector: NDArray[np.float32] | NDArray[np.float16], dtype: DTypeLike) -> Grid:
    return Grid.spanning(float(vector.min()), float(vector.max()), dtype)


def _bias(name: str, bias: NDArray[np.float32], taken: Grid, matrix: QuantizedTensor) -> Grid:
    """The steps of the product's own sum: what it takes times each channel's weights."""
    scales = np.asarray(taken.scale * matrix.scales[:, 0], np.float32)
    if np.any(np.abs(bias) >= scales * INT32_MAX):
        raise ExportError(f"the bias of {name} is too large for 32 bits; use another target")
    return Grid(scales, np.int32(0))
