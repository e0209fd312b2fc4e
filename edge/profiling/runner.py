"""The profiler: configuration after configuration, each in processes of its own."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from .configuration import Candidate
from .fit import misfit, needed_bytes
from .job import Failed, Finished, Job, Kind, Timed, Weighed
from .journal import Journal
from .outcome import assemble
from .plan import Piece, pieces, rounds_of, weight
from .process import resident_bytes
from .read_board import read_condition
from .record import Outcome, Record
from .worker_process import OverdueError, WorkerError, WorkerProcess

LEAST_LIMIT_S = 30.0  # before a process that does not come back is ended; a library may compile


class Step(NamedTuple):
    """How far the profiler is.

    Attributes:
        name: Of the configuration at hand.
        kind: What is measured of it.
        done: Share of the plan.
        left_s: Expected; None while nothing is known.
        is_new: Whether this configuration's piece has just begun.
    """

    name: str
    kind: Kind
    done: float
    left_s: float | None
    is_new: bool


Report = Callable[[Step], None]


class Budget:
    """The time that is left, shared out evenly.

    Args:
        seconds: All of it, from now; None for as long as it takes.
    """

    def __init__(self, seconds: float | None) -> None:
        self.seconds = seconds
        self._end_s = None if seconds is None else time.monotonic() + seconds

    @property
    def left_s(self) -> float | None:
        """What is left of it, 0 at least; None without a limit."""
        return None if self._end_s is None else max(0.0, self._end_s - time.monotonic())

    def share(self, weight: float, of_weight: float) -> float | None:
        """For a piece of this weight, among all that are still to be done."""
        left_s = self.left_s
        return None if left_s is None else left_s * weight / of_weight


class Runner:
    """Goes through the plan and writes down what is found.

    Args:
        candidates: What is measured; as many as the journal's header has configurations.
        journal: Open; what it has already is not measured again.
        budget: Of time.
        report: Told how far it is.
    """

    def __init__(
        self, candidates: Sequence[Candidate], journal: Journal, budget: Budget, report: Report
    ) -> None:
        self._candidates = candidates
        self._journal = journal
        self._budget = budget
        self._report = report
        self._protocol = journal.header.protocol
        self._left_out: dict[int, str] = {}
        self._cache = journal.path.with_suffix(".cache")
        self._todo = list(pieces(len(candidates), self._protocol))
        self._n_done, self._spent_s = 0.0, 0.0

    def run(self) -> Record:
        """Measure all that is still to be measured.

        Returns:
            The record, complete; the journal stays.
        """
        while self._todo:
            piece = self._todo.pop(0)
            if self._journal.has(piece) or piece.configuration in self._left_out:
                continue  # done before, failed meanwhile, or not to be tried
            self._take(piece)
        shutil.rmtree(self._cache, ignore_errors=True)
        return self.record()

    def record(self) -> Record:
        """What is known so far."""
        header = self._journal.header
        return Record(
            schema=header.schema,
            created=header.created,
            package=header.package,
            protocol=header.protocol,
            board=header.board,
            labels=header.labels,
            outcomes=tuple(map(self._outcome, range(len(self._candidates)))),
        )

    def _outcome(self, number: int) -> Outcome:
        return assemble(
            self._candidates[number].configuration,
            self._journal.findings[number],
            self._protocol,
            self._left_out.get(number),
        )

    def _take(self, piece: Piece) -> None:
        if reason := self._obstacle(piece):
            self._left_out[piece.configuration] = reason
            return
        limit_s = self._budget.share(self._weight(piece), self._weight(piece) + self._waiting())
        began = time.monotonic()
        hard_limit_s = None if limit_s is None else max(2 * limit_s, LEAST_LIMIT_S)
        self._tell(piece, 0.0, is_new=True)
        if piece.kind == "sustain":
            limit_s, hard_limit_s = None, None
        try:
            job = self._job(piece, limit_s)
            environment = {"WHISPERQ_EDGE_CACHE": str(self._cache)}
            with WorkerProcess(job, environment, hard_limit_s) as worker:
                self._hear(piece, worker, len(job.clips) * (len(job.rounds) + job.warm_ups))
        except OverdueError as error:
            self._journal.append(
                piece.configuration, Finished(piece.kind, piece.visit, is_cut=True)
            )
            self._left_out[piece.configuration] = str(error)
        except WorkerError as error:
            self._journal.append(piece.configuration, Failed(str(error)))
        self._n_done += self._weight(piece)
        self._spent_s += time.monotonic() - began

    def _hear(self, piece: Piece, worker: WorkerProcess, n_passes: int) -> None:
        n_heard = 0
        for finding in worker.findings():
            self._journal.append(piece.configuration, finding)
            if isinstance(finding, Timed):
                n_heard += 1
                self._tell(piece, min(1.0, n_heard / n_passes))

    def _obstacle(self, piece: Piece) -> str | None:
        """Why a piece is not tried, in one line."""
        left_s = self._budget.left_s
        if left_s == 0.0 or (
            piece.kind == "sustain" and left_s is not None and left_s < self._protocol.sustain_s
        ):
            assert self._budget.seconds is not None
            return f"left out: the {self._budget.seconds / 60:g} minutes were over"
        artifact = self._candidates[piece.configuration].artifact
        needed = self._known_peak(artifact.folder) or needed_bytes(artifact)
        limit = self._journal.header.board.memory_limit_bytes
        return misfit(needed, read_condition().available_bytes, limit, resident_bytes())

    def _known_peak(self, folder: Path) -> int | None:
        """The most memory that the same artifact took already, if that was measured."""
        peaks = [
            max(finding.memory.peaks.values())
            for candidate, findings in zip(self._candidates, self._journal.findings, strict=True)
            if candidate.artifact.folder == folder
            for finding in findings
            if isinstance(finding, Weighed)
        ]
        return max(peaks, default=None)

    def _job(self, piece: Piece, limit_s: float | None) -> Job:
        configuration, artifact = self._candidates[piece.configuration]
        return Job(
            kind=piece.kind,
            visit=piece.visit,
            folder=str(artifact.folder.resolve()),
            digest=configuration.digest,
            threads=configuration.threads,
            device=configuration.device,
            provider=configuration.provider,
            clips=tuple(clip.name for clip in self._protocol.clips),
            warm_ups=self._protocol.warm_ups,
            rounds=self._missing_rounds(piece),
            judges=self._protocol.words is not None,
            sustain_s=self._protocol.sustain_s,
            limit_s=limit_s,
            spawned_s=0.0,
        )

    def _missing_rounds(self, piece: Piece) -> tuple[int, ...]:
        """Of this visit's, those that an earlier run of the profiler did not finish."""
        n_clips = len(self._protocol.clips)
        found = [
            finding.number
            for finding in self._journal.findings[piece.configuration]
            if isinstance(finding, Timed) and finding.one.phase == "measured"
        ]
        rounds = rounds_of(piece.visit, self._protocol)
        return tuple(number for number in rounds if found.count(number) < n_clips)

    def _weight(self, piece: Piece) -> float:
        return weight(piece, self._protocol)

    def _waiting(self) -> float:
        """Weight of what comes after the piece at hand, and will be tried."""
        return sum(
            self._weight(piece)
            for piece in self._todo
            if piece.configuration not in self._left_out and not self._journal.has(piece)
        )

    def _tell(self, piece: Piece, share: float, *, is_new: bool = False) -> None:
        done = self._n_done + share * self._weight(piece)
        waiting = (1 - share) * self._weight(piece) + self._waiting()
        left_s = waiting * self._spent_s / self._n_done if self._n_done else None
        n_sustained = sum(other.kind == "sustain" for other in (piece, *self._todo))
        if left_s is not None:
            left_s += n_sustained * self._protocol.sustain_s
        limit_s = self._budget.left_s
        if limit_s is not None:
            left_s = limit_s if left_s is None else min(left_s, limit_s)
        name = self._candidates[piece.configuration].configuration.name
        self._report(Step(name, piece.kind, done / (done + waiting or 1.0), left_s, is_new))
