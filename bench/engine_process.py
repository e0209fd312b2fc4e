"""The parent's end of a worker: an engine in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any, Self

from contenders import Contender

HERE = Path(__file__).resolve().parent


class EngineError(Exception):
    """An engine failed or its process ended; the message says how."""


class EngineProcess:
    """Starts a worker, pinned to some cores; a context manager that ends it.

    Args:
        contender: The engine.
        python: The interpreter of its environment.
        cores: Where it may run.
        threads: How many threads the engine shall use.
        log: Takes what the engine prints.
    """

    package = "engines"  # where the adapters are

    def __init__(
        self, contender: Contender, python: Path, cores: list[int], threads: int, log: Path
    ) -> None:
        self.contender = contender
        self._threads = threads
        environment = dict(os.environ)
        environment.pop("CT2_USE_MKL", None)  # on AMD it makes the peer many times slower
        environment |= {
            "OMP_NUM_THREADS": str(threads),
            "TOKENIZERS_PARALLELISM": "false",
            "HF_HUB_OFFLINE": "1",
        }
        self._started = time.perf_counter()
        with log.open("a") as errors:
            self._process = subprocess.Popen(
                [str(python), str(HERE / "worker.py"), ",".join(map(str, cores))],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                bufsize=1,
                env=environment,
            )

    def load(self, key: str, folder: Path) -> dict[str, Any]:
        """Load the engine's files; ``wall_s`` counts from the start of the process."""
        answer = self._ask(
            key=key,
            module=f"{self.package}.{self.contender.module}",
            folder=str(folder),
            precision=self.contender.precision,
            threads=self._threads,
        )
        return {**answer, "wall_s": time.perf_counter() - self._started}

    def run(self, key: str, clip: Path, window: str) -> dict[str, Any]:
        """Transcribe a clip with what was loaded as ``key``."""
        return self._ask(key=key, clip=str(clip), window=window)

    def close(self) -> None:
        """End the process."""
        if self._process.stdin:
            self._process.stdin.close()
        try:
            self._process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def __enter__(self) -> Self:
        """Use the process as a context manager that ends it."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the process."""
        self.close()

    def _ask(self, **request: object) -> dict[str, Any]:
        assert self._process.stdin and self._process.stdout
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise EngineError(f"the process ended with {self._process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise EngineError(str(answer["error"]))
        return answer
