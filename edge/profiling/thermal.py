"""How hot a board is."""

from __future__ import annotations

from collections.abc import Iterator

from .system_tree import SystemTree

# Sensors that are absent or switched off answer with such as -256 or 200 degrees.
_PLAUSIBLE_C = (-55.0, 150.0)
# Of Jetsons: the kernel has a constant 100 degrees for it.
_CONSTANT = ("PMIC-Die",)
# AMD's processors have no thermal zone, only this sensor.
_SENSORS = ("k10temp",)


def read_temperatures(tree: SystemTree) -> dict[str, float]:
    """The degrees Celsius of each thermal zone, by its type; zones of one type are numbered."""
    temperatures: dict[str, float] = {}
    for name, milli in (*_zones(tree), *_sensors(tree)):
        if milli is None or not _PLAUSIBLE_C[0] < milli / 1000 < _PLAUSIBLE_C[1]:
            continue
        number = sum(other.partition(" #")[0] == name for other in temperatures)
        temperatures[f"{name} #{number + 1}" if number else name] = milli / 1000
    return temperatures


def _zones(tree: SystemTree) -> Iterator[tuple[str, int | None]]:
    for zone in tree.find("/sys/class/thermal/thermal_zone[0-9]*"):
        name = tree.text(f"{zone}/type")
        if name and name not in _CONSTANT:
            yield name, tree.number(f"{zone}/temp")


def _sensors(tree: SystemTree) -> Iterator[tuple[str, int | None]]:
    for monitor in tree.find("/sys/class/hwmon/hwmon[0-9]*"):
        name = tree.text(f"{monitor}/name")
        if name in _SENSORS:
            for path in tree.find(f"{monitor}/temp[0-9]*_input"):
                label = tree.text(path.replace("_input", "_label"))
                yield " ".join(filter(None, [name, label])), tree.number(path)
