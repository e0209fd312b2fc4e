"""What is saved when computing falls behind, and when it is taken up again."""

from __future__ import annotations

from itertools import pairwise

import pytest

from whisperq_edge.edge.streaming.pressure import (
    EFFORTS,
    FEWEST_UPDATES,
    MOST_UPDATES,
    Pressure,
)

FULL, HALF, *_, LEAST = EFFORTS
QUICK_S = 0.1  # waits after an update that is easy at any effort


class Told(list[str]):
    """The first words of what was said."""

    def __call__(self, line):
        self.append(line.split(":")[0])


@pytest.fixture
def told():
    return Told()


@pytest.fixture
def pressure(told):
    return Pressure(1.0, told)


def update(pressure, times, wait_s=QUICK_S):
    for _ in range(times):
        pressure.take(wait_s)
        pressure.count_update()


def test_who_keeps_pace_does_the_full_work_and_hears_nothing(pressure, told):
    update(pressure, 100, wait_s=1.4)
    assert pressure.effort is FULL
    assert told == []


def test_each_change_is_told_once(pressure, told):
    for behind_s in (0.0, 0.4, 2.0, 2.5, 3.0, 5.0, 9.0, 20.0, 40.0, 50.0, 6.0, 1.0):
        pressure.take(behind_s)
    assert pressure.effort is LEAST
    update(pressure, 2 * FEWEST_UPDATES)
    assert pressure.effort is FULL
    assert told == [
        "2.0 s behind the sound",
        "5.0 s behind the sound",
        "9.0 s behind the sound",
        "40.0 s behind the sound",
        "caught up with the sound",
    ]


def test_less_is_saved_as_soon_as_updates_are_quick_enough_for_more(pressure):
    pressure.take(5.0)
    # 0.9 s are more than half of one second between updates, and less than half of two.
    update(pressure, 2 * FEWEST_UPDATES, wait_s=0.9)
    assert pressure.effort is HALF
    update(pressure, 10 * FEWEST_UPDATES, wait_s=0.9)
    assert pressure.effort is HALF
    update(pressure, 2 * FEWEST_UPDATES)
    assert pressure.effort is FULL


def test_nothing_is_taken_up_while_sound_waits(pressure):
    pressure.take(20.0)
    for _ in range(20):
        pressure.count_update()
    assert pressure.effort.from_s == 8.0


def test_who_took_up_too_much_waits_twice_as_long(pressure):
    counts = []
    for _ in range(6):
        pressure.take(2.0)
        n = 0
        while pressure.effort is not FULL:
            update(pressure, 1)
            n += 1
        counts.append(n)
    waits = [n // 2 for n in counts]  # the first half still has the wait in it
    assert waits[:3] == [FEWEST_UPDATES, 2 * FEWEST_UPDATES, 4 * FEWEST_UPDATES]
    assert waits[-1] == MOST_UPDATES


def test_every_effort_does_less_than_the_one_before():
    for more, less in pairwise(EFFORTS):
        assert less.from_s > more.from_s
        assert less.chunk >= more.chunk
        assert less.partials <= more.partials
        assert less.longest_s <= more.longest_s
        assert less.saves
