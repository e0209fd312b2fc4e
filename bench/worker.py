"""One engine in one process: JSON lines in, JSON lines out. Started by ``engine_process.py``.

Runs in the engine's own environment, so it needs nothing but NumPy and the engine.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from streaming.playback import play


def main(cores: set[int]) -> None:
    """Answer the requests on standard input until it closes."""
    os.sched_setaffinity(0, cores)
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what an engine prints must not mix with the answers
    engines: dict[str, Any] = {}
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if "module" in request:
                answer = load(engines, request)
            elif "stream" in request:
                answer = stream(engines, request)
            elif "words" in request:
                answer = words(engines, request)
            else:
                answer = run(engines, request)
        except Exception as error:  # the parent decides what an engine's failure means
            answer = {"error": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps(answer) + "\n")


def load(engines: dict[str, Any], request: dict[str, Any]) -> dict[str, Any]:
    """Make the engine ``key``; the times are since the process began, imports included."""
    module = importlib.import_module(request["module"])
    engine = module.Engine(Path(request["folder"]), request["precision"], request["threads"])
    engines[request["key"]] = engine
    return {"cpu_s": time.process_time(), "rss_mib": memory_mib("VmRSS"), "facts": engine.facts}


def run(engines: dict[str, Any], request: dict[str, Any]) -> dict[str, Any]:
    """Transcribe one clip once."""
    engine = engines[request["key"]]
    samples = np.load(request["clip"])
    clock = Clock()
    text, stages = engine.transcribe(samples, request["window"])
    return {
        **clock.durations(),
        "text": " ".join(text.split()),
        "stages": stages,
        "peak_mib": memory_mib("VmHWM"),
    }


def stream(engines: dict[str, Any], request: dict[str, Any]) -> dict[str, Any]:
    """Play one sound to one stream."""
    job = request["stream"]
    samples = np.load(request["clip"])
    clock = Clock()
    told = play(engines[request["key"]].open(job), samples, job["n_frame"])
    return {**clock.durations(), **told}


def words(engines: dict[str, Any], request: dict[str, Any]) -> dict[str, Any]:
    """Transcribe one clip, with the time of each word."""
    engine = engines[request["key"]]
    samples = np.load(request["clip"])
    clock = Clock()
    heard = engine.words(samples, request["words"])
    return {**clock.durations(), "words": heard}


class Clock:
    """What passes from now on, and how much of it was other processes'."""

    def __init__(self) -> None:
        self._busy, self._cpu, self._wall = cores_busy_s(), time.process_time(), time.perf_counter()

    def durations(self) -> dict[str, float]:
        """Seconds by two clocks, and the share of the cores that others took."""
        wall, cpu = time.perf_counter() - self._wall, time.process_time() - self._cpu
        others = max(0.0, cores_busy_s() - self._busy - cpu)
        return {
            "wall_s": wall,
            "cpu_s": cpu,
            "others": others / (wall * len(os.sched_getaffinity(0))),
        }


def cores_busy_s() -> float:
    """Seconds that everybody has used of our cores since the machine started."""
    mine = {f"cpu{core}" for core in os.sched_getaffinity(0)}
    ticks = 0
    for line in Path("/proc/stat").read_text().splitlines():
        name, *fields = line.split()
        if name in mine:
            user, nice, system, _idle, _wait, irq, softirq, steal = map(int, fields[:8])
            ticks += user + nice + system + irq + softirq + steal
    return ticks / os.sysconf("SC_CLK_TCK")


def memory_mib(field: str) -> float:
    """``VmRSS``, memory in use now, or ``VmHWM``, its peak."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) / 1024


if __name__ == "__main__":
    main({int(core) for core in sys.argv[1].split(",")})
