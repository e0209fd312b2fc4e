"""Whether a configuration fits into memory, said before it is tried."""

from __future__ import annotations

from typing import NamedTuple

from ..artifact import Artifact
from ..types import ModelDimensions


class Cost(NamedTuple):
    """What the peak of a target is made of.

    Attributes:
        base_bytes: The interpreter and the library.
        copies: How often the artifact's bytes are resident, mapped or unpacked.
        activations: Of the window's arrays, how many are there at once.
    """

    base_bytes: float
    copies: float
    activations: float


# By least squares over the peaks at 30 s of the bundled model and of tiny's and base's shapes, in
# int8, int4 and fp32 (x86-64, November 2026): off by
# -6 to +11 %. Qualcomm's and Core ML's are of what stands in for them here.
_COSTS = {
    "onnx": Cost(105e6, 1.55, 0.65),
    "openvino": Cost(155e6, 2.1, 0.9),
    "tflite": Cost(70e6, 1.95, 1.35),
    "qualcomm": Cost(150e6, 2.0, 1.6),
    "coreml": Cost(60e6, 4.0, 2.6),
    "ggml": Cost(110e6, 1.0, 1.05),  # fp16 for fp32; without attention, which NumPy computes
}
_UNKNOWN = Cost(155e6, 2.1, 1.6)
MARGIN = 1.1  # on the estimate, which errs by as much


def needed_bytes(artifact: Artifact) -> int:
    """An estimate of the most resident memory."""
    manifest = artifact.manifest
    cost = _COSTS.get(manifest.target, _UNKNOWN)
    arrays = cost.activations * _activation_bytes(manifest.dimensions)
    return int(cost.base_bytes + cost.copies * artifact.size + arrays)


def _activation_bytes(d: ModelDimensions) -> int:
    """What one window takes in floats: attention weights, layers, and the decoder's cache."""
    weights = d.n_audio_head * d.n_audio_ctx**2
    layers = 12 * d.n_audio_ctx * d.n_audio_state
    cache = 2 * d.n_text_layer * d.n_text_state * (d.n_audio_ctx + d.n_text_ctx)
    return 4 * (weights + layers + cache + 2 * d.n_vocab)


def misfit(needed: int, free: int | None, limit: int | None, own_bytes: int = 0) -> str | None:
    """Why so much memory is not to be had, in one line; None if it is. All in bytes.

    Args:
        needed: By a process that is to be started.
        free: What programs may still take; None where the system does not say.
        limit: Of a control group, for all in it together; None without one.
        own_bytes: What the process that asks has taken of the limit.
    """
    found = [
        *([(free, "are free")] if free is not None else []),
        *([(limit - own_bytes, "are left of this process's limit")] if limit is not None else []),
    ]
    safe = needed * MARGIN
    available, whose = min(found, default=(safe, ""))
    available = max(0, available)  # more than the limit may be in use already
    if safe <= available:
        return None
    return f"it needs about {safe / 1e6:.0f} MB of memory, and {available / 1e6:.0f} MB {whose}"
