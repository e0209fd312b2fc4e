"""Packs utterances into windows and writes down what Whisper should say about them."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from augmentation import Noise, change_speed, colour, scaled_to_peak
from clips import SAMPLE_RATE, Clip, Wave
from tokenizer import LONGEST_S, special_id, text_ids, timestamp_id
from utterances import Utterances

AUGMENTED = 0.6  # how often noise is added; half as often the room is changed
NO_SPEECH = 0.035  # of the short windows
SHORT_S = 11.0  # the longest short window
SHORTEST_S = 0.5
TIMESTAMPS_SHORT = 0.3  # share of short windows whose text carries timestamps
TIMESTAMPS_LONG = 0.7
WEIGHT_SHORT = 0.3  # of a timestamp in the loss, next to 1 for a text token
WEIGHT_LONG = 0.5
PREVIOUS_SHORT = 0.03  # share of windows that continue a text
PREVIOUS_LONG = 0.12
CUT_S = 0.2  # an utterance is cut by the window's end if that much of it is heard
EDGE_S = 0.1  # around a time stamp, where its sound is
NOWHERE = (math.nan, math.nan)
SPOKEN_TOKEN_S = 0.3  # about the length of a token in speech


@dataclass(frozen=True, eq=False)
class Segment:
    """One utterance in a window; ``end_s`` is None where the window's end cuts it off."""

    start_s: float
    end_s: float | None
    text: str


@dataclass(frozen=True, eq=False)
class Window:
    """Sound and the answer that is expected.

    Attributes:
        samples: At 16 kHz, at most 30 s.
        tokens: The prompt and the answer.
        weights: Of predicting each token; 0 for what the decoder is given.
        heard: Beginning and end of the sound behind each token; NaN where there is none.
        text: What is said, without the part of an utterance that is cut off.
    """

    samples: Wave
    tokens: list[int]
    weights: list[float]
    heard: list[tuple[float, float]]
    text: str


class Windows:
    """Draws windows of utterances.

    Args:
        utterances: Where the speech comes from.
        draw: Chooses.
        numbers: Makes noise.
    """

    def __init__(
        self, utterances: Utterances, draw: random.Random, numbers: np.random.Generator
    ) -> None:
        self._utterances, self._draw, self._numbers = utterances, draw, numbers
        self._noise = Noise(utterances.noise, utterances.texts, draw, numbers)

    def short(self) -> Window:
        """One utterance, seldom two or three, or none at all."""
        draw = self._draw
        if draw.random() < NO_SPEECH:
            n_samples = int(draw.uniform(SHORTEST_S, 4.0) * SAMPLE_RATE)
            hiss = self._noise(n_samples) * np.float32(10 ** (draw.uniform(-70, -22) / 20))
            return self._no_speech(hiss if draw.random() < 0.85 else np.zeros_like(hiss))
        parts: list[tuple[float, Clip]] = []
        at_s = draw.choice([0.0, 0.0, draw.uniform(0, 0.4), draw.uniform(0.2, 1.5)])
        for _ in range(draw.choice([1] * 12 + [2, 2, 3])):
            clip = self._utterance(self._utterances.kind(), draw.uniform(-24, -1))
            if parts and at_s + clip.duration_s > SHORT_S - 0.3:
                break
            parts.append((at_s, clip))
            at_s += clip.duration_s + draw.uniform(0.15, 1.2)
        last_s, last = parts[-1]
        tail_s = draw.choice([0.0, draw.uniform(0, 0.3), draw.uniform(0.2, 1.0)])
        length_s = min(max(last_s + last.duration_s + tail_s, SHORTEST_S), LONGEST_S)
        segments = [_segment(at, clip) for at, clip in parts]
        samples = self._background(_mixed(parts, length_s), 0.6, 0.5, -60.0)
        return self._speech(samples, segments, TIMESTAMPS_SHORT, WEIGHT_SHORT, PREVIOUS_SHORT)

    def long(self, length_s: float) -> Window:
        """Several utterances with pauses; at 30 s the last one may be cut by the window's end."""
        draw = self._draw
        one_kind = self._utterances.kind() if draw.random() < 0.5 else None
        peak_db, spread_db = draw.uniform(-20, -4), draw.choice([1.5, 4.0, 8.0])
        parts: list[tuple[float, Clip]] = []
        segments: list[Segment] = []
        at_s = draw.choice([draw.uniform(0, longest) for longest in (0.3, 1.5, 4.0)])
        if draw.random() < 0.15:
            left_over = self._left_over(one_kind or self._utterances.kind(), peak_db - 6)
            parts.append((0.0, left_over))
            at_s = left_over.duration_s + self._pause_s()
        while True:
            level_db = min(-0.5, peak_db + draw.uniform(-spread_db, spread_db))
            clip = self._utterance(one_kind or self._utterances.kind(), level_db)
            if at_s + clip.end_s > length_s - 0.05:
                if not segments and at_s > 0.5:  # another one, from the beginning
                    at_s = draw.uniform(0, 0.3)
                    continue
                if self._is_cut(at_s, clip, length_s) and segments:
                    parts.append((at_s, clip))
                    segments.append(Segment(at_s + clip.start_s, None, clip.text))
                break
            parts.append((at_s, clip))
            segments.append(_segment(at_s, clip))
            at_s += clip.end_s + self._pause_s()
            if draw.random() < 0.02:
                break
        samples = self._background(_mixed(parts, length_s), 0.35, 0.6, -50.0)
        if not segments:
            return self._no_speech(samples)
        return self._speech(samples, segments, TIMESTAMPS_LONG, WEIGHT_LONG, PREVIOUS_LONG)

    def _is_cut(self, at_s: float, clip: Clip, length_s: float) -> bool:
        heard = at_s + clip.start_s < length_s - CUT_S and at_s + clip.end_s > length_s + 0.05
        return heard and length_s == LONGEST_S and self._draw.random() < 0.7

    def _pause_s(self) -> float:
        ranges = [(0.3, 1.0), (0.8, 2.2), (2.0, 6.0)]
        return self._draw.uniform(*self._draw.choices(ranges, [0.40, 0.48, 0.12])[0])

    def _utterance(self, kind: str, peak_db: float) -> Clip:
        draw = self._draw
        clip = self._utterances.draw(kind)
        if draw.random() < 0.55:
            clip = change_speed(clip, draw.uniform(0.85, 1.18))
        samples = clip.samples
        if draw.random() < AUGMENTED / 2:
            samples = colour(samples, draw, self._numbers)
        samples = scaled_to_peak(samples, peak_db)
        start_s, end_s = max(0.0, clip.start_s), min(clip.end_s, clip.duration_s)
        return Clip(samples, clip.text, start_s, end_s, clip.row)

    def _left_over(self, kind: str, peak_db: float) -> Clip:
        """The last moment of an utterance that belongs to the window before."""
        clip = self._utterance(kind, peak_db)
        first = max(0, int((clip.end_s - self._draw.uniform(0.05, 0.3)) * SAMPLE_RATE))
        return Clip(clip.samples[first:], "", 0.0, 0.0, clip.row)

    def _background(self, samples: Wave, noisy: float, hissing: float, loudest_db: float) -> Wave:
        draw = self._draw
        if draw.random() < noisy * AUGMENTED:
            power = np.sqrt(np.mean(np.square(samples)) + 1e-9)
            ratio = np.float32(power * 10 ** (-draw.uniform(8, 35) / 20))
            samples = samples + self._noise(len(samples)) * ratio
        elif draw.random() < hissing:
            hiss = self._numbers.standard_normal(len(samples), dtype=np.float32)
            samples = samples + hiss * np.float32(10 ** (draw.uniform(-90, loudest_db) / 20))
        return np.clip(samples, -1, 1)

    def _no_speech(self, samples: Wave) -> Window:
        start, end = special_id("startoftranscript"), special_id("endoftext")
        choice = self._draw.random()
        if choice < 0.35:
            tokens = [start, special_id("nospeech"), end]
            return Window(samples, tokens, [0, 1, 1], [NOWHERE] * 3, "")
        mode = "0.00" if choice < 0.6 else "notimestamps"
        tokens = [start, special_id("en"), special_id("transcribe"), special_id(mode), end]
        return Window(samples, tokens, [0, 0, 1, 1, 1], [NOWHERE] * 5, "")

    def _speech(
        self,
        samples: Wave,
        segments: Sequence[Segment],
        timestamps: float,
        timestamp_weight: float,
        previous: float,
    ) -> Window:
        draw = self._draw
        whole = [segment for segment in segments if segment.end_s is not None]
        text = " ".join(segment.text for segment in whole)
        before = self._previous() if draw.random() < previous else []
        tokens = [special_id(name) for name in ("startoftranscript", "en", "transcribe")]
        heard = [NOWHERE] * 3
        timed = len(whole) < len(segments) or draw.random() < timestamps
        if not timed:
            tokens.append(special_id("notimestamps"))
            heard.append(NOWHERE)
        for segment in segments:
            if timed:
                tokens.append(timestamp_id(segment.start_s))
                heard.append(_around(segment.start_s))
            if segment.end_s is None:  # of one that is cut off, only the start is said
                break
            words = text_ids(segment.text)
            tokens += words
            heard += _spread(segment.start_s, segment.end_s, len(words))
            if timed:
                tokens.append(timestamp_id(segment.end_s))
                heard.append(_around(segment.end_s))
        tokens.append(special_id("endoftext"))
        heard.append(NOWHERE)
        first_time = special_id("0.00")
        weights = [timestamp_weight if token >= first_time else 1.0 for token in tokens]
        weights[0] = 0.0
        return Window(
            samples,
            before + tokens,
            [0.0] * len(before) + weights,
            [NOWHERE] * len(before) + heard,
            text,
        )

    def _previous(self) -> list[int]:
        """The text before the window, half of the time with its timestamps."""
        draw = self._draw
        timed, at_s = draw.random() < 0.5, 0.0
        tokens: list[int] = []
        for _ in range(draw.randint(1, 5)):
            words = text_ids(draw.choice(self._utterances.texts).text)
            end_s = at_s + SPOKEN_TOKEN_S * len(words)
            tokens += [timestamp_id(at_s), *words, timestamp_id(end_s)] if timed else words
            at_s = end_s + draw.uniform(0.3, 2.0)
        return [special_id("startofprev"), *tokens[-120:]]


def _segment(at_s: float, clip: Clip) -> Segment:
    return Segment(at_s + clip.start_s, at_s + clip.end_s, clip.text)


def _around(time_s: float) -> tuple[float, float]:
    return time_s - EDGE_S, time_s + EDGE_S


def _spread(start_s: float, end_s: float, n_tokens: int) -> list[tuple[float, float]]:
    """Where each token may be heard if they are about equally long: generous bounds."""
    length_s = end_s - start_s
    half_s = EDGE_S + 0.25 * length_s / n_tokens + 0.15 * length_s
    centres_s = [start_s + (index + 0.5) / n_tokens * length_s for index in range(n_tokens)]
    return [(centre_s - half_s, centre_s + half_s) for centre_s in centres_s]


def _mixed(parts: Sequence[tuple[float, Clip]], length_s: float) -> Wave:
    """All parts at their places; what lies after the window's end is lost."""
    samples = np.zeros(int(length_s * SAMPLE_RATE), np.float32)
    for at_s, clip in parts:
        first = int(at_s * SAMPLE_RATE)
        heard = clip.samples[: max(0, len(samples) - first)]
        samples[first : first + len(heard)] += heard
    return samples
