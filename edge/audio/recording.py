"""Recordings as 16 kHz mono samples, read in windows that move forward.

A file is decoded and resampled a block at a time, so that hours of sound need no more memory than
the windows that are looked at.
"""

from __future__ import annotations

import logging
import os
import stat
import sys
from abc import abstractmethod
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import soxr
from numpy.typing import NDArray

from ..errors import AudioError
from ..types import SAMPLE_RATE, Closeable, FloatArray

RETAINED_S = 30  # how far behind the furthest start a read may still begin
LOOKAHEAD_S = 5  # decoded beyond what was asked, so that small reads seldom copy the buffer
BLOCK_FRAMES = 16_384  # samples per channel decoded at once
LOWEST_RATE = 1_000  # samples per second; below it there is no speech, and a header is wrong

_log = logging.getLogger(__name__)


class AudioSource(Closeable):
    """Sound to be transcribed, at 16 kHz mono.

    Attributes:
        name: What to call it in messages and file names.
    """

    name: str

    @property
    @abstractmethod
    def n_samples(self) -> int:
        """Length in samples; an estimate until a read has come back short."""

    @property
    def duration_s(self) -> float:
        """Length in seconds, as exact as ``n_samples``."""
        return self.n_samples / SAMPLE_RATE

    @abstractmethod
    def read(self, start: int, n: int) -> FloatArray:
        """The samples from ``start`` on.

        Args:
            start: Index of the first sample. It may lie before the furthest start asked for so
                far, but not by more than ``RETAINED_S``.
            n: How many.

        Returns:
            Shape (n,), or less where the sound ends. It may be a view: do not write to it.

        Raises:
            AudioError: The sound cannot be decoded, or holds values that are not finite.
            ValueError: ``start`` lies too far back, or an argument is negative.
        """

    def close(self) -> None:
        """Free what the source holds; memory needs nothing done."""


class Recording(AudioSource):
    """An open sound file; made by ``open_recording``."""

    def __init__(self, path: Path, file: Any, n_frames: int) -> None:  # noqa: ANN401 (untyped)
        self.name = path.stem
        self._file = file
        self._n_samples: int = round(n_frames * SAMPLE_RATE / file.samplerate)
        self._blocks = _resampled(path, file, n_frames)
        self._held: FloatArray = np.empty(0, np.float32)
        self._held_start = 0
        self._furthest = 0
        self._ended = False

    @property
    def n_samples(self) -> int:
        """Length in samples: what the header promises, until a read has come back short."""
        return self._n_samples

    def read(self, start: int, n: int) -> FloatArray:
        """See ``AudioSource``."""
        if start < 0 or n < 0:
            raise ValueError(f"start {start} and n {n} may not be negative")
        if start < self._held_start:
            raise ValueError(f"sample {start} is gone; {self._held_start} is the first one kept")
        self._furthest = max(self._furthest, start)
        if start + n > self._held_start + len(self._held) and not self._ended:
            self._decode_to(start + n + LOOKAHEAD_S * SAMPLE_RATE)
        first = start - self._held_start
        return self._held[first : first + n]

    def _decode_to(self, stop: int) -> None:
        keep_from = self._furthest - RETAINED_S * SAMPLE_RATE
        held, held_start = [self._held], self._held_start
        end = held_start + len(self._held)
        while end < stop:
            block = next(self._blocks, None)
            if block is None:
                self._ended, self._n_samples = True, end
                break
            held.append(block)
            end += len(block)
            while len(held) > 1 and held_start + len(held[0]) <= keep_from:
                held_start += len(held.pop(0))  # here, so that a jump forward needs no memory
        dropped = max(0, keep_from - held_start)
        held[0] = held[0][dropped:]
        self._held = np.concatenate(held)
        self._held_start = held_start + dropped

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class _Samples(AudioSource):
    """Sound that is in memory already."""

    def __init__(self, samples: FloatArray, name: str) -> None:
        self.name = name
        self._samples = samples

    @property
    def n_samples(self) -> int:
        return len(self._samples)

    def read(self, start: int, n: int) -> FloatArray:
        if start < 0 or n < 0:
            raise ValueError(f"start {start} and n {n} may not be negative")
        return self._samples[start : start + n]


def samples_source(samples: NDArray[np.floating[Any]], name: str = "audio") -> AudioSource:
    """Sound from an array.

    Args:
        samples: Mono at 16 kHz, about -1 to 1, shape (n_samples,).
        name: What to call it.

    Raises:
        AudioError: The array has another shape or type, is empty, or holds NaN or infinity.
    """
    mono = checked_samples(samples, name)
    if not len(mono):
        raise AudioError(f"{name}: there are no samples")
    return _Samples(mono, name)


def checked_samples(samples: NDArray[np.floating[Any]], name: str) -> FloatArray:
    """The samples as float32, if they can be heard.

    Raises:
        AudioError: The array has another shape or type, or holds NaN or infinity.
    """
    samples = np.asarray(samples)
    if samples.ndim != 1:
        raise AudioError(
            f"{name}: samples have shape {samples.shape}; one channel, (n,), is needed"
        )
    if not np.issubdtype(samples.dtype, np.floating):
        raise AudioError(
            f"{name}: samples are {samples.dtype}; floats from -1 to 1 are needed "
            "(divide int16 by 32768)"
        )
    with np.errstate(over="ignore"):  # reported below
        mono = samples.astype(np.float32, copy=False)
    _check_finite(mono, name, start_s=0.0, rate=SAMPLE_RATE)
    return mono


def open_recording(path: str | Path) -> Recording:
    """Open a sound file of any rate and number of channels.

    Raises:
        AudioError: There is no such file, or it is not one that libsndfile reads, or it is empty
            or damaged from the start.
    """
    path = Path(path)
    _check_is_file(path)
    file, n_frames = _open(path)
    recording = Recording(path, file, n_frames)
    try:
        if not len(recording.read(0, 1)):
            raise AudioError(f"{path} holds no samples")
    except BaseException:
        recording.close()
        raise
    return recording


def load_audio(path: str | Path) -> FloatArray:
    """All of a sound file at 16 kHz mono, shape (n_samples,); errors as ``open_recording``."""
    with open_recording(path) as recording:
        return recording.read(0, sys.maxsize)


def _check_is_file(path: Path) -> None:
    try:
        status = path.stat()
    except FileNotFoundError:
        raise AudioError(f"{path}: no such file") from None
    except (OSError, ValueError) as error:
        raise AudioError(f"{path} cannot be read: {error}") from error
    if stat.S_ISDIR(status.st_mode):
        raise AudioError(f"{path} is a folder; name a sound file")
    if not os.access(path, os.R_OK):
        raise AudioError(f"{path} cannot be read: permission denied")
    if stat.S_ISREG(status.st_mode) and not status.st_size:
        raise AudioError(f"{path} is empty (0 bytes)")


def _open(path: Path) -> tuple[Any, int]:
    """Open ``path`` and find its length in frames."""
    file = _open_forward(path)
    if file.samplerate < LOWEST_RATE:
        file.close()
        raise AudioError(f"{path}: a rate of {file.samplerate} Hz is too low for speech")
    if file.frames < np.iinfo(np.int64).max:
        return file, file.frames
    with file:  # a FLAC that was written to a pipe does not say
        n_frames = sum(len(block) for block in _decoded(file))
    return _open_forward(path), n_frames


def _open_forward(path: Path) -> Any:  # noqa: ANN401 (untyped)
    soundfile = load_soundfile()
    try:
        file = soundfile.SoundFile(path)
    except (soundfile.SoundFileError, TypeError) as error:  # TypeError: a name ending in .raw
        raise AudioError(
            f"{path} is not a sound file that libsndfile reads (wav, flac, ogg, mp3...); "
            f"convert it: ffmpeg -i '{path}' out.wav"
        ) from error
    # soundfile seeks to where it is after every read, and libmpg123 then starts the next block of
    # an mp3 with a tenth of a second of wrong sound; it does not seek in what it cannot seek in.
    file.seekable = lambda: False
    return file


def _resampled(path: Path, file: Any, n_frames: int) -> Iterator[FloatArray]:  # noqa: ANN401
    """Decode a file to 16 kHz mono blocks."""
    rate = file.samplerate
    stream = None if rate == SAMPLE_RATE else soxr.ResampleStream(rate, SAMPLE_RATE, 1)
    n_read = 0
    for block in _decoded(file):
        with np.errstate(all="ignore"):  # infinities are reported below
            mono = block.mean(axis=1, dtype=np.float32)
        _check_finite(mono, str(path), n_read / rate, rate)
        n_read += len(mono)
        yield mono if stream is None else stream.resample_chunk(mono)
    if n_frames and not n_read:
        raise AudioError(f"{path} is damaged: libsndfile cannot decode its beginning")
    if (n_frames - n_read) / rate > 1:  # what an mp3 says of its length is only nearly right
        _log.warning(
            "%s is damaged: %.1f s are missing at its end", path, (n_frames - n_read) / rate
        )
    if stream is not None:
        yield stream.resample_chunk(np.empty(0, np.float32), last=True)


def _decoded(file: Any) -> Iterator[FloatArray]:  # noqa: ANN401
    """Blocks of a file, (n_frames, n_channels), up to its end or to the first damage."""
    while True:
        # At damage soundfile raises and does not say how much it had decoded; the NaN do.
        block = np.full((BLOCK_FRAMES, file.channels), np.nan, np.float32)
        try:
            block = file.read(out=block)
            damaged = False
        except load_soundfile().SoundFileError:
            block = block[: BLOCK_FRAMES - int(np.isnan(block[::-1, 0]).cumprod().sum())]
            damaged = True
        if len(block):
            yield block
        if damaged or len(block) < BLOCK_FRAMES:
            return


def _check_finite(mono: FloatArray, name: str, start_s: float, rate: int) -> None:
    finite = np.isfinite(mono)
    if not finite.all():
        at_s = start_s + int(np.argmin(finite)) / rate
        raise AudioError(f"{name}: NaN or infinity at {at_s:.3f} s; export the recording again")


def load_soundfile() -> ModuleType:
    """The module ``soundfile``.

    Raises:
        AudioError: libsndfile, the C library that it calls, is not installed.
    """
    try:
        import soundfile
    except OSError as error:  # its wheel for this board came without the C library
        raise AudioError(
            "sound files need libsndfile, which is not installed; "
            "run: sudo apt-get install libsndfile1"
        ) from error
    return soundfile  # type: ignore[no-any-return]
