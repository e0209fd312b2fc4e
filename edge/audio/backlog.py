"""Sound that waits between the thread that captures it and the one that transcribes it."""

from __future__ import annotations

import os
import tempfile
import threading
from collections import deque
from pathlib import Path

import numpy as np

from ..errors import AudioError
from ..types import SAMPLE_RATE, Closeable, FloatArray

HELD_S = 30.0  # kept in memory: 2 MB
DISK = Path("/var/tmp")  # where a disk is meant; /tmp is often memory
SAMPLE_BYTES = 4


class Backlog(Closeable):
    """A queue that loses nothing, however slow the reader is, in bounded memory.

    What does not fit into memory goes to a temporary file without a name, in ``/var/tmp`` or where
    ``TMPDIR`` says: 230 MB an hour, given back when the reader has caught up. One thread puts and
    one takes.

    Args:
        held_s: Seconds of sound that are kept in memory.
    """

    def __init__(self, held_s: float = HELD_S) -> None:
        self._limit = round(held_s * SAMPLE_RATE)
        self._changed = threading.Condition()
        self._held: deque[FloatArray] = deque()
        self._n_held = 0
        self._spilled: _SampleFile | None = None  # newer than all that is held
        self._ended = False
        self._error: BaseException | None = None

    @property
    def waiting_s(self) -> float:
        """Seconds of sound that were put and not taken."""
        with self._changed:
            return (self._n_held + self._n_spilled) / SAMPLE_RATE

    @property
    def is_over(self) -> bool:
        """Whether it takes no more: after the end."""
        return self._ended

    def put(self, samples: FloatArray) -> None:
        """Append sound, shape (n_samples,); the array is kept. After the end it is ignored.

        Raises:
            AudioError: It does not fit into memory, and cannot be written to the disk.
        """
        with self._changed:
            if self._ended or not len(samples):
                return
            if self._n_spilled or self._n_held + len(samples) > self._limit:
                self._spill(samples)
            else:
                self._held.append(samples)
                self._n_held += len(samples)
            self._changed.notify()

    def take(self, n: int) -> FloatArray | None:
        """The oldest sound, at most ``n`` samples of it; waits until there is some.

        Returns:
            None when all was taken and ``end`` was called, or after ``close``.

        Raises:
            AudioError: The temporary file cannot be read.
            BaseException: What ``fail`` was given, when all was taken.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._held or self._n_spilled or self._ended)
            if self._held:
                return self._take_held(n)
            if self._spilled is not None and self._n_spilled:
                return self._spilled.pop(n)
            if self._error is not None:
                raise self._error
            return None

    def end(self) -> None:
        """Nothing more will come."""
        with self._changed:
            self._ended = True
            self._changed.notify()

    def fail(self, error: BaseException) -> None:
        """Nothing more will come, because of this: the reader learns it after the sound."""
        with self._changed:
            self._error = self._error or error
        self.end()

    def close(self) -> None:
        """Drop what waits, and end."""
        with self._changed:
            self._held.clear()
            self._n_held = 0
            self._error = None
            if self._spilled is not None:
                self._spilled.close()
                self._spilled = None
        self.end()

    @property
    def _n_spilled(self) -> int:
        return 0 if self._spilled is None else len(self._spilled)

    def _take_held(self, n: int) -> FloatArray:
        taken = []
        while self._held and n:
            samples = self._held.popleft()
            if len(samples) > n:
                self._held.appendleft(samples[n:])
                samples = samples[:n]
            taken.append(samples)
            n -= len(samples)
            self._n_held -= len(samples)
        return taken[0] if len(taken) == 1 else np.concatenate(taken)

    def _spill(self, samples: FloatArray) -> None:
        try:
            if self._spilled is None:
                self._spilled = _SampleFile()
            self._spilled.append(samples)
        except OSError as error:
            waiting_s = (self._n_held + self._n_spilled) / SAMPLE_RATE
            raise AudioError(
                f"{waiting_s:.0f} s of sound wait to be transcribed and no more can be kept on the "
                f"disk: {error.strerror}; use a smaller model, or set TMPDIR to a larger disk"
            ) from error


class _SampleFile:
    """Samples in a temporary file, first in, first out."""

    def __init__(self) -> None:
        on_disk = "TMPDIR" not in os.environ and os.access(DISK, os.W_OK)
        self._file = tempfile.TemporaryFile(buffering=0, dir=DISK if on_disk else None)
        self._first = 0
        self._end = 0

    def __len__(self) -> int:
        return self._end - self._first

    def append(self, samples: FloatArray) -> None:
        content = memoryview(samples.astype(np.float32, copy=False).tobytes())
        self._file.seek(self._end * SAMPLE_BYTES)
        while content:
            content = content[self._file.write(content) :]
        self._end += len(samples)

    def pop(self, n: int) -> FloatArray:
        n = min(n, len(self))
        try:
            self._file.seek(self._first * SAMPLE_BYTES)
            content = self._file.read(n * SAMPLE_BYTES)
        except OSError as error:
            raise AudioError(f"sound that waited cannot be read back: {error.strerror}") from error
        self._first += n
        if not len(self):
            self._file.truncate(0)
            self._first = self._end = 0
        return np.frombuffer(content, np.float32)

    def close(self) -> None:
        self._file.close()
