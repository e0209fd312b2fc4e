"""What a machine needs besides libraries, for ``doctor``: microphone, disk, memory."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass

from .export_index import data_folder
from .libraries import failure_of, run_python

LEAST_DISK_BYTES = 256 * 2**20  # a tiny's checkpoint has 151 MB, its int8 export some 50
LEAST_MEMORY_BYTES = 128 * 2**20  # transcribing with the bundled model takes 121 MiB


@dataclass(frozen=True)
class Disk:
    """Where exports go.

    Attributes:
        folder: Which need not be there yet.
        free_bytes: What this user may still write.
        problem: Why nothing can be written there; None if it can.
    """

    folder: str
    free_bytes: int
    problem: str | None


@dataclass(frozen=True)
class Microphones:
    """What captures sound.

    Attributes:
        names: Each device that does.
        untested: Why they could not be listed; None if they were.
    """

    names: tuple[str, ...]
    untested: str | None


def export_disk() -> Disk:
    """Look at the folder that exports go to by default."""
    folder = data_folder()
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    free = shutil.disk_usage(there).free
    problem = None
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        problem = f"{there} cannot be written; set WHISPERQ_EDGE_DATA to a folder that can"
    elif free < LEAST_DISK_BYTES:
        problem = f"only {free // 2**20} MiB are free for exports in {there}"
    return Disk(str(folder), free, problem)


def microphones() -> Microphones:
    """List them in a process of its own: sound systems crash, and print where they like."""
    code = (
        "import json\n"
        "from whisperq_edge.edge.audio.input_device import input_devices\n"
        "print(json.dumps([device.name for device in input_devices()]))"
    )
    try:
        run = run_python(["-c", code])
    except subprocess.TimeoutExpired:
        return Microphones((), "the sound system does not answer")
    if reason := failure_of(run):
        return Microphones((), reason.rpartition("Error: ")[2])
    return Microphones(tuple(json.loads(run.stdout.splitlines()[-1])), None)


def memory_problem(available_bytes: int | None, limit_bytes: int | None) -> str | None:
    """What is wrong with what may be taken of the memory; None if nothing is, or nobody knows.

    Args:
        available_bytes: What the system has left.
        limit_bytes: Of a control group.
    """
    known = [limit for limit in (available_bytes, limit_bytes) if limit is not None]
    if not known or min(known) >= LEAST_MEMORY_BYTES:
        return None
    return f"only {min(known) // 2**20} MiB of memory are left for programs; end some of them"
