"""Voice activity, found once per sound, so that all engines hear the same utterances."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from probe import Probe

from whisperq_edge.edge.audio.activity import VoiceActivity
from whisperq_edge.edge.streaming.endpointing import Endpointer
from whisperq_edge.edge.streaming.options import StreamingOptions

from .sounds import Sound
from .utterances import SAMPLE_RATE, Utterance


@dataclass(frozen=True)
class Speech:
    """What the detector heard in one sound.

    Attributes:
        activity: Probabilities, frame by frame, as a NumPy file.
        n_frame: Samples of a frame.
        utterances: In order.
        silences: Stretches in which no voice was heard, in seconds, in order.
        cpu_s: What hearing it took, which is counted for nobody.
    """

    activity: Path
    n_frame: int
    utterances: tuple[Utterance, ...]
    silences: tuple[tuple[float, float], ...]
    cpu_s: float


def listen(sound: Sound, activity: VoiceActivity) -> Speech:
    """Hear a sound as a streamer with the default options does."""
    options = StreamingOptions()
    activity.reset()
    recorder = Probe(activity)
    endpointer = Endpointer(
        recorder, threshold=options.vad_threshold, min_silence_s=options.min_silence_s
    )
    utterances: list[Utterance] = []
    silences: list[tuple[int, int]] = []
    samples = np.load(sound.path)
    began = time.process_time()
    start = known = told = n_heard = 0
    for first in range(0, len(samples), endpointer.n_frame):
        frame = samples[first : first + endpointer.n_frame]
        was_speaking = endpointer.speaking
        endpointer.take(np.pad(frame, (0, endpointer.n_frame - len(frame))))
        n_heard += len(frame)
        if endpointer.speaking and not was_speaking:
            start, known = endpointer.start, n_heard
        if was_speaking and not endpointer.speaking:
            utterances.append(Utterance(start, known, endpointer.voiced_until, n_heard))
            silences += endpointer.silences(told, n_heard)  # older ones are soon forgotten
            told = n_heard
    silences += endpointer.silences(told, n_heard)
    if endpointer.speaking:  # ends with the sound, which the streamer learns from ``finish``
        utterances.append(Utterance(start, known, endpointer.voiced_until, n_heard + 1))
    cpu_s = time.process_time() - began
    path = sound.path.with_suffix(".activity.npy")
    np.save(path, np.array(recorder.probabilities, np.float32))
    in_s = tuple((start / SAMPLE_RATE, end / SAMPLE_RATE) for start, end in silences)
    return Speech(path, endpointer.n_frame, tuple(utterances), in_s, cpu_s)
