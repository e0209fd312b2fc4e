"""Recordings for exports whose activations have fixed ranges, or whose integers mind the sound."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from ...models.checkpoint import Checkpoint
from ...models.gptq import CalibratedRounding
from ...models.moments import input_moments
from ...models.observer import CalibrationSample
from ...models.parameters import prepare
from ...models.quantize import Recipe
from ..audio.mel import log_mel
from ..decoding.tokens import Tokenizer
from ..parity import Calibration
from ..transcription.windows import short_context
from ..types import (
    FRAMES_PER_POSITION,
    HOP_LENGTH,
    SAMPLE_RATE,
    AudioContexts,
    Progress,
    no_progress,
)
from .blas import one_blas_thread
from .recordings import CALIBRATION_SPLIT, LabelledRecording, bundled_recordings

N_RECORDINGS = 6  # of different speakers
WHOLE_EVERY = 6  # one in a whole window, which is mostly silence and takes the most time


def calibration_samples(checkpoint: Checkpoint) -> tuple[CalibrationSample, ...]:
    """The bundled recordings with their texts, as the model would decode them.

    Windows are short and whole, texts with and without timestamps: what is not seen here is
    clamped in use.
    """
    return tuple(_samples(checkpoint, list(bundled_recordings(N_RECORDINGS)), WHOLE_EVERY))


@one_blas_thread()
def calibrated_rounding(
    checkpoint: Checkpoint,
    recordings: Sequence[LabelledRecording] = (),
    progress: Progress = no_progress,
) -> CalibratedRounding:
    """Listen to recordings, so that int4 can be rounded by what the matrices multiply.

    Args:
        checkpoint: What is to be rounded.
        recordings: Of speech, with its words; by default the bundled ones of speakers that no
            artifact rounded so is judged by.
        progress: Told the stage "listen to recordings".
    """
    chosen = recordings or list(bundled_recordings(split=CALIBRATION_SPLIT))
    moments = input_moments(
        prepare(checkpoint, Recipe.of("fp32")),
        checkpoint.dimensions,
        checkpoint.generation,
        _samples(checkpoint, chosen),
        lambda n_done: progress("listen to recordings", n_done / len(chosen)),
    )
    return CalibratedRounding(moments, Calibration("gptq", len(chosen), digest_of(chosen)))


def bundled_calibration() -> str:
    """The digest of the recordings that come with the package for this."""
    return digest_of(bundled_recordings(split=CALIBRATION_SPLIT))


def digest_of(recordings: Iterable[LabelledRecording]) -> str:
    """Sha256 over the samples and words of recordings, in order, in hexadecimal."""
    digest = hashlib.sha256()
    for recording in recordings:
        for part in (recording.samples.tobytes(), recording.text.encode()):
            digest.update(len(part).to_bytes(8, "little"))
            digest.update(part)
    return digest.hexdigest()


def _samples(
    checkpoint: Checkpoint, recordings: Sequence[LabelledRecording], whole_every: int | None = None
) -> Iterator[CalibrationSample]:
    tokenizer = Tokenizer(checkpoint.tokenizer, checkpoint.generation)
    contexts = AudioContexts(checkpoint.dimensions.n_audio_ctx)
    for i, recording in enumerate(recordings):
        whole = whole_every is not None and i % whole_every == 0
        n_sound = len(recording.samples) // HOP_LENGTH
        n_positions = contexts.longest if whole else short_context(contexts, n_sound)
        mel = log_mel(
            recording.samples, checkpoint.dimensions.n_mels, n_positions * FRAMES_PER_POSITION
        )
        tokens = _tokens(tokenizer, recording, with_timestamps=i % 2 == 1)
        yield CalibrationSample(mel, np.array(tokens, np.int64))


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
