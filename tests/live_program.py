"""A program that runs while the test does things to its surroundings."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Mapping, Sequence

import pytest

PATIENCE_S = 90  # a machine that tests in parallel is slow


class LiveProgram:
    """A program whose lines, of both its outputs, are read as they come.

    Attributes:
        process: Its standard input is a pipe.
        lines: All that it has written so far.
    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self.process = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.lines: list[str] = []
        self._n_searched = 0
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def wait_for(self, part: str) -> str:
        """The next line that holds ``part``, after the one that was waited for before."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            is_over = not self._reader.is_alive()
            for line in self.lines[self._n_searched :]:
                self._n_searched += 1
                if part in line:
                    return line
            if is_over or time.monotonic() > deadline:
                pytest.fail(f"no line has '{part}': {self.lines}")
            time.sleep(0.01)

    def end(self) -> int:
        """Close its input and wait for it; its exit status."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        status = self.process.wait(PATIENCE_S)
        self._reader.join(PATIENCE_S)
        return status

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as output:
            for line in output:
                self.lines.append(line.rstrip())
