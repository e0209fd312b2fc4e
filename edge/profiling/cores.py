"""The processor: its cores by kind, their instructions and their clocks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from .arm_cores import core_name
from .board import CoreGroup
from .system_tree import SystemTree

# Instructions that decide how fast 8-bit products are, under Linux's names (macOS's below).
INT8_FEATURES = (
    "avx2",
    "avx_vnni",
    "avx512_vnni",
    "amx_int8",
    "asimddp",
    "i8mm",
    "sve",
    "sme",
)
_MACOS_FEATURES = {
    "hw.optional.arm.FEAT_DotProd": "asimddp",
    "hw.optional.arm.FEAT_I8MM": "i8mm",
    "hw.optional.arm.FEAT_SME": "sme",
    "hw.optional.avx2_0": "avx2",
}
_CPU = "/sys/devices/system/cpu"

Processor = Mapping[str, str]


def read_cores(tree: SystemTree) -> tuple[CoreGroup, ...]:
    """The cores by kind, in the order of their first processor.

    Two processors that share a core (hyper-threading) count once.
    """
    kinds: dict[str, list[tuple[str, Processor]]] = {}
    hybrid = _hybrid_kinds(tree)
    for processor in processors(tree):
        number = processor["processor"]
        kind = " ".join(filter(None, [_name(processor), hybrid.get(number)]))
        kinds.setdefault(kind, []).append((number, processor))
    groups = (
        CoreGroup(name, _count(members), _max_mhz(tree, [number for number, _ in members]))
        for name, members in kinds.items()
    )
    return tuple(groups) or tuple(_macos_cores(tree))


def read_features(tree: SystemTree) -> tuple[str, ...]:
    """Those of ``INT8_FEATURES`` that every core has."""
    flags = [
        set((processor.get("flags") or processor.get("Features") or "").split())
        for processor in processors(tree)
    ]
    # A thread may be moved to any core, so what only some have is of no use.
    found = set.intersection(*flags) if flags else set()
    found |= {name for key, name in _MACOS_FEATURES.items() if tree.sysctl(key) == "1"}
    return tuple(name for name in INT8_FEATURES if name in found)


def read_clocks_mhz(tree: SystemTree) -> tuple[int, ...]:
    """The clock of each core that says it.

    The "cpu MHz" of x86's /proc/cpuinfo is left alone: without cpufreq, as in a virtual machine,
    it is a constant.
    """
    clocks = (tree.number(path) for path in tree.find(f"{_CPU}/cpu[0-9]*/cpufreq/scaling_cur_freq"))
    return tuple(khz // 1000 for khz in clocks if khz and khz > 0)


def read_governor(tree: SystemTree) -> str | None:
    """What chooses the clocks; several, where the kinds of cores differ, with commas."""
    paths = tree.find(f"{_CPU}/cpu[0-9]*/cpufreq/scaling_governor")
    return ", ".join(dict.fromkeys(filter(None, map(tree.text, paths)))) or None


def processors(tree: SystemTree) -> Iterator[Processor]:
    """The fields of each processor in /proc/cpuinfo."""
    for block in (tree.text("/proc/cpuinfo") or "").split("\n\n"):
        lines = (line.partition(":") for line in block.splitlines())
        fields = {name.strip(): value.strip() for name, _, value in lines}
        # 32-bit kernels of boards begin or end with a block on the board.
        if fields.get("processor", "").isdecimal():
            yield fields


def _name(processor: Processor) -> str:
    if "CPU part" in processor:
        return core_name(processor.get("CPU implementer", "?"), processor["CPU part"])
    return processor.get("model name") or processor.get("Processor") or "unknown"


def _count(members: list[tuple[str, Processor]]) -> int:
    return len(
        {
            (fields.get("physical id"), fields["core id"]) if "core id" in fields else number
            for number, fields in members
        }
    )


def _max_mhz(tree: SystemTree, numbers: list[str]) -> int | None:
    paths = (f"{_CPU}/cpu{number}/cpufreq/cpuinfo_max_freq" for number in numbers)
    return max((khz // 1000 for khz in map(tree.number, paths) if khz and khz > 0), default=None)


def _hybrid_kinds(tree: SystemTree) -> dict[str, str]:
    """Which kind each processor of Intel's is that has two: their names are the same."""
    kinds = {"P-core": "/sys/devices/cpu_core/cpus", "E-core": "/sys/devices/cpu_atom/cpus"}
    return {
        number: kind for kind, path in kinds.items() for number in _numbers(tree.text(path) or "")
    }


def _numbers(ranges: str) -> Iterator[str]:
    """``0-3,8`` one by one."""
    for part in ranges.split(","):
        first, _, last = part.partition("-")
        if first.isdecimal():
            yield from map(str, range(int(first), int(last if last.isdecimal() else first) + 1))


def _macos_cores(tree: SystemTree) -> Iterator[CoreGroup]:
    name = tree.sysctl("machdep.cpu.brand_string") or "unknown"
    levels = [tree.sysctl(f"hw.perflevel{level}.physicalcpu") for level in (0, 1)]
    if not any(levels):  # Intel
        levels = [tree.sysctl("hw.physicalcpu")]
    kinds = ("P-core", "E-core") if len(levels) == 2 else ("",)
    for kind, count in zip(kinds, levels, strict=True):
        if count and count.isdecimal():
            yield CoreGroup(f"{name} {kind}".strip(), int(count), None)
