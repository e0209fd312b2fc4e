"""What this process has taken of the machine: memory, and time spent waiting for a processor."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

_SELF = Path("/proc/self")


def resident_bytes() -> int:
    """Resident memory now; mapped files that were read are in it.

    Raises:
        OSError: The system says nothing of it.
    """
    if sys.platform == "linux":
        return _status_bytes("VmRSS")
    # getrusage knows only the peak, and Python's library not mach_task_basic_info.
    command = ["ps", "-o", "rss=", "-p", str(os.getpid())]
    return int(subprocess.run(command, capture_output=True, check=True).stdout) * 1024


def peak_resident_bytes() -> int:
    """The most resident memory since the process began, or since ``reset_peak``.

    Raises:
        OSError: The system says nothing of it.
    """
    if sys.platform == "linux":
        return _status_bytes("VmHWM")
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes on macOS


def reset_peak() -> bool:
    """Let the peak begin anew from what is resident now; False where the system does not."""
    try:
        # The peak alone; 1 to 4 would touch pages too (Documentation/filesystems/proc.rst).
        (_SELF / "clear_refs").write_text("5")
    except OSError:
        return False
    return True


def waited_s() -> float | None:
    """Seconds in which threads of this process could have run, and had no processor.

    It is the sum over the threads that there are: one that ended takes its time with it, so that
    only differences between moments with the same threads mean something.

    Returns:
        None where the system does not count it.
    """
    ran_ns = waited_ns = 0
    for thread in (_SELF / "task").glob("*"):
        try:
            ran, waited, _ = (thread / "schedstat").read_text().split()
        except (OSError, ValueError):  # it ended meanwhile, or the kernel has no such file
            continue
        ran_ns += int(ran)
        waited_ns += int(waited)
    # A kernel that does not count writes zeros (fs/proc/base.c); this thread has run.
    return waited_ns / 1e9 if ran_ns else None


def _status_bytes(name: str) -> int:
    for line in (_SELF / "status").read_text(errors="replace").splitlines():
        key, _, value = line.partition(":")
        if key == name:
            return int(value.split()[0]) * 1024
    raise OSError(f"{_SELF / 'status'} has no {name}")
