"""A control group that holds what runs in it to an amount of memory, as a small board would."""

from __future__ import annotations

import os
import time
from pathlib import Path
from types import TracebackType
from typing import Self

CGROUP = Path("/sys/fs/cgroup")
_REMOVAL_S = 10  # a killed process leaves its group a moment later


class MemoryGroup:
    """All that runs in it together has ``limit`` bytes; past them the kernel kills.

    Pages that somebody outside has read first, of a library say, count as theirs, so that a program
    that would not fit may live a little longer here than on a board.

    Args:
        limit: Bytes.

    Raises:
        OSError: On entering; this user may make no groups here.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._is_v2 = (CGROUP / "cgroup.controllers").exists()
        own = _own_group("" if self._is_v2 else "memory")
        base = CGROUP if self._is_v2 else CGROUP / "memory"
        parent = base / own.lstrip("/")
        # A container is told the path outside, and has its own group at the mount.
        parent = parent if parent.is_dir() else base
        self._folder = parent / f"board-{os.getpid()}-{id(self):x}"

    @property
    def prefix(self) -> list[str]:
        """What a command line begins with that is to run in the group."""
        enter = 'echo $$ >"$0" && exec "$@"'
        return ["sh", "-c", enter, str(self._folder / "cgroup.procs")]

    @property
    def peak(self) -> int:
        """The most that was taken at once, in bytes."""
        return self._number("memory.peak" if self._is_v2 else "memory.max_usage_in_bytes")

    @property
    def kills(self) -> int:
        """How many processes the kernel has killed for want of memory."""
        file = "memory.events" if self._is_v2 else "memory.oom_control"
        counts = dict(line.split() for line in (self._folder / file).read_text().splitlines())
        return int(counts["oom_kill"])

    def __enter__(self) -> Self:
        self._folder.mkdir()
        file = "memory.max" if self._is_v2 else "memory.limit_in_bytes"
        try:
            (self._folder / file).write_text(str(self._limit))
            self._forbid_swap()
        except OSError:
            self._folder.rmdir()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        deadline = time.monotonic() + _REMOVAL_S
        while True:
            try:
                return self._folder.rmdir()
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    def _forbid_swap(self) -> None:
        file, value = (
            ("memory.swap.max", "0")
            if self._is_v2
            else ("memory.memsw.limit_in_bytes", str(self._limit))
        )
        if (self._folder / file).exists():
            (self._folder / file).write_text(value)

    def _number(self, file: str) -> int:
        return int((self._folder / file).read_text())


def _own_group(controller: str) -> str:
    """The group of this process, from the root of its hierarchy."""
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, group = line.split(":", 2)
        if controller in controllers.split(","):
            return group
    return "/"
