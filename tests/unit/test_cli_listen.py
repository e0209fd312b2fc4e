"""``whisperq-edge listen``, with a microphone that is a recording."""

from __future__ import annotations

import json
import os
import signal

import pytest

from whisperq_edge.edge.audio import input_device, microphone
from whisperq_edge.edge.audio.input_device import InputDevice
from whisperq_edge.edge.audio.played import Played
from whisperq_edge.edge.audio.recording import open_recording
from whisperq_edge.edge.errors import AudioError

DEVICES = [
    InputDevice(0, "Built-in", "ALSA", 2, 48_000, True),
    InputDevice(3, "USB microphone", "ALSA", 1, 16_000, False),
]


@pytest.fixture(autouse=True)
def devices(monkeypatch):
    monkeypatch.setattr(input_device, "input_devices", lambda: DEVICES)


@pytest.fixture
def spoken(recordings):
    """A short recording and its words, which the bundled model gets right."""
    for line in (recordings / "manifest.jsonl").read_text().splitlines():
        row = json.loads(line)
        if row.get("demo"):
            return recordings / row["path"], row["text"].split()
    pytest.fail("no recording is marked for the demo")


class FakeMicrophone(Played):
    """Hears a recording; then the user presses Ctrl-C."""

    path = None
    opened: list[str | None]

    def __init__(self, device, *, notify):
        super().__init__(open_recording(self.path), speed=0)
        self.opened.append(device)
        self.name = "USB microphone"
        self._notify = notify

    def read(self):
        if (samples := super().read()) is None:
            self._notify("microphone 'USB microphone' is gone; waiting for it")
            os.kill(os.getpid(), signal.SIGINT)
            pytest.fail("nobody waits any longer")
        return samples


@pytest.fixture
def opened(monkeypatch, spoken):
    """The devices that were opened."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    names = []
    monkeypatch.setattr(FakeMicrophone, "path", spoken[0])
    monkeypatch.setattr(FakeMicrophone, "opened", names, raising=False)
    monkeypatch.setattr(microphone, "Microphone", FakeMicrophone)
    yield names
    signal.signal(signal.SIGINT, before)


def test_ctrl_c_is_how_listening_ends(call, artifact, spoken, opened):
    ended = call("listen", "--artifact", artifact.folder, "--device", "usb")
    assert ended.status == 0, ended.err
    assert ended.out.split() == spoken[1]
    assert opened == ["usb"]
    _, name, gone = ended.err.splitlines()
    assert name == "listening to USB microphone; Ctrl-C ends"
    assert gone == "microphone 'USB microphone' is gone; waiting for it"


def test_times_go_on_when_listening_is_resumed(call, artifact, spoken, opened, tmp_path):
    path = tmp_path / "a.jsonl"
    for _ in range(2):
        ended = call(
            *("--quiet", "listen", "--artifact", artifact.folder, "--output", path, "--resume"),
            *("--condition-on-previous-text", "false"),
        )
        assert ended.status == 0, ended.err
    events = [json.loads(line) for line in path.read_text().splitlines()]
    words = [word for e in events if e["kind"] == "committed" for word in e["words"]]
    assert len(words) == 2 * len(spoken[1])
    n_first = len(spoken[1])
    assert words[n_first]["start"] >= words[n_first - 1]["end"]
    assert [word["word"].strip() for word in words[:n_first]] == spoken[1]


def test_devices_are_listed(call):
    ended = call("listen", "--list-devices")
    assert ended.status == 0
    assert ended.out.splitlines() == [
        "number  name            sound system  channels  rate",
        "0       Built-in        ALSA          2         48000  default",
        "3       USB microphone  ALSA          1         16000",
    ]
    assert json.loads(call("listen", "--list-devices", "--json").out)[1] == {
        "number": 3,
        "name": "USB microphone",
        "host_api": "ALSA",
        "channels": 1,
        "rate": 16_000,
        "is_default": False,
    }


def test_a_wrong_device_is_told_before_the_model_is_loaded(call):
    ended = call("listen", "--device", "bluetooth")
    assert (ended.status, ended.out) == (2, "")
    (line,) = ended.err.splitlines()
    assert "no input device is called 'bluetooth'" in line


def test_without_a_microphone_there_is_one_line(call, monkeypatch):
    monkeypatch.setattr(input_device, "input_devices", list)
    ended = call("listen")
    assert (ended.status, ended.err.count("\n")) == (7, 1)
    assert "no microphone" in ended.err


def test_a_device_that_cannot_be_opened_is_named(call, artifact, monkeypatch):
    def refuse(device, *, notify):
        raise AudioError("microphone 0 'Built-in' (ALSA) cannot be opened: busy")

    monkeypatch.setattr(microphone, "Microphone", refuse)
    ended = call("--quiet", "listen", "--artifact", artifact.folder)
    assert (ended.status, ended.err.splitlines()) == (
        7,
        ["error: microphone 0 'Built-in' (ALSA) cannot be opened: busy"],
    )
