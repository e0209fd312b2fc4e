"""Precisions as people write them: ``int8``, ``int8:128``, ``int4:32``."""

from __future__ import annotations

from typing import cast, get_args

from ..edge.errors import ConfigError, UnknownNameError
from ..edge.types import Precision, PrecisionName
from .quantize import INT4_BLOCK, checked


def parse_precision(text: str) -> Precision:
    """Read ``PRECISION[:BLOCK]``; int4 alone takes its usual block.

    Raises:
        ConfigError: It is not of that form.
        UnsupportedPrecisionError: There is no such combination.
    """
    name, colon, block = text.partition(":")
    if name not in get_args(PrecisionName):
        raise UnknownNameError("precision", name, get_args(PrecisionName))
    if colon and not block.isdecimal():
        raise ConfigError(f"'{text}' is not PRECISION[:BLOCK], such as int8 or int4:32")
    size = int(block) if block else INT4_BLOCK if name == "int4" else None
    return checked(Precision(cast(PrecisionName, name), size))
