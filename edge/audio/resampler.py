"""Captured sound, block by block, to what a Whisper hears."""

from __future__ import annotations

import numpy as np
import soxr

from ..types import SAMPLE_RATE, FloatArray


class Resampler:
    """Turns blocks of any rate and number of channels into 16 kHz mono.

    Args:
        rate: Of the blocks, in samples per second.
    """

    def __init__(self, rate: int) -> None:
        self._stream = (
            None if rate == SAMPLE_RATE else soxr.ResampleStream(rate, SAMPLE_RATE, 1, np.float32)
        )

    def take(self, block: FloatArray) -> FloatArray:
        """The next block, shape (n_frames, n_channels), to samples, shape (n_samples,).

        The filter looks ahead: samples come a few milliseconds later than their block.
        """
        mono: FloatArray = block.mean(axis=1, dtype=np.float32)
        return self._resampled(mono, last=False)

    def finish(self) -> FloatArray:
        """The samples that the filter still holds."""
        return self._resampled(np.empty(0, np.float32), last=True)

    def _resampled(self, mono: FloatArray, last: bool) -> FloatArray:
        if self._stream is None:
            return mono
        return self._stream.resample_chunk(mono, last=last)  # type: ignore[no-any-return]
