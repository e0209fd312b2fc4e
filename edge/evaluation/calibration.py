"""Recordings for exports whose activations have fixed ranges."""

from __future__ import annotations

import numpy as np

from ...models.checkpoint import Checkpoint
from ...models.observer import CalibrationSample
from ..audio.mel import log_mel
from ..decoding.tokens import Tokenizer
from ..transcription.windows import short_context
from ..types import FRAMES_PER_POSITION, HOP_LENGTH, SAMPLE_RATE, AudioContexts
from .recordings import LabelledRecording, bundled_recordings

N_RECORDINGS = 6  # of different speakers
WHOLE_EVERY = 6  # one in a whole window, which is mostly silence and takes the most time


def calibration_samples(checkpoint: Checkpoint) -> tuple[CalibrationSample, ...]:
    """The bundled recordings with their texts, as the model would decode them.

    Windows are short and whole, texts with and without timestamps: what is not seen here is
    clamped in use.
    """
    tokenizer = Tokenizer(checkpoint.tokenizer, checkpoint.generation)
    contexts = AudioContexts(checkpoint.dimensions.n_audio_ctx)
    samples = []
    for i, recording in enumerate(bundled_recordings(N_RECORDINGS)):
        whole = i % WHOLE_EVERY == 0
        n_sound = len(recording.samples) // HOP_LENGTH
        n_positions = contexts.longest if whole else short_context(contexts, n_sound)
        mel = log_mel(
            recording.samples, checkpoint.dimensions.n_mels, n_positions * FRAMES_PER_POSITION
        )
        tokens = _tokens(tokenizer, recording, with_timestamps=i % 2 == 1)
        samples.append(CalibrationSample(mel, np.array(tokens, np.int64)))
    return tuple(samples)


def _tokens(
    tokenizer: Tokenizer, recording: LabelledRecording, *, with_timestamps: bool
) -> list[int]:
    """The prompt, the text and its end."""
    prompt = tokenizer.start_sequence("transcribe", "en", without_timestamps=not with_timestamps)
    text = tokenizer.encode(f" {recording.text}")
    if with_timestamps:
        seconds = len(recording.samples) / SAMPLE_RATE
        end = tokenizer.timestamp_begin + round(
            seconds / tokenizer.seconds(tokenizer.timestamp_begin + 1)
        )
        text = [tokenizer.timestamp_begin, *text, end]
    return [*prompt, *text, tokenizer.eot]
