"""What the user is told when something fails: one line, and the exit status."""

from __future__ import annotations

import errno

import typer

from ..errors import WhisperqError

INTERRUPTED = 130  # 128 + SIGINT, as shells count


def explain(error: BaseException) -> tuple[str, int]:
    """The line and the exit status for an error that ended a command.

    Args:
        error: Anything; a mistake of ours is named by its class, since its text says little.
    """
    if isinstance(error, (typer.Abort, KeyboardInterrupt)):
        return "interrupted", INTERRUPTED
    if isinstance(error, WhisperqError):
        return f"error: {_one_line(str(error))}", error.exit_code
    if isinstance(error, typer.TyperException):
        return f"error: {_one_line(error.format_message())}", error.exit_code
    if isinstance(error, MemoryError):
        return "error: out of memory; try a smaller model, --int8 or --int4", 1
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        where = f" for {error.filename}" if error.filename else ""
        return f"error: no space left on the disk{where}", 1
    if isinstance(error, OSError) and error.filename and error.strerror:
        return f"error: {error.filename}: {error.strerror}", 1
    kind = type(error).__name__
    return f"error: unexpected {kind}: {_one_line(str(error))} (--debug shows where)", 1


def _one_line(text: str) -> str:
    return " ".join(text.split())
