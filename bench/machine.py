"""What the numbers were measured on."""

from __future__ import annotations

import os
import platform
from pathlib import Path

# Instructions that decide how fast int8 is.
X86_FLAGS = ("avx2", "fma", "avx_vnni", "avx512f", "avx512_vnni", "avx512_bf16", "amx_int8")
ARM_FLAGS = ("asimddp", "i8mm", "sve", "bf16")


def machine_facts() -> dict[str, str]:
    """The CPU, its telling flags and the system, in printable form."""
    cpu = _cpuinfo()
    flags = (cpu.get("flags") or cpu.get("Features") or "").split()
    telling = X86_FLAGS if "flags" in cpu else ARM_FLAGS
    family = f"family {cpu.get('cpu family', '?')} model {cpu.get('model', '?')}"
    return {
        "cpu": f"{cpu.get('model name', platform.machine())} ({family})",
        "cores": str(os.cpu_count()),
        "flags": " ".join(flag for flag in telling if flag in flags) or "none of note",
        "absent": " ".join(flag for flag in telling if flag not in flags) or "none of note",
        "memory": f"{_memory_gib():.1f} GiB",
        "system": f"{platform.system()} {platform.release()}, Python {platform.python_version()}",
    }


def _cpuinfo() -> dict[str, str]:
    """The fields of the first processor."""
    first = Path("/proc/cpuinfo").read_text().split("\n\n")[0]
    pairs = (line.partition(":") for line in first.splitlines())
    return {key.strip(): value.strip() for key, _, value in pairs}


def _memory_gib() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
