"""What a board is asked to do: run this package's program on folders, and give one file back."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import msgspec

from ..errors import RemoteError
from .board_facts import BoardFacts
from .delivery import deliver
from .environment import install
from .link import Link
from .remote_run import RemoteRun
from .tree import Tree


class Watcher(Protocol):
    """Whoever wants to know how far a board is."""

    def progress(self, stage: str, done: float) -> None:
        """Told the share of what is sent."""

    def line(self, text: str) -> None:
        """Told each line that the board's program writes."""

    def note(self, text: str) -> None:
        """Told what happens to the connection."""


@dataclass(frozen=True)
class BoardTask:
    """A command of ``whisperq-edge`` that writes one file.

    Attributes:
        folders: Of this machine, that the command reads: artifacts.
        extras: Of this package, that it needs.
        arguments: Given the folders' paths on the board, the command and its options; it runs in
            a folder of its own. What it writes to standard output goes nowhere.
        result: The file that it writes there.
    """

    folders: Sequence[Path]
    extras: Sequence[str]
    arguments: Callable[[Sequence[str]], Sequence[str]]
    result: str

    async def run(self, link: Link, cache: Path, watcher: Watcher, target: Path) -> None:
        """Do it on a board.

        A run that is under way there already, because an earlier process of ours asked the same, is
        waited for; what it has finished is fetched. It begins anew only after it was fetched.

        Args:
            link: To the board.
            cache: Folder of this machine that wheels are kept in.
            watcher: Told how far it is.
            target: Where the result goes.

        Raises:
            RemoteError: The board lacks something, or the command failed there.
        """
        facts = msgspec.convert(await link.do(lambda c: c.ask("facts")), BoardFacts)
        facts.check(link.host)
        trees = [await asyncio.to_thread(Tree.of_folder, folder) for folder in self.folders]
        program = await install(
            link, facts, self.extras, cache, watcher.progress, lambda text: None
        )
        folders = []
        for tree, folder in zip(trees, self.folders, strict=True):
            stage = f"send {folder.resolve().name}"
            there = await deliver(link, facts.root, tree, watcher.progress, stage)
            folders.append(f"{there}/{folder.resolve().name}")
        command = ["sh", "-c", 'exec "$@" >/dev/null', "sh", program, *self.arguments(folders)]
        run = RemoteRun(link, facts.root, f"task-{_digest(command)}", command)
        try:
            status, last = await run.finish(watcher.line)
        except asyncio.CancelledError:
            if run.group:
                watcher.note(
                    "the run goes on there, and the same command comes back to it; to end it: "
                    f"ssh {link.host.ssh_arguments} kill -- -{run.group}"
                )
            raise
        if status:
            raise RemoteError(f"{link.host}: {_reason(status, last)}")
        await link.do(lambda c: c.fetch(str(run.folder / self.result), target))
        await run.forget()


def _digest(command: Sequence[str]) -> str:
    """The same command over the same contents is the same run."""
    return hashlib.sha256(json.dumps(list(command)).encode()).hexdigest()[:32]


def _reason(status: int, last: str) -> str:
    if status == -9:
        return "the program was killed; the board's memory did not suffice, most likely"
    if status < 0:
        return f"the program was ended by signal {-status}"
    return last.removeprefix("error: ") or f"the program ended with status {status}"
