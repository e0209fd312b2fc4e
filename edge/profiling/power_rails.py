"""The power that a board's own meters see.

Source: Linux, ``Documentation/hwmon/ina3221.rst``; NVIDIA Jetson Linux Developer Guide, "Power
Consumption".
"""

from __future__ import annotations

from .system_tree import SystemTree

METER = "ina3221"
_CHANNELS = (1, 2, 3)  # in4 to in6 are voltages of the shunts, in7 and curr4 are sums


def read_power_w(tree: SystemTree) -> dict[str, float]:
    """The watts of each rail that an INA3221 measures, by its label."""
    power: dict[str, float] = {}
    for monitor in tree.find("/sys/class/hwmon/hwmon[0-9]*"):
        if tree.text(f"{monitor}/name") != METER:
            continue
        for channel in _CHANNELS:
            label = tree.text(f"{monitor}/in{channel}_label")
            millivolts = tree.number(f"{monitor}/in{channel}_input")
            milliamperes = tree.number(f"{monitor}/curr{channel}_input")
            if label in (None, "NC") or millivolts is None or milliamperes is None:
                continue  # nothing is connected there
            power[label] = millivolts * milliamperes / 1e6
    return power
