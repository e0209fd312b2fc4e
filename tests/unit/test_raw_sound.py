"""Sound without a header: what the bytes mean, and when they are heard."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import threading

import numpy as np
import pytest
import soxr

from whisperq_edge.edge.audio.raw_format import RawFormat
from whisperq_edge.edge.audio.raw_sound import AHEAD_S, BLOCK_S, RawSound
from whisperq_edge.edge.errors import AudioError, ConfigError, UnknownNameError

SECOND = 16_000
PLAIN = RawFormat(rate=SECOND)


class Clock:
    """Stands still but for what is slept and what a source takes."""

    def __init__(self):
        self.now = 0.0
        self.slept = 0.0

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds
        self.slept += seconds


class Live(io.RawIOBase):
    """A program that captures: what had gathered comes at once, the rest as it is spoken."""

    def __init__(self, clock, content, gathered_s, speed=1.0):
        self.clock, self.content = clock, io.BytesIO(content)
        self.gathered, self.speed = gathered_s * SECOND * 2, speed

    def read(self, n=-1):
        content = self.content.read(n)
        if self.content.tell() > self.gathered:
            self.clock.now += len(content) / 2 / SECOND / self.speed
        return content


def noise(n, channels=1, seed=0):
    return np.random.default_rng(seed).uniform(-0.5, 0.5, (n, channels)).astype(np.float32)


def stored(samples, sample_format):
    scale = {"s16le": 2**15, "s32le": 2**31, "f32le": 1}[sample_format]
    types = {"s16le": "<i2", "s32le": "<i4", "f32le": "<f4"}
    return (samples.astype(np.float64) * scale).astype(types[sample_format]).tobytes()


def heard(sound):
    pieces = []
    with sound:
        while (samples := sound.read()) is not None:
            assert samples.dtype == np.float32
            pieces.append(samples)
    return np.concatenate(pieces) if pieces else np.empty(0, np.float32)


def wait_for_thread(sound):
    """Return when the thread has read all there is: the clock does not move with it then."""
    sound._thread.join(60)
    assert not sound._thread.is_alive()


@pytest.mark.parametrize("sample_format", ["s16le", "s32le", "f32le"])
@pytest.mark.parametrize("channels", [1, 2, 6])
def test_every_format(sample_format, channels):
    samples = noise(12_345, channels)
    layout = RawFormat(rate=SECOND, channels=channels, sample_format=sample_format)
    sound = RawSound(io.BytesIO(stored(samples, sample_format)), layout, speed=0)
    tolerance = 4e-5 if sample_format == "s16le" else 1e-7
    np.testing.assert_allclose(heard(sound), samples.mean(axis=1), atol=tolerance)


@pytest.mark.parametrize("rate", [8_000, 22_050, 44_100, 48_000])
def test_every_rate(rate):
    samples = noise(3 * rate + 17)
    sound = RawSound(
        io.BytesIO(stored(samples, "f32le")), RawFormat(rate=rate, sample_format="f32le"), speed=0
    )
    resampled = soxr.resample(samples[:, 0], rate, SECOND)
    np.testing.assert_allclose(heard(sound), resampled, atol=1e-4)


class Shredded(io.RawIOBase):
    """A pipe that gives one byte more each time: no read ends where a frame does."""

    def __init__(self, content):
        self.content, self.n = io.BytesIO(content), 0

    def read(self, n=-1):
        self.n += 1
        return None if self.n % 5 == 0 else self.content.read(min(n, self.n))


@pytest.mark.parametrize("n_torn", [0, 1, 5])
def test_frames_that_come_in_pieces_and_a_torn_last_one(caplog, n_torn):
    samples = noise(40_000, 3)
    content = stored(samples, "s16le") + bytes(n_torn)
    layout = RawFormat(rate=SECOND, channels=3)
    sound = RawSound(Shredded(content), layout, speed=0, sleep=lambda seconds: None)
    np.testing.assert_allclose(heard(sound), samples.mean(axis=1), atol=4e-5)
    told = (
        f"standard input ends within a frame: {n_torn} of 6 bytes; are format and channels right?"
    )
    assert [record.message for record in caplog.records] == ([told] if n_torn else [])


def test_silence_and_nothing():
    assert len(heard(RawSound(io.BytesIO(b""), PLAIN, speed=0))) == 0
    assert len(heard(RawSound(io.BytesIO(b""), PLAIN))) == 0
    assert heard(RawSound(io.BytesIO(bytes(3200)), PLAIN, speed=0)).tolist() == [0.0] * 1600


@pytest.mark.parametrize("speed", [0, 1])
def test_a_file_with_a_header_is_not_raw(recordings, speed):
    with (recordings / "12_off.flac").open("rb") as file:
        sound = RawSound(file, PLAIN, speed)
        with pytest.raises(AudioError, match="is a sound file with a header"):
            heard(sound)


def test_integers_are_not_floats():
    content = stored(noise(SECOND), "s16le")
    layout = RawFormat(rate=SECOND, sample_format="f32le")
    with pytest.raises(AudioError, match="as f32le this is no sound"):
        heard(RawSound(io.BytesIO(content), layout, speed=0))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"rate": 0}, "rate must be"),
        ({"rate": 16}, "rate must be"),
        ({"rate": SECOND, "channels": 0}, "channels must be"),
        ({"rate": SECOND, "sample_format": "s16"}, "did you mean 's16le'"),
    ],
)
def test_impossible_formats(arguments, message):
    with pytest.raises(ConfigError, match=message):
        RawFormat(**arguments)
    assert issubclass(UnknownNameError, ConfigError)


@pytest.mark.parametrize("speed", [1.0, 2.0])
def test_a_file_in_a_pipe_is_played_in_real_time(speed):
    clock, samples = Clock(), noise(2 * SECOND)
    sound = RawSound(
        io.BytesIO(stored(samples, "s16le")), PLAIN, speed, clock=clock, sleep=clock.sleep
    )
    wait_for_thread(sound)
    n_read = 0
    while (block := sound.read()) is not None:
        n_read += len(block)
        assert clock.now * speed == pytest.approx(n_read / SECOND, abs=0.01)
        assert sound.waiting_s == pytest.approx(0, abs=0.01)
    assert n_read == 2 * SECOND


def test_what_is_due_and_not_read_waits():
    clock = Clock()
    sound = RawSound(
        io.BytesIO(stored(noise(2 * SECOND), "s16le")), PLAIN, clock=clock, sleep=clock.sleep
    )
    wait_for_thread(sound)
    clock.now = 1.5
    assert sound.waiting_s == pytest.approx(1.5)
    clock.now = 9
    assert sound.waiting_s == 2


@pytest.mark.parametrize("gathered_s", [0, 2])
@pytest.mark.parametrize("speed", [1.0, 1.01])
def test_a_live_source_is_not_delayed(gathered_s, speed):
    """Neither by what had gathered in the pipe nor by a clock that is faster than ours."""
    clock, samples = Clock(), noise(60 * SECOND)
    pipe = Live(clock, stored(samples, "s16le"), gathered_s, speed)
    with RawSound(pipe, PLAIN, clock=clock, sleep=clock.sleep) as sound:
        wait_for_thread(sound)
        assert clock.slept == 0
        assert sound.waiting_s > 59.5
        for _ in range(595):
            sound.read()
        assert clock.slept == 0


def test_no_more_than_a_pipe_is_read_ahead():
    """A file of hours is not copied to memory or disk while its beginning is played."""
    clock, asleep = Clock(), threading.Event()
    go_on = threading.Event()

    def sleep(seconds):
        asleep.set()
        go_on.wait(60)
        clock.sleep(1000)

    pipe = io.BytesIO(bytes(60 * 2 * SECOND))
    sound = RawSound(pipe, PLAIN, clock=clock, sleep=sleep)
    assert asleep.wait(60)
    assert pipe.tell() / 2 / SECOND == pytest.approx(AHEAD_S, abs=2 * BLOCK_S)
    go_on.set()
    assert len(heard(sound)) == 60 * SECOND


def test_the_pipe_is_kept_empty_while_nobody_reads():
    """A writer of 10 s is done though nothing was asked for; a pipe holds 2 s."""
    reading, writing = os.pipe()
    content = stored(noise(2 * SECOND), "s16le") * 5
    with os.fdopen(reading, "rb") as pipe:
        sound = RawSound(pipe, PLAIN, speed=1000)
        with os.fdopen(writing, "wb") as program:
            program.write(content)
        wait_for_thread(sound)
        assert len(heard(sound)) == 10 * SECOND


def test_an_error_in_the_thread_reaches_the_reader():
    class Broken(io.RawIOBase):
        def read(self, n=-1):
            raise OSError(5, "Input/output error")

    with pytest.raises(AudioError, match="standard input cannot be read: Input/output error"):
        heard(RawSound(Broken(), PLAIN))


def test_closing_ends_a_read_and_the_program():
    """A thread that waits for standard input must not keep the interpreter from ending."""
    code = (
        "import sys, threading\n"
        "from whisperq_edge.edge.audio.raw_format import RawFormat\n"
        "from whisperq_edge.edge.audio.raw_sound import RawSound\n"
        "sound = RawSound(sys.stdin.buffer, RawFormat(rate=16000))\n"
        "threading.Timer(0.3, sound.close).start()\n"
        "print(sound.read())\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as program:
        program.wait(60)  # its input is still open
        assert program.stdout.read() == b"None\n"
        assert program.stderr.read() == b""
