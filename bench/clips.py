"""The sound: speech-shaped noise, since the scripted words do not depend on it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

SAMPLE_RATE = 16_000
CLIPS_S = (5, 30)


def write_clip(path: Path, duration_s: int) -> None:
    """Save a voice-like hum with two syllables a second as mono float32."""
    rng = np.random.default_rng(0)
    t = np.arange(duration_s * SAMPLE_RATE) / SAMPLE_RATE
    phase = 2 * np.pi * np.cumsum(120 + 20 * np.sin(2 * np.pi * 0.3 * t)) / SAMPLE_RATE
    voice = sum((np.sin(n * phase) / n for n in range(1, 30)), start=np.zeros_like(t))
    syllables = np.sin(2 * np.pi * t) ** 2
    sound = syllables * (voice + 0.2 * rng.standard_normal(len(t)))
    np.save(path, (0.3 * sound / np.abs(sound).max()).astype(np.float32))
