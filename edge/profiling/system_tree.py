"""What an operating system says of itself: /proc, /sys, and what a few commands print."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

COMMANDS = "commands"  # the folder of a copy in which what commands printed is kept
COMMAND_TIMEOUT_S = 5
MAX_BYTES = 1 << 20  # of a file; none that is read here comes near


class SystemTree:
    """The system that runs, or a copy of its files.

    A copy holds the files at the same paths below its folder, and what a command printed in
    ``commands/``, in a file named after the command line. Whatever cannot be read is None: sensors
    fail, files are for root alone, and no two boards have the same.

    Args:
        root: "/", or the folder of a copy.
    """

    def __init__(self, root: Path = Path("/")) -> None:
        self.root = root
        self.is_live = root == Path("/")

    def text(self, path: str) -> str | None:
        """What a file says, without the blanks and zero bytes around it; None if that is nothing.

        Args:
            path: From "/", as in the system that runs.
        """
        content = self.content(path)
        return content.decode(errors="replace").strip("\0 \t\r\n") or None if content else None

    def content(self, path: str) -> bytes | None:
        """What a file holds; None if it cannot be read."""
        try:
            with (self.root / path.lstrip("/")).open("rb") as file:
                return file.read(MAX_BYTES)
        except (OSError, ValueError):
            return None

    def number(self, path: str) -> int | None:
        """A file that holds one whole number, in decimal."""
        try:
            return int(self.text(path) or "")
        except ValueError:
            return None

    def find(self, pattern: str) -> Iterator[str]:
        """Paths that match a pattern, those that differ in a number by that number."""
        found = self.root.glob(pattern.lstrip("/"))
        for path in sorted(map(str, found), key=_by_number):
            yield "/" + str(Path(path).relative_to(self.root))

    def output(self, *command: str) -> str | None:
        """What a command prints; None where there is no such command, or it fails."""
        if not self.is_live:
            return self.text(f"/{COMMANDS}/{' '.join(command)}")
        try:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=COMMAND_TIMEOUT_S,
                check=True,
            )
        except (OSError, subprocess.SubprocessError):
            return None
        return done.stdout.decode(errors="replace").strip() or None

    def sysctl(self, name: str) -> str | None:
        """A value of macOS's; None on any other system.

        Linux has a command of that name too, which knows other names.
        """
        if self.is_live and sys.platform != "darwin":
            return None
        return self.output("sysctl", "-n", name)


def _by_number(path: str) -> list[tuple[int, str]]:
    """cpu2 before cpu10."""
    return [(int(part), "") if part.isdecimal() else (0, part) for part in re.split(r"(\d+)", path)]
