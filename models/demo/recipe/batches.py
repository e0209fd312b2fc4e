"""Batches of windows, as tensors; drawn in a process of its own."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from classes import Classes
from clips import SAMPLE_RATE, Clip
from pronunciation import phones
from tokenizer import LONGEST_S, special_id
from utterances import Utterances
from windows import Window, Windows

BATCH_S = 20.0  # of sound, padding included
LONG_S = ((LONGEST_S, LONGEST_S), (6, 30), (5, 15), (3, 12), (3, 12), (3, 8))  # of long windows
POOL = 64  # short windows drawn at once, so that those of similar length come together
POSITION_SAMPLES = 320  # one encoder position


@dataclass(frozen=True, eq=False)
class Batch:
    """What one step of training needs.

    Attributes:
        samples: (n_batch, n_samples), padded with zeros.
        n_samples: How many of them are sound, per window.
        classes: (n_batch, n_tokens), padded with the class of the end of text.
        weights: (n_batch, n_tokens), zero where a class need not be predicted.
        heard: (n_batch, n_tokens, 2), beginning and end of each one's sound in seconds, or NaN.
        phones: Of the text of each window.
    """

    samples: Tensor
    n_samples: list[int]
    classes: Tensor
    weights: Tensor
    heard: Tensor
    phones: list[list[int]]


class Batches(IterableDataset[Batch]):
    """An endless stream of batches.

    Args:
        clips: Recordings to train on.
        synthetic: Recordings of synthetic voices to train on; may be empty.
        classes: The trained tokens.
        long_share: Share of the batches that hold several utterances with pauses.
        batch_s: Seconds of sound in a batch.
        seed: Of all choices.
    """

    def __init__(
        self,
        clips: Sequence[Clip],
        synthetic: Sequence[Clip],
        classes: Classes,
        long_share: float,
        batch_s: float = BATCH_S,
        seed: int = 0,
    ) -> None:
        self._classes, self._long_share, self._batch_s = classes, long_share, batch_s
        self._draw = random.Random(seed)
        numbers = np.random.default_rng(seed)
        utterances = Utterances(clips, synthetic, self._draw)
        self._windows = Windows(utterances, self._draw, numbers)

    def __iter__(self) -> Iterator[Batch]:
        """Draw for ever; in a worker process, torch is held to one thread."""
        torch.set_num_threads(1)
        pool: list[list[Window]] = []
        while True:
            if self._draw.random() < self._long_share:
                yield self._long()
                continue
            if not pool:
                pool = self._sorted_pool()
            yield self._tensors(pool.pop(), pad_s=self._draw.choice([0.0, 0.1, 0.5, 1.0, 2.0]))

    def _long(self) -> Batch:
        draw = self._draw
        shortest_s, longest_s = draw.choice(LONG_S)
        length_s = draw.uniform(shortest_s, longest_s)
        n_windows = max(1, round(1.25 * self._batch_s / length_s))
        windows = [self._windows.long(length_s) for _ in range(n_windows)]
        return self._tensors(windows, pad_s=draw.choice([0.0, draw.uniform(0, 3)]))

    def _sorted_pool(self) -> list[list[Window]]:
        """Short windows in batches of similar length, in random order."""
        drawn = sorted((self._windows.short() for _ in range(POOL)), key=lambda w: len(w.samples))
        batches: list[list[Window]] = [[]]
        for window in drawn:
            if len(window.samples) * (len(batches[-1]) + 1) > self._batch_s * SAMPLE_RATE:
                batches.append([])
            batches[-1].append(window)
        batches = [batch for batch in batches if batch]
        self._draw.shuffle(batches)
        return batches

    def _tensors(self, windows: Sequence[Window], pad_s: float) -> Batch:
        n_samples = [len(window.samples) for window in windows]
        longest = min(max(n_samples) / SAMPLE_RATE + pad_s, LONGEST_S)
        n_positions = max(1, -(-int(longest * SAMPLE_RATE) // POSITION_SAMPLES))
        samples = np.zeros((len(windows), n_positions * POSITION_SAMPLES), np.float32)
        n_tokens = max(len(window.tokens) for window in windows)
        end = self._classes.of([special_id("endoftext")])[0]
        classes = np.full((len(windows), n_tokens), end, np.int64)
        weights = np.zeros((len(windows), n_tokens), np.float32)
        heard = np.full((len(windows), n_tokens, 2), np.nan, np.float32)
        for index, window in enumerate(windows):
            samples[index, : len(window.samples)] = window.samples
            classes[index, : len(window.tokens)] = self._classes.of(window.tokens)
            weights[index, : len(window.tokens)] = window.weights
            heard[index, : len(window.tokens)] = window.heard
        return Batch(
            samples=torch.from_numpy(samples),
            n_samples=n_samples,
            classes=torch.from_numpy(classes),
            weights=torch.from_numpy(weights),
            heard=torch.from_numpy(heard),
            phones=[phones(window.text) for window in windows],
        )


def stream(batches: Batches) -> Iterator[Batch]:
    """The batches, drawn ahead by a second process."""
    return iter(DataLoader(batches, batch_size=None, num_workers=1, prefetch_factor=8))
