"""Features as openai/whisper makes them, given to ours: what is left then is all that differs.

openai/whisper scales the features of a whole recording at once, and pads a window that is not full
with zeros; ours scales each window, and pads it with silent sound.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from whisperq_edge.edge.audio.mel import log_mel
from whisperq_edge.edge.transcription import passage
from whisperq_edge.edge.transcription.passage import Passage
from whisperq_edge.edge.transcription.transcript import Segment
from whisperq_edge.edge.transcription.windows import Window
from whisperq_edge.edge.types import FRAMES_PER_SECOND, HOP_LENGTH, SAMPLE_RATE, FloatArray

PADDING_S = 30  # silence behind a recording, heard for its features alone


@contextmanager
def openai_features(samples: FloatArray, n_mels: int) -> Iterator[None]:
    """Let passages take these features, as long as they are of this recording."""
    n_frames = len(samples) // HOP_LENGTH
    padded = np.pad(samples, (0, PADDING_S * SAMPLE_RATE))
    whole = log_mel(padded, n_mels, 2 * ((n_frames + PADDING_S * FRAMES_PER_SECOND) // 2))
    whole = whole[:, :n_frames]
    seek = 0
    take = Passage.take

    def take_from(self: Passage, window: Window) -> list[Segment]:
        nonlocal seek
        seek = window.seek
        return take(self, window)

    def features(_: FloatArray, n_mels: int, n_frames: int) -> FloatArray:
        found = whole[:, seek : seek + n_frames]
        return np.pad(found, ((0, 0), (0, n_frames - found.shape[1])))

    passage.log_mel, Passage.take = features, take_from  # type: ignore[assignment, method-assign]
    try:
        yield
    finally:
        passage.log_mel, Passage.take = log_mel, take  # type: ignore[method-assign]
