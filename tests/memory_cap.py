"""A command that may take so much memory and no more.

What a group is charged for a file's pages is whoever read them first: libraries that other programs
have read already are free, and a command runs under less memory than it would need alone. So what
is to be capped has to be read afresh, from ``fresh_copy``.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import ExitStack
from typing import NamedTuple

import pytest

from .memory_group import MemoryGroup


class Capped(NamedTuple):
    """How a command ended.

    Attributes:
        status: Below 0 for a signal.
        killed: How many processes the kernel has killed for want of memory.
        peak_bytes: The most that the group was charged.
    """

    status: int
    out: str
    err: str
    killed: int
    peak_bytes: int


def run_capped(command, limit_bytes, *, env=None, cwd=None, timeout_s=300):
    """Run a command in a group of its own; skips the test where there can be none."""
    with ExitStack() as stack:
        try:
            group = stack.enter_context(MemoryGroup(limit_bytes))
        except OSError as error:
            pytest.skip(f"no control group can be made here: {error}")
        done = subprocess.run(
            [*group.prefix, *map(str, command)],
            env={**os.environ, **(env or {})},
            cwd=cwd,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        return Capped(done.returncode, done.stdout, done.stderr, group.kills, group.peak)


def fresh_copy(source, folder):
    """Copy a file or a folder, so that nobody has its pages in memory."""
    target = folder / source.name
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copy2(source, target)
    for path in [target] if target.is_file() else target.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())  # pages that are not on the disk yet cannot be dropped
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    return target
