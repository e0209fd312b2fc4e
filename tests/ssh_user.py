"""Somebody who uses boards over SSH, with a home of their own."""

from __future__ import annotations

import os
from pathlib import Path

import asyncssh

from .ssh_board import SshBoard


class User:
    """Has a key, a home with nothing else in it, and the program.

    Args:
        home: New.
        cache: Folder that the program keeps wheels in.

    Attributes:
        key: Private.
        env: What the program has to be run with.
    """

    def __init__(self, home: Path, cache: Path) -> None:
        (home / ".ssh").mkdir(parents=True)
        self.key = asyncssh.generate_private_key("ssh-ed25519")
        self.key.write_private_key(home / ".ssh" / "id_ed25519")
        self.home = home
        self.env = {
            "HOME": str(home),
            "SSH_AUTH_SOCK": "",
            "WHISPERQ_EDGE_CACHE": str(cache),
            # pip's own, so that wheels are fetched once for all tests, and not at all if they are
            # there from an earlier run.
            "PIP_CACHE_DIR": os.environ.get(
                "PIP_CACHE_DIR", str(Path("~/.cache/pip").expanduser())
            ),
        }

    def knows(self, *boards: SshBoard) -> None:
        """Trust these boards' host keys, and no others."""
        lines = "".join(board.known_hosts_line for board in boards)
        (self.home / ".ssh" / "known_hosts").write_text(lines)
