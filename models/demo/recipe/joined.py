"""Recordings made of several clips: words of one voice, and long files with pauses."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from clips import Clip, Wave, by_speaker, join, level

PEAK = 0.5  # of a joined phrase
LEVEL = 0.05  # root mean square of every utterance of a long recording
FLOOR_DB = -66.0  # noise under long recordings, so that their pauses are not digital zeros
FLOOR_SEED = 20
PHRASE_WORDS = (3, 6)  # fewest and most
PAUSE_S = (1.0, 2.0)  # between the utterances of a long recording
LONGEST_UTTERANCE_S = 6.5  # in a long recording


@dataclass(frozen=True, eq=False)
class LongRecording:
    """Several utterances in one file.

    Attributes:
        samples: All of it, at 16 kHz.
        segments: The utterances; their ``start_s`` and ``end_s`` count from the file's beginning.
    """

    samples: Wave
    segments: list[Clip]

    @property
    def text(self) -> str:
        """All that is said."""
        return " ".join(segment.text for segment in self.segments)


def one_voice(pool: Sequence[Clip], n_clips: int, draw: random.Random) -> list[Clip]:
    """All clips of a speaker who has at least ``n_clips``."""
    return draw.choice([clips for clips in by_speaker(pool).values() if len(clips) >= n_clips])


def phrase(words: Sequence[Clip], n_words: int, draw: random.Random) -> Clip:
    """Some of the words, joined with the pauses of connected speech."""
    clips = draw.sample(words, n_words)
    pauses_s = [draw.uniform(0.0, 0.2) for _ in clips[1:]]
    joined = join(clips, pauses_s, [level(clips[0].samples) / level(c.samples) for c in clips])
    row = joined.row | {"source": "joined: " + ", ".join(clip.row["source"] for clip in clips)}
    samples = joined.samples * np.float32(PEAK / np.abs(joined.samples).max())
    return Clip(samples, joined.text, joined.start_s, joined.end_s, row)


def long_recording(
    pool: Sequence[Clip], shares: Mapping[str, float], target_s: float, draw: random.Random
) -> LongRecording:
    """Orders, wake words and commands of several speakers with pauses between them.

    Args:
        pool: Clips of several sets.
        shares: How often a set is drawn; the words of "sc" are joined to phrases.
        target_s: The length to reach, within about 5 s.
        draw: Chooses everything.
    """
    by_set = {
        name: [c for c in pool if c.dataset == name and c.duration_s < LONGEST_UTTERANCE_S]
        for name in shares
    }
    clips: list[Clip] = []
    pauses_s: list[float] = []
    length_s = 0.0
    while length_s < target_s - 3.0:
        name = draw.choices(list(shares), list(shares.values()))[0]
        if name == "sc":
            voice = one_voice(by_set[name], PHRASE_WORDS[1], draw)
            clip = phrase(voice, draw.randint(*PHRASE_WORDS), draw)
        else:
            clip = draw.choice(by_set[name])
            by_set[name].remove(clip)
        clips.append(clip)
        pauses_s.append(draw.uniform(*PAUSE_S))
        length_s += clip.duration_s + pauses_s[-1]
    joined = join(clips, pauses_s[:-1], [LEVEL / level(clip.samples) for clip in clips])
    segments, offset_s = [], 0.0
    for clip, pause_s in zip(clips, pauses_s, strict=True):
        start_s, end_s = offset_s + clip.start_s, offset_s + clip.end_s
        segments.append(Clip(clip.samples, clip.text, start_s, end_s, clip.row))
        offset_s += clip.duration_s + pause_s
    samples = np.clip(joined.samples + _noise_floor(len(joined.samples)), -1, 1)
    return LongRecording(samples, segments)


def _noise_floor(n_samples: int) -> Wave:
    """White noise at ``FLOOR_DB``, the same every time."""
    noise = np.random.default_rng(FLOOR_SEED).standard_normal(n_samples, dtype=np.float32)
    return noise * np.float32(10 ** (FLOOR_DB / 20))
