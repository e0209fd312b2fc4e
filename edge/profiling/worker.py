"""One configuration in a process of its own: a job on standard input, findings on standard output.

Started by ``WorkerProcess`` as ``python -m whisperq_edge.edge.profiling.worker``.
"""

from __future__ import annotations

import os
import sys

import msgspec

from ..errors import WhisperqError
from ..native_output import native_output_to_stderr
from .job import Failed, Finding, Job
from .leash import hold_leash
from .measurement import measure


def main() -> None:
    """Answer one job; each finding is one line of JSON, written as soon as it is known."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb", buffering=0)
    # Not line by line: the thread below has to see the end of what is left.
    job = msgspec.json.decode(sys.stdin.buffer.readline(), type=Job)
    hold_leash()

    def tell(finding: Finding) -> None:
        answers.write(msgspec.json.encode(finding) + b"\n")

    with native_output_to_stderr():  # what a library prints must not mix with the answers
        try:
            for finding in measure(job):
                tell(finding)
        except WhisperqError as error:
            tell(Failed(str(error)))
        except MemoryError:
            tell(Failed("out of memory"))
        answers.close()
        os._exit(0)  # a library that crashes on its way out has told all it knew


if __name__ == "__main__":
    main()
