"""The figures that the study prints, as ``published.toml`` holds them."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import msgspec

from ..errors import ConfigError

_FILE = "published.toml"


class Claims(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the abstract says a quantized model saves, as shares of the unquantized one's."""

    size_reduction: float
    latency_reduction: float


class PublishedFormat(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A row of Table III.

    Attributes:
        name: As it is printed.
        precision: Ours that it is set beside; "unquantized" for the baseline, whichever that is.
        word_error_rate: A share.
        size_mib: As it is printed, of 1048576 bytes each.
        latency_s: As it is printed.
    """

    name: str
    precision: str
    word_error_rate: float
    size_mib: float
    latency_s: float


class PublishedRun(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A column of Table II, in milliseconds."""

    name: str
    load: float
    mel: float
    sample: float
    encode: float
    decode: float
    batched: float
    prompt: float
    total: float


class Published(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All of it.

    Attributes:
        source: Where it was published.
        title: Of the paper.
        claims: Of its abstract.
        formats: Table III.
        runs: Table II.
    """

    source: str
    title: str
    claims: Claims
    formats: tuple[PublishedFormat, ...]
    runs: tuple[PublishedRun, ...]

    def format(self, precision: str) -> PublishedFormat | None:
        """The row that is set beside one of our precisions, or beside the "unquantized" one."""
        return next((row for row in self.formats if row.precision == precision), None)


@cache
def published() -> Published:
    """The study's figures.

    Raises:
        ConfigError: The file is wrong.
    """
    try:
        return msgspec.toml.decode((files(__package__) / _FILE).read_bytes(), type=Published)
    except msgspec.MsgspecError as error:
        raise ConfigError(f"edge/study/{_FILE}: {error}") from error
