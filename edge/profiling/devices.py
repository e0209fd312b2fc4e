"""The boards that are described in ``devices/``: read, checked, found by name or by their facts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from types import MappingProxyType

import msgspec

from ...runtimes import RUNTIMES
from ..errors import ConfigError, UnknownNameError
from .device import Device

SUFFIX = ".toml"
_FOLDER = "devices"
_ID = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


@cache
def devices() -> Mapping[str, Device]:
    """Every board that comes with the package, by id, in alphabetical order.

    Raises:
        ConfigError: A file is wrong; names the file and the key.
    """
    return read_devices(files("whisperq_edge") / _FOLDER)


def device(device_id: str) -> Device:
    """The board with this id ("raspberry-pi-5").

    Raises:
        UnknownNameError: There is none; says the nearest.
    """
    if device_id not in devices():
        raise UnknownNameError("device", device_id, devices())
    return devices()[device_id]


def read_devices(folder: Traversable) -> Mapping[str, Device]:
    """Read and check a folder of boards; see ``devices``."""
    paths = sorted(
        (path for path in folder.iterdir() if path.name.endswith(SUFFIX)), key=lambda p: p.name
    )
    found = {path.name.removesuffix(SUFFIX): read_device(path) for path in paths}
    owners: dict[str, str] = {}
    for device_id, entry in found.items():
        for name in entry.identify.compatible:
            if name in owners:
                raise ConfigError(
                    f"{_FOLDER}/{device_id}{SUFFIX}: identify.compatible: "
                    f"'{name}' is also in {owners[name]}{SUFFIX}"
                )
            owners[name] = device_id
    return MappingProxyType(found)


def read_device(path: Traversable) -> Device:
    """Read and check one board's file.

    Raises:
        ConfigError: It cannot be read, an entry is unknown, of a wrong type or without a source.
    """
    place = f"{_FOLDER}/{path.name}"
    if not _ID.fullmatch(path.name.removesuffix(SUFFIX)):
        raise ConfigError(f"{place}: a board's file is named like 'raspberry-pi-5{SUFFIX}'")
    try:
        entry = msgspec.toml.decode(path.read_bytes(), type=Device)
    except (OSError, msgspec.MsgspecError) as error:
        raise ConfigError(f"{place}: {error}") from error
    for key, problem in _problems(entry):
        raise ConfigError(f"{place}: {key}: {problem}")
    return entry


def _problems(entry: Device) -> Iterable[tuple[str, str]]:
    """What the types cannot say: the key that is wrong, and how."""
    used = dict(entry.cited())
    for key, source in used.items():
        if source not in entry.sources:
            yield f"{key}.source", f"there is no '{source}' in [sources]"
    for name in entry.sources.keys() - set(used.values()):
        yield f"sources.{name}", "nothing comes from it"
    for name in entry.targets.keys() - RUNTIMES.keys():
        yield f"targets.{name}", str(UnknownNameError("target", name, RUNTIMES))
    for name in RUNTIMES.keys() - entry.targets.keys():
        yield f"targets.{name}", "missing; say whether it works, or why not"
    for name, support in entry.targets.items():
        if support.works != (support.evidence is not None):
            yield f"targets.{name}.evidence", "belongs to every target that works, and no other"
    working = {name for name, support in entry.targets.items() if support.works}
    for number, accelerator in enumerate(entry.accelerators):
        for name in set(accelerator.targets) - working:
            yield f"accelerators[{number}].targets", f"'{name}' does not work there"
    if entry.default.target not in working:
        yield "default.target", f"'{entry.default.target}' does not work there"
    counts = [kind.count for kind in entry.cores]
    if None not in counts and (entry.default.threads or 0) > sum(filter(None, counts)):
        yield "default.threads", "more than it has cores"
    for number, figure in enumerate(entry.published):
        if (figure.seconds is None) == (figure.times_real_time is None):
            yield f"published[{number}]", "give either seconds or times_real_time"


def identify(
    model: str | None,
    compatible: Sequence[str],
    cores: Iterable[str],
    known: Mapping[str, Device] | None = None,
) -> str | None:
    """Which board this is.

    Device tree names are the surest, and the firmware puts the most specific first; after them
    its model, and the names of the cores last. Where two boards fit equally, neither is claimed.

    Args:
        model: What the firmware calls it ("Raspberry Pi 5 Model B Rev 1.0").
        compatible: Device tree names; empty on a PC.
        cores: Names of the kinds of cores.
        known: Boards to choose from; None for those of the package.

    Returns:
        Its id, or None.
    """
    known = devices() if known is None else known
    for name in compatible:
        for device_id, entry in known.items():
            if name in entry.identify.compatible:
                return device_id
    for names, field in (((model,) if model else (), "models"), (tuple(cores), "cores")):
        fits = [
            device_id
            for device_id, entry in known.items()
            if _any_fits(names, getattr(entry.identify, field))
        ]
        if fits:
            return fits[0] if len(fits) == 1 else None
    return None


def _any_fits(names: Iterable[str], patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern) for name in names for pattern in patterns)
