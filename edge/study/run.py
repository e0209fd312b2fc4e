"""A study from its file to its figures, going on where it was."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path

from ... import __version__
from ...models.checkpoint import load_checkpoint
from ..accuracy.store import ResultStore
from ..accuracy.task import Task
from ..profiling.board import Board
from ..profiling.read_board import read_board
from .assembly import assemble
from .cells import Absent, cells_of
from .config import StudyConfig, checkpoint_beside, is_random
from .evaluate_step import EvaluateStep
from .export_step import Made, export_cells
from .pace import Pace, Report
from .profile_step import ProfileStep
from .stage_step import StageStep
from .study import SCHEMA, Missing, Study
from .work_folder import WorkFolder, key_of

Recruit = Callable[[Sequence[Task]], Executor]
"""Gets whoever transcribes; called only where there is something to do."""


@dataclass(frozen=True)
class Done:
    """What came of a run.

    Attributes:
        study: All figures.
        n_exports: Artifacts that were made now.
        n_utterances: Utterances that were transcribed now.
        n_measurements: Processes that were timed now.
    """

    study: Study
    n_exports: int
    n_utterances: int
    n_measurements: int

    @property
    def is_new(self) -> bool:
        """Whether anything was done."""
        return bool(self.n_exports or self.n_utterances or self.n_measurements)


def run_study(
    config: StudyConfig, beside: Path, folder: Path, recruit: Recruit, report: Report
) -> Done:
    """Export, transcribe and time what is not there yet, and put the study together.

    Interrupted, even by a kill, at most the piece at hand is lost: the same call goes on there.

    Args:
        config: What is asked.
        beside: Folder of the study's file, from which its paths are meant.
        folder: Of the work; one that was used before is gone on with.
        recruit: See ``Recruit``.
        report: Told how far it is.

    Raises:
        ConfigError: A checkpoint or a set cannot be had, or another program uses the folder.
        WhisperqError: The disk refuses, or nobody does the work.
    """
    work, board = WorkFolder(folder), read_board()
    with ResultStore(work.results) as store:
        models = {name: work.model(checkpoint_beside(name, beside)) for name in config.checkpoints}
        checkpoints = {name: load_checkpoint(model) for name, model in models.items()}
        cells, absent = cells_of(config, models, work.artifacts)
        made, failed, n_exports = export_cells(cells, checkpoints, report)
        evaluated = EvaluateStep(made, config, beside, store)
        n_utterances = _evaluate(evaluated, recruit, report)
        stages = StageStep(made, config, board, work)
        profiles, n_measurements = _time(made, config, board, work, stages, report)
        missing = [*map(_missing, absent), *failed]
        key = _key(config, board, made, missing, evaluated, stages)
        study = None if n_measurements else work.read("studies", key, Study)
        if study is None:
            Pace("report", 1, report).tell("scores and intervals")
            study = assemble(config, board, checkpoints, made, missing, evaluated, stages, profiles)
            work.write("studies", key, study)
    return Done(study, n_exports, n_utterances, n_measurements)


def _evaluate(evaluated: EvaluateStep, recruit: Recruit, report: Report) -> int:
    tasks = evaluated.tasks()
    n_utterances = sum(len(task.utterances) for task in tasks)
    if tasks:
        with recruit(tasks) as executor:
            evaluated.run(tasks, executor, report)
    return n_utterances


def _time(
    made: list[Made],
    config: StudyConfig,
    board: Board,
    work: WorkFolder,
    stages: StageStep,
    report: Report,
) -> tuple[ProfileStep, int]:
    """Windows first: they say what is a stand-in, which is not profiled."""
    n_stages = stages.n_missing
    stages.run(Pace("stages", n_stages, report))

    def is_real(one: Made) -> bool:
        starts = stages.starts(one, config.threads[0])
        return any(start.passes for start in starts)

    worded = [one for one in made if not is_random(one.cell.checkpoint) and is_real(one)]
    profiles = ProfileStep(worded, config, board, work)
    n_profiles = profiles.n_missing
    profiles.run(Pace("recordings", n_profiles, report))
    return profiles, n_stages + n_profiles


def _missing(absent: Absent) -> Missing:
    name = f"{absent.checkpoint} {absent.precision} {absent.target}"
    return Missing(name, absent.reason)


def _key(
    config: StudyConfig,
    board: Board,
    made: list[Made],
    missing: list[Missing],
    evaluated: EvaluateStep,
    stages: StageStep,
) -> str:
    """Of all that a study is made from; profiles have the same key as the artifacts in them."""
    results = [result.key for heard in evaluated.heard() for _, result in evaluated.results(heard)]
    started = [
        (one.digest, threads, stages.starts(one, threads))
        for one in made
        for threads in config.threads
    ]
    references = [speech.utterances for speech in evaluated.sets]
    parts = (SCHEMA, __version__, config, board, missing, results, started, references)
    return key_of(*parts)
