"""What has been measured of a checkpoint's precisions, in a file that outlives the program."""

from __future__ import annotations

import fcntl
import hashlib
import os
from io import FileIO
from pathlib import Path
from typing import NoReturn

import msgspec

from ..errors import ConfigError, WhisperqError
from ..parity import CurvePoint
from ..types import Closeable, Rounding

METHOD = 1  # to be raised when the same measurement comes to mean other work


class Subject(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is measured: all that decides a figure, but for the matrix and the precision.

    Attributes:
        checkpoint: sha256 of its weights.
        recordings: sha256 over the samples and words of those it listens to.
        rounding: How int4 is rounded.
        calibration: sha256 over the recordings that the rounding listened to.
        method: ``METHOD``.
    """

    checkpoint: str
    recordings: str
    rounding: Rounding = "nearest"
    calibration: str | None = None
    method: int = METHOD

    @property
    def key(self) -> str:
        """Of the journal's name: other contents have another journal."""
        return hashlib.sha256(msgspec.json.encode(self)).hexdigest()[:16]


class Cell(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="cell"):
    """One matrix in one precision.

    Attributes:
        matrix: Its name.
        precision: As the command line writes it.
        divergence: From the unquantized checkpoint, in nats.
        n_bytes: Of the matrix.
    """

    matrix: str
    precision: str
    divergence: float
    n_bytes: int


class MixPoint(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="mix"):
    """One mixture that was tried.

    Attributes:
        mix: sha256 over the precision of every matrix.
        point: What was measured, and whether it was within the limits of ``--precision auto``.
    """

    mix: str
    point: CurvePoint


class LabJournal(Closeable):
    """Appends what is found to a file, one JSON object a line, each as soon as it is known.

    A program that is killed loses the one figure that it was measuring; a torn last line is cut
    off. The name says what was measured, so that the same command goes on by itself.

    Args:
        folder: Where journals lie.
        subject: What is measured.

    Attributes:
        path: The file.
        cells: What is known, by matrix and precision.
        mixes: By ``MixPoint.mix``.

    Raises:
        ConfigError: Another program writes it, or it is not a journal.
        WhisperqError: The system refuses.
    """

    def __init__(self, folder: Path, subject: Subject) -> None:
        self.path = folder / f"{subject.key}.jsonl"
        self.cells: dict[tuple[str, str], Cell] = {}
        self.mixes: dict[str, CurvePoint] = {}
        try:
            folder.mkdir(parents=True, exist_ok=True)
            flags = os.O_RDWR | os.O_CREAT | os.O_APPEND
            self._file = FileIO(os.open(self.path, flags, 0o644), "r+")
        except OSError as error:
            self._refuse(error)
        try:
            self._begin(subject)
        except BaseException:
            self._file.close()
            raise

    def append(self, entry: Cell | MixPoint) -> None:
        """Write what was found.

        Raises:
            WhisperqError: The system refuses; the disk may be full.
        """
        self._learn(entry)
        self._write(msgspec.json.encode(entry))

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _begin(self, subject: Subject) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ConfigError(
                f"another program measures this checkpoint ({self.path}); wait for it"
            ) from None
        lines = self._file.readall().splitlines(keepends=True)
        if lines and not lines[-1].endswith(b"\n"):
            lines.pop()
            self._file.truncate(sum(map(len, lines)))
        if not lines:
            self._write(msgspec.json.encode(subject))
            return
        decoder = msgspec.json.Decoder(Cell | MixPoint)
        try:
            found = msgspec.json.decode(lines[0], type=Subject)
            entries = [decoder.decode(line) for line in lines[1:]]
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ConfigError(f"{self.path} is damaged ({error}); delete it") from None
        if found != subject:
            raise ConfigError(f"{self.path} is of another measurement; delete it")
        for entry in entries:
            self._learn(entry)

    def _learn(self, entry: Cell | MixPoint) -> None:
        if isinstance(entry, Cell):
            self.cells[entry.matrix, entry.precision] = entry
        else:
            self.mixes[entry.mix] = entry.point

    def _write(self, line: bytes) -> None:
        line += b"\n"
        try:
            while line:
                line = line[self._file.write(line) or 0 :]
        except OSError as error:
            self._refuse(error)

    def _refuse(self, error: OSError) -> NoReturn:
        raise WhisperqError(f"cannot write {self.path}: {error.strerror}") from error
