"""The recordings that a command names: files, or standard input."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..audio.recording import AudioSource

STANDARD_INPUT = "-"


def stem_of(name: str) -> str:
    """What to call the recording, and the files that are made of it."""
    return "stdin" if name == STANDARD_INPUT else Path(name).stem


@contextmanager
def open_sound(name: str) -> Iterator[AudioSource]:
    """Open a recording by its path, or standard input by ``-``.

    Raises:
        AudioError: It is missing, or not one that can be read.
    """
    from ..audio.recording import open_recording

    if name != STANDARD_INPUT:
        with open_recording(name) as recording:
            yield recording
        return
    # A sound file's header may point anywhere in it, so it cannot be read from a pipe.
    with tempfile.TemporaryDirectory(prefix="whisperq-edge-") as folder:
        path = Path(folder) / f"{stem_of(name)}.wav"
        with path.open("wb") as copy:
            shutil.copyfileobj(sys.stdin.buffer, copy)
        with open_recording(path) as recording:
            yield recording
