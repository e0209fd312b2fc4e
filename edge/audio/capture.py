"""One opening of one device that captures sound."""

from __future__ import annotations

import queue
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import AudioError
from ..types import SAMPLE_RATE, Closeable, FloatArray
from .input_device import InputDevice, load_sounddevice
from .resampler import Resampler

FULL_SCALE = 32_768  # of 16 bits
BLOCK_S = 0.05  # between two callbacks
LATENCY_S = 0.2  # what the sound system keeps for us while this machine is busy


class Capture(Closeable):
    """Captures from now on, at 16 kHz mono if the device can, otherwise as the device does.

    PortAudio's callback does nothing but copy: what takes time is done by the thread that reads.

    Args:
        device: What to open.

    Attributes:
        n_overflows: Times that the device said it had lost sound.

    Raises:
        AudioError: The device cannot be opened.
    """

    def __init__(self, device: InputDevice) -> None:
        self.n_overflows = 0
        self._blocks: queue.SimpleQueue[NDArray[np.int16] | None] = queue.SimpleQueue()
        self._stream = self._opened(device)
        self._resampler: Resampler | None = Resampler(round(self._stream.samplerate))

    def read(self, timeout_s: float) -> FloatArray | None:
        """The next sound, shape (n_samples,); None if the device ended, or gives none so long."""
        if self._resampler is None:
            return None
        try:
            block = self._blocks.get(timeout=timeout_s)
        except queue.Empty:
            block = None
        if block is not None:
            return self._resampler.take(np.divide(block, FULL_SCALE, dtype=np.float32))
        rest, self._resampler = self._resampler.finish(), None
        return rest if len(rest) else None

    def end(self) -> None:
        """Let the reader find the end; may be called by another thread."""
        self._blocks.put(None)

    def close(self) -> None:
        """Close the device."""
        self._stream.abort(ignore_errors=True)
        self._stream.close(ignore_errors=True)

    def _opened(self, device: InputDevice) -> Any:  # noqa: ANN401 (untyped)
        sounddevice = load_sounddevice()
        settings = ((SAMPLE_RATE, 1), (device.rate, 1), (device.rate, device.channels))
        for rate, channels in dict.fromkeys(settings):
            try:
                stream = sounddevice.InputStream(
                    device=device.number,
                    samplerate=rate,
                    channels=channels,
                    dtype="int16",
                    blocksize=round(rate * BLOCK_S),
                    latency=LATENCY_S,
                    callback=self._take,
                    finished_callback=self.end,
                )
            except sounddevice.PortAudioError as error:
                reason = error
                continue
            try:
                stream.start()
            except sounddevice.PortAudioError as error:
                stream.close(ignore_errors=True)
                reason = error
                continue
            return stream
        raise AudioError(f"microphone {device} cannot be opened: {reason}") from reason

    def _take(self, block: NDArray[np.int16], n_frames: int, time: object, status: Any) -> None:  # noqa: ANN401
        """PortAudio's callback, in its own thread, which must never wait."""
        self.n_overflows += bool(status.input_overflow)
        self._blocks.put(block.copy())
