"""Where a transcript goes: line by line to a terminal, in a format to a pipe, or into files."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import typer

from ..errors import ConfigError

if TYPE_CHECKING:
    from ..transcription.transcript import Segment, Transcript

Format = Literal["txt", "srt", "vtt", "json", "tsv", "all"]
_JOINABLE = ("txt", "json")  # several of the others, one after the other, are not one valid file


@dataclass(frozen=True)
class TranscriptOutput:
    """What to do with the text of each recording.

    Attributes:
        format: How to write it.
        folder: Where to write files; None prints.
        live: Whether segments are printed, with their times, as they arrive.
    """

    format: Format
    folder: Path | None
    live: bool

    @classmethod
    def of(
        cls, format: Format | None, folder: Path | None, stems: Sequence[str]
    ) -> TranscriptOutput:
        """From the options of ``transcribe`` and the names of the recordings.

        Raises:
            ConfigError: They do not go together.
        """
        chosen: Format = format or "txt"
        if folder is None and chosen == "all":
            raise ConfigError("--format all writes several files; give --output-dir")
        if folder is None and chosen not in _JOINABLE and len(stems) > 1:
            raise ConfigError(f"{chosen} of several recordings is several files; give --output-dir")
        name, n_equal = Counter(stems).most_common(1)[0]
        if folder is not None and n_equal > 1:
            raise ConfigError(
                f"{n_equal} recordings are called {name}, their files in {folder} would be one; "
                "transcribe them into different folders"
            )
        # A format that is asked for is printed as it is, so that what is seen is what is piped.
        return cls(chosen, folder, live=format is None and sys.stdout.isatty())

    def segment(self, segment: Segment) -> None:
        """Take one segment, as soon as it is known."""
        if self.live:
            from ..transcription.writers import clock

            start, end = (clock(s, ".", hours_always=False) for s in (segment.start, segment.end))
            times = f"[{start} --> {end}]"
            typer.echo(f"{times} {segment.text.strip()}")

    def transcript(self, transcript: Transcript, stem: str) -> tuple[Path, ...]:
        """Take a finished transcript; returns the files that were written."""
        from ..transcription.writers import render, write, write_all

        if self.folder is not None:
            if self.format == "all":
                return write_all(transcript, stem, self.folder)
            return (write(transcript, stem, self.folder, self.format),)
        if not self.live:
            text = render(transcript, self.format)
            typer.echo(text, nl=not text.endswith("\n") and bool(text))
        return ()
