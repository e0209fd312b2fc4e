"""The devices that sound can be captured from, as PortAudio lists them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import AudioError, ConfigError, MissingDependencyError

ALSA_ADDRESS = re.compile(r" \(hw:\d+,\d+\)$")  # changes when a device is plugged in again


@dataclass(frozen=True)
class InputDevice:
    """A microphone, or what the sound system offers in its place.

    Attributes:
        number: PortAudio's, until a device is plugged in or out.
        name: PortAudio's.
        host_api: The sound system behind it: "ALSA", "Core Audio" ...
        channels: The most that it captures.
        rate: Its own, in samples per second.
        is_default: Whether it is the one that the system would choose.
    """

    number: int
    name: str
    host_api: str
    channels: int
    rate: int
    is_default: bool

    def __str__(self) -> str:
        """``3 'USB microphone' (ALSA)``."""
        return f"{self.number} '{self.name}' ({self.host_api})"


def load_sounddevice() -> Any:  # noqa: ANN401 (untyped)
    """The module ``sounddevice``.

    Raises:
        MissingDependencyError: It is not installed.
        AudioError: PortAudio, the C library that it calls, is not installed.
    """
    try:
        import sounddevice
    except ImportError as error:
        raise MissingDependencyError("sounddevice", "mic", "listening to a microphone") from error
    except OSError as error:  # its wheel for Linux comes without the C library
        raise AudioError(
            "listening to a microphone needs PortAudio, which is not installed; "
            "run: sudo apt-get install libportaudio2"
        ) from error
    return sounddevice


def input_devices() -> list[InputDevice]:
    """Every device that captures sound, as they were when PortAudio last looked.

    Raises:
        MissingDependencyError: sounddevice is not installed.
        AudioError: PortAudio is missing or cannot list them.
    """
    sounddevice = load_sounddevice()
    try:
        host_apis = sounddevice.query_hostapis()
        found = sounddevice.query_devices()
        default = sounddevice.default.device[0]
    except sounddevice.PortAudioError as error:
        raise AudioError(f"the sound devices cannot be listed: {error}") from error
    return [
        InputDevice(
            number=device["index"],
            name=device["name"],
            host_api=host_apis[device["hostapi"]]["name"],
            channels=device["max_input_channels"],
            rate=round(device["default_samplerate"]),
            is_default=device["index"] == default,
        )
        for device in found
        if device["max_input_channels"] > 0
    ]


def refresh_input_devices() -> None:
    """Let PortAudio look for devices again; it ends every stream of this process.

    Raises:
        AudioError: PortAudio does not start.
    """
    sounddevice = load_sounddevice()
    try:
        sounddevice._terminate()
    except sounddevice.PortAudioError:
        pass  # the last call of this function had ended it, and then failed
    try:
        sounddevice._initialize()
    except sounddevice.PortAudioError as error:
        raise AudioError(f"PortAudio does not start: {error}") from error


def choose_device(wanted: int | str | None, devices: Sequence[InputDevice]) -> InputDevice:
    """The device that a user means.

    Args:
        wanted: Its number, its name, or a part of its name and host API that no other has, in
            upper or lower case; None for the system's default.
        devices: Those there are.

    Raises:
        AudioError: There is none at all, or no default.
        ConfigError: No device, or more than one, is meant.
    """
    if not devices:
        raise AudioError("no microphone: this machine has no device that captures sound")
    if wanted is None:
        found = [device for device in devices if device.is_default]
        if not found:
            raise AudioError(f"the system has no default microphone; choose {_listed(devices)}")
        return found[0]
    text = str(wanted).strip().lower()
    found = [device for device in devices if str(device.number) == text]
    if not found and text and not isinstance(wanted, int):
        exact = [device for device in devices if device.name.lower() == text]
        found = exact or [
            device for device in devices if text in f"{device.name} ({device.host_api})".lower()
        ]
    if not found:
        raise ConfigError(f"no input device is called '{wanted}'; choose {_listed(devices)}")
    if len(found) > 1:
        raise ConfigError(f"'{wanted}' may be several input devices; choose {_listed(found)}")
    return found[0]


def same_device(lost: InputDevice, devices: Iterable[InputDevice]) -> InputDevice | None:
    """The device that was lost, among those there are now: its number and address may differ."""
    same = [device for device in devices if _unchanging(device) == _unchanging(lost)]
    exact = [device for device in same if device.name == lost.name]
    return next(iter(exact or same), None)


def _unchanging(device: InputDevice) -> tuple[str, str]:
    return device.host_api, ALSA_ADDRESS.sub("", device.name)


def _listed(devices: Iterable[InputDevice]) -> str:
    return ", ".join(map(str, devices))
