"""What the bytes of headerless sound mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from ..errors import AudioError, ConfigError, UnknownNameError
from ..types import FloatArray
from .recording import LOWEST_RATE

# The type of a sample, and the value of full scale, by the names that ffmpeg gave them.
SAMPLE_FORMATS: Mapping[str, tuple[np.dtype[Any], float]] = MappingProxyType(
    {
        "s16le": (np.dtype("<i2"), 2.0**15),
        "s32le": (np.dtype("<i4"), 2.0**31),
        "f32le": (np.dtype("<f4"), 1.0),
    }
)
LOUDEST = 64.0  # times full scale; other data, read as floats, soon has far larger values
FILE_MARKS = (b"RIFF", b"RF64", b"fLaC", b"OggS", b"FORM", b"ID3", b"caff")


@dataclass(frozen=True, kw_only=True)
class RawFormat:
    """How sound without a header is stored.

    Attributes:
        rate: Samples per second, of each channel.
        channels: Samples of a frame.
        sample_format: One of ``SAMPLE_FORMATS``.

    Raises:
        ConfigError: A value is out of range, or the format is unknown.
    """

    rate: int
    channels: int = 1
    sample_format: str = "s16le"

    def __post_init__(self) -> None:
        if self.sample_format not in SAMPLE_FORMATS:
            raise UnknownNameError("sample format", self.sample_format, SAMPLE_FORMATS)
        if not LOWEST_RATE <= self.rate <= 384_000:
            raise ConfigError(
                f"rate must be from {LOWEST_RATE} to 384000 samples per second, it is {self.rate}"
            )
        if not 1 <= self.channels <= 64:
            raise ConfigError(f"channels must be from 1 to 64, they are {self.channels}")

    @property
    def frame_bytes(self) -> int:
        """Bytes of a sample of every channel."""
        return SAMPLE_FORMATS[self.sample_format][0].itemsize * self.channels

    def decode(self, content: bytes) -> FloatArray:
        """Whole frames to samples from -1 to 1, shape (n_frames, n_channels).

        Raises:
            AudioError: The values are none that sound has: the format is another.
        """
        stored, full_scale = SAMPLE_FORMATS[self.sample_format]
        samples: FloatArray = np.frombuffer(content, stored).astype(np.float32)
        with np.errstate(invalid="ignore"):  # reported below
            samples /= full_scale
        if not (np.abs(samples) <= LOUDEST).all():  # nor any NaN
            raise AudioError(f"as {self.sample_format} this is no sound; name another format")
        return samples.reshape(-1, self.channels)
