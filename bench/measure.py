"""The run itself: which engine transcribes what, in which order."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeVar

import prepare
from contenders import JOBS, LONG, Contender, Job
from engine_process import EngineError, EngineProcess
from results import Results, Sample, Seconds, Start

T = TypeVar("T")
Report = Callable[[str], None]


class Benchmark:
    """Fills ``results`` and saves it after every round.

    Args:
        results: Says on which cores and with how many threads.
        output: Where it is saved.
        contenders: The engines.
        report: Told what is going on.
    """

    def __init__(
        self, results: Results, output: Path, contenders: Sequence[Contender], report: Report
    ) -> None:
        self.results, self.output, self.report = results, output, report
        self.contenders = contenders
        self._folders: dict[tuple[str, str, int], Path] = {}
        self._random = random.Random(0)

    def prepare(self, sizes: Iterable[str]) -> None:
        """Make everything that will be measured, and note what it takes on disk."""
        for size in sizes:
            self.results.disk_mib[size] = {}
            for contender in self.contenders:
                for n_tokens in sorted({job.n_tokens for job in JOBS}):
                    folder = prepare.artifact(contender, size, n_tokens)
                    self._folders[contender.name, size, n_tokens] = folder
                    self.results.disk_mib[size][contender.name] = prepare.disk_mib(folder)

    def transcribe(self, size: str, n_rounds: int) -> None:
        """Measure loaded engines: every job by every engine in every round, in random order."""
        with ExitStack() as stack:
            processes = []
            for contender in self.contenders:
                process = stack.enter_context(self._process(contender))
                if self._load(process, size):
                    processes.append(process)
            for number in range(-1, n_rounds):
                for job in JOBS:
                    able = [p for p in processes if job.window in p.contender.windows]
                    for process in self._shuffled(able):
                        try:
                            self.results.samples.append(_sample(process, size, job, number))
                        except EngineError as error:
                            self._fail(process.contender, error)
                            processes.remove(process)
                self._round_done(f"{size}: round {number + 1} of {n_rounds}")

    def start(self, size: str, n_rounds: int) -> None:
        """Measure fresh processes: loading and memory."""
        for number in range(-1, n_rounds):
            for contender in self._shuffled(self.contenders):
                try:
                    self.results.starts.append(self._start(contender, size, number))
                except EngineError as error:
                    self._fail(contender, error)
            self._round_done(f"{size}: start {number + 1} of {n_rounds}")

    def _start(self, contender: Contender, size: str, number: int) -> Start:
        with self._process(contender) as process:
            loaded = process.load(LONG.name, self._folders[contender.name, size, LONG.n_tokens])
            answer = process.run(LONG.name, prepare.clip(LONG.clip_s), LONG.window)
        return Start(
            size=size,
            engine=contender.name,
            round=number,
            ready=Seconds(loaded["wall_s"], loaded["cpu_s"]),
            rss_mib=loaded["rss_mib"],
            peak_mib=answer["peak_mib"],
            said=_mismatch(answer, size, LONG),
        )

    def _load(self, process: EngineProcess, size: str) -> bool:
        contender = process.contender
        try:
            for n_tokens in sorted({job.n_tokens for job in JOBS}):
                folder = self._folders[contender.name, size, n_tokens]
                answer = process.load(str(n_tokens), folder)
        except EngineError as error:
            self._fail(contender, error)
            return False
        self.results.versions[contender.name] = answer["facts"]
        return True

    def _process(self, contender: Contender) -> EngineProcess:
        python = prepare.python_of(contender)
        log = prepare.WORK / "engines.log"
        return EngineProcess(contender, python, self.results.cores, self.results.threads, log)

    def _shuffled(self, items: Sequence[T]) -> list[T]:
        return self._random.sample(items, len(items))

    def _fail(self, contender: Contender, error: EngineError) -> None:
        self.results.failures[contender.name] = str(error)
        self.report(f"{contender.name}: {error}")

    def _round_done(self, message: str) -> None:
        self.results.save(self.output)
        self.report(message)


def _sample(process: EngineProcess, size: str, job: Job, number: int) -> Sample:
    answer = process.run(str(job.n_tokens), prepare.clip(job.clip_s), job.window)
    return Sample(
        size=size,
        engine=process.contender.name,
        job=job.name,
        round=number,
        total=Seconds(answer["wall_s"], answer["cpu_s"]),
        stages={name: Seconds(**seconds) for name, seconds in answer["stages"].items()},
        others=answer["others"],
        said=_mismatch(answer, size, job),
    )


def _mismatch(answer: dict[str, Any], size: str, job: Job) -> str | None:
    text: str = answer["text"]
    return None if text == prepare.script(size, job.n_tokens) else text
