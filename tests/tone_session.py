"""A session that hears tones as words: streaming with known words at known times."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import NamedTuple

import numpy as np

from whisperq_edge.edge.audio.activity import VoiceActivity
from whisperq_edge.edge.audio.mel import log_mel
from whisperq_edge.edge.decoding.tokens import Tokenizer
from whisperq_edge.edge.types import (
    FRAMES_PER_POSITION,
    SAMPLE_RATE,
    AudioContexts,
    FloatArray,
    GenerationSettings,
    IntArray,
)
from whisperq_edge.models.checkpoint import load_checkpoint

from .scripted_session import ANY_CONTEXT, ScriptedSession

WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven")
HERTZ = (300, 500, 800, 1200, 1700, 2300, 3000, 4000)  # far apart in mel bands
WORD_S = 0.4
GAP_S = 0.1  # between two words, so that a repeated one is two
CLEAR_S = 0.3  # a tone that is shorter, as at the end of the sound, is taken for the next word
FAINT_S = 0.1  # one that is shorter still is not heard


@cache
def generation() -> GenerationSettings:
    """Of the bundled model."""
    return load_checkpoint("demo", offline=True).generation


@cache
def tokenizer() -> Tokenizer:
    """Of the bundled model."""
    path = files("whisperq_edge.models") / "demo" / "tokenizer.json"
    return Tokenizer(path.read_bytes(), generation())


def speak(text: str, *, pause_s: float = 0.0) -> FloatArray:
    """A tone for each word, then a pause."""
    pieces = [_tone(word) for word in text.split()]
    return np.concatenate([*pieces, np.zeros(round(pause_s * SAMPLE_RATE), np.float32)])


def _tone(word: str) -> FloatArray:
    times = np.arange(round(WORD_S * SAMPLE_RATE)) / SAMPLE_RATE
    tone = 0.5 * np.sin(2 * np.pi * HERTZ[WORDS.index(word)] * times)
    return np.pad(tone.astype(np.float32), (0, round(GAP_S * SAMPLE_RATE)))


class Tone(NamedTuple):
    """A word that was heard, and its encoder positions."""

    token: int
    start: int
    stop: int


class ToneActivity(VoiceActivity):
    """Whatever is not silent is speech."""

    n_frame = 512

    def probability(self, frame: FloatArray) -> float:
        return float(np.abs(frame).max() > 0.01)

    def reset(self) -> None:
        pass


class ToneSession(ScriptedSession):
    """Writes the words of the tones in its window, and looks at each while it writes it.

    Attributes:
        tones: What it heard in the window.
        n_steps: Decoder steps taken in all.
    """

    def __init__(self, contexts: AudioContexts = ANY_CONTEXT) -> None:
        super().__init__(self._predict, contexts=contexts)
        self.tones: list[Tone] = []
        self.n_steps = 0
        self._bands = [_band(hertz) for hertz in HERTZ]
        self._ids = [tokenizer().encode(f" {word}")[0] for word in WORDS]
        self._last: tuple[tuple[int, ...], int] = ((), 0)

    def encode(self, mel: FloatArray) -> None:
        super().encode(mel)
        loud = mel.max(axis=0) > mel.max() - 0.5
        edges = np.flatnonzero(np.diff(np.concatenate([[0], loud.view(np.int8), [0]])))
        tones = [edge for edge in edges.reshape(-1, 2) if edge[1] - edge[0] >= FAINT_S * 100]
        self.tones = [self._hear(mel, start, stop) for start, stop in tones]

    def _hear(self, mel: FloatArray, start: int, stop: int) -> Tone:
        band = int(mel[:, start:stop].mean(axis=1).argmax())
        index = min(range(len(WORDS)), key=lambda index: abs(self._bands[index] - band))
        if stop - start < CLEAR_S * 100:
            index = (index + 1) % len(WORDS)
        first, last = start // FRAMES_PER_POSITION, -(-stop // FRAMES_PER_POSITION)
        return Tone(self._ids[index], first, last)

    def step(self, tokens: IntArray) -> FloatArray:
        self.n_steps += 1
        logits = super().step(tokens)
        self._last = (self._hypotheses[0], tokens.shape[1])
        return logits

    def _predict(self, n_encoded: int, past: tuple[int, ...]) -> Mapping[int, float]:
        n_said = _n_text(past)
        if n_said < len(self.tones):
            return {self.tones[n_said].token: 0.0}
        return {tokenizer().eot: 0.0}

    @property
    def alignment(self) -> FloatArray:
        past, n_new = self._last
        n_positions = self.encoded[-1] // FRAMES_PER_POSITION
        rows = [self._row(past[: index + 1], n_positions) for index in range(len(past))]
        return np.stack([np.stack(rows[-n_new:])] * 2)[None]

    def _row(self, past: Sequence[int], n_positions: int) -> FloatArray:
        row = np.full(n_positions, 1e-3, np.float32)
        n_said = _n_text(tuple(past))
        if past and past[-1] not in tokenizer().control_tokens:
            if n_said < len(self.tones):
                tone = self.tones[n_said]
                row[tone.start : tone.stop] = 1.0
            elif self.tones:
                row[self.tones[-1].stop :] = 1.0
        row /= row.sum()
        return row


def _n_text(past: tuple[int, ...]) -> int:
    """Words after the prompt."""
    start = len(past) - past[::-1].index(tokenizer().sot) if tokenizer().sot in past else 0
    return sum(tokenizer().is_text(token) for token in past[start:])


def _band(hertz: float) -> int:
    times = np.arange(SAMPLE_RATE) / SAMPLE_RATE
    tone = np.sin(2 * np.pi * hertz * times).astype(np.float32)
    return int(log_mel(tone, 80, 100).mean(axis=1).argmax())
