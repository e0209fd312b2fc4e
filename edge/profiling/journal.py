"""What has been found so far, in a file that outlives the program."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Hashable
from io import FileIO
from pathlib import Path
from typing import NoReturn

import msgspec

from ..errors import ConfigError, WhisperqError
from ..types import Closeable
from .board import Board
from .job import Failed, Finding, Finished
from .plan import Piece
from .record import Configuration, Protocol

_N_ALIKE = 10  # bytes that all journals begin with


class Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The first line: what is being measured. See ``Record`` for what the attributes mean."""

    schema: int
    created: str
    package: str
    protocol: Protocol
    board: Board
    labels: tuple[str, ...]
    configurations: tuple[Configuration, ...]


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Any other line: a finding, and the number of its configuration."""

    configuration: int
    finding: Finding


class Journal(Closeable):
    """Appends findings to a file, one JSON object per line, each as soon as it is known.

    A program that is killed loses at most the line that it was writing, which the next one cuts
    off. Where the disk is full the lines are kept in memory, and written with the next that can.

    Args:
        path: The file; one that is there already is gone on with.
        header: What is to be measured.

    Attributes:
        header: What is being measured: a journal that is gone on with keeps its own.
        findings: Of each configuration.
        is_resumed: Whether there was a journal.

    Raises:
        ConfigError: The file is of another measurement, or is no journal; or somebody writes it.
        WhisperqError: The system refuses.
    """

    def __init__(self, path: Path, header: Header) -> None:
        self.path = path
        self.findings: tuple[list[Finding], ...] = tuple([] for _ in header.configurations)
        self._known: set[tuple[int, Hashable]] = set()
        self._waiting = b""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = FileIO(os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644), "r+")
        except OSError as error:
            self._refuse(error)
        try:
            self.header, self.is_resumed = self._begin(header)
        except BaseException:
            self._file.close()
            raise

    def append(self, configuration: int, finding: Finding) -> bool:
        """Write a finding; False if it was known before, by its key, and is left out."""
        if not self._learn(configuration, finding):
            return False
        self._write(Entry(configuration, finding), sync=isinstance(finding, Finished))
        return True

    def has(self, piece: Piece) -> bool:
        """Whether a piece is done, or its configuration has failed."""
        keys = (Finished(piece.kind, piece.visit).key, Failed("").key)
        return any((piece.configuration, key) in self._known for key in keys)

    def flush(self) -> None:
        """Write what could not be written before.

        Raises:
            WhisperqError: It still cannot.
        """
        try:
            self._flush()
        except OSError as error:
            self._refuse(error)

    @property
    def is_behind(self) -> bool:
        """Whether there are lines that could not be written."""
        return bool(self._waiting)

    def remove(self) -> None:
        """Close and delete it: all that it holds is in a record."""
        self.path.unlink(missing_ok=True)
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _begin(self, header: Header) -> tuple[Header, bool]:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ConfigError(
                f"{self.path} is being written by another program; name another --output"
            ) from None
        lines = self._file.readall().splitlines(keepends=True)
        if lines and not lines[-1].endswith(b"\n"):
            torn = lines.pop()
            if not lines and not msgspec.json.encode(header).startswith(torn[:_N_ALIKE]):
                raise ConfigError(f"{self.path} is not of a profile; name another --output")
            self._file.truncate(sum(map(len, lines)))
        if not lines:
            self._write(header)
            return header, False
        return self._read(lines, header), True

    def _read(self, lines: list[bytes], header: Header) -> Header:
        try:
            found = msgspec.json.decode(lines[0], type=Header)
            entries = [msgspec.json.decode(line, type=Entry) for line in lines[1:]]
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ConfigError(
                f"{self.path} is not an unfinished profile of this release ({error}); "
                "name another --output, or delete the file"
            ) from None
        if field := _difference(found, header):
            raise ConfigError(
                f"{self.path} holds an unfinished profile with another {field}: give the same "
                "command again, name another --output, or delete the file"
            )
        for entry in entries:
            self._learn(entry.configuration, entry.finding)
        return found

    def _learn(self, configuration: int, finding: Finding) -> bool:
        key = (configuration, finding.key)
        if key in self._known:
            return False
        self._known.add(key)
        self.findings[configuration].append(finding)
        return True

    def _write(self, line: Header | Entry, *, sync: bool = False) -> None:
        self._waiting += msgspec.json.encode(line) + b"\n"
        try:
            self._flush()
            if sync:
                os.fsync(self._file.fileno())  # a board is often switched off by its plug
        except OSError:
            pass  # kept, and told by ``is_behind``; ``flush`` says why

    def _flush(self) -> None:
        while self._waiting:
            self._waiting = self._waiting[self._file.write(self._waiting) or 0 :]

    def _refuse(self, error: OSError) -> NoReturn:
        raise WhisperqError(f"cannot write {self.path}: {error.strerror}") from error


def is_of(path: Path, header: Header) -> bool:
    """Whether a file is the journal of this measurement, begun at whatever time."""
    try:
        with path.open("rb") as file:
            found = msgspec.json.decode(file.readline(), type=Header)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return False
    return _difference(found, header) is None


def _difference(found: Header, header: Header) -> str | None:
    """The first field that is not as it was; when it was begun does not matter."""
    fields = (field for field in Header.__struct_fields__ if field != "created")
    return next((f for f in fields if getattr(found, f) != getattr(header, f)), None)
