"""A microphone, which may be unplugged and come back."""

from __future__ import annotations

import atexit
import threading
from collections.abc import Callable

import numpy as np

from ..errors import WhisperqError
from ..types import SAMPLE_RATE, FloatArray
from .backlog import Backlog
from .capture import Capture
from .input_device import choose_device, input_devices, refresh_input_devices, same_device
from .sound_stream import SoundStream

BLOCK = SAMPLE_RATE // 10  # most samples handed out at once
GONE_S = 4.0  # a device that gives nothing for so long is taken to be unplugged
RETRY_S = 1.0
CLOSE_S = 5.0


class Microphone(SoundStream):
    """Listens to a device, from now on, whether or not anybody reads.

    A device that disappears leaves a second of silence in the stream, so that an utterance ends
    there, and is opened again as soon as it is back. Looking for it ends every other PortAudio
    stream of the process: have one microphone.

    Args:
        device: Its number, its name or a part of that; None for the system's default.
        notify: Told in one line, by another thread, when the device is gone, is back, or loses
            sound for the first time.
        gone_s: Seconds without sound after which a device counts as gone.
        retry_s: Seconds between two attempts to open it again.

    Raises:
        MissingDependencyError: sounddevice is not installed.
        ConfigError: No device, or more than one, is meant.
        AudioError: PortAudio is missing, there is no microphone, or it cannot be opened.
    """

    def __init__(
        self,
        device: int | str | None = None,
        *,
        notify: Callable[[str], None] = lambda line: None,
        gone_s: float = GONE_S,
        retry_s: float = RETRY_S,
    ) -> None:
        self._follows_default = device is None
        self._device = choose_device(device, input_devices())
        self.name = self._device.name
        self._notify = notify
        self._gone_s, self._retry_s = gone_s, retry_s
        self._n_overflows = 0
        self._backlog = Backlog()
        self._closing = threading.Event()
        self._is_gone = False
        self._told_overflow = False
        self._capture: Capture | None = Capture(self._device)
        self._thread = threading.Thread(target=self._listen, name="microphone", daemon=True)
        self._thread.start()
        # Runs before PortAudio's own, which hangs on a stream that a thread still reads.
        atexit.register(self.close)

    def read(self) -> FloatArray | None:
        """See ``SoundStream``; None only after ``close``."""
        return self._backlog.take(BLOCK)

    @property
    def waiting_s(self) -> float:
        """See ``SoundStream``."""
        return self._backlog.waiting_s

    @property
    def n_overflows(self) -> int:
        """Times that the device said it had lost sound."""
        capture = self._capture
        return self._n_overflows + (0 if capture is None else capture.n_overflows)

    def close(self) -> None:
        """Close the device; a ``read`` of another thread ends at once."""
        atexit.unregister(self.close)
        self._closing.set()
        self._backlog.close()
        if (capture := self._capture) is not None:
            capture.end()
        self._thread.join(CLOSE_S)  # a sound server that hangs may hold it

    def _listen(self) -> None:
        """What the thread does."""
        try:
            while not self._closing.is_set():
                self._fill()
                if not self._closing.is_set():
                    self._miss()
                    self._reopen()
        except BaseException as error:
            self._backlog.fail(error)
        finally:
            self._leave()
            self._backlog.end()

    def _fill(self) -> None:
        """Move sound into the backlog until the device is gone."""
        if self._capture is None:
            return
        while (samples := self._capture.read(self._gone_s)) is not None:
            if self._is_gone:
                self._is_gone = False
                self._notify(f"microphone '{self.name}' is back")
            if self.n_overflows and not self._told_overflow:
                self._told_overflow = True
                self._notify(f"microphone '{self.name}' lost sound: this machine is too busy")
            self._backlog.put(samples)

    def _miss(self) -> None:
        if not self._is_gone:
            self._is_gone = True
            self._notify(f"microphone '{self.name}' is gone; waiting for it")
            self._backlog.put(np.zeros(SAMPLE_RATE, np.float32))

    def _reopen(self) -> None:
        """Try once to open the device again."""
        self._leave()
        if self._closing.wait(self._retry_s):
            return
        try:
            refresh_input_devices()
            devices = input_devices()
            device = choose_device(None, devices) if self._follows_default else None
            device = device or same_device(self._device, devices)
            if device is None:
                return
            self._capture = Capture(device)
            self._device, self.name = device, device.name
        except WhisperqError:
            pass  # not there yet, or not ready

    def _leave(self) -> None:
        if self._capture is not None:
            self._capture.close()
            self._n_overflows, self._capture = self.n_overflows, None
