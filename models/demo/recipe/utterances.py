"""Draws what one speaker says: an order, words, digits, a wake word."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from augmentation import change_speed
from clips import FADE_S, SAMPLE_RATE, Clip, Wave, by_speaker, join, level
from grammar import DIGITS

SHARES = {  # of the utterances
    "coffee": 0.32,
    "words": 0.20,
    "digits": 0.20,
    "wake": 0.05,
    "synthetic": 0.20,
    "letters": 0.03,
}
SPLICED = 0.5  # of the coffee orders: parts of two or three recordings of one speaker
MANY_VOICES = 0.35  # of the digit strings: every digit of another voice
MARGIN_S = 0.08  # the silence at a clip's edges, which joining takes off
LEVEL_DB = 3.0  # differences left between joined clips


class Utterances:
    """Utterances of the recordings of one split.

    Args:
        clips: The recordings.
        synthetic: Recordings of synthetic voices; may be empty.
        draw: Chooses.
    """

    def __init__(
        self, clips: Sequence[Clip], synthetic: Sequence[Clip], draw: random.Random
    ) -> None:
        def of(dataset: str) -> list[Clip]:
            return [clip for clip in clips if clip.dataset == dataset]

        self._draw = draw
        self.synthetic = list(synthetic)
        self.coffee = of("pvcoffee")
        self.noise = of("sc_silence")
        self._wake = list(_by_text(of("pvww")).values())
        self._words = list(by_speaker(of("sc")).values())
        self._digits = list(by_speaker(of("fsdd")).values())
        self._letters = list(by_speaker(of("moonalnum")).values())
        self._spoken = [v for text, v in _by_text(of("sc")).items() if text in DIGITS]
        cut = by_speaker(clip for clip in self.coffee if "cut_seconds" in clip.row)
        self._cut = [voice for voice in cut.values() if len(voice) > 1]
        pools = {
            "coffee": self.coffee,
            "words": self._words,
            "digits": self._digits,
            "wake": self._wake,
            "synthetic": self.synthetic,
            "letters": self._letters,
        }
        self.kinds = [kind for kind, pool in pools.items() if pool]
        if not self.kinds:
            raise SystemExit("there are no recordings with speech to train on")

    @property
    def texts(self) -> list[Clip]:
        """Clips whose text serves as the text before a window."""
        return self.synthetic or self.coffee

    def kind(self) -> str:
        """Draw a kind of utterance."""
        return self._draw.choices(self.kinds, [SHARES[kind] for kind in self.kinds])[0]

    def draw(self, kind: str) -> Clip:
        """Draw an utterance of this kind."""
        draw = self._draw
        if kind == "synthetic":
            return draw.choice(self.synthetic)
        if kind == "coffee":
            spliced = self._spliced() if self._cut and draw.random() < SPLICED else None
            return spliced or draw.choice(self.coffee)
        if kind == "wake":
            return draw.choice(draw.choice(self._wake))
        if kind == "letters":
            voice = draw.choice(self._letters)
            return self._joined([draw.choice(voice) for _ in range(draw.randint(1, 5))], 0.02, 0.35)
        if kind == "digits":
            return self._digit_string()
        voice = draw.choice(self._words)
        n_words = min(len(voice), draw.choice([1, 1, 1, 2, 2, 3, 4]))
        return self._joined(draw.sample(voice, n_words), 0.0, 0.5)

    def _digit_string(self) -> Clip:
        draw = self._draw
        if draw.random() < MANY_VOICES and self._spoken:
            n_digits = draw.randint(1, 6)
            clips = [draw.choice(draw.choice(self._spoken)) for _ in range(n_digits)]
            return self._joined(clips, 0.0, 0.3)
        voice = draw.choice(self._digits)
        n_digits = draw.choice([1, 1, 2, 3, 4, 4, 5, 6, 7, 8])
        joined = self._joined([draw.choice(voice) for _ in range(n_digits)], 0.0, 0.35)
        return change_speed(joined, draw.uniform(0.84, 1.22)) if draw.random() < 0.7 else joined

    def _joined(self, clips: Sequence[Clip], shortest_s: float, longest_s: float) -> Clip:
        """Clips with pauses between them, most of them at the level of the first."""
        draw = self._draw
        pauses_s = [draw.uniform(shortest_s, longest_s) - MARGIN_S for _ in clips[1:]]
        gains = [1.0]
        for clip in clips[1:]:
            matched = level(clips[0].samples) / level(clip.samples)
            matched *= 10 ** (draw.uniform(-LEVEL_DB, LEVEL_DB) / 20)
            gains.append(matched if draw.random() < 0.7 else 1.0)
        return join(clips, pauses_s, gains)

    def _spliced(self) -> Clip | None:
        """Opening phrase | drink | additions, from two or three recordings of one speaker.

        The manifest's ``cut_seconds`` say where the opening phrase ends and "with" begins, its
        ``carrier_words`` how many words the opening phrase has.
        """
        draw = self._draw
        voice = draw.choice(self._cut)
        first = draw.choice(voice)
        second = draw.choice(voice) if draw.random() < 0.6 else first
        third = draw.choice([clip for clip in voice if " with " in clip.text] + [None])
        words = first.text.split()[: first.row["carrier_words"]]
        drink = second.text.split()[second.row["carrier_words"] :]
        words += drink[: drink.index("with")] if "with" in drink else drink
        if first is second:
            parts = [_between(first, 0.0, first.row["cut_seconds"][1])]
        else:
            parts = [
                _between(first, 0.0, first.row["cut_seconds"][0]),
                _between(second, *second.row["cut_seconds"]),
            ]
        tail_s = 0.02 if "with" in drink else second.duration_s - second.end_s
        if third is not None:
            parts.append(_between(third, third.row["cut_seconds"][1], third.duration_s))
            additions = third.text.split()
            words += additions[additions.index("with") :]
            tail_s = third.duration_s - third.end_s
        samples = _crossfaded(parts)
        if samples is None:
            return None
        end_s = len(samples) / SAMPLE_RATE - max(0.0, tail_s)
        return replace(first, samples=samples, text=" ".join(words), end_s=end_s)


def _by_text(clips: Sequence[Clip]) -> dict[str, list[Clip]]:
    words: dict[str, list[Clip]] = {}
    for clip in clips:
        words.setdefault(clip.text, []).append(clip)
    return words


def _between(clip: Clip, start_s: float, end_s: float) -> Wave:
    return clip.samples[int(start_s * SAMPLE_RATE) : int(end_s * SAMPLE_RATE)]


def _crossfaded(parts: Sequence[Wave]) -> Wave | None:
    """Parts run into one another at the level of the first; None if one is too short."""
    n_fade = int(FADE_S * SAMPLE_RATE)
    ramp = np.linspace(0, 1, n_fade, dtype=np.float32)
    samples = parts[0]
    for part in parts[1:]:
        if min(len(part), len(samples)) <= n_fade:
            return None
        part = part * np.float32(np.clip(level(samples) / level(part), 0.5, 2.0))
        overlap = samples[-n_fade:] * (1 - ramp) + part[:n_fade] * ramp
        samples = np.concatenate([samples[:-n_fade], overlap, part[n_fade:]])
    return samples
