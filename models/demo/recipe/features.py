"""Log-mel features of a batch of any length, and what is hidden of them in training."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from network import N_MELS
from whisperq_edge.edge.audio.mel import FLOOR, RANGE, WINDOW_LENGTH, mel_filters
from whisperq_edge.edge.types import HOP_LENGTH

N_BANDS, BAND_MELS = 2, 10  # SpecAugment: bands of frequency, and the widest
GAP_FRAMES = 15  # the longest stretch of time
FRAMES_PER_GAP = 200


def log_mel(samples: Tensor) -> Tensor:
    """The encoder's input, as ``whisperq_edge.edge.audio.mel`` computes it for one window.

    Args:
        samples: (n_batch, n_samples); a multiple of 320 samples, so that frames pair up.

    Returns:
        (n_batch, n_mels, n_samples / 160).
    """
    window = torch.hann_window(WINDOW_LENGTH)
    spectrum = torch.stft(samples, WINDOW_LENGTH, HOP_LENGTH, window=window, return_complex=True)
    power = spectrum[..., :-1].abs().square()
    filters = torch.from_numpy(mel_filters(N_MELS).copy())
    features = (filters @ power).clamp_min(FLOOR).log10()
    loudest = features.amax(dim=(1, 2), keepdim=True)
    return (torch.maximum(features, loudest - RANGE) + 4.0) / 4.0


def mask(mel: Tensor, share: float, draw: np.random.Generator) -> Tensor:
    """Hide bands and stretches of a share of the windows behind their mean.

    Source: Park et al. 2019, SpecAugment (arXiv 1904.08779), without time warping.
    """
    hidden = torch.zeros_like(mel, dtype=torch.bool)
    n_batch, n_mels, n_frames = mel.shape
    for index in range(n_batch):
        if draw.random() >= share:
            continue
        for _ in range(N_BANDS):
            width = int(draw.integers(0, BAND_MELS + 1))
            first = int(draw.integers(0, n_mels - width))
            hidden[index, first : first + width] = True
        for _ in range(max(1, n_frames // FRAMES_PER_GAP)):
            width = int(draw.integers(0, GAP_FRAMES + 1))
            first = int(draw.integers(0, max(1, n_frames - width)))
            hidden[index, :, first : first + width] = True
    return torch.where(hidden, mel.mean(dim=(1, 2), keepdim=True), mel)


def pad_features(mel: Tensor, n_samples: list[int]) -> Tensor:
    """Zeros after each recording, as openai-whisper and faster-whisper pad.

    They extend the features by 0.0; transformers and whisper.cpp extend the sound by silence,
    whose features are lower. The model has to read both.
    """
    mel = mel.clone()
    for index, length in enumerate(n_samples):
        mel[index, :, length // HOP_LENGTH + 1 :] = 0.0
    return mel
