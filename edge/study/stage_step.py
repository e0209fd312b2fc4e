"""The third step, one half: every artifact's window in its stages."""

from __future__ import annotations

from collections.abc import Sequence

from ..profiling.board import Board
from ..reports.wording import count
from .config import StudyConfig
from .export_step import Made
from .pace import Pace
from .stage_process import run_stages
from .stages import N_BATCHED, N_TOKENS, WARM_UPS, StageJob, StageStart
from .work_folder import WorkFolder, key_of

KIND = "stages"
N_STARTS = 2  # processes, with the passes shared out among them


class StageStep:
    """Measures what is not known yet, one artifact after the other and then all of them again.

    So a machine that gets slower slows all alike. Nothing else should run meanwhile.

    Args:
        made: The artifacts.
        config: Says with which threads, and how often.
        board: On what; figures of another are not taken.
        work: Where they are kept.
    """

    def __init__(
        self, made: Sequence[Made], config: StudyConfig, board: Board, work: WorkFolder
    ) -> None:
        self._config, self._board, self._work = config, board, work
        self._plan = [
            (one, threads, start)
            for start in range(min(N_STARTS, config.repeats))
            for one in made
            for threads in config.threads
        ]

    @property
    def n_missing(self) -> int:
        """Starts that are to be made."""
        return sum(self.start(*planned) is None for planned in self._plan)

    def run(self, pace: Pace) -> None:
        """Make them.

        Raises:
            WhisperqError: No process can be started, or the disk refuses.
        """
        for one, threads, start in self._plan:
            if self.start(one, threads, start) is not None:
                continue
            pace.tell(f"{one.name}, {count(threads, 'thread')}")
            found = run_stages(self._job(one, threads, start), self._work.cache)
            self._work.write(KIND, self._key(one, threads, start), found)
            pace.finish()

    def start(self, one: Made, threads: int, start: int) -> StageStart | None:
        """What one start found, if it was made."""
        return self._work.read(KIND, self._key(one, threads, start), StageStart)

    def starts(self, one: Made, threads: int) -> list[StageStart]:
        """All that is known of an artifact with so many threads."""
        numbers = range(min(N_STARTS, self._config.repeats))
        found = (self.start(one, threads, number) for number in numbers)
        return [start for start in found if start is not None]

    def _job(self, one: Made, threads: int, start: int) -> StageJob:
        return StageJob(str(one.artifact.folder), one.digest, threads, self._n_passes(start))

    def _n_passes(self, start: int) -> int:
        n_starts = min(N_STARTS, self._config.repeats)
        whole, rest = divmod(self._config.repeats, n_starts)
        return whole + (start < rest)

    def _key(self, one: Made, threads: int, start: int) -> str:
        work = (N_TOKENS, N_BATCHED, WARM_UPS, self._n_passes(start), start)
        return key_of(one.digest, threads, work, self._board)
