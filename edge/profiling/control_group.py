"""Control groups: what a container, or a service's unit, leaves a process of the memory.

Source: Linux, ``Documentation/admin-guide/cgroup-v2.rst`` and ``cgroup-v1/memory.rst``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Self

from .system_tree import SystemTree

MEMBERSHIPS = "/proc/self/cgroup"
# Version 1 writes as many pages as fit into a signed number where there is no limit.
_NO_LIMIT = 1 << 60


class ControlGroup(NamedTuple):
    """The group of this process in one hierarchy that can limit its memory.

    Attributes:
        controllers: "memory", or empty for version 2.
        names: Its path, from the mount down.
    """

    controllers: str
    names: tuple[str, ...]

    @classmethod
    def parse(cls, line: str) -> Self | None:
        """From a line of ``MEMBERSHIPS``; None if it says nothing of memory."""
        number, controllers, path = (*line.split(":", 2), "", "")[:3]
        if not number.isdecimal() or not path.startswith("/"):
            return None
        if controllers and "memory" not in controllers.split(","):
            return None
        names = tuple(name for name in path.split("/") if name)
        # Outside of the process's namespace; its mount is all that it sees.
        return cls(controllers and "memory", () if ".." in names else names)

    @property
    def files(self) -> Iterator[str]:
        """Where its limit is, and those of the groups above, which count as well.

        A container without a namespace of its own is told the path outside, and has its own group
        at the mount: so some of the files are not there.
        """
        # Where systemd and Docker mount them; the last is of systems with both versions.
        mounts, file = ["/sys/fs/cgroup/memory"], "memory.limit_in_bytes"
        if not self.controllers:
            mounts, file = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"], "memory.max"
        for mount in mounts:
            for depth in range(len(self.names) + 1):
                yield "/".join((mount, *self.names[:depth], file))

    def without_names(self) -> ControlGroup:
        """The same with numbers for names, which may be a user's or a host's."""
        return self._replace(names=tuple(map(str, range(1, len(self.names) + 1))))

    def __str__(self) -> str:
        """A line of ``MEMBERSHIPS``."""
        return f"{1 if self.controllers else 0}:{self.controllers}:/{'/'.join(self.names)}"


def control_groups(tree: SystemTree) -> Iterator[ControlGroup]:
    """Those that this process is in."""
    lines = (tree.text(MEMBERSHIPS) or "").splitlines()
    return (group for group in map(ControlGroup.parse, lines) if group is not None)


def read_limit_bytes(tree: SystemTree) -> int | None:
    """What control groups leave this process: the least of all limits; None without one."""
    limits = (tree.number(file) for group in control_groups(tree) for file in group.files)
    return min((limit for limit in limits if limit and 0 < limit < _NO_LIMIT), default=None)
