"""Recordings, and texts that are forced on a session token by token."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...models.parameters import Parameters
from ..audio.mel import log_mel
from ..decoding.options import DecodingOptions
from ..transcription.windows import short_context
from ..types import FRAMES_PER_POSITION, HOP_LENGTH, AudioContexts, FloatArray, Session
from .recordings import LabelledRecording

MAX_TOKENS = 24  # of a recording; the bundled ones have at most 20 words
OPTIONS = DecodingOptions(
    language="en",
    without_timestamps=True,
    sample_len=MAX_TOKENS,
    repetition_guard=False,  # a text may be silly, but has to be long enough to judge by
)
# NumPy runs every parameter once per token: as many recordings as keep an export brief.
PARAMETERS_TIMES_RECORDINGS = 2e8
MIN_RECORDINGS, MAX_RECORDINGS = 4, 30


def n_recordings(parameters: Parameters) -> int:
    """How many recordings a model of this size is judged on."""
    n = PARAMETERS_TIMES_RECORDINGS / parameters.size
    return int(np.clip(n, MIN_RECORDINGS, MAX_RECORDINGS))


def features(recording: LabelledRecording, contexts: AudioContexts, n_mels: int) -> FloatArray:
    """Log-mel features of the shortest window that holds the recording, (n_mels, n_frames)."""
    n_positions = short_context(contexts, len(recording.samples) // HOP_LENGTH)
    return log_mel(recording.samples, n_mels, n_positions * FRAMES_PER_POSITION)


def forced_logits(session: Session, tokens: Sequence[int], n_prompt: int) -> FloatArray:
    """Logits after the prompt and after every token of a given text.

    Args:
        session: With an encoded window and nothing in its cache.
        tokens: The prompt and the text.
        n_prompt: How many of the tokens are the prompt.

    Returns:
        Shape (n_text + 1, n_vocab).
    """
    steps = [tokens[:n_prompt], *([token] for token in tokens[n_prompt:])]
    return np.concatenate([session.step(np.array([step], np.int64)).copy() for step in steps])
