"""Headerless sound from a pipe."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import BinaryIO

from ..errors import AudioError
from ..types import SAMPLE_RATE, FloatArray
from .backlog import Backlog
from .pace import Pace
from .raw_format import FILE_MARKS, RawFormat
from .resampler import Resampler
from .sound_stream import SoundStream

BLOCK_S = 0.1  # read, and handed out, at once
AHEAD_S = 3.0  # read before it is due: more than a pipe holds
SPAN_S = 0.5  # of sound, over which a source is judged

_log = logging.getLogger(__name__)


class RawSound(SoundStream):
    """Sound from a pipe or a file without a header, such as standard input.

    A source that is faster than it would be heard, such as ``cat``, is played at ``speed``. One
    that lets itself be waited for, such as ``arecord``, is live: nothing of it is held back,
    neither what had gathered in the pipe nor what a clock faster than ours brings too early. A
    thread keeps the pipe empty, so that the program at its other end never has to wait for us.

    Args:
        pipe: Where bytes come from; not closed with this. What its buffer holds already is lost.
        layout: What they mean.
        speed: 1 is real time and 2 twice as fast; 0 reads as fast as it is asked, without a
            thread, and nothing waits.
        name: What to call it in messages.
        clock: Seconds.
        sleep: Waits for so many of the clock's seconds.

    Raises:
        ConfigError: The speed is negative, or no number.
    """

    def __init__(
        self,
        pipe: BinaryIO,
        layout: RawFormat,
        speed: float = 1.0,
        *,
        name: str = "standard input",
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.name = name
        self._pace = Pace(speed, clock, sleep)
        self._clock, self._sleep = clock, sleep
        self._blocks = self._decoded(pipe, layout)
        self._n_read = 0
        self._backlog = Backlog()
        if speed:
            # It cannot be woken from a read; as a daemon it does not keep the program from ending.
            self._thread = threading.Thread(target=self._fill, name="raw sound", daemon=True)
            self._thread.start()

    def read(self) -> FloatArray | None:
        """See ``SoundStream``; a block is handed out when its last sample is due."""
        if not self._pace.speed:
            return next(self._blocks, None)
        self._pace.wait(self._n_read / SAMPLE_RATE + BLOCK_S)
        samples = self._backlog.take(round(BLOCK_S * SAMPLE_RATE))
        if samples is not None:
            self._n_read += len(samples)
        return samples

    @property
    def waiting_s(self) -> float:
        """See ``SoundStream``."""
        due_s = self._pace.due_s - self._n_read / SAMPLE_RATE
        return max(0.0, min(due_s, self._backlog.waiting_s))

    def close(self) -> None:
        """Take no more; a ``read`` of another thread ends at once."""
        self._backlog.close()

    def _fill(self) -> None:
        """What the thread does: move sound from the pipe into the backlog."""
        received_s = span_s = waited_s = 0.0
        try:
            while not self._backlog.is_over:
                asked = self._clock()
                if (samples := next(self._blocks, None)) is None:
                    break
                waited_s += self._clock() - asked
                self._backlog.put(samples)
                received_s += len(samples) / SAMPLE_RATE
                span_s += len(samples) / SAMPLE_RATE
                if span_s >= SPAN_S:
                    if waited_s > span_s / self._pace.speed / 2:
                        self._pace.catch_up(received_s)
                    span_s = waited_s = 0.0
                self._pace.wait(received_s - AHEAD_S)
        except BaseException as error:
            self._backlog.fail(error)
        self._backlog.end()

    def _decoded(self, pipe: BinaryIO, layout: RawFormat) -> Iterator[FloatArray]:
        """Blocks of 16 kHz mono, up to the end of the pipe."""
        resampler = Resampler(layout.rate)
        torn = b""
        for content in self._contents(pipe, round(layout.rate * BLOCK_S) * layout.frame_bytes):
            content = torn + content
            n_whole = len(content) - len(content) % layout.frame_bytes
            content, torn = content[:n_whole], content[n_whole:]
            if len(samples := resampler.take(layout.decode(content))):
                yield samples
        if torn:
            _log.warning(
                "%s ends within a frame: %d of %d bytes; are format and channels right?",
                *(self.name, len(torn), layout.frame_bytes),
            )
        if len(samples := resampler.finish()):
            yield samples

    def _contents(self, pipe: BinaryIO, n_bytes: int) -> Iterator[bytes]:
        """What the pipe holds, as it comes."""
        # A buffer would wait until it is full, and its lock would keep the program from ending.
        source = getattr(pipe, "raw", pipe)
        is_first = True
        while True:
            try:
                content = source.read(n_bytes)
            except OSError as error:
                raise AudioError(f"{self.name} cannot be read: {error.strerror}") from error
            if content is None:  # the other end has set it not to block
                self._sleep(BLOCK_S / 5)
                continue
            if not content:
                return
            if is_first and content.startswith(FILE_MARKS):
                raise AudioError(f"{self.name} is a sound file with a header, not raw sound")
            is_first = False
            yield content
