"""An emulated ARM board that is reached over SSH; see ``emulated_board`` for what it is."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import asyncssh

from .emulated_board import HOME, EmulatedBoard
from .memory_group import MemoryGroup
from .ssh_board import SshBoard


class EmulatedSshBoard(SshBoard):
    """The server is this machine's; all that it is asked to run, the board runs.

    The board is on as long as this is entered: what is started there lives on when the connection
    ends, unlike what ``EmulatedBoard.run`` starts.

    Args:
        name: Of the board.
        folder: Empty or new.
        key: Of whoever may log in.
        memory: What everything on it may take together.
    """

    def __init__(
        self, name: str, folder: Path, *, key: asyncssh.SSHKey, memory: MemoryGroup
    ) -> None:
        self._emulated = EmulatedBoard(name, folder, memory=memory, with_package=False)
        self._memory = memory
        super().__init__(self._emulated.home, key=key)

    def __enter__(self) -> EmulatedSshBoard:
        # The first process of the board; with its end all of them end.
        self._first = subprocess.Popen(
            [*self._emulated.prefix, "sh", "-c", "env; echo up; exec sleep infinity"],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._first.stdout is not None
        self._environment = []
        for line in self._first.stdout:
            if line == "up\n":
                break
            self._environment.append(line.rstrip("\n"))
        super().__enter__()
        return self

    def __exit__(self, *exc: object) -> None:
        super().__exit__(*exc)
        self._first.kill()
        self._first.communicate()

    def shell(self, command: str) -> list[str]:
        """Runs a command among the board's processes."""
        inside = (
            "-U",
            "-m",
            "-p",
            "-n",
            "-u",
            "--preserve-credentials",
            "--root",
            f"--wdns={HOME}",
        )
        return [
            *self._memory.prefix,
            *("nsenter", "--target", str(_innermost(self._first.pid)), *inside),
            *("/usr/bin/env", "-i", *self._environment, "/bin/sh", "-c", command),
        ]

    def place(self, path: bytes) -> bytes:
        """Of the board's files, only those in its home are also on this machine."""
        return os.fsencode(self.home / Path(os.fsdecode(path)).relative_to(HOME))


def _innermost(pid: int) -> int:
    """The process that the programs which make the board have come to."""
    while children := Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        pid = int(children[0])
    return pid
