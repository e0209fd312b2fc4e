"""Bringing files to a board: each content once, however often the connection breaks."""

from __future__ import annotations

from contextlib import aclosing

from ..errors import RemoteError
from ..types import Progress
from .connection import Connection
from .host import Host
from .link import Link
from .tree import SentFile, Tree

_TRIES = 3  # of files that arrived otherwise than they were sent


async def deliver(link: Link, root: str, tree: Tree, progress: Progress, stage: str) -> str:
    """Let the board have a tree; nothing is sent that it has already.

    Args:
        link: To the board.
        root: The board's folder, from its facts.
        tree: What it is to have.
        progress: Told the share of the bytes that has arrived.
        stage: What that is called.

    Returns:
        The folder on the board.

    Raises:
        RemoteError: The board's disk is full, or changes what it is given.
    """
    files = {file.digest: file for file in tree.files.values()}
    contents = {name: file.digest for name, file in tree.files.items()}
    for _ in range(_TRIES):
        await link.do(lambda connection: _send(connection, root, files, progress, stage))
        done = await link.do(
            lambda c: c.ask("assemble", root=root, digest=tree.digest, files=contents)
        )
        if not done["damaged"]:
            return str(done["path"])
    name = files[done["damaged"][0]].path.name
    raise RemoteError(f"{link.host} keeps {name} otherwise than it was sent; is its disk sound?")


def check_room(host: Host, free_bytes: int, needed_bytes: int) -> None:
    """Raise if a board's disk has no room.

    Raises:
        RemoteError: It has less than is needed.
    """
    if free_bytes < needed_bytes:
        raise RemoteError(
            f"{host} has {free_bytes // 2**20} MiB left on its disk, and "
            f"{needed_bytes // 2**20} MiB are needed"
        )


async def _send(
    connection: Connection,
    root: str,
    files: dict[str, SentFile],
    progress: Progress,
    stage: str,
) -> None:
    """Send what is missing; called again, it goes on where the connection broke."""
    sizes = {file.digest: file.size for file in files.values()}
    found = await connection.ask("missing", root=root, sizes=sizes)
    there: dict[str, int] = found["arrived"]
    total = sum(sizes.values()) or 1
    arrived = total - sum(sizes[digest] for digest in there)
    needed = total - arrived - sum(there.values())
    check_room(connection.host, found["free_bytes"], needed)
    for digest, offset in there.items():
        file = files[digest]
        if offset > file.size:  # of no file that was ever sent
            offset = 0
        arrived += offset
        target = f"{root}/files/{digest}.part"
        async with aclosing(connection.send(file.path, target, offset)) as steps:
            async for n_bytes in steps:
                arrived += n_bytes
                progress(stage, arrived / total)
