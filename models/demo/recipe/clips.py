"""One recording with its text, and the manifest that lists them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

Wave = NDArray[np.float32]

SAMPLE_RATE = 16_000  # samples per second
FADE_S = 0.01  # at both ends of a clip that is joined to another


@dataclass(frozen=True, eq=False)
class Clip:
    """A mono recording at 16 kHz that holds one utterance.

    Attributes:
        samples: Amplitudes in [-1, 1].
        text: What is said; empty for noise.
        start_s: Where speech begins, in seconds.
        end_s: Where speech ends, in seconds.
        row: The manifest's line.
    """

    samples: Wave
    text: str
    start_s: float
    end_s: float
    row: dict[str, Any]

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return len(self.samples) / SAMPLE_RATE

    @property
    def speaker(self) -> str:
        """The speaker's id."""
        return str(self.row["speaker"])

    @property
    def dataset(self) -> str:
        """The id of the set it comes from."""
        return str(self.row["dataset"])


def read_rows(folder: Path) -> list[dict[str, Any]]:
    """The lines of ``folder/manifest.jsonl``."""
    lines = (folder / "manifest.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines if line.strip()]


def write_rows(folder: Path, rows: Iterable[dict[str, Any]]) -> None:
    """Write ``folder/manifest.jsonl`` in one go, so that a reader never sees half of it."""
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    part = folder / "manifest.jsonl.part"
    part.write_text(text, encoding="utf-8")
    part.replace(folder / "manifest.jsonl")


def read_clips(folder: Path, splits: Sequence[str]) -> list[Clip]:
    """The recordings of some splits, in memory.

    Args:
        folder: Holds ``manifest.jsonl`` and the files it names.
        splits: "train", "dev", "test".
    """
    return [read_clip(folder, row) for row in read_rows(folder) if row["split"] in splits]


def read_clip(folder: Path, row: dict[str, Any]) -> Clip:
    """The recording of one manifest line."""
    samples, rate = soundfile.read(folder / row["path"], dtype="float32")
    if rate != SAMPLE_RATE or samples.ndim != 1:
        raise SystemExit(f"{row['path']}: expected mono at {SAMPLE_RATE} Hz")
    duration_s = len(samples) / SAMPLE_RATE
    return Clip(
        samples=samples,
        text=row["text"],
        start_s=row.get("speech_start", 0.0),
        end_s=row.get("speech_end", duration_s),
        row=row,
    )


def write_wave(path: Path, samples: Wave) -> None:
    """Write 16-bit FLAC at 16 kHz."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, SAMPLE_RATE, subtype="PCM_16")


def level(samples: Wave) -> float:
    """Root mean square amplitude."""
    return float(np.sqrt(np.mean(np.square(samples)) + 1e-9))


def faded(samples: Wave) -> Wave:
    """A copy without a click at either end."""
    n = min(int(FADE_S * SAMPLE_RATE), len(samples) // 4)
    samples = samples.copy()
    ramp = np.linspace(0, 1, n, dtype=np.float32)
    samples[:n] *= ramp
    samples[len(samples) - n :] *= ramp[::-1]
    return samples


def join(clips: Sequence[Clip], pauses_s: Sequence[float], gains: Sequence[float]) -> Clip:
    """Put clips one after the other.

    Args:
        clips: At least one; the row of the first is kept.
        pauses_s: From the end of one clip's samples to the beginning of the next; negative
            values overlap. One fewer than ``clips``.
        gains: Factor of each clip.
    """
    offsets, end = [], 0
    for clip, pause_s in zip(clips, [0.0, *pauses_s], strict=True):
        offsets.append(max(0, end + int(pause_s * SAMPLE_RATE)))
        end = max(end, offsets[-1] + len(clip.samples))
    samples = np.zeros(end, np.float32)
    for clip, offset, gain in zip(clips, offsets, gains, strict=True):
        samples[offset : offset + len(clip.samples)] += faded(clip.samples) * np.float32(gain)
    return Clip(
        samples=samples,
        text=" ".join(clip.text for clip in clips),
        start_s=clips[0].start_s,
        end_s=offsets[-1] / SAMPLE_RATE + clips[-1].end_s,
        row=clips[0].row,
    )


def by_speaker(clips: Iterable[Clip]) -> dict[str, list[Clip]]:
    """The clips of each speaker."""
    voices: dict[str, list[Clip]] = {}
    for clip in clips:
        voices.setdefault(clip.speaker, []).append(clip)
    return voices
