"""This package on a board, in a virtual environment of its own."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from ..errors import RemoteError
from ..types import Progress
from .board_facts import BoardFacts
from .delivery import check_room, deliver
from .link import Link
from .own_wheel import own_wheel
from .remote_run import RemoteRun
from .tree import Tree
from .wheelhouse import unpacked_bytes, wheelhouse_for

_INSTALL = """
rm -rf venv
"$1" -m venv venv
venv/bin/python -m pip install --no-index --find-links "$2" --no-cache-dir \
    --disable-pip-version-check --quiet "$3"
"""
# The files in the store, and the environment made of them; pip unpacks in between.
_SPARE = 1.2


async def install(
    link: Link,
    board: BoardFacts,
    extras: Sequence[str],
    cache: Path,
    progress: Progress,
    show: Callable[[str], None],
) -> str:
    """Let a board have this package with these extras.

    Args:
        link: To the board.
        board: What it says of itself.
        extras: Of this package.
        cache: Folder of this machine that wheels are kept in.
        progress: Told how far the wheels are sent.
        show: Told what pip writes.

    Returns:
        The program ``whisperq-edge`` there.

    Raises:
        RemoteError: There is no wheel for this board, no room on its disk, or pip failed there.
    """
    with tempfile.TemporaryDirectory() as scratch:
        progress("wheels", 0.0)
        own = await asyncio.to_thread(own_wheel, Path(scratch))
        wheels = await asyncio.to_thread(wheelhouse_for, own, extras, board, cache)
        tree = await asyncio.to_thread(Tree.of_files, wheels)
        run = RemoteRun(link, board.root, f"environment-{tree.digest}", ())
        program = str(run.folder / "venv" / "bin" / "whisperq-edge")
        if await run.status() == 0:
            return program
        needed = int(_SPARE * (tree.size + await asyncio.to_thread(unpacked_bytes, wheels)))
        check_room(link.host, board.free_bytes, needed)
        folder = await deliver(link, board.root, tree, progress, "send wheels")
    progress("install wheels", 0.0)
    package = f"{folder}/{own.name}[{','.join(extras)}]"
    run.command = ["sh", "-ec", _INSTALL, "sh", board.python, folder, package]
    status, last = await run.finish(show)
    if status:
        raise RemoteError(f"{link.host} could not install the wheels: {last or status}")
    return program
