"""Live transcription beside faster-whisper under the same policy; see ../README.md.

python bench/streaming [--models bundled tiny base] [--rounds 3]
python bench/streaming --show bench/.work/streaming.json
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from environments import WORK

from .benchmark import measure
from .jobs import MODELS
from .results import Results
from .tables import StreamTables


def main() -> None:
    """Measure, or show what was measured."""
    options = _options()
    if options.show:
        results = Results.load(options.show)
    else:
        results = measure(
            options.models, options.rounds, options.core, options.chunk, options.output
        )
    StreamTables(results).show()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench/streaming", description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--rounds", type=int, default=3, help="of streams (3)")
    parser.add_argument(
        "--core", type=int, default=max(os.sched_getaffinity(0)), help="where it runs (the last)"
    )
    parser.add_argument("--chunk", type=float, default=1.0, help="seconds between updates (1)")
    parser.add_argument("--output", type=Path, default=WORK / "streaming.json")
    parser.add_argument("--show", type=Path, metavar="FILE", help="print saved results again")
    return parser.parse_args()
