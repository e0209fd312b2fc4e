"""A recording in real time, by a clock of the test's own."""

from __future__ import annotations

import numpy as np
import pytest

from whisperq_edge.edge.audio.pace import Pace
from whisperq_edge.edge.audio.played import BLOCK, Played
from whisperq_edge.edge.audio.recording import open_recording, samples_source
from whisperq_edge.edge.errors import ConfigError

SECOND = 16_000


class Clock:
    """Stands still but for what is slept and what the test lets pass."""

    def __init__(self):
        self.now = 1000.0
        self.slept = 0.0

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        assert seconds > 0
        self.now += seconds
        self.slept += seconds


@pytest.fixture
def clock():
    return Clock()


def played(clock, duration_s=2.55, speed=1.0):
    samples = np.arange(round(duration_s * SECOND), dtype=np.float32)
    return Played(samples_source(samples, "talk"), speed, clock=clock, sleep=clock.sleep)


@pytest.mark.parametrize("speed", [0.5, 1.0, 2.0])
def test_a_block_comes_when_its_last_sample_is_due(clock, speed):
    began, n_read = clock.now, 0
    with played(clock, speed=speed) as sound:
        while (samples := sound.read()) is not None:
            np.testing.assert_array_equal(samples, np.arange(n_read, n_read + len(samples)))
            n_read += len(samples)
            assert (clock.now - began) * speed == pytest.approx(n_read / SECOND, abs=0.002)
            assert sound.waiting_s == pytest.approx(0, abs=0.002)
    assert n_read == 2.55 * SECOND


def test_a_slow_reader_is_not_delayed_further_and_sees_what_waits(clock):
    sound = played(clock, duration_s=10)
    sound.read()
    clock.now += 3
    assert sound.waiting_s == pytest.approx(3)
    slept = clock.slept
    for _ in range(30):
        sound.read()
    assert clock.slept == slept
    assert sound.waiting_s == pytest.approx(0, abs=0.01)


def test_no_more_waits_than_the_recording_holds(clock):
    sound = played(clock, duration_s=2)
    clock.now += 100
    assert sound.waiting_s == 2


def test_at_speed_0_nothing_waits(clock):
    sound = played(clock, speed=0)
    clock.now += 100
    n_read = 0
    while (samples := sound.read()) is not None:
        n_read += len(samples)
        assert sound.waiting_s == 0
    assert (n_read, clock.slept) == (2.55 * SECOND, 0)


def test_a_file_is_played_without_keeping_it(recordings):
    """A block owns its samples: a view would hold all that was decoded with them."""
    path = recordings / "03_get_me_a_medium_roast_medium_cappuccino.flac"
    with Played(open_recording(path), speed=0) as sound:
        assert sound.name == path.stem
        samples = sound.read()
    assert samples.base is None
    assert samples.shape == (BLOCK,)


@pytest.mark.parametrize("speed", [-1, float("inf"), float("nan")])
def test_an_impossible_speed(clock, speed):
    with pytest.raises(ConfigError, match="speed must be 0"):
        played(clock, speed=speed)


def test_what_is_caught_up_with_is_due_and_the_rest_in_time(clock):
    pace = Pace(2, clock, clock.sleep)
    pace.catch_up(5)
    assert pace.due_s == pytest.approx(5)
    clock.now += 1
    assert pace.due_s == pytest.approx(7)
    pace.catch_up(6)
    assert pace.due_s == pytest.approx(7)
