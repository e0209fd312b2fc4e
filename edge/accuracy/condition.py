"""The same speech in a worse place: noise and reverberation of a stated strength."""

from __future__ import annotations

import hashlib
import re
from typing import Self

import msgspec
import numpy as np

from ..errors import ConfigError
from ..types import FloatArray
from .acoustics import convolve, noise_gain, pink_noise, room_response

CHALLENGING_SNR_DB = 10.0
CHALLENGING_RT60_S = 0.5
SNR_DB = (-20.0, 60.0)  # what can be asked for
RT60_S = (0.1, 3.0)
PEAK = 0.99
N_STEPS = 32768  # of amplitude: the sound comes in 16 bits, as recordings do

PART = re.compile(
    r"snr(?P<snr>-?\d+(?:\.\d{1,3})?)|rt(?P<rt>\d+(?:\.\d{1,3})?)",
    re.ASCII,  # no other scripts' digits
)


class Condition(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is done to a recording before it is transcribed.

    "challenging" is 10 dB of speech over pink noise in a room whose reverberation falls by 60 dB
    in 0.5 s, with as much sound from its walls as directly from the mouth: a noisy living room or
    office, the speaker a few steps away.

    Attributes:
        snr_db: Level of the speech over that of the noise; None without noise.
        rt60_s: Time in which the reverberation falls by 60 dB; None without.
    """

    snr_db: float | None = None
    rt60_s: float | None = None

    def __post_init__(self) -> None:
        for what, value, (least, most), unit in (
            ("a level over noise", self.snr_db, SNR_DB, "dB"),
            ("a reverberation time", self.rt60_s, RT60_S, "s"),
        ):
            if value is not None and not least <= value <= most:
                raise ConfigError(
                    f"{what} of {value:g} {unit} is out of range; give {least:g} to {most:g}"
                )

    @classmethod
    def parse(cls, name: str) -> Self:
        """Read a condition.

        Args:
            name: "clean"; "challenging", which is "snr10+rt0.5"; "snr" with a number of dB; "rt"
                with a number of seconds; or the last two with a "+" between.

        Raises:
            ConfigError: It is none of these, or out of range.
        """
        if name == "clean":
            return cls()
        if name == "challenging":
            return cls(CHALLENGING_SNR_DB, CHALLENGING_RT60_S)
        found: dict[str, float] = {}
        for part in name.split("+"):
            match = PART.fullmatch(part)
            if match is None or match.lastgroup is None or match.lastgroup in found:
                raise ConfigError(
                    f"unknown condition '{name}'; give clean, challenging, or for example "
                    "snr10, rt0.5 or snr10+rt0.5"
                )
            found[match.lastgroup] = float(match[match.lastgroup])
        return cls(found.get("snr"), found.get("rt"))

    @property
    def name(self) -> str:
        """As ``parse`` reads it, always the same for the same condition."""
        parts = []
        if self.snr_db is not None:
            parts.append(f"snr{self.snr_db + 0.0:g}")  # no "-0"
        if self.rt60_s is not None:
            parts.append(f"rt{self.rt60_s:g}")
        return "+".join(parts) or "clean"

    def apply(self, samples: FloatArray, seed_text: str) -> FloatArray:
        """Change a recording; the same way whenever and wherever it is asked for.

        The room comes first, then the noise, which is set by the level of what a microphone would
        hear of the speech. The whole is made quieter where its peak would be cut off.

        Noise is made of PCG64's raw bits, which NumPy promises to keep, from a seed of
        ``seed_text`` and the name. Fourier transforms differ between machines and versions in the
        last places of a double; the result is rounded to 16 bits, so that all but one in some
        10 000 recordings come out the same byte for byte, and that one by a single step.

        Args:
            samples: Mono in [-1, 1] at 16 kHz.
            seed_text: What tells this recording from others, its digest say.

        Returns:
            As many samples; the very same ones where the condition is clean.
        """
        if self.snr_db is None and self.rt60_s is None:
            return samples
        bits = np.random.PCG64(self._seed(seed_text))
        heard = samples.astype(np.float64)
        if self.rt60_s is not None:
            heard = convolve(heard, room_response(self.rt60_s, bits))[: len(samples)]
        if self.snr_db is not None:
            noise = pink_noise(len(samples), bits)
            heard = heard + noise * noise_gain(heard, noise, self.snr_db)
        peak = float(np.abs(heard).max(initial=0.0))
        if peak > PEAK:
            heard = heard * (PEAK / peak)
        return (np.round(heard * N_STEPS) / N_STEPS).astype(np.float32)

    def _seed(self, seed_text: str) -> int:
        digest = hashlib.sha256(f"{self.name}\n{seed_text}".encode()).digest()
        return int.from_bytes(digest[:16], "big")
