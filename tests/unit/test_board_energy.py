"""Energy meters: counters that wrap, rails that are sampled, boards without either."""

from __future__ import annotations

import threading

import pytest

from whisperq_edge.edge.profiling.energy import RailMeter, RaplMeter, find_meter, meter_of
from whisperq_edge.edge.profiling.system_tree import SystemTree

from ..boards import build, write

RANGE_UJ = 262_143_328_850
PACKAGE = "sys/class/powercap/intel-rapl:0/energy_uj"
CORE = "sys/class/powercap/intel-rapl:0:0/energy_uj"
VOLTS, AMPERES = "sys/class/hwmon/hwmon1/in1_input", "sys/class/hwmon/hwmon1/curr1_input"


@pytest.fixture
def n100(tmp_path):
    return build("intel-n100", tmp_path)


@pytest.fixture
def jetson(tmp_path):
    return build("jetson-orin-nano", tmp_path)


class Clock:
    """Seconds that a test sets."""

    now = 100.0

    def __call__(self):
        return self.now


def test_boards_have_the_meters_that_they_have(tmp_path):
    names = {}
    for board in ("intel-n100", "jetson-orin-nano", "raspberry-pi-5", "amd-zen4"):
        meter = find_meter(build(board, tmp_path / board))
        names[board] = meter and meter.name
    assert names == {
        "intel-n100": "rapl",
        "jetson-orin-nano": "ina3221",
        "raspberry-pi-5": None,
        "amd-zen4": None,
    }


def test_counters_are_read_as_joules(n100):
    with find_meter(n100) as meter:
        write(n100, {PACKAGE: "262143100000\n", CORE: "1500000\n"})
        assert meter.joules() == {"package-0": 0.1, "package-0/core": 0.5}


def test_a_counter_that_wraps_goes_on(n100):
    """From 262 143 J it starts again at 0; and does so twice while it is watched."""
    with find_meter(n100) as meter:
        write(n100, {PACKAGE: "1000000\n"})
        first = meter.joules()["package-0"]
        assert first == pytest.approx((RANGE_UJ - 262_143_000_000 + 1_000_000) / 1e6)
        write(n100, {PACKAGE: f"{RANGE_UJ - 1}\n"})
        meter.joules()
        write(n100, {PACKAGE: "0\n"})
        assert meter.joules()["package-0"] == pytest.approx(first + (RANGE_UJ - 1_000_000) / 1e6)


def test_reading_twice_counts_once(n100):
    with find_meter(n100) as meter:
        write(n100, {CORE: "2000000\n"})
        assert meter.joules() == meter.joules() == {"package-0": 0.0, "package-0/core": 1.0}


def test_each_start_counts_anew(n100):
    meter = find_meter(n100)
    meter.start()
    write(n100, {CORE: "2000000\n"})
    meter.start()
    assert meter.joules()["package-0/core"] == 0.0


def test_a_counter_that_vanishes_gives_no_number(n100):
    with find_meter(n100) as meter:
        write(n100, {PACKAGE: None})
        assert meter.joules() is None


def test_counters_for_root_alone_are_no_meter(n100):
    """A file that may not be read looks like one that says nothing."""
    write(n100, {PACKAGE: None, CORE: "rubbish\n", "sys/class/powercap/intel-rapl:0/name": "p\n"})
    assert find_meter(n100) is None


def test_the_second_path_to_a_package_is_not_counted(n100):
    meter = meter_of(SystemTree(n100))
    assert isinstance(meter, RaplMeter)
    meter.start()
    assert sorted(meter.joules()) == ["package-0", "package-0/core"]


def test_power_is_summed_over_time(jetson):
    clock = Clock()
    with RailMeter(SystemTree(jetson), clock, sample_s=3600) as meter:
        clock.now += 2  # 5 W all the while
        write(jetson, {VOLTS: "5000\n", AMPERES: "1022.5024\n"})
        write(jetson, {AMPERES: "3000\n"})  # and 15 W at its end
        assert meter.joules()["VDD_IN"] == pytest.approx((5.112512 + 15) / 2 * 2)
        clock.now += 10
        assert meter.joules()["VDD_IN"] == pytest.approx(20.112512 + 150)


def test_a_rail_that_does_not_answer_once_goes_on_as_before(jetson):
    clock = Clock()
    with RailMeter(SystemTree(jetson), clock, sample_s=3600) as meter:
        write(jetson, {AMPERES: None})
        clock.now += 10
        assert meter.joules()["VDD_IN"] == pytest.approx(51.12512)


def test_a_peak_between_two_readings_is_seen(jetson):
    """The meter itself looks in between."""
    looked = threading.Semaphore(0)

    class Witness(Clock):
        def __call__(self):
            looked.release()
            return self.now

    clock = Witness()
    with RailMeter(SystemTree(jetson), clock, sample_s=0.001):
        for _ in range(3):
            assert looked.acquire(timeout=60)
        before = threading.active_count()
    assert threading.active_count() == before - 1, "the watcher ends with the meter"
