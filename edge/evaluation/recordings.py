"""The bundled recordings of real people, with what they say."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import as_file, files

import msgspec

from ..audio.recording import load_audio
from ..types import FloatArray

MAX_SECONDS = 8.0  # longer ones are for transcription tests


class _Row(msgspec.Struct, frozen=True):
    """What is used of a line of ``manifest.jsonl``."""

    path: str
    text: str
    duration: float


@dataclass(frozen=True)
class LabelledRecording:
    """Mono samples at 16 kHz and the words spoken in them."""

    name: str
    samples: FloatArray
    text: str


def bundled_recordings(n: int) -> Iterator[LabelledRecording]:
    """Up to ``n`` short recordings with speech, spread over the whole collection."""
    folder = files("whisperq_edge.models") / "demo" / "recordings"
    lines = (folder / "manifest.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [msgspec.json.decode(line, type=_Row) for line in lines]
    spoken = [row for row in rows if row.text and row.duration <= MAX_SECONDS]
    n = min(n, len(spoken))
    for row in (spoken[i * len(spoken) // n] for i in range(n)):
        with as_file(folder / row.path) as path:
            yield LabelledRecording(row.path, load_audio(path), row.text)
