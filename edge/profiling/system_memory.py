"""The memory of a board."""

from __future__ import annotations

from .system_tree import SystemTree


def read_total_bytes(tree: SystemTree) -> int | None:
    """All memory that the kernel has."""
    if (total := _meminfo_bytes(tree, "MemTotal")) is not None:
        return total
    size = tree.sysctl("hw.memsize")
    return int(size) if size and size.isdecimal() else None


def read_available_bytes(tree: SystemTree) -> int | None:
    """Memory that programs may take without swapping; macOS makes no such promise."""
    return _meminfo_bytes(tree, "MemAvailable")


def _meminfo_bytes(tree: SystemTree, name: str) -> int | None:
    for line in (tree.text("/proc/meminfo") or "").splitlines():
        key, _, value = line.partition(":")
        if key == name:
            kib = value.removesuffix("kB").strip()
            return int(kib) * 1024 if kib.isdecimal() else None
    return None
