"""Several exports side by side, each in a process of its own.

A library that crashes takes only its own process with it, and none has to share its memory.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path

from ...runtimes import usable_cores
from ..errors import WhisperqError
from ..types import Progress
from .plan import Job

MOST_WORKERS = 4
# The checkpoint in floats several times over, and the libraries.
BYTES_PER_PARAMETER, BYTES_OF_LIBRARIES = 16, 600_000_000
REPORTS_PER_SECOND = 10
Report = Callable[[Job, str, float], None]
"""Told how far a job is: the job, its stage, the share of the stage that is done."""


@dataclass(frozen=True)
class Outcome:
    """How a job ended.

    Attributes:
        job: Which.
        seconds: How long it took.
        error: Why it failed, in a line; None if it did not.
        status: The exit status that goes with the error.
    """

    job: Job
    seconds: float
    error: str | None = None
    status: int = 0


def run_side_by_side(jobs: Sequence[Job], n_workers: int, report: Report) -> list[Outcome]:
    """Run jobs, going on past those that fail.

    Args:
        jobs: In the order in which they start; one for each target.
        n_workers: How many run at once.
        report: Told how far each is.

    Returns:
        One for each job, in the same order. Interrupted, no job is left running and no artifact
        half written.
    """
    waiting, running = list(jobs), list[_Running]()
    outcomes: dict[str, Outcome] = {}
    try:
        while waiting or running:
            while waiting and len(running) < n_workers:
                running.append(_Running(waiting.pop(0)))
            ready = wait([each.pipe for each in running])
            for each in [each for each in running if each.pipe in ready]:
                outcome = each.hear(report)
                if outcome is not None:
                    outcomes[each.job.target] = outcome
                    running.remove(each)
    finally:
        for each in running:
            each.stop()
    return [outcomes[job.target] for job in jobs]


def affordable_workers(n_parameters: int) -> int:
    """How many exports of a model this machine has cores and memory for; at least one."""
    each = n_parameters * BYTES_PER_PARAMETER + BYTES_OF_LIBRARIES
    return max(1, min(MOST_WORKERS, usable_cores(), available_bytes() // each))


def available_bytes() -> int:
    """Memory that is free or can be freed; half of all where the system does not say."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        found = dict(line.split(":") for line in lines)
        return int(found["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError):
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2


class _Running:
    """A job in its process."""

    def __init__(self, job: Job) -> None:
        # A forked copy of this process would share threads and locks of libraries.
        context = get_context("spawn")
        self.job = job
        self.pipe, theirs = context.Pipe(duplex=False)
        self._began = time.perf_counter()
        self._process: BaseProcess = context.Process(target=_work, args=(job, theirs), daemon=True)
        with _interrupts_ignored():
            self._process.start()
        theirs.close()

    def hear(self, report: Report) -> Outcome | None:
        """Take one message; the outcome, if it was the last."""
        try:
            message = self.pipe.recv()
        except EOFError:
            message = self._silent_end()
        if isinstance(message[0], str):
            report(self.job, *message)
            return None
        self._process.join()
        self.pipe.close()
        status, error = message
        return Outcome(self.job, time.perf_counter() - self._began, error, status)

    def _silent_end(self) -> tuple[int, str]:
        self._process.join()
        code = self._process.exitcode or 0
        how = f"signal {signal.Signals(-code).name}" if code < 0 else f"status {code}"
        return 1, f"the process ended without a word ({how})"

    def stop(self) -> None:
        """End it; it cleans up behind itself."""
        self._process.terminate()
        self._process.join()
        self.pipe.close()


def _work(job: Job, pipe: Connection) -> None:
    """What the process does; tells ``(stage, share)`` on the way and ``(status, error)`` last."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that folders are cleaned up
    os.dup2(2, 1)  # the result is the parent's to print, whatever a library thinks
    told, shown = 0.0, ""

    def tell(stage: str, done: float) -> None:
        nonlocal told, shown
        now = time.monotonic()
        if stage != shown or now - told > 1 / REPORTS_PER_SECOND:
            told, shown = now, stage
            pipe.send((stage, done))  # fails where nobody listens any more, which ends the job

    with suppress(BrokenPipeError):
        pipe.send(_outcome(job, tell))


def _outcome(job: Job, tell: Progress) -> tuple[int, str | None]:
    try:
        job.run(tell)
    except WhisperqError as error:
        return error.exit_code, str(error)
    except BrokenPipeError:
        raise
    except Exception as error:  # a mistake of ours or of a library, for the table at the end
        return 1, f"unexpected {type(error).__name__}: {error}"
    return 0, None


@contextmanager
def _interrupts_ignored() -> Iterator[None]:
    """Processes that start meanwhile ignore Ctrl-C, and leave it to this one to stop them."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
