"""How many products a core makes with one instruction."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple, Self

# Products of bytes in one instruction; where it takes several, their share. SMLAL multiplies 8;
# SDOT 4 x 4; SMMLA 2 x 8 x 2; VPMADDUBSW, VPMADDWD and VPADDD together 32; VPDPBUSD 32 or 64.
# AMX is left out: what its tiles gain depends on the shapes.
# Source: Arm Architecture Reference Manual (DDI 0487), C7.2; Intel 64 and IA-32 Architectures
# Software Developer's Manual, volume 2.
_BYTES = {
    "aarch64": (("i8mm", 32.0), ("asimddp", 16.0), ("", 8.0)),
    "x86_64": (("avx512_vnni", 64.0), ("avx_vnni", 32.0), ("avx2", 32 / 3), ("", 16 / 3)),
}
_FLOATS = {
    "aarch64": (("", 4.0),),
    "x86_64": (("avx512_vnni", 16.0), ("avx2", 8.0), ("", 4.0)),
}
_NAMES = {"arm64": "aarch64"}


class VectorUnit(NamedTuple):
    """Products of one instruction.

    Attributes:
        is_arm: Whether it is one of ARM's.
        of_bytes: With the best instruction that it has.
        of_floats: Of 32 bits.
    """

    is_arm: bool
    of_bytes: float
    of_floats: float

    @classmethod
    def of(cls, machine: str, features: Collection[str]) -> Self:
        """What a core has, by ``platform.machine()`` and Linux's names of instructions."""
        name = _NAMES.get(machine, machine)
        is_arm = name == "aarch64"
        kind = name if name in _BYTES else "x86_64"
        best = [
            next(n for feature, n in table[kind] if not feature or feature in features)
            for table in (_BYTES, _FLOATS)
        ]
        return cls(is_arm, *best)

    def products(self, target: str, precision: str) -> float:
        """Of one instruction, in what the target multiplies there."""
        # OpenVINO's plugin for ARM turns bytes into floats (docs/openvino.md).
        in_floats = precision.startswith(("fp", "float")) or (target == "openvino" and self.is_arm)
        return self.of_floats if in_floats else self.of_bytes
