"""Everything that a session gives, written to a file: ``session_trace.py ARTIFACT MEL OUTPUT``.

Run on two machines, it shows whether they compute the same. The features are given, so that nothing
but the session differs.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from whisperq_edge.edge.artifact import Artifact
from whisperq_edge.runtimes import open_session

PROMPT = np.array([[50258, 50259, 50359, 50363]])  # English, transcribed, without timestamps
FIRST, SECOND, THIRD = 393, 286, 362  # " can", " i", " have"


def main(artifact: Path, mel: Path, output: Path) -> None:
    """Write the trace; prints which decoder graph was chosen."""
    with open_session(Artifact.read(artifact), threads=1) as session:
        session.encode(np.load(mel))
        trace = {"prompt": session.step(PROMPT).copy(), "window": session.window().copy()}
        trace["alignment"] = session.alignment.copy()
        session.reorder(np.array([0, 0]))
        trace["two"] = session.step(np.array([[FIRST], [SECOND]])).copy()
        session.reorder(np.array([1, 0]))
        trace["exchanged"] = session.step(np.array([[THIRD], [THIRD]])).copy()
        session.reorder(np.array([0]))
        session.rewind(PROMPT.size)
        trace["rewound"] = session.step(np.array([[FIRST]])).copy()
        print(session.facts.decoder)
    np.savez(output, allow_pickle=False, **trace)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
