"""The events of a stream in a file, which outlives the program that writes it."""

from __future__ import annotations

import os
from io import FileIO
from pathlib import Path
from typing import NoReturn

import msgspec

from ..errors import ConfigError, WhisperqError
from ..types import Closeable
from .events import Event
from .resumption import Past


class Journal(Closeable):
    """Appends events to a file, one JSON object per line.

    Each line is handed to the system at once: a program that is killed loses nothing that it had
    told, and at most the last line is torn, which ``resume`` cuts off.

    Args:
        path: The file.
        resume: Go on with the file, if there is one, instead of refusing it.

    Attributes:
        past: What was committed before.

    Raises:
        ConfigError: The file holds something, and is not to be resumed or is no journal.
        WhisperqError: The system refuses.
    """

    def __init__(self, path: Path, *, resume: bool = False) -> None:
        self._path = path
        self.past = Past()
        try:
            if path.exists() and path.stat().st_size:
                if not resume:
                    raise ConfigError(
                        f"{path} exists; go on with it by --resume, or name another file"
                    )
                self.past, n_bytes = _read(path)
                os.truncate(path, n_bytes)
            self._file = FileIO(path, "a")
        except OSError as error:
            self._refuse(error)

    def append(self, event: Event) -> None:
        """Write one event.

        Raises:
            WhisperqError: The system refuses; the disk may be full.
        """
        line = msgspec.json.encode(event) + b"\n"
        try:
            while line:
                line = line[self._file.write(line) :]
        except OSError as error:
            self._refuse(error)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _refuse(self, error: OSError) -> NoReturn:
        raise WhisperqError(f"cannot write {self._path}: {error.strerror}") from error


def _read(path: Path) -> tuple[Past, int]:
    """What is committed in a journal, and its length in bytes without a torn last line."""
    decoder = msgspec.json.Decoder(Event)
    past, n_bytes = Past(), 0
    texts: list[str] = []
    n_ended = 0
    with path.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.endswith(b"\n"):
                break
            try:
                event = decoder.decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError):
                raise ConfigError(
                    f"{path}: line {number} is not an event of a stream; name another file"
                ) from None
            n_bytes += len(line)
            if event.kind == "committed":
                texts.append(event.text)
                past = past._replace(end_s=event.end, words=past.words + event.words)
            elif event.kind == "endpoint":
                n_ended = len(texts)
                past = past._replace(heard_s=event.audio_time, words=())
    return past._replace(text="".join(texts), ended_text="".join(texts[:n_ended])), n_bytes
