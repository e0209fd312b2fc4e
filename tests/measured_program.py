"""The command line in a process that tells how much memory it had, and what it imported."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import NamedTuple

# VmHWM and not getrusage: the latter counts the process that this one was forked from.
SCRIPT = """
import json, re, sys
from whisperq_edge.edge.cli import main
try:
    main(sys.argv[2:])
except SystemExit as ended:
    status = ended.code or 0
peak_kib = int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1])
record = {"status": status, "peak_kib": peak_kib, "modules": sorted(sys.modules)}
json.dump(record, open(sys.argv[1], "w"))
"""


class Measured(NamedTuple):
    """How a run ended and what it took."""

    status: int
    peak_kib: int
    modules: list[str]
    out: str
    err: str


def run_measured(python: Path | str, folder: Path, *arguments: object) -> Measured:
    """Run the command line with this interpreter, in ``folder``."""
    path = folder / "record.json"
    path.unlink(missing_ok=True)
    done = subprocess.run(
        [python, "-c", SCRIPT, path, *map(str, arguments)],
        cwd=folder,
        env={**os.environ, "WHISPERQ_EDGE_DATA": str(folder / "data")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert path.exists(), done.stderr
    return Measured(**json.loads(path.read_text()), out=done.stdout, err=done.stderr)
