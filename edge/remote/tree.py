"""Files that belong together, named by what is in them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ..errors import ConfigError


@dataclass(frozen=True)
class SentFile:
    """A file of this machine: where it is, its sha256, and its bytes."""

    path: Path
    digest: str
    size: int

    @classmethod
    def of(cls, path: Path) -> SentFile:
        """Read a file."""
        with path.open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
        return cls(path, digest, path.stat().st_size)


@dataclass(frozen=True)
class Tree:
    """A folder as it is on the board.

    Attributes:
        files: By their path in it, with slashes.
    """

    files: dict[str, SentFile]

    @classmethod
    def of_folder(cls, folder: Path) -> Tree:
        """A folder with all that is in it, under its own name.

        Raises:
            ConfigError: It is empty, or no folder.
        """
        folder = folder.resolve()
        paths = sorted(path for path in folder.rglob("*") if path.is_file())
        if not paths:
            raise ConfigError(f"there are no files in {folder}")
        return cls(
            {
                f"{folder.name}/{path.relative_to(folder).as_posix()}": SentFile.of(path)
                for path in paths
            }
        )

    @classmethod
    def of_files(cls, paths: Iterable[Path]) -> Tree:
        """Files side by side."""
        return cls({path.name: SentFile.of(path) for path in sorted(paths)})

    @cached_property
    def digest(self) -> str:
        """The same for the same names and contents, wherever they are."""
        lines = [f"{file.digest} {name}\n" for name, file in sorted(self.files.items())]
        return hashlib.sha256("".join(lines).encode()).hexdigest()[:32]

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files.values())
