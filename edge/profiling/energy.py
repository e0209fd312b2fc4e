"""The energy that a board takes, where it has a meter."""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, Self

from .power_rails import METER, read_power_w
from .system_tree import SystemTree

SAMPLE_S = 0.1  # an INA3221 in a Jetson averages over about as long


class EnergyMeter(ABC):
    """Counts joules between two moments, of the whole board or processor: not of one process.

    Attributes:
        name: "rapl" or "ina3221".
    """

    name: str

    @abstractmethod
    def start(self) -> None:
        """Count from now on."""

    @abstractmethod
    def joules(self) -> dict[str, float] | None:
        """What was taken since ``start``, by domain or rail.

        Domains lie within each other ("core" in "package-0"), and so do rails: they are not to be
        added up.

        Returns:
            None if the meter could not be read.
        """

    def close(self) -> None:  # noqa: B027 (most have nothing to release)
        """Measure no longer."""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Domain(NamedTuple):
    name: str
    file: str
    range_uj: int  # the counter begins again at 0 after it


class RaplMeter(EnergyMeter):
    """Intel's and AMD's counters.

    They wrap after 65 kJ on some processors: after ten minutes at 100 W. One wrap between two
    calls of ``joules`` is seen, a second is not.

    Source: Linux, ``Documentation/power/powercap/powercap.rst``.
    """

    name = "rapl"

    def __init__(self, tree: SystemTree, domains: list[_Domain]) -> None:
        self._tree, self._domains = tree, domains
        self._last: dict[str, int] | None = None
        self._taken_uj: dict[str, int] = {}

    def start(self) -> None:
        """See ``EnergyMeter``."""
        self._last = self._read()
        self._taken_uj = dict.fromkeys((domain.name for domain in self._domains), 0)

    def joules(self) -> dict[str, float] | None:
        """See ``EnergyMeter``."""
        now = self._read()
        if now is None or self._last is None:
            return None
        for domain in self._domains:
            passed = now[domain.name] - self._last[domain.name]
            self._taken_uj[domain.name] += passed if passed >= 0 else passed + domain.range_uj
        self._last = now
        return {name: taken / 1e6 for name, taken in self._taken_uj.items()}

    def _read(self) -> dict[str, int] | None:
        counts = {domain.name: self._tree.number(domain.file) for domain in self._domains}
        if None in counts.values():
            return None
        return {name: count for name, count in counts.items() if count is not None}


class RailMeter(EnergyMeter):
    """Rails of an INA3221, whose power is read again and again and summed over time."""

    name = METER

    def __init__(
        self,
        tree: SystemTree,
        clock: Callable[[], float] = time.monotonic,
        sample_s: float = SAMPLE_S,
    ) -> None:
        self._tree, self._clock, self._sample_s = tree, clock, sample_s
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self._at_s = 0.0
        self._power_w: dict[str, float] = {}
        self._taken_j: dict[str, float] = {}

    def start(self) -> None:
        """See ``EnergyMeter``."""
        self.close()
        self._at_s, self._power_w = self._clock(), read_power_w(self._tree)
        self._taken_j = dict.fromkeys(self._power_w, 0.0)
        self._ended.clear()
        self._thread = threading.Thread(target=self._watch, name="power rails", daemon=True)
        self._thread.start()

    def joules(self) -> dict[str, float] | None:
        """See ``EnergyMeter``."""
        self.sample()
        with self._lock:
            return dict(self._taken_j) or None

    def close(self) -> None:
        """See ``EnergyMeter``."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def sample(self) -> None:
        """Add what was taken since the last sample: the mean of both powers, over the time."""
        with self._lock:
            now_s, power_w = self._clock(), read_power_w(self._tree)
            for rail in self._taken_j:
                # A rail that does not answer once is taken to go on as before.
                power_w.setdefault(rail, self._power_w[rail])
                mean_w = (self._power_w[rail] + power_w[rail]) / 2
                self._taken_j[rail] += mean_w * (now_s - self._at_s)
            self._at_s, self._power_w = now_s, power_w

    def _watch(self) -> None:
        while not self._ended.wait(self._sample_s):
            self.sample()


def find_meter(root: Path = Path("/")) -> EnergyMeter | None:
    """The meter that this board has and that may be read; None without one.

    RAPL's counters are for root alone since Linux 5.10.

    Args:
        root: See ``SystemTree``.
    """
    return meter_of(SystemTree(root))


def meter_of(tree: SystemTree) -> EnergyMeter | None:
    """See ``find_meter``."""
    if domains := _rapl_domains(tree):
        return RaplMeter(tree, domains)
    return RailMeter(tree) if read_power_w(tree) else None


def _rapl_domains(tree: SystemTree) -> list[_Domain]:
    """Those that can be read, a package's parts named after it."""
    domains = []
    # intel-rapl-mmio counts the same package once more.
    for folder in tree.find("/sys/class/powercap/intel-rapl:[0-9]*"):
        name = tree.text(f"{folder}/name")
        range_uj = tree.number(f"{folder}/max_energy_range_uj")
        file = f"{folder}/energy_uj"
        if name and range_uj and tree.number(file) is not None:
            package = folder.rpartition("/")[2].split(":")[1]
            is_part = folder.count(":") > 1
            domains.append(
                _Domain(f"package-{package}/{name}" if is_part else name, file, range_uj)
            )
    return domains
