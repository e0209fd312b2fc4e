"""A worker, seen from the process that started it."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping

import msgspec

from ..errors import WhisperqError
from ..types import Closeable
from .job import Finding, Job

# Failures of the worker's own are lines of JSON; these are what the system did to it.
_SIGNALS = {
    signal.SIGKILL: "killed by the system, which is out of memory most likely",
    signal.SIGILL: "a library was built for another processor (SIGILL)",
}


class WorkerError(WhisperqError):
    """The process ended before it had finished; the message is one line."""


class OverdueError(WorkerError):
    """It was ended because its time was up."""


class WorkerProcess(Closeable):
    """Runs one job in a fresh interpreter.

    Args:
        job: What to do; ``spawned_s`` is filled in here.
        environment: Variables besides this process's own.
        limit_s: When it is ended whatever it does; None for never.

    Raises:
        WorkerError: No process can be started.
    """

    def __init__(
        self, job: Job, environment: Mapping[str, str], limit_s: float | None = None
    ) -> None:
        self._end_s = None if limit_s is None else time.monotonic() + limit_s
        self._errors = tempfile.TemporaryFile()
        spawned_s = time.monotonic()
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-m", f"{__package__}.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                env={**os.environ, **environment},
                start_new_session=True,  # Ctrl-C is for us; the worker ends when its pipe closes
            )
        except OSError as error:
            self._errors.close()
            raise WorkerError(f"no process could be started: {error.strerror}") from error
        assert self._process.stdin and self._process.stdout
        self._input, self._output = self._process.stdin, self._process.stdout
        try:
            told = msgspec.structs.replace(job, spawned_s=spawned_s)
            self._input.write(msgspec.json.encode(told) + b"\n")
            self._input.flush()
        except BrokenPipeError:
            pass  # ``findings`` says why it ended

    def findings(self) -> Iterator[Finding]:
        """What it finds, one by one.

        Raises:
            WorkerError: It ended with an error.
        OverdueError: Its time was up.
        """
        decoder = msgspec.json.Decoder(Finding)
        pending = b""
        while block := self._read():
            *lines, pending = (pending + block).split(b"\n")
            for line in lines:
                yield decoder.decode(line)
        status = self._process.wait()
        if status:
            raise WorkerError(self._reason(status))

    def close(self) -> None:
        """End it, if it still runs."""
        self._process.kill()
        self._process.wait()
        for file in (self._output, self._errors):
            file.close()
        try:
            self._input.close()
        except BrokenPipeError:
            pass

    def _read(self) -> bytes:
        if self._end_s is not None:
            left_s = self._end_s - time.monotonic()
            if left_s <= 0 or not select.select([self._output], [], [], left_s)[0]:
                raise OverdueError("it was ended: its share of the time was long over")
        return os.read(self._output.fileno(), 1 << 16)

    def _reason(self, status: int) -> str:
        if status < 0:
            return signal_reason(-status)
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else f"the process ended with status {status}"


def signal_reason(number: int) -> str:
    """What a signal that ended a process says of why, in a few words."""
    name = signal.Signals(number).name
    return _SIGNALS.get(signal.Signals(number), f"a library crashed ({name})")
