"""A start, seen from the process that asks for it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import msgspec

from ..errors import WhisperqError
from .stages import StageJob, StageStart


def run_stages(job: StageJob, cache: Path) -> StageStart:
    """Measure in a fresh interpreter, which ends with this one.

    Args:
        job: What to measure.
        cache: Where libraries keep what they compile, so that the user's own is left alone.

    Returns:
        What it found; where it crashed, ``error`` says how.

    Raises:
        WhisperqError: No process can be started.
    """
    command = [sys.executable, "-m", f"{__package__}.stage_worker"]
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "WHISPERQ_EDGE_CACHE": str(cache)},
            start_new_session=True,  # Ctrl-C is for us; the worker ends when its pipe closes
        )
    except OSError as error:
        raise WhisperqError(f"no process could be started: {error.strerror}") from error
    with process:
        assert process.stdin and process.stdout
        try:
            process.stdin.write(msgspec.json.encode(job) + b"\n")
            process.stdin.flush()
            answer = process.stdout.read()  # its input stays open meanwhile: that is its leash
        except BrokenPipeError:
            answer = b""
        except BaseException:
            process.kill()
            raise
    if not answer:
        how = f"signal {-process.returncode}" if process.returncode < 0 else "an error"
        reason = f"the process ended with {how}"
        return StageStart((), (), stand_in=False, tools={}, error=reason)
    return msgspec.json.decode(answer, type=StageStart)
