"""The third step, the other half: whole recordings, by the profiler."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from ... import __version__
from ..errors import ConfigError
from ..profiling.board import Board
from ..profiling.configuration import Candidate, candidate
from ..profiling.journal import Header, Journal
from ..profiling.plan import make_protocol
from ..profiling.record import SCHEMA, Outcome, Record
from ..profiling.record_file import read_record, write_record
from ..profiling.runner import Budget, Runner, Step
from .config import StudyConfig
from .export_step import Made
from .pace import Pace
from .work_folder import WorkFolder, key_of

CLIP = "10s"


class ProfileStep:
    """Profiles the artifacts of one checkpoint and target together, since they are compared.

    Args:
        made: The artifacts, without stand-ins, whose times are nobody's.
        config: Says with which threads, and how often.
        board: On what.
        work: Where records are kept.
    """

    def __init__(
        self, made: Sequence[Made], config: StudyConfig, board: Board, work: WorkFolder
    ) -> None:
        self._work = work
        self._board = board
        self._protocol = make_protocol((CLIP,), repeats=config.repeats, judges=False)
        kinds: dict[tuple[str, str], list[Made]] = {}
        for one in made:
            kinds.setdefault((one.cell.checkpoint, one.cell.target), []).append(one)
        self._groups = [
            [candidate(one.artifact, threads) for one in group for threads in config.threads]
            for group in kinds.values()
        ]

    @property
    def n_missing(self) -> int:
        """Configurations that are to be profiled."""
        return sum(len(group) for group in self._groups if self._record(group) is None)

    def run(self, pace: Pace) -> None:
        """Profile what is missing; interrupted, at most the pass at hand is lost.

        Raises:
            WhisperqError: The disk refuses.
        """
        for group in self._groups:
            if self._record(group) is not None:
                continue

            def tell(step: Step, n: int = len(group)) -> None:
                pace.tell(f"{step.name}, {step.kind}", n * step.done)

            path = self._path(group)
            with Journal(path.with_suffix(".journal"), self._header(group)) as journal:
                record = Runner(group, journal, Budget(None), tell).run()
                write_record(record, path)
                journal.remove()
            pace.finish(len(group))

    def outcome(self, digest: str, threads: int) -> Outcome | None:
        """What came of one configuration, if it was profiled."""
        for group in self._groups:
            record = self._record(group)
            for outcome in record.outcomes if record else ():
                its = outcome.configuration
                if (its.digest, its.threads) == (digest, threads):
                    return outcome
        return None

    @property
    def clip_s(self) -> float:
        """Length of the recording."""
        return self._protocol.clips[0].duration_s

    def _record(self, group: Sequence[Candidate]) -> Record | None:
        path = self._path(group)
        try:
            return read_record(path) if path.is_file() else None
        except ConfigError:  # of another release; it is measured again
            return None

    def _path(self, group: Sequence[Candidate]) -> Path:
        configurations = [each.configuration for each in group]
        key = key_of(self._protocol, self._board, configurations, __version__)
        return self._work.profiles / f"{key}.json"

    def _header(self, group: Sequence[Candidate]) -> Header:
        return Header(
            SCHEMA,
            datetime.now(UTC).isoformat(timespec="seconds"),
            __version__,
            self._protocol,
            self._board,
            (),
            tuple(each.configuration for each in group),
        )
