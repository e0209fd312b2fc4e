"""The run itself: which engine streams what, in which order."""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import msgspec
import prepare
from contenders import Contender
from engine_process import EngineError
from environments import WORK
from machine import machine_facts

from whisperq_edge.edge.audio.silero import SileroActivity

from .jobs import BUNDLED, SETUPS, Setup, checkpoint, job
from .process import StreamProcess
from .results import WARM_UP, Played, Results
from .sounds import Sound, sounds
from .speech import Speech, listen

WARM_UP_SOUND = "11_can_i_get_a_light_roast_iced_mocha"
SCRIPTED_SOUNDS = ("68_long_28_s", "talk")  # for models of true size: words do not matter there

Report = Callable[[str], None]


class StreamBenchmark:
    """Fills ``results`` and saves it after every round.

    Args:
        results: Says on which core.
        output: Where it is saved.
        report: Told what is going on.
        setups: What streams.
    """

    def __init__(
        self, results: Results, output: Path, report: Report, setups: Sequence[Setup] = SETUPS
    ) -> None:
        self.results, self.output, self.report = results, output, report
        self._setups = setups
        self._random = random.Random(0)
        self._speech: dict[str, Speech] = {}

    def listen(self) -> None:
        """Find the speech in every sound, once for all."""
        activity = SileroActivity()
        for sound in sounds():
            self.results.sounds[sound.name] = sound
            self._speech[sound.name] = speech = listen(sound, activity)
            self.results.silences[sound.name] = speech.silences
        cpu_s = sum(speech.cpu_s for speech in self._speech.values())
        heard_s = sum(sound.duration_s for sound in self.results.sounds.values())
        self.results.vad_cpu_per_s = cpu_s / heard_s
        self.results.n_frame = activity.n_frame

    def stream(self, model: str, n_rounds: int) -> None:
        """Measure loaded engines: every sound by every setup, in random order."""
        with ExitStack() as stack:
            processes: dict[str, StreamProcess] = {}
            contenders = {setup.contender.name: setup.contender for setup in self._setups}
            for contender in contenders.values():
                loaded = stack.enter_context(self._process(contender))
                if self._load(loaded, model):
                    processes[contender.name] = loaded
            for number in range(WARM_UP, n_rounds):
                for sound in self._sounds(model, number):
                    for setup in self._random.sample(self._setups, len(self._setups)):
                        if process := processes.get(setup.contender.name):
                            self._play(process, setup, model, sound, number)
                self.results.save(self.output)
                self.report(f"{model}: round {number + 1} of {n_rounds}")

    def _sounds(self, model: str, number: int) -> Iterator[Sound]:
        """What is played in a round: single recordings once, for their words; streams always."""
        for sound in self.results.sounds.values():
            if number == WARM_UP:
                is_wanted = sound.name == WARM_UP_SOUND
            elif model != BUNDLED:
                is_wanted = sound.name in SCRIPTED_SOUNDS
            elif sound.kind == "talk":  # far more words in a window than the model was trained on
                is_wanted = False
            else:
                is_wanted = sound.kind != "single" or number == 0
            if is_wanted:
                yield sound

    def _play(
        self, process: StreamProcess, setup: Setup, model: str, sound: Sound, number: int
    ) -> None:
        speech = self._speech[sound.name]
        try:
            told = process.stream(
                model, sound.path, job(setup, model, speech, self.results.chunk_s)
            )
        except EngineError as error:
            self.results.failures[f"{model}, {setup.name}, {sound.name}"] = str(error)
            self.report(f"{setup.name}: {sound.name}: {error}")
            return
        known = {"model": model, "setup": setup.name, "sound": sound.name, "round": number}
        self.results.played.append(msgspec.convert({**known, **told}, Played))

    def _load(self, process: StreamProcess, model: str) -> bool:
        contender = process.contender
        try:
            folder = prepare.converted(contender, checkpoint(model))
            self.results.versions[contender.name] = process.load(model, folder)["facts"]
        except EngineError as error:
            self.results.failures[f"{model}, {contender.name}"] = str(error)
            self.report(f"{contender.name}: {error}")
            return False
        return True

    def _process(self, contender: Contender) -> StreamProcess:
        log = WORK / "engines.log"
        return StreamProcess(contender, prepare.python_of(contender), [self.results.core], 1, log)


def measure(
    models: Sequence[str], n_rounds: int, core: int, chunk_s: float, output: Path
) -> Results:
    """Run the whole benchmark."""
    began = time.monotonic()

    def report(message: str) -> None:
        print(f"{time.monotonic() - began:5.0f} s  {message}", file=sys.stderr, flush=True)

    WORK.mkdir(exist_ok=True)
    when = time.strftime("%Y-%m-%d %H:%M")
    results = Results(when=when, machine=machine_facts(), core=core, chunk_s=chunk_s)
    benchmark = StreamBenchmark(results, output, report)
    benchmark.listen()
    report(f"found the speech in {len(results.sounds)} sounds")
    for model in models:
        benchmark.stream(model, n_rounds)
    return results
