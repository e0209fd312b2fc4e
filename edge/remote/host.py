"""The board that is meant, as people write it: ``pi@board:2222``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from ..errors import ConfigError

# "[::1]:22", as everywhere where a port follows an address that has colons itself.
_FORM = re.compile(
    r"(?:(?P<user>[^@\s]+)@)?"
    r"(?:\[(?P<address>[0-9A-Fa-f:.%\w]+)\]|(?P<name>[^\s@:\[\]/]+))"
    r"(?::(?P<port>\d+))?"
)


@dataclass(frozen=True)
class Host:
    """Where a board is reached.

    Attributes:
        name: A host name, an address, or an alias of ``~/.ssh/config``.
        user: None for what ``~/.ssh/config`` says, or the name of whoever asks.
        port: None for what ``~/.ssh/config`` says, or 22.
    """

    name: str
    user: str | None = None
    port: int | None = None

    @classmethod
    def parse(cls, text: str) -> Host:
        """Read ``[user@]board[:port]``.

        Raises:
            ConfigError: It is something else.
        """
        found = _FORM.fullmatch(text)
        if found is None or (found["port"] and not 0 < int(found["port"]) < 65536):
            raise ConfigError(f"'{text}' is no host; write user@board, or user@board:port")
        name = found["address"] or found["name"]
        if text.startswith("-") or name.startswith(
            "-"
        ):  # ssh, in a message of ours, would take it for an option
            raise ConfigError(f"'{text}' is no host; a name does not begin with a hyphen")
        return cls(name, found["user"], int(found["port"]) if found["port"] else None)

    def __str__(self) -> str:
        name = f"[{self.name}]" if ":" in self.name else self.name
        user = f"{self.user}@" if self.user else ""
        return f"{user}{name}" + (f":{self.port}" if self.port else "")

    @property
    def file_name(self) -> str:
        """The same, for the name of a file: "pi-board-2222"."""
        return re.sub(r"[^\w.]+", "-", str(self)).strip("-")

    @property
    def ssh_arguments(self) -> str:
        """What follows ``ssh`` to get there by hand."""
        port = f"-p {self.port} " if self.port else ""
        return f"{port}{self.user}@{self.name}" if self.user else f"{port}{self.name}"


def read_hosts(path: Path) -> list[Host]:
    """The boards of a list: one a line; what follows ``#`` is a comment.

    Raises:
        ConfigError: The file cannot be read, names nothing, or a line is no host.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from error
    hosts = []
    for number, line in enumerate(lines, start=1):
        if text := line.partition("#")[0].strip():
            try:
                hosts.append(Host.parse(text))
            except ConfigError as error:
                raise ConfigError(f"{path}, line {number}: {error}") from None
    if not hosts:
        raise ConfigError(f"{path} names no host")
    return hosts


def distinct(hosts: list[Host]) -> list[Host]:
    """Each board once, in order: two runs at a time would disturb each other."""
    return list(dict.fromkeys(hosts))
