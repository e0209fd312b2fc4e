"""What is timed and what is judged: recordings of real people that come with the package."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from importlib.resources import as_file, files
from typing import NamedTuple

import msgspec
import numpy as np

from ..audio.recording import load_audio
from ..types import SAMPLE_RATE, FloatArray
from .record import Clip

# One after the other, followed by silence: what a microphone gives, and never a word cut in two.
CLIPS: dict[str, tuple[str, ...]] = {
    "2s": ("50_up_on_left.flac",),
    "5s": ("08_make_me_a_triple_shot_sixteen_ounce_hous.flac",),
    "10s": (
        "09_can_i_get_a_light_roast_single_shot_hous.flac",
        "06_i_want_a_triple_shot_small_iced_coffee_w.flac",
    ),
    "30s": ("68_long_28_s.flac", "50_up_on_left.flac"),
}
N_JUDGED = 30  # recordings in which words are counted
MAX_JUDGED_S = 8.0


class TimedClip(NamedTuple):
    """A clip, and its samples: mono at 16 kHz, shape (n_samples,)."""

    clip: Clip
    samples: FloatArray


class Spoken(NamedTuple):
    """A recording and the words in it."""

    name: str
    samples: FloatArray
    text: str


class _Row(msgspec.Struct, frozen=True):
    """What is used of a line of ``manifest.jsonl``."""

    path: str
    text: str
    duration: float


def timed_clips(names: Sequence[str] = tuple(CLIPS)) -> list[TimedClip]:
    """The clips of these names, shortest first."""
    found = []
    for name in CLIPS:
        if name not in names:
            continue
        n_samples = int(name.removesuffix("s")) * SAMPLE_RATE
        sound = np.concatenate([_samples(path) for path in CLIPS[name]])[:n_samples]
        samples = np.zeros(n_samples, np.float32)
        samples[: len(sound)] = sound
        digest = hashlib.sha256(samples.astype("<f4").tobytes()).hexdigest()
        found.append(TimedClip(Clip(name, n_samples / SAMPLE_RATE, digest), samples))
    return found


def spoken_recordings() -> Iterator[Spoken]:
    """Short recordings with speech, spread over the whole collection."""
    for row in _judged():
        yield Spoken(row.path, _samples(row.path), row.text)


def words_digest() -> str:
    """Of the recordings' names and words; the recordings come with the package, as these do."""
    digest = hashlib.sha256()
    for row in _judged():
        digest.update(f"{row.path}\t{row.text}\n".encode())
    return digest.hexdigest()


def _judged() -> list[_Row]:
    lines = (_FOLDER / "manifest.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [msgspec.json.decode(line, type=_Row) for line in lines]
    spoken = [row for row in rows if row.text and row.duration <= MAX_JUDGED_S]
    return [spoken[i * len(spoken) // N_JUDGED] for i in range(N_JUDGED)]


def _samples(path: str) -> FloatArray:
    with as_file(_FOLDER / path) as file:
        return load_audio(file)


_FOLDER = files("whisperq_edge.models") / "demo" / "recordings"
