"""A command on a board that goes on without us, and that we come back to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from ..errors import RemoteError
from .connection import Connection
from .link import Link

_RESTARTS = 3  # a board that loses its power more often will not finish


@dataclass
class RemoteRun:
    """One command on a board; the same name is the same run, also for another process of ours.

    Attributes:
        link: To the board.
        root: The board's folder, from its facts.
        name: Of the run, and of its folder there.
        command: Program and arguments. It is started in the run's folder; started again after a
            failure it finds there what it left.
        group: Its process group there, once it was started.
    """

    link: Link
    root: str
    name: str
    command: Sequence[str]
    group: int | None = None

    @property
    def folder(self) -> PurePosixPath:
        """Where it runs, on the board."""
        return PurePosixPath(self.root, "runs", self.name)

    async def finish(self, show: Callable[[str], None]) -> tuple[int, str]:
        """Start it, unless it runs already or has succeeded, and wait for its end.

        Args:
            show: Told each line that it writes, its progress included.

        Returns:
            Its exit status, negative for a signal, and the last line that it wrote.

        Raises:
            RemoteError: It vanished again and again, or the board is at another run.
            UnreachableError: The board stayed away; the run goes on there.
        """
        for attempt in range(_RESTARTS + 1):
            if attempt:
                show("the run is gone, so the board was restarted; it goes on from what it left")
            begun = await self._ask("start", command=list(self.command))
            if begun["busy"]:
                raise RemoteError(
                    f"{self.link.host} is at another run; wait for it, or end it: "
                    f"ssh {self.link.host.ssh_arguments} kill -- -{begun['group']}"
                )
            self.group = begun["group"]
            last = await self._follow(show)
            if (status := await self.status()) is not None:
                return status, last
        raise RemoteError(
            f"the run on {self.link.host} vanished {_RESTARTS + 1} times without an exit status; "
            "does the board have enough power and memory?"
        )

    async def status(self) -> int | None:
        """Its exit status if it has ended; None if it has not, or never began."""
        found: int | None = (await self._ask("state"))["status"]
        return found

    async def forget(self) -> None:
        """Remove its folder on the board."""
        await self._ask("forget")

    async def _ask(self, verb: str, **arguments: object) -> dict[str, Any]:
        found: dict[str, Any] = await self.link.do(
            lambda c: c.ask(verb, root=self.root, name=self.name, **arguments)
        )
        return found

    async def _follow(self, show: Callable[[str], None]) -> str:
        """Show what it writes until it ends; the last line."""
        lines = _Lines(show)

        async def go_on(connection: Connection) -> None:
            # At the byte where the last connection broke.
            async with aclosing(connection.follow(self.root, self.name, lines.n_bytes)) as pieces:
                async for piece in pieces:
                    lines.take(piece)

        await self.link.do(go_on)
        lines.end()
        return lines.last


class _Lines:
    """Bytes that come in pieces, as lines."""

    def __init__(self, show: Callable[[str], None]) -> None:
        self.n_bytes = 0
        self.last = ""
        self._rest = b""
        self._show = show

    def take(self, piece: bytes) -> None:
        self.n_bytes += len(piece)
        # A line that is drawn anew ends in a carriage return.
        *lines, self._rest = (self._rest + piece).replace(b"\r", b"\n").split(b"\n")
        for line in lines:
            self._tell(line)

    def end(self) -> None:
        self._tell(self._rest)
        self._rest = b""

    def _tell(self, line: bytes) -> None:
        if text := line.decode(errors="replace").strip():
            self.last = text
            self._show(text)
