"""Tasks, done by whoever is there to do them, until each is done or given up."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from contextlib import suppress

import msgspec

from ..errors import RemoteError, WhisperqError
from .attempt import Refusal, Run, attempt
from .failure import Failure
from .plan import sound_s
from .result import Result
from .store import ResultStore
from .sweep_progress import Pace, SweepProgress, Watcher
from .sweep_queue import Piece, SweepQueue
from .task import Task, result_key, run_task
from .utterance import Utterance
from .workers import Workers, WorkersError

_TICK_S = 1.0  # between two looks at the workers
_AHEAD = 2  # tasks sent for each that runs: a worker that has finished finds the next one waiting

_Answer = list[Result | Failure] | Refusal


def nobody_watches(progress: SweepProgress) -> None:
    """The Watcher of a caller who does not ask."""


def run_sweep(
    tasks: Sequence[Task],
    executor: Executor,
    store: ResultStore,
    *,
    run: Run = run_task,
    on_progress: Watcher = nobody_watches,
    at_once: int | None = None,
) -> tuple[Failure, ...]:
    """Do tasks on any executor; results are in the store as soon as they are known.

    Only this process writes the store. A key is written once, even if its task was done twice. An
    utterance or an artifact that ends its workers is found and given up, and all else is done (see
    ``SweepQueue``). Whatever ends the sweep early, the store keeps what it has, and ``plan_tasks``
    plans the rest.

    Args:
        tasks: As ``plan_tasks`` makes them.
        executor: ``Pool``, ``Cluster``, or any other. A plain ``ProcessPoolExecutor`` takes no more
            work after a worker has died, which ends the sweep.
        store: Takes the results.
        run: What does a task; a function that workers can import.
        on_progress: Is told how far the sweep is, after each task.
        at_once: How many tasks the executor holds at a time; None for twice as many as it does at
            the same time or, where it does not say how many, as there are cores here.

    Returns:
        The utterances that could not be transcribed, each with its reason.

    Raises:
        WorkersError: The executor takes no more work.
        RemoteError: The cluster is lost, or one of its workers does not suit.
        WhisperqError: The store cannot be written.
        KeyboardInterrupt: What waits is cancelled; what runs is left to the executor to end.
    """
    return _Sweep(tasks, executor, store, run, on_progress, at_once).finish()


class _Sweep:
    def __init__(
        self,
        tasks: Sequence[Task],
        executor: Executor,
        store: ResultStore,
        run: Run,
        on_progress: Watcher,
        at_once: int | None,
    ) -> None:
        self._tasks, self._executor, self._store, self._run = tasks, executor, store, run
        self._workers = executor if isinstance(executor, Workers) else None
        self._on_progress, self._at_once = on_progress, at_once
        self._queue = SweepQueue(tasks)
        self._pace = Pace(tasks, lambda utterance: sound_s(utterance.audio))
        self._sent: dict[Future[_Answer], Piece] = {}
        self._failures: list[Failure] = []

    def finish(self) -> tuple[Failure, ...]:
        if self._workers is not None and self._tasks:
            self._workers.prepare(self._tasks)
        try:
            while self._queue or self._sent:
                self._send()
                done, _ = wait(self._sent, timeout=_TICK_S, return_when=FIRST_COMPLETED)
                for future in done:
                    self._receive(future, self._sent.pop(future))
                if self._workers is not None and self._sent:
                    self._workers.watch()
        except BaseException:
            self._abandon()
            raise
        return tuple(self._failures)

    def _send(self) -> None:
        while len(self._sent) < self._most:
            piece = self._queue.take(is_idle=not self._sent)
            if piece is None:
                return
            if refusal := self._queue.why_given_up(piece):
                self._fail(piece, refusal)
            elif lacking := self._lacking(piece.task):
                task = msgspec.structs.replace(piece.task, utterances=tuple(lacking))
                self._sent[self._submit(task)] = piece
            else:
                self._finish(piece, [], n_failed=0)
            if piece.is_alone:
                return

    @property
    def _most(self) -> int:
        if self._at_once is not None:
            return self._at_once
        return _AHEAD * self._workers.width if self._workers else 2 * (os.cpu_count() or 1)

    def _submit(self, task: Task) -> Future[_Answer]:
        try:
            return self._executor.submit(attempt, self._run, task)
        except RuntimeError as error:  # it is broken, or was shut down
            said = " ".join(str(error).split())
            raise WorkersError(
                f"the executor takes no more work ({said}); what is done is kept"
            ) from error

    def _lacking(self, task: Task) -> dict[Utterance, str]:
        """Its utterances with their keys, less those that another task had as well by now."""
        keys = {u: result_key(task.digest, u, task.settings) for u in task.utterances}
        return {utterance: key for utterance, key in keys.items() if not self._store.has(key)}

    def _receive(self, future: Future[_Answer], piece: Piece) -> None:
        try:
            answer = future.result()
        except (RemoteError, WorkersError):
            raise
        except Exception as error:  # each executor has its own for the end of a worker
            n_workers = self._workers.deaths(error) if self._workers else 1
            reason = f"its worker was lost: {_one_line(error)}"
            if refusal := self._queue.lose(piece, n_workers, reason):
                self._fail(piece, refusal)
            return
        if not isinstance(answer, Refusal):
            self._keep(piece, answer)
        elif refusal := self._queue.refuse(piece, answer):
            self._fail(piece, refusal)

    def _keep(self, piece: Piece, answer: Iterable[Result | Failure]) -> None:
        self._queue.trust(piece)
        results = [outcome for outcome in answer if isinstance(outcome, Result)]
        failures = [outcome for outcome in answer if isinstance(outcome, Failure)]
        for result in results:
            self._store.append(result)
        told = {failure.key for failure in failures}
        silent = {u: key for u, key in self._lacking(piece.task).items() if key not in told}
        exit_code = WhisperqError.exit_code
        failures += [Failure(k, u.id, "no result came back", exit_code) for u, k in silent.items()]
        self._failures += failures
        self._finish(piece, results, len(failures))

    def _fail(self, piece: Piece, refusal: Refusal) -> None:
        lacking = self._lacking(piece.task)
        self._failures += [
            Failure(key, utterance.id, refusal.reason, refusal.exit_code)
            for utterance, key in lacking.items()
        ]
        self._finish(piece, [], len(lacking))

    def _finish(self, piece: Piece, results: Sequence[Result], n_failed: int) -> None:
        self._pace.finish(piece.task, results, n_failed)
        self._on_progress(self._pace.read())

    def _abandon(self) -> None:
        """Cancel what waits, and keep what has come back meanwhile."""
        for future in self._sent:
            future.cancel()
        with suppress(WhisperqError):  # the error that ended the sweep says more
            for future in self._sent:
                if future.done() and not future.cancelled() and not future.exception():
                    for outcome in future.result():
                        if isinstance(outcome, Result):
                            self._store.append(outcome)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
