"""The microphone, and ``listen``, over real PortAudio, ALSA and PulseAudio, without hardware.

The programs run in processes of their own, as a user would start them.
"""

from __future__ import annotations

import json
import signal
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from whisperq_edge.edge.audio.recording import load_audio

from ..live_program import PATIENCE_S, LiveProgram
from ..pulse_audio import pulse_audio, raw_copy

SECOND = 16_000

# Writes what it hears to a file of floats until its standard input is closed.
LISTENER = """
import sys, threading
from whisperq_edge.edge.audio.microphone import Microphone

def say(line):
    print(line, flush=True)

with Microphone(sys.argv[1], notify=say) as microphone, open(sys.argv[2], "wb") as heard:
    def close_at_the_end():
        sys.stdin.read()
        microphone.close()

    closer = threading.Thread(target=close_at_the_end)
    closer.start()
    n_heard = 0
    while (samples := microphone.read()) is not None:
        heard.write(samples.tobytes())
        heard.flush()
        if not n_heard:
            say("listening")
        n_heard += len(samples)
    closer.join()
say(f"ended with {n_heard}")
"""


@pytest.fixture
def server():
    with pulse_audio() as running:
        yield running


@pytest.fixture
def program(server):
    """Starts a program beside the sound server, and leaves none behind."""
    started = []

    def start(*command):
        started.append(LiveProgram([str(word) for word in command], server.environment))
        return started[-1]

    yield start
    for one in started:
        one.process.kill()
        one.end()


def listen_on(listener, heard, n):
    """Return when ``n`` more samples were heard."""
    n += heard.stat().st_size // 4
    deadline = time.monotonic() + PATIENCE_S
    while heard.stat().st_size // 4 < n:
        assert listener.process.poll() is None, listener.lines
        assert time.monotonic() < deadline, listener.lines
        time.sleep(0.02)


def place(original, heard):
    """Where the original begins in what was heard, and how well the two agree there."""
    n = 1 << (len(heard) + len(original)).bit_length()
    spectrum = np.fft.rfft(heard, n) * np.conj(np.fft.rfft(original, n))
    start = int(np.fft.irfft(spectrum, n)[: len(heard)].argmax())
    found = heard[start : start + len(original)]
    assert len(found) == len(original), f"{len(original) - len(found)} samples are missing"
    return start, np.corrcoef(found, original)[0, 1]


def test_what_is_played_is_heard(server, program, recordings, tmp_path):
    recording = recordings / "07_brew_a_dark_roast_triple_shot_iced_coffe.flac"
    listener = program(sys.executable, "-c", LISTENER, "default", tmp_path / "heard")
    listener.wait_for("listening")
    server.play(recording)
    listen_on(listener, tmp_path / "heard", SECOND)
    assert listener.end() == 0
    heard = np.fromfile(tmp_path / "heard", np.float32)
    assert listener.wait_for("ended") == f"ended with {len(heard)}"
    _, correlation = place(load_audio(recording), heard)
    assert correlation > 0.99


def test_an_unplugged_device_is_waited_for(server, program, recordings, tmp_path):
    """The server dies, which is what an unplugged device is to PortAudio, and comes back."""
    first = recordings / "11_can_i_get_a_light_roast_iced_mocha.flac"
    second = recordings / "43_seven_four_eight_eight.flac"
    listener = program(sys.executable, "-c", LISTENER, "default", tmp_path / "heard")
    listener.wait_for("listening")
    server.play(first)
    server.kill()
    assert listener.wait_for("gone") == "microphone 'default' is gone; waiting for it"
    server.start()
    assert listener.wait_for("back") == "microphone 'default' is back"
    server.play(second)
    listen_on(listener, tmp_path / "heard", SECOND)
    assert listener.end() == 0
    heard = np.fromfile(tmp_path / "heard", np.float32)
    start, correlation = place(load_audio(first)[: 2 * SECOND], heard)
    assert correlation > 0.99
    after, correlation = place(load_audio(second), heard)
    assert correlation > 0.99
    between = heard[start + 2 * SECOND : after]
    silent = np.convolve(between != 0, np.ones(SECOND), "valid") == 0
    assert silent.any(), "no second of silence lies between"


def test_a_device_that_gives_a_file_gives_its_bits(server, program, recordings, tmp_path):
    """ALSA's file plugin knows no time: 71 s come within a second, and all of them are kept."""
    recording = recordings / "69_long_71_s.flac"
    raw_copy(recording, server.infile)
    listener = program(sys.executable, "-c", LISTENER, "filemic", tmp_path / "heard")
    original, _ = soundfile.read(recording, dtype="float32")
    listener.wait_for("listening")
    listen_on(listener, tmp_path / "heard", len(original))
    assert listener.end() == 0
    heard = np.fromfile(tmp_path / "heard", np.float32, count=len(original))
    np.testing.assert_array_equal(heard, original)


def test_an_unknown_device_names_those_there_are(program, tmp_path):
    listener = program(sys.executable, "-c", LISTENER, "headset", tmp_path / "heard")
    assert "'default' (ALSA)" in listener.wait_for("no input device is called 'headset'")


def test_a_device_that_is_new_is_seen_after_looking_again(server, program, recordings):
    """PortAudio lists devices when it starts, and no more."""
    listing = (
        "from whisperq_edge.edge.audio.input_device import input_devices, refresh_input_devices\n"
        "def is_listed(): return 'filemic' in [device.name for device in input_devices()]\n"
        "print('before:', is_listed(), flush=True)\n"
        "input()\n"
        "print('plugged in:', is_listed())\n"
        "refresh_input_devices()\n"
        "print('looked again:', is_listed())\n"
    )
    lister = program(sys.executable, "-c", listing)
    assert lister.wait_for("before") == "before: False"
    raw_copy(recordings / "12_off.flac", server.infile)
    lister.process.stdin.write("\n")
    assert lister.end() == 0
    assert lister.wait_for("plugged in") == "plugged in: False"
    assert lister.wait_for("looked again") == "looked again: True"


def test_listen_survives_an_unplugged_device_and_ends_with_all_that_was_said(
    server, program, recordings, artifact, tmp_path
):
    """Ctrl-C comes while the last word is not committed yet."""
    command = Path(sys.executable).with_name("whisperq-edge")
    listen = program(
        *(command, "listen", "--json", "--device", "default", "--artifact", artifact.folder),
        *("--language", "en", "--save", tmp_path / "heard.flac"),
    )
    listen.wait_for("listening to default")
    listen_on(listen, tmp_path / "heard.flac", 1)
    server.play(recordings / "11_can_i_get_a_light_roast_iced_mocha.flac")
    time.sleep(0.3)  # the end of it is still on its way
    server.kill()
    listen.wait_for("microphone 'default' is gone")
    server.start()
    listen.wait_for("microphone 'default' is back")
    server.play(recordings / "07_brew_a_dark_roast_triple_shot_iced_coffe.flac")
    listen.process.send_signal(signal.SIGINT)
    assert listen.end() == 0
    events = [json.loads(line) for line in listen.lines if line.startswith("{")]
    utterances = [event["text"].strip() for event in events if event["kind"] == "endpoint"]
    assert utterances == [
        "can i get a light roast iced mocha",
        "brew a dark roast triple shot iced coffee",
    ]
    committed = "".join(event["text"] for event in events if event["kind"] == "committed")
    assert committed.strip() == " ".join(utterances)
