"""What the CPU can do, as far as it decides which graph runs faster."""

from __future__ import annotations

import platform
from functools import cache
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")


@cache
def has_int8_dot_product(cpuinfo: Path = CPUINFO) -> bool:
    """Whether ONNX Runtime has a fast kernel for products with blocks of bytes here.

    ARM cores need the dot-product instructions, which the Raspberry Pi 5 has and the Pi 4 has not;
    x86 needs AVX2. Where nothing can be read (macOS, Windows) the machine is new enough.
    """
    machine = platform.machine().lower()
    if not cpuinfo.is_file():
        return machine in ("arm64", "aarch64", "x86_64", "amd64")
    lines = cpuinfo.read_text(errors="replace").splitlines()
    features = {
        word
        for line in lines
        if line.startswith(("flags", "Features"))
        for word in line.partition(":")[2].split()
    }
    return bool(features & {"avx2", "asimddp"})
