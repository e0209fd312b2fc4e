"""The way to a board, which outlasts the connections that it is made of."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TypeVar

from .connection import Connection, UnreachableError
from .host import Host

# A board that was switched off and on again is back within a minute or two.
PATIENCE_S = 600.0
_PAUSES_S = (0.5, 1, 2, 5, 10, 20)  # the last again and again
_STEADY_S = 10  # a connection that is lost sooner than that was none

T = TypeVar("T")


class Link:
    """Does things over a connection, and again over another if that one is lost.

    Attributes:
        host: The board.
        patience_s: How long a lost board is waited for.
    """

    def __init__(
        self,
        host: Host,
        key: Path | None,
        notify: Callable[[str], None],
        patience_s: float = PATIENCE_S,
    ) -> None:
        self.host, self.patience_s = host, patience_s
        self._key, self._notify = key, notify
        self._connection: Connection | None = None
        self._open = AsyncExitStack()

    @classmethod
    @asynccontextmanager
    async def to(
        cls,
        host: Host,
        key: Path | None,
        notify: Callable[[str], None],
        patience_s: float = PATIENCE_S,
    ) -> AsyncIterator[Link]:
        """Connect to a board; the first time, one that is not there is not waited for.

        Args:
            host: The board.
            key: A private key to use in place of ssh's own; None for those.
            notify: Told in a line when the connection was lost, and when there is one again.
            patience_s: How long a lost board is waited for.

        Raises:
            RemoteError: See ``Connection.open``.
        """
        link = cls(host, key, notify, patience_s)
        try:
            await link._connect()
            yield link
        finally:
            await link._open.aclose()

    async def do(self, action: Callable[[Connection], Awaitable[T]]) -> T:
        """Do something until a connection lasts for it.

        Args:
            action: May be done again from its beginning, so it has to go on where it left off.

        Raises:
            RemoteError: The board says no.
            UnreachableError: It was not there for ``patience_s``.
        """
        clock = asyncio.get_running_loop().time
        lost_at: float | None = None
        pauses = iter(_PAUSES_S)
        while True:
            try:
                if self._connection is None:
                    await self._connect()
                    self._notify("connected again")
                assert self._connection is not None
                began = clock()
                return await action(self._connection)
            except UnreachableError as error:
                if self._connection and clock() - began > _STEADY_S:
                    lost_at = None  # another loss than the last one
                await self._drop()
                if lost_at is None:
                    lost_at, pauses = clock(), iter(_PAUSES_S)
                    self._notify(f"{error}; trying again")
                if clock() - lost_at >= self.patience_s:
                    raise
                await asyncio.sleep(next(pauses, _PAUSES_S[-1]))

    async def _connect(self) -> None:
        self._connection = await self._open.enter_async_context(
            Connection.open(self.host, self._key)
        )

    async def _drop(self) -> None:
        self._connection = None
        await self._open.aclose()
        self._open = AsyncExitStack()
