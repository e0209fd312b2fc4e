"""The list of finished exports, so that ``transcribe`` finds the newest without being told."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from platformdirs import user_data_path

from ..errors import ConfigError, WhisperqError
from .screen import Screen

DATA_VARIABLE = "WHISPERQ_EDGE_DATA"


def data_folder() -> Path:
    """Where exports go by default; ``WHISPERQ_EDGE_DATA`` names another folder."""
    if named := os.environ.get(DATA_VARIABLE):
        return Path(named)
    return user_data_path("whisperq-edge")


def record_export(artifact: Path) -> None:
    """Put an artifact at the end of the list, once.

    Raises:
        OSError: The data folder cannot be written.
        ConfigError: The list that is there is not one.
    """
    folder = data_folder()
    folder.mkdir(parents=True, exist_ok=True)
    entry = str(artifact.resolve())
    with _locked(folder):
        entries = [known for known in _read() if known != entry and Path(known).exists()]
        temporary = folder / ".exports.json.tmp"
        temporary.write_bytes(msgspec.json.format(msgspec.json.encode([*entries, entry])))
        temporary.replace(_index())


def record_finished(screen: Screen, artifact: Path) -> None:
    """Put an artifact on the list; that it cannot be is no failure of the export."""
    try:
        record_export(artifact)
    except (WhisperqError, OSError) as error:
        screen.note(f"the export is not listed for transcribe, name it with --artifact: {error}")


def newest_export() -> Path | None:
    """The artifact that was exported last, of those that are still there.

    Raises:
        ConfigError: The list is damaged.
    """
    return next(finished_exports(), None)


def finished_exports() -> Iterator[Path]:
    """The artifacts that are still there, the newest first.

    Raises:
        ConfigError: The list is damaged.
    """
    there = (Path(entry) for entry in reversed(_read()))
    return (path for path in there if (path / "artifact.json").is_file())


def _index() -> Path:
    return data_folder() / "exports.json"


def _read() -> list[str]:
    path = _index()
    try:
        return msgspec.json.decode(path.read_bytes(), type=list[str])
    except FileNotFoundError:
        return []
    except (OSError, msgspec.MsgspecError) as error:
        raise ConfigError(f"{path} cannot be read ({error}); delete it") from error


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Let one process at a time rewrite the list; the folder itself is the lock."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
