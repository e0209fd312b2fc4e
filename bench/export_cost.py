"""Measure what exports take: time, memory and disk; see README.md.

python bench/export_cost.py [--sizes tiny base] [--targets onnx]
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from environments import WORK, environment, say
from rich.console import Console
from rich.table import Table

from whisperq_edge.exporters import TARGETS
from whisperq_edge.models.random_checkpoint import write_random_checkpoint
from whisperq_edge.models.registry import find_entry
from whisperq_edge.tests.measured_program import run_measured

SIZES = ("tiny", "base", "small", "large-v3-turbo")
PUBLISHED_IN_HALVES = ("large-v3-turbo",)  # the others are float32 on the hub
TURBO_TARGETS = ("onnx",)  # the others are not made for a model of that size
N_CORES = 2
FRAMEWORKS = ("torch", "tensorflow", "jax")  # that no export may import
PIPE_WIDTH = 160


@dataclass(frozen=True)
class Limit:
    """The most that an export may take; None where anything goes."""

    wall_s: float | None = None
    peak_gb: float | None = None
    disk_mb: float | None = None


@dataclass(frozen=True)
class Cost:
    """What one export took.

    Attributes:
        wall_s: From the start of the process to its end, on ``N_CORES`` cores.
        cpu_s: Of all threads; where others use the machine, trust this one.
        peak_gb: The largest resident memory, mapped files included; 1e9 bytes.
        disk_mb: All files of the artifact; 1e6 bytes. None where there is no artifact.
        fault: Why it is not to be had, or what else is wrong with it.
    """

    wall_s: float
    cpu_s: float
    peak_gb: float
    disk_mb: float | None
    fault: str


def limit(size: str, target: str) -> Limit:
    """What this project promises."""
    if size == "tiny":
        return Limit(wall_s=10, peak_gb=1, disk_mb=40 if target == "coreml" else 42)
    return Limit(peak_gb={"small": 4.0, "large-v3-turbo": 6.0}.get(size))


def main() -> None:
    """Export everything that was asked for, then print the table."""
    options = _options()
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:N_CORES])
    WORK.mkdir(exist_ok=True)
    python = environment("exports")
    table = Table("size", "target", "verified", box=None)
    for column in ("wall, s", "CPU, s", "peak, GB", "disk, MB", "limits"):
        table.add_column(column, justify="right")
    for size, target in _chosen(options):
        for verified in (True, False):
            cost = measure(python, size, target, verified=verified)
            most = limit(size, target)
            table.add_row(
                *(size, target, "yes" if verified else "no"),
                *(_beside(cost.wall_s, most.wall_s), f"{cost.cpu_s:.2f}"),
                _beside(cost.peak_gb, most.peak_gb),
                "-" if cost.disk_mb is None else _beside(cost.disk_mb, most.disk_mb),
                cost.fault or _verdict(cost, most),
            )
            seconds = f"{cost.wall_s:.0f} s, of the CPU {cost.cpu_s:.0f} s"
            say(f"{size} {target}: {seconds}, {cost.peak_gb:.2f} GB {cost.fault}")
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = PIPE_WIDTH
    console.print(table)


def measure(python: Path, size: str, target: str, *, verified: bool) -> Cost:
    """Run ``whisperq-edge export --int8`` in a fresh process.

    Args:
        python: An interpreter without frameworks.
        size: Of the random checkpoint.
        target: With its default layout.
        verified: Whether the artifact is judged beside the reference.
    """
    folder = Path(tempfile.mkdtemp(prefix="export-", dir=WORK))
    artifact = folder / "artifact"
    try:
        began, cpu = time.perf_counter(), _children_cpu_s()
        ended = run_measured(
            *(python, folder, "export", "--target", target, "--int8"),
            *("--model", checkpoint(size), "--output", artifact),
            *(() if verified else ("--no-verify",)),
        )
        wall_s, cpu_s = time.perf_counter() - began, _children_cpu_s() - cpu
        n_bytes = sum(path.stat().st_size for path in artifact.rglob("*") if path.is_file())
    finally:
        shutil.rmtree(folder)
    imported = ", ".join(name for name in FRAMEWORKS if name in ended.modules)
    refused = ended.err.strip().splitlines()[-1] if ended.status else ""
    return Cost(
        wall_s,
        cpu_s,
        ended.peak_kib * 1024 / 1e9,
        None if ended.status else n_bytes / 1e6,
        refused or (f"imports {imported}" if imported else ""),
    )


def checkpoint(size: str) -> Path:
    """Random weights in the shapes and the precision of the published model."""
    folder = WORK / "random" / size
    if not (folder / "tokenizer.json").exists():  # it is written last
        say(f"writing a random {size}")
        dtype = np.float16 if size in PUBLISHED_IN_HALVES else np.float32
        write_random_checkpoint(folder, find_entry(size).dimensions, dtype=dtype)
    return folder


def _children_cpu_s() -> float:
    """Of all processes that were started here and have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _chosen(options: argparse.Namespace) -> Iterator[tuple[str, str]]:
    for size in options.sizes:
        for target in options.targets:
            if size != "large-v3-turbo" or target in TURBO_TARGETS:
                yield size, target


def _verdict(cost: Cost, most: Limit) -> str:
    limits = {
        "wall": (cost.wall_s, most.wall_s),
        "peak": (cost.peak_gb, most.peak_gb),
        "disk": (cost.disk_mb, most.disk_mb),
    }
    broken = [name for name, (value, top) in limits.items() if value and top and value > top]
    return f"BROKEN: {', '.join(broken)}" if broken else "kept"


def _beside(value: float, allowed: float | None) -> str:
    return f"{value:.2f}" if allowed is None else f"{value:.2f} of {allowed:g}"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=SIZES)
    parser.add_argument("--targets", nargs="+", choices=TARGETS, default=list(TARGETS))
    return parser.parse_args()


if __name__ == "__main__":
    main()
