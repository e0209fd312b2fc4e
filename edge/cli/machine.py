"""What this computer is, as far as the operating system says: for ``doctor``."""

from __future__ import annotations

import os
import platform
import subprocess
from dataclasses import dataclass
from pathlib import Path

# Instructions that decide how fast 8-bit products are, under Linux's names (macOS's below).
INT8_FLAGS = ("avx2", "avx_vnni", "avx512_vnni", "amx_int8", "asimddp", "i8mm", "sve")
_MACOS_FLAGS = {
    "hw.optional.arm.FEAT_DotProd": "asimddp",
    "hw.optional.arm.FEAT_I8MM": "i8mm",
    "hw.optional.avx2_0": "avx2",
}


@dataclass(frozen=True)
class Machine:
    """A computer; what cannot be found out is None or empty."""

    python: str
    system: str
    processor: str | None
    int8_flags: tuple[str, ...]
    cores: int
    memory_mib: int | None


def this_machine() -> Machine:
    """Look at the machine that this process runs on."""
    described = _proc_cpuinfo()
    flags = set((described.get("flags") or described.get("Features") or "").split())
    if platform.system() == "Darwin":
        flags = {name for key, name in _MACOS_FLAGS.items() if _sysctl(key) == "1"}
    processor = described.get("model name") or _sysctl("machdep.cpu.brand_string")
    return Machine(
        python=platform.python_version(),
        system=platform.platform(terse=True) + f" {platform.machine()}",
        processor=_board() or processor,
        int8_flags=tuple(name for name in INT8_FLAGS if name in flags),
        cores=_cores(),
        memory_mib=_memory_mib(),
    )


def _proc_cpuinfo() -> dict[str, str]:
    """The first processor's fields; all cores of a board list the same instructions."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return {}
    lines = (line.partition(":") for line in text.split("\n\n")[0].splitlines())
    return {name.strip(): value.strip() for name, _, value in lines}


def _board() -> str | None:
    """The board's name where the firmware gives one ("Raspberry Pi 5 Model B Rev 1.0")."""
    try:
        return Path("/proc/device-tree/model").read_text(encoding="utf-8").strip("\0\n") or None
    except (OSError, UnicodeDecodeError):
        return None


def _cores() -> int:
    # A container or taskset may allow fewer cores than there are.
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _memory_mib() -> int | None:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2**20
    except (ValueError, OSError):
        return None


def _sysctl(key: str) -> str | None:
    if platform.system() != "Darwin":
        return None
    run = subprocess.run(["sysctl", "-n", key], capture_output=True, text=True, check=False)
    return run.stdout.strip() or None
