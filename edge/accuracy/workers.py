"""Who does the work of a sweep: an executor that knows how much it takes on at once."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from concurrent.futures import BrokenExecutor, Executor

from ..errors import WhisperqError
from .task import Task


class WorkersError(WhisperqError):
    """No worker can be started, or none takes work any more."""


class WorkerLost(BrokenExecutor):
    """The process that made a call ended before it answered; the message says how."""


class Workers(Executor, ABC):
    """An executor as ``run_sweep`` likes it best; any other will do as well.

    A worker that dies takes its own call with it and no other, and is replaced.
    """

    @property
    @abstractmethod
    def width(self) -> int:
        """How many calls run at the same time; at least 1, and it may change."""

    def prepare(self, tasks: Sequence[Task]) -> None:
        """See, before anything is begun, that the workers can do these tasks.

        Raises:
            WhisperqError: They cannot.
        """

    def watch(self) -> None:
        """Look after the workers; called about once a second while calls run.

        Raises:
            WhisperqError: There is no hope that a call will still be answered.
        """

    def deaths(self, error: Exception) -> int:
        """How many workers a call has ended that came back with ``error``."""
        return 1
