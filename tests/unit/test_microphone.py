"""The microphone over a sounddevice of the test's own: which device, what it gives, if it goes."""

from __future__ import annotations

import queue
import sys
import threading
import time
from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np
import pytest
import soxr

from whisperq_edge.edge.audio.input_device import (
    InputDevice,
    choose_device,
    input_devices,
    same_device,
)
from whisperq_edge.edge.audio.microphone import Microphone
from whisperq_edge.edge.errors import AudioError, ConfigError, MissingDependencyError

SECOND = 16_000
PATIENCE_S = 60

BUILT_IN = InputDevice(0, "HDA Intel: ALC256 (hw:0,0)", "ALSA", 2, 44_100, False)
USB = InputDevice(1, "USB Audio: Yeti (hw:1,0)", "ALSA", 2, 48_000, False)
OTHER_USB = InputDevice(3, "USB Audio: Snowball (hw:2,0)", "ALSA", 1, 44_100, False)
DEFAULT = InputDevice(4, "default", "ALSA", 32, 44_100, True)
YETI_JACK = InputDevice(7, "Yeti", "JACK Audio Connection Kit", 2, 48_000, False)
DEVICES = [BUILT_IN, USB, OTHER_USB, DEFAULT, YETI_JACK]


class PortAudioError(Exception):
    pass


@dataclass
class FakeStream:
    """What ``sounddevice.InputStream`` is, as far as it is used; the test makes it hear."""

    owner: FakeSoundDevice
    device: int
    samplerate: float
    channels: int
    dtype: str
    blocksize: int
    latency: float
    callback: object
    finished_callback: object
    is_open: bool = False

    def __post_init__(self):
        if (self.samplerate, self.channels) not in self.owner.settings:
            raise PortAudioError("Invalid sample rate")

    def start(self):
        if self.owner.refuses_to_start:
            raise PortAudioError("Device unavailable")
        self.is_open = True
        self.owner.streams.put(self)

    def hear(self, samples, overflow=False):
        """Give a block, shape (n_frames, n_channels), in the buffer that is used again."""
        block = samples.astype(self.dtype)
        self.callback(block, len(block), None, SimpleNamespace(input_overflow=overflow))
        block[:] = 32_000

    def vanish(self):
        self.finished_callback()

    def abort(self, ignore_errors):
        self.finished_callback()

    def close(self, ignore_errors):
        self.is_open = False
        self.owner.n_closed += 1


@dataclass
class FakeSoundDevice:
    """The module: its devices are those of the test, as of the last ``_initialize``."""

    plugged: list[InputDevice] = field(default_factory=lambda: list(DEVICES))
    settings: set[tuple[int, int]] = field(default_factory=lambda: {(SECOND, 1)})
    refuses_to_start: bool = False
    n_closed: int = 0
    streams: queue.SimpleQueue[FakeStream] = field(default_factory=queue.SimpleQueue)
    PortAudioError = PortAudioError

    def __post_init__(self):
        self._initialize()

    def _initialize(self):
        self.known = list(self.plugged)
        default = next((device.number for device in self.known if device.is_default), -1)
        self.default = SimpleNamespace(device=(default, -1))

    def _terminate(self):
        self.known = []

    def query_hostapis(self):
        return [{"name": "ALSA"}, {"name": "JACK Audio Connection Kit"}]

    def query_devices(self):
        speakers = {"max_input_channels": 0, "name": "speakers", "index": 2, "hostapi": 0}
        return [
            {
                "index": device.number,
                "name": device.name,
                "hostapi": 0 if device.host_api == "ALSA" else 1,
                "max_input_channels": device.channels,
                "default_samplerate": float(device.rate),
            }
            for device in self.known
        ] + [{**speakers, "default_samplerate": 48_000.0}]

    def InputStream(self, **arguments):
        return FakeStream(self, **arguments)


@pytest.fixture
def sounddevice(monkeypatch):
    fake = FakeSoundDevice()
    monkeypatch.setitem(sys.modules, "sounddevice", fake)
    return fake


@pytest.fixture
def opened(sounddevice):
    """Opens a microphone with quick retries; gives it and what it told."""
    microphones = []

    def make(device=None, **arguments):
        told = queue.SimpleQueue()
        microphone = Microphone(
            device, notify=told.put, **{"gone_s": PATIENCE_S, "retry_s": 0.001, **arguments}
        )
        microphones.append(microphone)
        return microphone, told

    yield make
    for microphone in microphones:
        microphone.close()


def read(microphone, n):
    """At least ``n`` samples, once they have arrived."""
    deadline = time.monotonic() + PATIENCE_S
    while microphone.waiting_s * SECOND < n and microphone._thread.is_alive():
        assert time.monotonic() < deadline, f"only {microphone.waiting_s} s have arrived"
        time.sleep(0.001)
    pieces = []
    while n > sum(map(len, pieces)):
        pieces.append(microphone.read())
    return np.concatenate(pieces)


def block(value, n=800, channels=1):
    return np.full((n, channels), value, np.float32)


@pytest.mark.parametrize(
    ("wanted", "device"),
    [
        (None, DEFAULT),
        (3, OTHER_USB),
        ("3", OTHER_USB),
        ("default", DEFAULT),
        ("Yeti", YETI_JACK),  # the whole name of one, before it is a part of another
        ("USB Audio: Yeti (hw:1,0)", USB),
        ("snowball", OTHER_USB),
        ("hda intel", BUILT_IN),
        ("jack", YETI_JACK),
    ],
)
def test_a_device_is_chosen_by_number_name_or_part(wanted, device):
    assert choose_device(wanted, DEVICES) == device


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ("usb", r"'usb' may be several input devices; choose 1 'USB Audio: Yeti \(hw:1,0\)' "),
        ("headset", "no input device is called 'headset'; choose 0 'HDA Intel"),
        (2, "no input device is called '2'; choose 0"),  # the speakers
        (16, "no input device"),
        ("", "no input device"),
    ],
)
def test_what_is_unclear_or_unknown_names_the_candidates(wanted, message):
    with pytest.raises(ConfigError, match=message):
        choose_device(wanted, DEVICES)


def test_no_microphone_at_all(sounddevice, opened):
    with pytest.raises(AudioError, match="no default microphone; choose 1 'USB"):
        choose_device(None, [USB])
    sounddevice.plugged = []
    sounddevice._initialize()
    with pytest.raises(AudioError, match="no microphone"):
        opened()


def test_devices_that_only_play_are_not_listed(sounddevice):
    assert input_devices() == DEVICES


def test_a_device_is_found_again_at_another_address():
    moved = InputDevice(9, "USB Audio: Yeti (hw:3,0)", "ALSA", 2, 48_000, False)
    assert same_device(USB, [BUILT_IN, moved]) == moved
    assert same_device(USB, [moved, USB]) == USB
    assert same_device(USB, [BUILT_IN, OTHER_USB, YETI_JACK]) is None


def test_sound_arrives_as_it_was(opened, sounddevice):
    microphone, _ = opened("yeti (hw")
    stream = sounddevice.streams.get()
    assert (stream.device, microphone.name) == (1, USB.name)
    samples = np.arange(-8000, 8000).reshape(-1, 1)
    for piece in np.split(samples, 20):
        stream.hear(piece)
    np.testing.assert_array_equal(read(microphone, 16_000), samples[:, 0] / np.float32(32_768))
    assert microphone.waiting_s == 0


@pytest.mark.parametrize("settings", [(44_100, 1), (44_100, 2)])
def test_a_device_that_cannot_16_khz_or_mono(opened, sounddevice, settings):
    """The built-in one: its own rate, and its own channels if one alone does not do either."""
    rate, channels = settings
    sounddevice.settings = {settings}
    microphone, _ = opened(0)
    stream = sounddevice.streams.get()
    assert (stream.samplerate, stream.channels) == settings
    tone = np.round(10_000 * np.sin(2 * np.pi * 440 * np.arange(rate) / rate))
    for piece in np.split(np.repeat(tone[:, None], channels, axis=1), 10):
        stream.hear(piece)
    stream.vanish()
    expected = soxr.resample(tone / 32_768, rate, SECOND)
    np.testing.assert_allclose(read(microphone, SECOND)[:SECOND], expected, atol=1e-4)


def test_a_device_that_does_not_open(opened, sounddevice):
    sounddevice.refuses_to_start = True
    sounddevice.settings |= {(44_100, 1), (44_100, 32)}
    with pytest.raises(AudioError, match=r"microphone 4 'default'.*: Device unavailable"):
        opened()
    assert sounddevice.n_closed == 3


def test_lost_sound_is_told_once_and_counted(opened, sounddevice):
    microphone, told = opened()
    stream = sounddevice.streams.get()
    for overflow in (False, True, True, False):
        stream.hear(block(100), overflow)
    read(microphone, 4 * 800)
    assert "lost sound" in told.get(timeout=PATIENCE_S)
    assert (microphone.n_overflows, told.empty()) == (2, True)
    stream.vanish()
    second = sounddevice.streams.get(timeout=PATIENCE_S)
    assert microphone.n_overflows == 2
    second.hear(block(100), overflow=True)
    assert [told.get(timeout=PATIENCE_S).split()[3] for _ in range(2)] == ["gone;", "back"]
    assert (microphone.n_overflows, told.empty()) == (3, True)


@pytest.mark.parametrize("silently", [False, True], ids=["finished", "no more callbacks"])
def test_a_device_that_is_unplugged_and_comes_back(opened, sounddevice, silently):
    microphone, told = opened(1, gone_s=0.3 if silently else PATIENCE_S)
    first = sounddevice.streams.get()
    first.hear(block(8192))
    sounddevice.plugged = [BUILT_IN, DEFAULT]  # it is at another place when it is back
    if not silently:
        first.vanish()
    assert told.get(timeout=PATIENCE_S) == f"microphone '{USB.name}' is gone; waiting for it"
    microphone._gone_s = PATIENCE_S  # or a slow machine makes it go a second time
    moved = InputDevice(9, "USB Audio: Yeti (hw:3,0)", "ALSA", 2, 48_000, False)
    sounddevice.plugged.append(moved)
    second = sounddevice.streams.get(timeout=PATIENCE_S)
    assert (second.device, first.is_open) == (9, False)
    second.hear(block(16_384))
    assert told.get(timeout=PATIENCE_S) == f"microphone '{moved.name}' is back"
    heard = read(microphone, 800 + SECOND + 800)
    np.testing.assert_array_equal(heard[:800], 0.25)
    np.testing.assert_array_equal(heard[800:-800], 0)
    np.testing.assert_array_equal(heard[-800:], 0.5)
    assert microphone.name == moved.name
    assert told.empty()


def test_a_device_that_opens_and_gives_nothing_is_not_back(opened, sounddevice):
    """Each failed attempt is neither told nor heard."""
    microphone, told = opened()
    sounddevice.streams.get().vanish()
    for _ in range(3):
        sounddevice.streams.get(timeout=PATIENCE_S).vanish()
    last = sounddevice.streams.get(timeout=PATIENCE_S)
    last.hear(block(16_384))
    assert [told.get(timeout=PATIENCE_S).split()[3] for _ in range(2)] == ["gone;", "back"]
    heard = read(microphone, SECOND + 800)
    assert np.count_nonzero(heard == 0) == SECOND
    assert told.empty()


def test_the_default_is_followed_to_another_device(opened, sounddevice):
    microphone, told = opened()
    first = sounddevice.streams.get()
    other = InputDevice(2, "headset", "ALSA", 1, 16_000, True)
    sounddevice.plugged = [BUILT_IN, other]
    first.vanish()
    told.get(timeout=PATIENCE_S)
    sounddevice.streams.get(timeout=PATIENCE_S).hear(block(1))
    assert told.get(timeout=PATIENCE_S) == "microphone 'headset' is back"
    assert microphone.name == "headset"


@pytest.mark.parametrize("gone", [False, True])
def test_closing_ends_a_waiting_read(opened, sounddevice, gone):
    microphone, told = opened(retry_s=PATIENCE_S)
    stream = sounddevice.streams.get()
    if gone:
        stream.vanish()
        told.get(timeout=PATIENCE_S)
        read(microphone, SECOND)
    found = []
    reader = threading.Thread(target=lambda: found.append(microphone.read()), daemon=True)
    reader.start()
    microphone.close()
    reader.join(PATIENCE_S)
    assert found == [None]
    assert (stream.is_open, microphone._thread.is_alive()) == (False, False)
    microphone.close()


def test_a_listener_that_fails_is_heard_of(opened, sounddevice):
    def notify(line):
        raise ValueError(line)

    microphone = Microphone(notify=notify)
    sounddevice.streams.get().vanish()
    with pytest.raises(ValueError, match="is gone"):
        read(microphone, 2 * SECOND)
    microphone.close()


def test_a_missing_library_and_a_missing_portaudio(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'whisperq-edge\[mic\]'"):
        Microphone()
    monkeypatch.delitem(sys.modules, "sounddevice")
    (tmp_path / "sounddevice.py").write_text("raise OSError('PortAudio library not found')")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(AudioError, match="run: sudo apt-get install libportaudio2"):
        input_devices()
