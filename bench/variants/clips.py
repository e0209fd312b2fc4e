"""What is transcribed with word times, and where its words are known to lie."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np
import streaming.sounds
from environments import WORK
from streaming.sounds import Sound, hiss, sounds

from whisperq_edge.edge.streaming.reference import ReferenceSegment
from whisperq_edge.edge.types import SAMPLE_RATE

from .places import Spoken, spoken

FOLDER = WORK / "variants"
PAUSE_S = (0.3, 0.8)  # between single words: they are one utterance to the model
N_JOINED = 4  # words of a clip
N_PASSES = 2  # how often each single word is used, beside others each time

Kind = Literal["single", "placed", "long"]


class Clip(msgspec.Struct, frozen=True):
    """One recording.

    Attributes:
        name: Of its file.
        kind: A "single" recording; single words, joined at "placed" bounds; or a "long" one.
        said: Its words.
        duration_s: Its length in seconds.
    """

    name: str
    kind: Kind
    said: tuple[Spoken, ...]
    duration_s: float

    @property
    def path(self) -> Path:
        """The samples, as a NumPy file."""
        folder = FOLDER if self.kind == "placed" else streaming.sounds.FOLDER
        return folder / f"{self.name}.npy"


def clips() -> list[Clip]:
    """All of them, written on first use."""
    found = [sound for sound in sounds() if sound.said]
    FOLDER.mkdir(parents=True, exist_ok=True)
    return [*(_clip(sound) for sound in found), *_placed(found)]


def _clip(sound: Sound) -> Clip:
    kind: Kind = "single" if sound.kind == "single" else "long"
    return Clip(sound.name, kind, spoken(sound.said), sound.duration_s)


def _placed(found: Sequence[Sound]) -> list[Clip]:
    """Single words in random order, a few in each clip, with short pauses of quiet noise."""
    words = [sound for sound in found if sound.kind == "single" and _is_word(sound)]
    rng = np.random.default_rng(0)
    order = [index for _ in range(N_PASSES) for index in rng.permutation(len(words))]
    made = []
    for first in range(0, len(order) - N_JOINED + 1, N_JOINED):
        said: list[ReferenceSegment] = []
        pieces = [hiss(rng, PAUSE_S)]
        for index in order[first : first + N_JOINED]:
            after_s = sum(map(len, pieces)) / SAMPLE_RATE
            (word,) = words[index].said
            said.append(ReferenceSegment(word.start + after_s, word.end + after_s, word.text))
            pieces += [np.load(words[index].path), hiss(rng, PAUSE_S)]
        samples = np.concatenate(pieces)
        name = f"placed_{first // N_JOINED:02}"
        clip = Clip(name, "placed", spoken(said), len(samples) / SAMPLE_RATE)
        np.save(clip.path, samples)
        made.append(clip)
    return made


def _is_word(sound: Sound) -> bool:
    (word, *others) = spoken(sound.said)
    return not others and word.start is not None
