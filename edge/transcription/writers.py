"""Transcripts as files: txt, srt, vtt, tsv and json.

Source: the formats are those of openai/whisper ``whisper/utils.py``, byte for byte, but for one
repair: an arrow within word-timed text is rewritten too, as it would end a subtitle's timing line.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from ..errors import UnknownNameError, WhisperqError
from .transcript import Segment, Transcript

LONGEST_LINE = 1000  # characters of word-timed text before a subtitle goes on in a new line


def render(transcript: Transcript, format: str) -> str:
    """The content of the file.

    Args:
        transcript: What to write.
        format: One of ``FORMATS``.

    Raises:
        UnknownNameError: There is no such format.
    """
    if format not in _RENDERERS:
        raise UnknownNameError("format", format, FORMATS)
    return _RENDERERS[format](transcript)


def write(transcript: Transcript, stem: str, folder: Path, format: str) -> Path:
    """Write ``folder/stem.format``, whole or not at all.

    Args:
        transcript: What to write.
        stem: The file's name without an extension; dots in it stay.
        folder: Made if it is missing.
        format: One of ``FORMATS``.

    Raises:
        UnknownNameError: There is no such format.
        WhisperqError: The disk refuses.
    """
    content = render(transcript, format).encode()
    path = folder / f"{stem}.{format}"
    temporary = folder / f".whisperq-{secrets.token_hex(8)}.tmp"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            temporary.write_bytes(content)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise WhisperqError(f"cannot write {path}: {error.strerror}") from error
    return path


def write_all(transcript: Transcript, stem: str, folder: Path) -> tuple[Path, ...]:
    """Write every format; see ``write``."""
    return tuple(write(transcript, stem, folder, format) for format in FORMATS)


def _txt(transcript: Transcript) -> str:
    return "".join(f"{segment.text.strip()}\n" for segment in transcript.segments)


def _srt(transcript: Transcript) -> str:
    return "".join(
        f"{number}\n{clock(start, ',', True)} --> {clock(end, ',', True)}\n{text}\n\n"
        for number, (start, end, text) in enumerate(_subtitles(transcript), start=1)
    )


def _vtt(transcript: Transcript) -> str:
    return "WEBVTT\n\n" + "".join(
        f"{clock(start, '.', False)} --> {clock(end, '.', False)}\n{text}\n\n"
        for start, end, text in _subtitles(transcript)
    )


def _tsv(transcript: Transcript) -> str:
    rows = ["start\tend\ttext\n"]
    for segment in transcript.segments:
        text = segment.text.strip().replace("\t", " ")
        rows.append(f"{round(1000 * segment.start)}\t{round(1000 * segment.end)}\t{text}\n")
    return "".join(rows)


def _json(transcript: Transcript) -> str:
    segments = [msgspec.to_builtins(segment) for segment in transcript.segments]
    if not transcript.has_words:
        for segment in segments:
            del segment["words"]
    return json.dumps(
        {"text": transcript.text, "segments": segments, "language": transcript.language}
    )


_RENDERERS: dict[str, Callable[[Transcript], str]] = {
    "txt": _txt,
    "srt": _srt,
    "vtt": _vtt,
    "tsv": _tsv,
    "json": _json,
}
FORMATS: tuple[str, ...] = tuple(_RENDERERS)


def _subtitles(transcript: Transcript) -> Iterator[tuple[float, float, str]]:
    """Start and end in seconds, and the text, of each subtitle: one per segment.

    With word times a subtitle is as long as its words, and a segment without words has none.
    """
    for segment in transcript.segments:
        if not transcript.has_words:
            yield segment.start, segment.end, _without_arrow(segment.text.strip())
        elif segment.words:
            text = _without_arrow(_lines(segment))
            yield segment.words[0].start, segment.words[-1].end, text


def _lines(segment: Segment) -> str:
    """The words, broken before one that would make a line too long."""
    lines = [""]
    for word in segment.words:
        if lines[-1] and len(lines[-1]) + len(word.word) <= LONGEST_LINE:
            lines[-1] += word.word
        elif lines[-1]:
            lines.append(word.word.strip())
        else:
            lines[-1] = word.word.strip()
    return "\n".join(lines)


def _without_arrow(text: str) -> str:
    return text.replace("-->", "->")


def clock(seconds: float, decimal_mark: str, hours_always: bool) -> str:
    """A time as subtitles write it: ``01:02:03.450``.

    Args:
        seconds: From the start of the recording.
        decimal_mark: Before the milliseconds.
        hours_always: Write ``00:`` too, instead of hours only from the first full one on.
    """
    total_s, milliseconds = divmod(round(1000 * seconds), 1000)
    minutes, second = divmod(total_s, 60)
    hours, minute = divmod(minutes, 60)
    prefix = f"{hours:02d}:" if hours_always or hours else ""
    return f"{prefix}{minute:02d}:{second:02d}{decimal_mark}{milliseconds:03d}"
