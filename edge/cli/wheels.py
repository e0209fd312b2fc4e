"""Which wheels exist, and what to do where there is none: for ``doctor``.

Only libraries that some boards cannot have are listed. Source: the files on https://pypi.org as
pip saw them in November 2026, from the oldest version that pyproject.toml allows.
"""

from __future__ import annotations

import platform
import sys
from dataclasses import dataclass
from typing import NamedTuple

LAST_PYTHON = 14  # 3.14: nothing has wheels for a later one
_ANY_PYTHON = 99  # by the stable interface


class Wheel(NamedTuple):
    """One that exists.

    Attributes:
        oldest: The oldest glibc, or macOS, that it runs on.
        newest_python: The last minor version of Python 3; the first is 3.11 at the latest.
    """

    oldest: tuple[int, int]
    newest_python: int = LAST_PYTHON


_WHEELS: dict[str, dict[str, tuple[Wheel, ...]]] = {
    "onnxruntime": {
        "Linux x86_64": (Wheel((2, 27)),),
        "Linux aarch64": (Wheel((2, 27)),),
        "macOS arm64": (Wheel((13, 0), 13), Wheel((14, 0))),
        "macOS x86_64": (Wheel((13, 0), 13),),
    },
    "onnx": {
        "Linux x86_64": (Wheel((2, 17), 13), Wheel((2, 27), _ANY_PYTHON)),
        "Linux aarch64": (Wheel((2, 17)), Wheel((2, 26), _ANY_PYTHON)),
        "macOS arm64": (Wheel((12, 0), _ANY_PYTHON),),
        "macOS x86_64": (Wheel((12, 0), _ANY_PYTHON),),
    },
    "openvino": {
        "Linux x86_64": (Wheel((2, 17)),),
        "Linux aarch64": (Wheel((2, 35)),),
        "macOS arm64": (Wheel((11, 0)),),
        "macOS x86_64": (Wheel((10, 15)),),
    },
    "ai-edge-litert": {
        "Linux x86_64": (Wheel((2, 27)),),
        "Linux aarch64": (Wheel((2, 27)),),
        "macOS arm64": (Wheel((12, 0)),),
    },
    "coremltools": {
        "Linux x86_64": (Wheel((2, 5), 13),),
        "macOS arm64": (Wheel((11, 0), 13),),
        "macOS x86_64": (Wheel((10, 15), 13),),
    },
    "onnxruntime-qnn": {
        "Linux x86_64": (Wheel((2, 35)),),
        "Linux aarch64": (Wheel((2, 34)),),
    },
    "pywhispercpp": {
        "Linux x86_64": (Wheel((2, 27)),),
        "Linux aarch64": (Wheel((2, 27)),),
        "macOS arm64": (Wheel((11, 0)),),
    },
}

# Where the machine itself is what no wheel fits. Without ONNX Runtime, nothing here runs.
_INSTEAD = {
    "onnx": "export on another machine and copy the folder",
    "openvino": "use --target onnx",
    "ai-edge-litert": "use --target onnx",
    "coremltools": "export on a Mac or on x86-64; only Macs run it fast",
    "onnxruntime-qnn": "export on Linux; it is for Qualcomm's processors",
    "pywhispercpp": "use --target onnx; whisper.cpp itself can be built there",
}


@dataclass(frozen=True)
class Interpreter:
    """What decides which wheels fit.

    Attributes:
        system: "Linux" or "macOS", or whatever else it is.
        machine: "aarch64", "x86_64", "arm64".
        bits: Of the interpreter: a 64-bit kernel may run a 32-bit system.
        release: Of glibc, or of macOS; None with another C library.
        python: The minor version of Python 3.
    """

    system: str
    machine: str
    bits: int
    release: tuple[int, int] | None
    python: int


def this_interpreter() -> Interpreter:
    """The Python that runs this."""
    if sys.platform == "darwin":
        system, release = "macOS", platform.mac_ver()[0]
    else:
        system, (library, version) = platform.system(), platform.libc_ver()
        release = version if library == "glibc" else ""
    return Interpreter(
        system=system,
        machine=platform.machine(),
        bits=64 if sys.maxsize > 2**32 else 32,
        release=_release(release),
        python=sys.version_info.minor,
    )


def no_wheel(distribution: str, here: Interpreter) -> str | None:
    """Why a library cannot be had here, and what to use in its place; None if it can.

    Args:
        distribution: As pip knows it.
        here: Where it is to be used.
    """
    if distribution not in _WHEELS:
        return None
    place = f"{here.system} {here.machine}"
    wheels = _WHEELS[distribution].get(place, ())
    instead = _INSTEAD.get(distribution)
    if here.bits == 32:
        return "no wheel for 32 bits; install a 64-bit system"
    if not wheels:
        return f"no wheel for {place}" + (f"; {instead}" if instead else "")
    if here.release is None:
        return "no wheel for this C library; use a system with glibc, such as Debian"
    if any(fits(wheel, here) for wheel in wheels):
        return None
    newest = max(wheel.newest_python for wheel in wheels)
    if here.python > newest:
        return f"no wheel for Python 3.{here.python}; use Python 3.{newest}"
    oldest = min(wheel.oldest for wheel in wheels if here.python <= wheel.newest_python)
    if here.system == "macOS":
        return f"no wheel for macOS {_text(here.release)}; it needs {_text(oldest)}"
    need = f"it needs glibc {_text(oldest)}, as Debian 12 and Ubuntu 22.04 have"
    return f"no wheel for glibc {_text(here.release)}; {need}" + (
        f", or {instead}" if instead else ""
    )


def fits(wheel: Wheel, here: Interpreter) -> bool:
    """Whether pip would take it."""
    new_enough = here.release is not None and here.release >= wheel.oldest
    return new_enough and here.python <= wheel.newest_python


def _release(text: str) -> tuple[int, int] | None:
    numbers = text.split(".")[:2]
    if not numbers[0].isdecimal():
        return None
    return int(numbers[0]), int(numbers[1]) if len(numbers) > 1 else 0


def _text(release: tuple[int, int]) -> str:
    return f"{release[0]}.{release[1]}"
