"""A board's facts and its condition, put together from what the system says."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Sequence
from pathlib import Path

from .board import Board, Condition, CoreGroup
from .control_group import read_limit_bytes
from .cores import processors, read_clocks_mhz, read_cores, read_features, read_governor
from .power_rails import read_power_w
from .system_memory import read_available_bytes, read_total_bytes
from .system_tree import SystemTree
from .thermal import read_temperatures
from .throttling import read_throttling

_DEVICE_TREES = ("/sys/firmware/devicetree/base", "/proc/device-tree")
_DMI = "/sys/class/dmi/id"
_PLACEHOLDER = re.compile(
    r"to be filled|default string|system (manufacturer|product name)|not (specified|applicable)",
    re.I,
)


def read_board(root: Path = Path("/")) -> Board:
    """The facts of this board.

    Args:
        root: "/", or the folder of a copy (``SystemTree``). Of a copy, what only the process knows
            is left open: ``python`` is empty, and all cores count as usable.
    """
    return board_of(SystemTree(root))


def read_unidentified_board() -> Board:
    """The facts of this machine without ``device_id``, and without loading any array.

    For when a library may kill whoever imports it.
    """
    return board_of(SystemTree(), identified=False)


def read_condition(root: Path = Path("/")) -> Condition:
    """How this board is now.

    Args:
        root: See ``read_board``.
    """
    return condition_of(SystemTree(root))


def board_of(tree: SystemTree, *, identified: bool = True) -> Board:
    """See ``read_board``, and ``read_unidentified_board`` for what is not ``identified``."""
    model, cores = _model(tree), read_cores(tree)
    return Board(
        model=model,
        machine=platform.machine() if tree.is_live else machine_of(tree),
        system=platform.platform(terse=True) if tree.is_live else system_of(tree),
        cores=cores,
        usable_cores=_usable_cores(tree),
        features=read_features(tree),
        memory_bytes=read_total_bytes(tree),
        memory_limit_bytes=read_limit_bytes(tree),
        governor=read_governor(tree),
        device_id=_device_id(tree, model, cores) if identified else None,
        python=platform.python_version() if tree.is_live else "",
    )


def _device_id(tree: SystemTree, model: str | None, cores: Sequence[CoreGroup]) -> str | None:
    from .devices import identify  # which loads the table of runtimes

    return identify(model, _compatible(tree), [group.name for group in cores])


def condition_of(tree: SystemTree) -> Condition:
    """See ``read_condition``."""
    throttling = read_throttling(tree)
    return Condition(
        clocks_mhz=read_clocks_mhz(tree),
        temperatures_c=read_temperatures(tree),
        throttled=throttling.now if throttling else None,
        throttled_since_boot=throttling.since_boot if throttling else None,
        available_bytes=read_available_bytes(tree),
        power_w=read_power_w(tree),
    )


def _model(tree: SystemTree) -> str | None:
    """The board's name: of the device tree, of a PC's firmware, of macOS."""
    for folder in _DEVICE_TREES:
        if model := tree.text(f"{folder}/model"):
            return model
    vendor, product = (_dmi(tree, name) for name in ("sys_vendor", "product_name"))
    if vendor and product and not product.startswith(vendor):
        return f"{vendor} {product}"
    return product or vendor or tree.sysctl("hw.model")


def _dmi(tree: SystemTree, name: str) -> str | None:
    """What a PC's maker wrote there, if he wrote something."""
    text = tree.text(f"{_DMI}/{name}")
    return None if text is None or _PLACEHOLDER.search(text) else text


def _compatible(tree: SystemTree) -> tuple[str, ...]:
    """What the board says that it is like, the most exact first."""
    texts = (tree.text(f"{folder}/compatible") for folder in _DEVICE_TREES)
    return tuple(next(filter(None, texts), "").split("\0"))


def machine_of(tree: SystemTree) -> str:
    """The architecture under Linux's name, by what the files say; empty where they say nothing."""
    if machine := tree.text("/proc/sys/kernel/arch") or tree.sysctl("hw.machine"):
        return machine  # the former exists since Linux 6.1
    first = next(processors(tree), {})
    if "CPU architecture" in first:
        return "aarch64" if first["CPU architecture"] == "8" else "armv7l"
    return "x86_64" if "lm" in first.get("flags", "").split() else ""


def system_of(tree: SystemTree) -> str:
    """The kernel and its version, likewise."""
    names = (
        tree.text(f"/proc/sys/kernel/{name}") or tree.sysctl(f"kern.{name}")
        for name in ("ostype", "osrelease")
    )
    return "-".join(filter(None, names))


def _usable_cores(tree: SystemTree) -> int:
    if not tree.is_live:
        return sum(1 for _ in processors(tree)) or sum(group.count for group in read_cores(tree))
    # A container or taskset may allow fewer cores than there are.
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
