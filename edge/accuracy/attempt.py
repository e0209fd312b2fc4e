"""A task as it is sent to a worker: whatever happens there comes back as data."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from ..errors import ArtifactError, InferenceError, MissingDependencyError, WhisperqError
from .failure import Failure
from .result import Result
from .task import Task

Run = Callable[[Task], list[Result | Failure]]


class Refusal(NamedTuple):
    """Why a task could not be done.

    Attributes:
        reason: In one line.
        exit_code: Of the error, see ``edge/errors.py``.
        is_of_artifact: Whether every other task of the artifact would end the same way.
    """

    reason: str
    exit_code: int
    is_of_artifact: bool


def attempt(run: Run, task: Task) -> list[Result | Failure] | Refusal:
    """Do a task.

    Errors are returned. Raised, they would have to be pickled, and an exception whose constructor
    takes other arguments than its message cannot be read back: that breaks a
    ``ProcessPoolExecutor``, and hides the reason from every other.
    """
    try:
        return run(task)
    except WhisperqError as error:
        # A runtime that fails at an utterance is answered by a Failure: one that gets here could
        # not be opened.
        of_artifact = isinstance(error, ArtifactError | MissingDependencyError | InferenceError)
        return Refusal(str(error), error.exit_code, of_artifact)
    except Exception as error:  # a mistake of ours or of a library's; the other tasks go on
        return Refusal(_one_line(error), WhisperqError.exit_code, is_of_artifact=False)


def _one_line(error: Exception) -> str:
    last = traceback.extract_tb(error.__traceback__)[-1]
    said = " ".join(str(error).split())
    return f"{type(error).__name__}: {said} ({Path(last.filename).name}, line {last.lineno})"
