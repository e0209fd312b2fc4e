"""One start in a process of its own: a job on standard input, what it found on standard output.

Started by ``stage_process.py`` as ``python -m whisperq_edge.edge.study.stage_worker``.
"""

from __future__ import annotations

import os
import sys

import msgspec

from ..errors import WhisperqError
from ..native_output import native_output_to_stderr
from ..profiling.leash import hold_leash
from .stages import StageJob, StageStart, measure_stages


def main() -> None:
    """Answer one job in one line of JSON."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb", buffering=0)
    job = msgspec.json.decode(sys.stdin.buffer.readline(), type=StageJob)
    hold_leash()
    with native_output_to_stderr():  # what a library prints must not mix with the answer
        try:
            found = measure_stages(job)
        except WhisperqError as error:
            found = StageStart((), (), stand_in=False, tools={}, error=str(error))
        answers.write(msgspec.json.encode(found) + b"\n")
        answers.close()
        os._exit(0)  # a library that crashes on its way out has told all it knew


if __name__ == "__main__":
    main()
