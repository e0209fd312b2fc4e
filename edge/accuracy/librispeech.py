"""LibriSpeech as it is unpacked: SPEAKER/CHAPTER/SPEAKER-CHAPTER.trans.txt beside the sound.

Source: Panayotov et al. 2015, and the README.TXT that comes with https://www.openslr.org/12.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from ..errors import ConfigError
from .labelled_row import LabelledRow, read_lines

TRANSCRIPT = ".trans.txt"
SUFFIX = ".flac"


def find_transcripts(folder: Path) -> list[Path]:
    """Every transcript below a folder, in the order of their names; empty if it holds none."""
    return sorted(_walk(folder))


def read_librispeech(folder: Path, transcripts: list[Path]) -> list[LabelledRow]:
    """The rows of one split.

    Args:
        folder: What was named.
        transcripts: Found below it.

    Raises:
        ConfigError: There are several splits, a line is not one, or a recording has no line.
    """
    splits = sorted({path.parent.parent.parent for path in transcripts})
    if len(splits) > 1:
        names = ", ".join(split.name for split in splits)
        raise ConfigError(f"{folder} holds several sets ({names}); name one of them")
    return [row for path in transcripts for row in _chapter(path)]


def _walk(folder: Path) -> Iterator[Path]:
    # Splits are often links to a larger disk, which pathlib's rglob does not follow.
    seen: set[tuple[int, int]] = set()
    for name, folders, files in os.walk(folder, followlinks=True):
        place = os.stat(name)  # noqa: PTH116 (os.walk gives names)
        if (place.st_dev, place.st_ino) in seen:
            folders.clear()
            continue
        seen.add((place.st_dev, place.st_ino))
        yield from (Path(name) / file for file in files if file.endswith(TRANSCRIPT))


def _chapter(path: Path) -> Iterator[LabelledRow]:
    listed = set()
    for number, line in enumerate(read_lines(path), start=1):
        if not line.strip():
            continue
        where = f"{path}: line {number}"
        name, _, text = line.strip().partition(" ")
        parts = name.split("-")
        if len(parts) != 3 or not all(parts):
            raise ConfigError(f"{where}: '{name}' is not SPEAKER-CHAPTER-NUMBER, then the text")
        listed.add(name)
        sound = path.parent.absolute() / f"{name}{SUFFIX}"
        yield LabelledRow(where, name, partial(Path, sound), text.strip(), parts[0], "en")
    for sound in sorted(path.parent.glob(f"*{SUFFIX}")):
        if sound.stem not in listed:
            raise ConfigError(f"{path}: {sound.name} lies beside it and has no line")
