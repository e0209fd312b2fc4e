"""The file of results, which outlives the program that writes it."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from io import FileIO
from pathlib import Path
from typing import NoReturn

import msgspec

from ..errors import ConfigError, WhisperqError
from ..types import Closeable
from .result import Result

_BEGINNING = b'{"key":"'  # of every line


class ResultStore(Closeable):
    """Appends results to a file, one JSON object per line, and finds them by their keys.

    Each line is handed to the system at once: a program that is killed loses at most the line that
    it was writing, which the next one cuts off. No key is written twice. Any number of sets,
    artifacts and settings may share a file, but only one program writes it at a time.

    Args:
        path: The file; one that is there already is gone on with.

    Raises:
        ConfigError: The file holds something else, or another program is writing it.
        WhisperqError: The system refuses.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._results: dict[str, Result] = {}
        self._is_new = not path.exists()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = FileIO(os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644), "r+")
        except OSError as error:
            self._refuse(error)
        try:
            self._lock()
            self._read()
        except BaseException:
            self._file.close()
            raise

    def __len__(self) -> int:
        return len(self._results)

    def __iter__(self) -> Iterator[Result]:
        """Every result, in the order in which they were written."""
        return iter(self._results.values())

    def has(self, key: str) -> bool:
        """Whether there is a result under this key."""
        return key in self._results

    def get(self, key: str) -> Result | None:
        """The result under this key, if there is one."""
        return self._results.get(key)

    def append(self, result: Result) -> bool:
        """Write a result; False if its key was known, and it is left out.

        Raises:
            WhisperqError: The system refuses; the disk may be full.
        """
        if result.key in self._results:
            return False
        line = msgspec.json.encode(result) + b"\n"
        before = self._file.seek(0, os.SEEK_END)
        try:
            while line:
                line = line[self._file.write(line) :]
        except OSError as error:
            self._file.truncate(before)  # half a line would hide the one after it
            self._refuse(error)
        self._results[result.key] = result
        return True

    def close(self) -> None:
        """Close the file, its content safe on the disk; a new one without any goes."""
        if self._file.closed:
            return
        os.fsync(self._file.fileno())  # a board is often switched off by its plug
        if self._is_new and not self._results:
            self.path.unlink(missing_ok=True)
        self._file.close()

    def _lock(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigError(
                f"{self.path} is being written by another program; wait, or name another file"
            ) from None
        except OSError:
            pass  # a network file system without locks

    def _read(self) -> None:
        decoder = msgspec.json.Decoder(Result)
        n_bytes, torn = 0, b""
        with self.path.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                if not line.endswith(b"\n"):
                    torn = line
                    break
                try:
                    result = decoder.decode(line)
                except (msgspec.DecodeError, UnicodeDecodeError) as error:
                    raise ConfigError(
                        f"{self.path}: line {number} is not a result of this release ({error}); "
                        "name another file, or delete the line"
                    ) from None
                self._results.setdefault(result.key, result)
                n_bytes += len(line)
        if not torn:
            return
        if not self._results and not _BEGINNING.startswith(torn[: len(_BEGINNING)]):
            raise ConfigError(f"{self.path} holds no results; name another file")
        self._file.truncate(n_bytes)

    def _refuse(self, error: OSError) -> NoReturn:
        raise WhisperqError(f"cannot write {self.path}: {error.strerror}") from error
