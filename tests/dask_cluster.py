"""A scheduler of dask and its workers, as somebody starts them by hand, on this machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time

_START_S = 60


class DaskCluster:
    """A scheduler on the loopback interface, and workers as they are asked for.

    Programs of their own, because dask's threads and warnings would be those of the tests.

    Args:
        folder: For the files of the programs.
        environment: Variables for the scheduler.
    """

    def __init__(self, folder, **environment):
        self._folder = folder
        self._processes = []
        self._file = folder / "scheduler.json"
        self.scheduler = self._start(
            *("dask", "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard"),
            *("--scheduler-file", str(self._file)),
            **environment,
        )
        _until(self._file.exists)
        _until(lambda: self._file.stat().st_size)
        self.address = json.loads(self._file.read_text())["address"]

    def add_worker(self, *arguments, **environment):
        """Start a worker of one thread; it is the process that is returned."""
        return self._start(
            *("dask", "worker", self.address, "--nthreads", "1", "--no-dashboard"),
            *("--memory-limit", "0", "--local-directory", str(self._folder), *arguments),
            **environment,
        )

    def end_workers(self):
        """Kill those that were added."""
        for process in self._processes[1:]:
            process.kill()
            process.wait()
        del self._processes[1:]

    def close(self):
        """End all of it."""
        self.end_workers()
        self.scheduler.kill()
        self.scheduler.wait()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()

    def _start(self, *command, **environment):
        with (self._folder / f"{len(self._processes)}.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", *command],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                env={
                    **os.environ,
                    "DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED": "0",
                    **environment,
                },
            )
        self._processes.append(process)
        return process


def _until(is_so):
    end_s = time.monotonic() + _START_S
    while not is_so():
        assert time.monotonic() < end_s, "dask did not start"
        time.sleep(0.02)
