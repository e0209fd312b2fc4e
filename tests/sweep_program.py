"""A program that sweeps with a pool: ``sweep_program FOLDER TEXT...``.

It prints a line for each task that is done; ``sweep_stand_ins`` says what the texts mean.
"""

from __future__ import annotations

import sys
from pathlib import Path

from whisperq_edge.edge.accuracy.pool import Pool
from whisperq_edge.edge.accuracy.store import ResultStore
from whisperq_edge.edge.accuracy.sweep import run_sweep

from .sweep_stand_ins import hear, tasks, utterances


def main(folder, *texts):
    """Sweep."""

    def tell(progress):
        print(progress.n_done, flush=True)

    said = utterances(Path(folder), *texts)
    with ResultStore(Path(folder) / "results.jsonl") as store, Pool(2) as pool:
        run_sweep(tasks(said), pool, store, run=hear, on_progress=tell)


if __name__ == "__main__":
    main(*sys.argv[1:])
