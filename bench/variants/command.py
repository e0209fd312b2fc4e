"""Word times and live transcription beside the programs that they come from; see ../README.md.

python bench/variants [--parts words streams] [--rounds 3]
python bench/variants --show bench/.work/variants
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import streaming.results
from environments import WORK
from machine import machine_facts
from streaming.benchmark import StreamBenchmark
from streaming.jobs import BUNDLED, Setup
from streaming.tables import StreamTables

from .benchmark import WordBenchmark
from .figures import Figures
from .presence import present
from .results import WordResults
from .setups import STREAM_SETUPS, WORD_SETUPS
from .summary import stream_summary, word_summary
from .tables import WordTables

PARTS = ("words", "streams")


def main() -> None:
    """Measure, or show what was measured."""
    options = _options()
    folder = options.show or options.output
    if not options.show:
        _measure(options)
    told: dict[str, Any] = {}
    if (path := folder / "words.json").exists() and "words" in options.parts:
        results = WordResults.load(path)
        figures = Figures(results, WORD_SETUPS)
        WordTables(results, figures).show()
        told["words"] = word_summary(results, figures)
    if (path := folder / "streams.json").exists() and "streams" in options.parts:
        streams = streaming.results.Results.load(path)
        setups = _streamed(streams)
        StreamTables(streams, setups).show()
        told["streams"] = stream_summary(streams, setups)
    if options.json:
        options.json.write_text(json.dumps(told, indent=1) + "\n")


def _measure(options: argparse.Namespace) -> None:
    began = time.monotonic()

    def report(message: str) -> None:
        print(f"{time.monotonic() - began:5.0f} s  {message}", file=sys.stderr, flush=True)

    options.output.mkdir(parents=True, exist_ok=True)
    if "words" in options.parts:
        _measure_words(options, report)
    if "streams" in options.parts:
        _measure_streams(options, report)


def _measure_words(options: argparse.Namespace, report: Callable[[str], None]) -> None:
    results = WordResults(_now(), machine_facts(), options.core)
    output = options.output / "words.json"
    setups = present(WORD_SETUPS, report)
    WordBenchmark(results, output, report, setups).transcribe(options.rounds)


def _measure_streams(options: argparse.Namespace, report: Callable[[str], None]) -> None:
    results = streaming.results.Results(
        _now(), machine_facts(), options.core, chunk_s=options.chunk
    )
    output = options.output / "streams.json"
    setups = present(STREAM_SETUPS, report)
    benchmark = StreamBenchmark(results, output, report, setups)
    benchmark.listen()
    benchmark.stream(BUNDLED, options.rounds)


def _streamed(results: streaming.results.Results) -> Sequence[Setup]:
    """The setups of which there are results; ratios are over the first."""
    names = {played.setup for played in results.played}
    return [setup for setup in STREAM_SETUPS if setup.name in names]


def _now() -> str:
    return time.strftime("%Y-%m-%d %H:%M")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench/variants", description=__doc__.splitlines()[0])
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--rounds", type=int, default=3, help="of clips and of streams (3)")
    parser.add_argument(
        "--core", type=int, default=max(os.sched_getaffinity(0)), help="where it runs (the last)"
    )
    parser.add_argument("--chunk", type=float, default=1.0, help="seconds between updates (1)")
    parser.add_argument("--output", type=Path, default=WORK / "variants", metavar="FOLDER")
    parser.add_argument("--show", type=Path, metavar="FOLDER", help="print saved results again")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures as JSON too")
    return parser.parse_args()
