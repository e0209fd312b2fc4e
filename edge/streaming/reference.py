"""What was really said in a stream, to compare its transcript with."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec

from ..errors import ConfigError
from ..transcription.word_errors import load_jiwer, plain

SUFFIXES = (".txt", ".tsv", ".json")


class ReferenceSegment(msgspec.Struct, frozen=True):
    """A stretch of speech.

    Attributes:
        start: Begin in seconds.
        end: End in seconds.
        text: What was said.
    """

    start: float
    end: float
    text: str


class Reference(msgspec.Struct, frozen=True):
    """The words of a stream.

    Attributes:
        text: All of them.
        segments: Where they lie, in the order of time; empty if that is not known.

    Raises:
        ConfigError: There are no words, or a segment ends before it starts or starts before one in
            front of it.
    """

    text: str
    segments: tuple[ReferenceSegment, ...] = ()

    def __post_init__(self) -> None:
        if not plain(self.text).strip():
            raise ConfigError("a reference without words; give the text that was spoken")
        latest = 0.0
        for segment in self.segments:
            if not latest <= segment.start < segment.end:
                raise ConfigError(
                    f"the reference's segment from {segment.start:g} to {segment.end:g} s is out "
                    "of order; segments start in the order of time and end after they start"
                )
            latest = segment.start

    @classmethod
    def of(cls, segments: Iterable[ReferenceSegment]) -> Reference:
        """The reference of these segments; those without words are left out."""
        spoken = tuple(segment for segment in segments if plain(segment.text).strip())
        return cls(" ".join(segment.text.strip() for segment in spoken), spoken)


def read_reference(path: Path) -> Reference:
    """Read what was said from a file.

    Args:
        path: A .txt with the text; or a .tsv or .json as ``transcribe`` writes them, whose segments
            say when it was said as well.

    Raises:
        ConfigError: The file cannot be read, or holds something else.
        MissingDependencyError: What compares it with a transcript is not installed; said here, and
            not after the stream.
    """
    load_jiwer()
    if path.suffix not in SUFFIXES:
        raise ConfigError(f"a reference is a {', '.join(SUFFIXES)} file, not {path.name}")
    try:
        content = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigError(f"cannot read the reference {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"the reference {path} is not text in UTF-8") from error
    try:
        if path.suffix == ".txt":
            return Reference(content)
        read = _tsv if path.suffix == ".tsv" else _json
        return Reference.of(read(content))
    except ValueError as error:
        raise ConfigError(f"the reference {path} cannot be read: {error}") from error
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error


class _Transcript(msgspec.Struct):
    segments: list[ReferenceSegment]


def _json(content: str) -> list[ReferenceSegment]:
    return msgspec.json.decode(content, type=_Transcript).segments


def _tsv(content: str) -> list[ReferenceSegment]:
    header, *lines = content.splitlines() or [""]
    if header.split("\t") != ["start", "end", "text"]:
        raise ValueError("its first line is not start, end, text with tabs between them")
    return [_segment(number, line) for number, line in enumerate(lines, start=2) if line.strip()]


def _segment(number: int, line: str) -> ReferenceSegment:
    try:
        start, end, text = line.split("\t", 2)
        return ReferenceSegment(int(start) / 1000, int(end) / 1000, text)
    except ValueError:
        raise ValueError(f"line {number} is not two times in milliseconds and a text") from None
