"""The bundled recordings of real people, with what they say."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import as_file, files

import msgspec

from ..audio.recording import load_audio
from ..types import FloatArray, Rounding

MAX_SECONDS = 8.0  # longer ones are for transcription tests
# Of speakers that are listened to where integers are chosen, and of those that judge them.
CALIBRATION_SPLIT, JUDGING_SPLIT = "dev", "test"


class _Row(msgspec.Struct, frozen=True):
    """What is used of a line of ``manifest.jsonl``."""

    path: str
    text: str
    duration: float
    split: str


@dataclass(frozen=True)
class LabelledRecording:
    """Mono samples at 16 kHz and the words spoken in them."""

    name: str
    samples: FloatArray
    text: str


def judging_recordings(n: int, rounding: Rounding) -> Iterator[LabelledRecording]:
    """Those that an artifact is judged by: none of a speaker who took part in its rounding.

    Args:
        n: How many at most.
        rounding: Of the artifact.
    """
    return bundled_recordings(n, split=None if rounding == "nearest" else JUDGING_SPLIT)


def bundled_recordings(
    n: int | None = None, *, split: str | None = None
) -> Iterator[LabelledRecording]:
    """Short recordings with speech, spread over the whole collection.

    Args:
        n: How many at most; None for all.
        split: "dev" or "test", whose speakers are others; None for both.
    """
    folder = files("whisperq_edge.models") / "demo" / "recordings"
    lines = (folder / "manifest.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [msgspec.json.decode(line, type=_Row) for line in lines]
    spoken = [
        row
        for row in rows
        if row.text and row.duration <= MAX_SECONDS and split in (None, row.split)
    ]
    n = len(spoken) if n is None else min(n, len(spoken))
    for row in (spoken[i * len(spoken) // n] for i in range(n)):
        with as_file(folder / row.path) as path:
            yield LabelledRecording(row.path, load_audio(path), row.text)
