"""Streams that are run to their end, or to where somebody interrupts them."""

from __future__ import annotations

import os
import signal
import threading

import numpy as np
import pytest

from whisperq_edge.edge.audio.backlog import Backlog
from whisperq_edge.edge.audio.recording import samples_source
from whisperq_edge.edge.audio.remainder import Remainder
from whisperq_edge.edge.audio.sound_stream import SoundStream
from whisperq_edge.edge.errors import AudioError
from whisperq_edge.edge.streaming.interruption import UntilInterrupted
from whisperq_edge.edge.streaming.live import run_live
from whisperq_edge.edge.types import SAMPLE_RATE


@pytest.fixture(autouse=True)
def default_handlers():
    """As a program has them that a user started in a terminal."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    signal.signal(signal.SIGINT, before)


class Arriving(SoundStream):
    """Sound that a test lets arrive."""

    name = "test"

    def __init__(self, error=None):
        self.backlog = Backlog()
        self.error = error
        self.closed = False

    def read(self):
        if self.error is not None and not self.backlog.waiting_s:
            raise self.error
        return self.backlog.take(SAMPLE_RATE)

    @property
    def waiting_s(self):
        return self.backlog.waiting_s

    def close(self):
        self.closed = True


class Listener:
    """Stands in for a streamer: its events are what it was told."""

    def __init__(self, on_feed=lambda: None):
        self.on_feed = on_feed

    def feed(self, samples, *, behind_s=0.0):
        self.on_feed()
        return [(len(samples), behind_s)]

    def finish(self):
        return ["finished"]


def second(value=0.0):
    return np.full(SAMPLE_RATE, value, np.float32)


def test_a_stream_is_fed_to_its_end():
    sound = Arriving()
    for _ in range(3):
        sound.backlog.put(second())
    sound.backlog.end()
    events = list(run_live(Listener(), sound))
    assert events == [(SAMPLE_RATE, 2.0), (SAMPLE_RATE, 1.0), (SAMPLE_RATE, 0.0), "finished"]


def test_a_failure_is_told_after_what_was_heard():
    sound = Arriving(AudioError("gone"))
    sound.backlog.put(second())
    events = run_live(Listener(), sound)
    assert next(events) == (SAMPLE_RATE, 0.0)
    assert next(events) == "finished"
    with pytest.raises(AudioError, match="gone"):
        next(events)


def test_ctrl_c_ends_a_read_that_waits():
    sound = Arriving()
    sound.backlog.put(second())
    timer = threading.Timer(0.2, os.kill, [os.getpid(), signal.SIGINT])
    with UntilInterrupted(sound) as stream:
        timer.start()
        assert list(run_live(Listener(), stream)) == [(SAMPLE_RATE, 0.0), "finished"]
        assert stream.signal == signal.SIGINT
    assert sound.closed


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_had_arrived_is_heard_and_nothing_after_it(number):
    sound = Arriving()
    for _ in range(3):
        sound.backlog.put(second())

    def interrupt_once():
        if stream.signal is None:
            os.kill(os.getpid(), number)
        sound.backlog.put(second())  # somebody goes on speaking

    with UntilInterrupted(sound) as stream:
        events = list(run_live(Listener(interrupt_once), stream))
    # While the first second was computed, a fourth arrived.
    assert [n for n, _ in events[:-1]] == [SAMPLE_RATE] * 4
    assert events[-1] == "finished"
    assert stream.signal == number


def test_a_second_ctrl_c_ends_at_once():
    sound = Arriving()
    for _ in range(3):
        sound.backlog.put(second())
    heard = []

    def interrupt():
        heard.append(1)
        os.kill(os.getpid(), signal.SIGINT)

    with UntilInterrupted(sound) as stream, pytest.raises(KeyboardInterrupt):
        list(run_live(Listener(interrupt), stream))
    assert len(heard) == 2


def test_an_ignored_signal_stays_ignored():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with UntilInterrupted(Arriving()):
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def test_the_rest_of_a_recording():
    samples = np.linspace(-1, 1, 2 * SAMPLE_RATE, dtype=np.float32)
    rest = Remainder(samples_source(samples, "a"), 0.5)
    assert (rest.name, rest.duration_s) == ("a", 1.5)
    np.testing.assert_array_equal(rest.read(10, 5), samples[8010:8015])
    assert not len(rest.read(rest.n_samples, 5))
    assert Remainder(samples_source(samples), 9.0).n_samples == 0
