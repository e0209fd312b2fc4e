"""The second step: what every artifact makes of every set."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path

import msgspec

from ..accuracy.condition import Condition
from ..accuracy.failure import Failure
from ..accuracy.normalizer import normalizer_for
from ..accuracy.plan import plan_tasks
from ..accuracy.result import Result, Settings, Variant
from ..accuracy.sets import load_set
from ..accuracy.store import ResultStore
from ..accuracy.sweep import run_sweep
from ..accuracy.sweep_progress import SweepProgress
from ..accuracy.task import Task, find_result, result_key
from ..accuracy.utterance import SpeechSet, Utterance
from ..reports.wording import count
from ..transcription.word_errors import load_jiwer
from .config import SetConfig, StudyConfig, data_beside, is_random
from .export_step import Made
from .pace import Report, Step
from .study import Missing


@dataclass(frozen=True)
class Heard:
    """One artifact, one set, one way of listening.

    Attributes:
        made: The artifact.
        number: Of the set in the study.
        settings: How it is heard.
    """

    made: Made
    number: int
    settings: Settings


class EvaluateStep:
    """Transcribes what is not recorded yet.

    Args:
        made: The artifacts; those of random checkpoints are left out.
        config: Says which sets and variants.
        beside: Folder of the study's file.
        store: Of the results.

    Attributes:
        sets: As they were read.
        missing: What could not be transcribed.

    Raises:
        ConfigError: A set cannot be read.
        MissingDependencyError: What compares texts is not installed.
    """

    def __init__(
        self, made: Sequence[Made], config: StudyConfig, beside: Path, store: ResultStore
    ) -> None:
        self._made = [one for one in made if not is_random(one.cell.checkpoint)]
        self._config, self._store = config, store
        self.sets: list[SpeechSet] = []
        self.missing: list[Missing] = []
        if self._made:
            load_jiwer()  # before an hour of transcription
            normalizer_for("en")
            self.sets = [_load(one, beside) for one in config.sets]
            self._for_variants = _load(_limited(config), beside)

    def heard(self) -> Iterator[Heard]:
        """All that there is to hear, artifact for artifact."""
        for one in self._made:
            for number, settings in self._ways():
                yield Heard(one, number, settings)

    def tasks(self) -> list[Task]:
        """What is not recorded yet, in pieces."""
        artifacts = [one.artifact for one in self._made]
        return [
            task
            for number, settings in self._ways()
            for task in plan_tasks(artifacts, self._speech(number, settings), settings, self._store)
        ]

    def run(self, tasks: Sequence[Task], executor: Executor, report: Report) -> None:
        """Transcribe it; interrupted, what was done stays.

        Args:
            tasks: Of ``tasks``.
            executor: Whoever does them, see ``run_sweep``.
            report: Told how far it is.

        Raises:
            WhisperqError: The disk refuses, or nobody does the work.
        """

        def tell(now: SweepProgress) -> None:
            what = f"{now.n_done} of {now.n_total} utterances"
            report(Step("evaluate", what, now.done_s / (now.total_s or 1.0), now.left_s))

        failures = run_sweep(tasks, executor, self._store, on_progress=tell)
        self.missing += self._failed(tasks, failures)

    def _failed(self, tasks: Sequence[Task], failures: Sequence[Failure]) -> Iterator[Missing]:
        """A line for each artifact and way of listening that lacks something."""
        names = {one.digest: one.name for one in self._made}
        reasons = {failure.key: failure.reason for failure in failures}
        lacking: dict[str, list[str]] = {}
        for task in tasks:
            settings = task.settings
            name = f"{names[task.digest]}, {settings.variant}, {settings.condition}"
            keys = (result_key(task.digest, one, settings) for one in task.utterances)
            lacking.setdefault(name, []).extend(reasons[key] for key in keys if key in reasons)
        for name, found in lacking.items():
            if found:
                yield Missing(name, f"{count(len(found), 'utterance')} failed: {found[0]}")

    def results(self, one: Heard) -> list[tuple[Utterance, Result]]:
        """What is recorded, in the set's order."""
        return [
            (utterance, result)
            for utterance in self._speech(one.number, one.settings).utterances
            if (result := find_result(self._store, one.made.digest, utterance, one.settings))
        ]

    def _speech(self, number: int, settings: Settings) -> SpeechSet:
        return self.sets[number] if settings.variant == "plain" else self._for_variants

    def _ways(self) -> Iterator[tuple[int, Settings]]:
        """Numbers of the sets and how they are heard: all plainly, the first in every variant."""
        plain: tuple[Variant, ...] = ("plain",)
        threads = self._config.threads[0]
        for number, its in enumerate(self._config.sets[: len(self.sets)]):
            for variant in self._config.variants if number == 0 else plain:
                condition = Condition.parse(its.condition).name
                yield number, Settings(variant, threads, condition=condition)


def _limited(config: StudyConfig) -> SetConfig:
    """The first set as variants other than plain hear it."""
    first = config.sets[0]
    limits = [limit for limit in (first.limit, config.variant_limit) if limit is not None]
    return msgspec.structs.replace(first, limit=min(limits, default=None))


def _load(one: SetConfig, beside: Path) -> SpeechSet:
    return load_set(data_beside(one.data, beside), limit=one.limit, language=one.language)
