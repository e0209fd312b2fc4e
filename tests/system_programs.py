"""Programs and C libraries that pip does not install."""

from __future__ import annotations

import ctypes.util
import shutil
from collections.abc import Iterable


def missing_programs(names: Iterable[str]) -> list[str]:
    """Those that are not there; a name that starts with "lib" is a C library's."""
    return [name for name in names if not _is_there(name)]


def _is_there(name: str) -> bool:
    if name.startswith("lib"):
        return ctypes.util.find_library(name.removeprefix("lib")) is not None
    return shutil.which(name) is not None
