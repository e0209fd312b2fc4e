"""Every error that this package raises on purpose.

The command line prints the message as one line and exits with the number::

    WhisperqError                 1
      ConfigError                 2   an option, a setting or a data file is wrong
        UnknownNameError              a name that is not in a table, with the nearest that is
        CheckpointError               a checkpoint is corrupt, truncated or not a Whisper
      MissingDependencyError      3   an optional library is not installed; names the pip command
      ExportError                 4   an artifact could not be written
        UnsupportedPrecisionError     a target does not offer this precision
        ParityError                   an artifact differs from the reference by more than it may
      ArtifactError               5   an artifact is incomplete, changed or of another version
      InferenceError              6   a runtime failed, or was asked for what it does not do
        ContextFullError              more tokens than the decoder has positions
      AudioError                  7   a recording cannot be read or holds no usable sound
      RemoteError                 8   a board cannot be reached, or something failed there
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class WhisperqError(Exception):
    """Base of every error here; ``exit_code`` is the command line's exit status."""

    exit_code = 1


class ConfigError(WhisperqError):
    """An option, a setting or a data file is wrong."""

    exit_code = 2


class UnknownNameError(ConfigError):
    """A name that is in no table.

    Args:
        kind: What was looked up, in the user's words ("target", "language").
        name: The name that was given.
        known: The names that would have been right.
    """

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        names = sorted(known)
        near = difflib.get_close_matches(name, names, n=1)
        hint = f"did you mean '{near[0]}'?" if near else f"known: {', '.join(names)}"
        super().__init__(f"unknown {kind} '{name}'; {hint}")


class CheckpointError(ConfigError):
    """A checkpoint is corrupt, truncated, unreachable or not a Whisper."""


class MissingDependencyError(WhisperqError):
    """An optional library is not installed.

    Args:
        library: The distribution that is missing ("onnx").
        extra: The extra of this package that brings it ("onnx").
        purpose: What it is needed for ("exporting ONNX").
    """

    exit_code = 3

    def __init__(self, library: str, extra: str, purpose: str) -> None:
        super().__init__(
            f"{purpose} needs {library}, which is not installed; "
            f"run: pip install 'whisperq-edge[{extra}]'"
        )


class ExportError(WhisperqError):
    """An artifact could not be written."""

    exit_code = 4


class UnsupportedPrecisionError(ExportError):
    """A target does not offer this precision."""


class ParityError(ExportError):
    """An artifact differs from the reference by more than it may.

    Args:
        part: The part of the model that was compared ("decoder").
        metric: What was measured ("relative error").
        measured: The value found.
        allowed: The limit it broke.
    """

    def __init__(self, part: str, metric: str, measured: float, allowed: float) -> None:
        self.finding = f"{part}: {metric} is {measured:.4g}, allowed {allowed:.4g}"
        super().__init__(f"{self.finding}; the artifact was refused")
        self.part, self.metric, self.measured, self.allowed = part, metric, measured, allowed


class ArtifactError(WhisperqError):
    """An artifact is incomplete, changed on disk, or of another format version."""

    exit_code = 5


class InferenceError(WhisperqError):
    """A runtime failed, or was asked for something it does not do."""

    exit_code = 6


class ContextFullError(InferenceError):
    """More tokens were given than the decoder has positions for."""


class AudioError(WhisperqError):
    """A recording cannot be read or holds no usable sound."""

    exit_code = 7


class RemoteError(WhisperqError):
    """A board cannot be reached over SSH, lacks what a run needs, or a run failed there."""

    exit_code = 8
