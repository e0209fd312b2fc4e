"""The run itself: which program transcribes or streams what, in which order."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

import msgspec
import prepare
from contenders import Contender
from engine_process import EngineError
from environments import WORK
from streaming.jobs import BUNDLED, checkpoint

from whisperq_edge.edge.errors import WhisperqError

from .clips import Clip, clips
from .process import WordProcess
from .results import WARM_UP, Heard, WordResults
from .setups import WORD_SETUPS, WordSetup

Report = Callable[[str], None]


class WordBenchmark:
    """Fills ``results`` and saves it after every round.

    Args:
        results: Says on which core.
        output: Where it is saved.
        report: Told what is going on.
        setups: What transcribes.
    """

    def __init__(
        self,
        results: WordResults,
        output: Path,
        report: Report,
        setups: Sequence[WordSetup] = WORD_SETUPS,
    ) -> None:
        self.results, self.output, self.report = results, output, report
        self._setups = setups
        self._random = random.Random(0)

    def transcribe(self, n_rounds: int) -> None:
        """Measure loaded engines: every clip by every setup, in random order."""
        self.results.clips = {clip.name: clip for clip in clips()}
        with ExitStack() as stack:
            processes: dict[str, WordProcess] = {}
            contenders = {setup.contender.name: setup.contender for setup in self._setups}
            for contender in contenders.values():
                if loaded := self._loaded(contender, stack):
                    processes[contender.name] = loaded
            for number in range(WARM_UP, n_rounds):
                for clip in self._clips(number):
                    for setup in self._random.sample(self._setups, len(self._setups)):
                        if process := processes.get(setup.contender.name):
                            self._hear(process, setup, clip, number)
                self.results.save(self.output)
                self.report(f"word times: round {number + 1} of {n_rounds}")

    def _clips(self, number: int) -> list[Clip]:
        """What is heard in a round: single recordings once, for their words."""
        found = list(self.results.clips.values())
        if number == WARM_UP:
            return [clip for clip in found if clip.kind == "placed"][:1]
        return [clip for clip in found if clip.kind != "single" or number == 0]

    def _hear(self, process: WordProcess, setup: WordSetup, clip: Clip, number: int) -> None:
        try:
            told = process.words(BUNDLED, clip.path, setup.options)
        except EngineError as error:
            self.results.failures[f"{setup.name}, {clip.name}"] = str(error)
            self.report(f"{setup.name}: {clip.name}: {error}")
            return
        known = {"setup": setup.name, "clip": clip.name, "round": number}
        self.results.heard.append(msgspec.convert({**known, **told}, Heard))

    def _loaded(self, contender: Contender, stack: ExitStack) -> WordProcess | None:
        """A process that holds the model; None if the program cannot be had here."""
        try:
            folder = prepare.converted(contender, checkpoint(BUNDLED))
            python = prepare.python_of(contender)
            process = WordProcess(contender, python, [self.results.core], 1, WORK / "engines.log")
            stack.enter_context(process)
            self.results.versions[contender.name] = process.load(BUNDLED, folder)["facts"]
        except (EngineError, WhisperqError) as error:
            self.results.failures[contender.name] = str(error)
            self.report(f"{contender.name}: {error}")
            return None
        return process
