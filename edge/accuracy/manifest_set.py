"""Sets that a ``manifest.jsonl`` lists: one JSON object per line, in our keys or NeMo's."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import msgspec

from ..errors import ConfigError
from .labelled_row import LabelledRow, language_of, read_lines
from .utterance import TimedWord

MANIFEST = "manifest.jsonl"


class _Word(msgspec.Struct, frozen=True):
    """A word with its times in seconds."""

    text: str
    start: float
    end: float


class _Line(msgspec.Struct, frozen=True):
    """What is used of a line; NeMo's names are ``audio_filepath``, ``lang`` and ``offset``."""

    text: str
    path: str | None = None
    audio_filepath: str | None = None
    id: str | None = None
    speaker: str | int | None = None
    language: str | None = None
    lang: str | None = None
    offset: float | None = None
    words: tuple[_Word, ...] = ()


def read_manifest(path: Path, language: str) -> list[LabelledRow]:
    """The rows of a manifest; paths in it start from its folder.

    Args:
        path: The file.
        language: Of rows that do not say.

    Raises:
        ConfigError: A line is not a row; the message names it.
    """
    rows = []
    for number, line in enumerate(read_lines(path), start=1):
        if line.strip():
            rows.append(_row(path, f"{path}: line {number}", line, language))
    return rows


def _row(path: Path, where: str, text: str, language: str) -> LabelledRow:
    try:
        line = msgspec.json.decode(text, type=_Line)
    except msgspec.DecodeError as error:
        raise ConfigError(f"{where}: {error}") from None
    name = line.path or line.audio_filepath
    if not name:
        raise ConfigError(f"{where}: it names no sound file (path, or audio_filepath)")
    if line.offset:
        raise ConfigError(
            f"{where}: it is a piece of a longer file (offset {line.offset:g}); cut it out first"
        )
    if late := next((word for word in line.words if not 0 <= word.start <= word.end), None):
        raise ConfigError(f"{where}: the word '{late.text}' ends before it starts")
    tag = line.language or line.lang
    return LabelledRow(
        where=where,
        id=line.id or _id(path, name),
        locate=partial(Path, path.parent.absolute() / name),
        text=line.text,
        speaker=None if line.speaker in (None, "") else str(line.speaker),
        language=language if tag is None else language_of(tag, where),
        words=tuple(TimedWord(word.text, word.start, word.end) for word in line.words),
    )


def _id(path: Path, name: str) -> str:
    """The sound file's name from the manifest's folder, which is the same on every machine."""
    below = Path(name)
    if below.is_absolute() and below.is_relative_to(path.parent.absolute()):
        below = below.relative_to(path.parent.absolute())
    return below.as_posix()
