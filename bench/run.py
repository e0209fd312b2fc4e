"""Measure whisperq-edge beside its peers; see README.md.

python bench/run.py [--sizes tiny base] [--rounds 7]
python bench/run.py --show bench/.work/results.json
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import prepare
from checkpoints import SHAPES
from contenders import ANCHOR, CONTENDERS, Contender
from machine import machine_facts
from measure import Benchmark, Report
from results import Results
from tables import show, summary


def main() -> None:
    """Measure, or show what was measured."""
    options = _options()
    results = Results.load(options.show) if options.show else _measure(options)
    if options.json:
        print(json.dumps(summary(results), indent=1))
    else:
        show(results)


def _measure(options: argparse.Namespace) -> Results:
    cores = options.core or sorted(os.sched_getaffinity(0))[-options.threads :]
    results = Results(
        when=time.strftime("%Y-%m-%d %H:%M"),
        machine=machine_facts(),
        threads=options.threads,
        cores=cores,
    )
    prepare.WORK.mkdir(exist_ok=True)
    began = time.monotonic()

    def report(message: str) -> None:
        print(f"{time.monotonic() - began:5.0f} s  {message}", file=sys.stderr, flush=True)

    benchmark = Benchmark(results, options.output, _contenders(options.engines, report), report)
    benchmark.prepare(options.sizes)
    if options.prepare:
        raise SystemExit
    for size in options.sizes:
        benchmark.transcribe(size, options.rounds)
        benchmark.start(size, options.starts)
    return results


def _contenders(names: Sequence[str], report: Report) -> list[Contender]:
    """Those that were named, without our targets that are not there; the anchor in any case."""
    chosen = [c for c in CONTENDERS if c.name == ANCHOR or c.name in names]
    for contender in tuple(chosen):
        if reason := prepare.absence(contender):
            report(f"{contender.name} is left out: {reason}")
            chosen.remove(contender)
    return chosen


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    names = [contender.name for contender in CONTENDERS]
    usual = [contender.name for contender in CONTENDERS if contender.is_usual]
    parser.add_argument("--sizes", nargs="+", choices=SHAPES, default=["tiny", "base"])
    parser.add_argument(
        "--engines", nargs="+", choices=names, default=usual, metavar="NAME", help=", ".join(names)
    )
    parser.add_argument(
        "--prepare", action="store_true", help="install and convert everything, measure nothing"
    )
    parser.add_argument("--rounds", type=int, default=7, help="of transcriptions (7)")
    parser.add_argument("--starts", type=int, default=5, help="fresh processes per engine (5)")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument(
        "--core", type=int, nargs="+", help="where the engines run; as many as threads (the last)"
    )
    parser.add_argument("--output", type=Path, default=prepare.WORK / "results.json")
    parser.add_argument("--show", type=Path, metavar="FILE", help="print saved results again")
    parser.add_argument("--json", action="store_true", help="print medians and ranges as JSON")
    return parser.parse_args()


if __name__ == "__main__":
    main()
