"""What is streamed: the bundled recordings of real people, one by one and joined."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np
from environments import WORK

from whisperq_edge.edge.audio.recording import load_audio
from whisperq_edge.edge.streaming.reference import ReferenceSegment
from whisperq_edge.edge.types import SAMPLE_RATE, FloatArray

RECORDINGS = Path(__file__).resolve().parents[2] / "models" / "demo" / "recordings"
FOLDER = WORK / "streaming"
JOINED_S = 120  # length of the joined stream, at least
TALK_S = 40  # likewise, of the one without pauses
PAUSE_S = (1.0, 2.0)  # between its recordings
BREATH_S = (0.1, 0.3)  # too short to end an utterance
HISS = 1e-4  # of full scale, -80 dB: a pause in a room is never digital silence

Kind = Literal["single", "long", "joined", "talk"]


class Recording(msgspec.Struct):
    """What is used of a line of the manifest; the text is empty where nobody speaks."""

    path: str
    dataset: str
    text: str = ""
    speech_start: float = 0.0
    speech_end: float = 0.0
    segments: tuple[ReferenceSegment, ...] = ()

    def said(self, after_s: float = 0.0) -> list[ReferenceSegment]:
        """What is said when, if the recording starts after so many seconds."""
        whole = ReferenceSegment(self.speech_start, self.speech_end, self.text)
        segments = self.segments or ((whole,) if self.text else ())
        return [ReferenceSegment(s.start + after_s, s.end + after_s, s.text) for s in segments]


class Sound(msgspec.Struct, frozen=True):
    """One stream.

    Attributes:
        name: Of its file.
        kind: A "single" recording, a "long" one, many "joined", or many without a pause: "talk".
        said: What is said when; empty where nobody speaks.
        n_samples: Its length.
    """

    name: str
    kind: Kind
    said: tuple[ReferenceSegment, ...]
    n_samples: int

    @property
    def path(self) -> Path:
        """The samples, as a NumPy file."""
        return FOLDER / f"{self.name}.npy"

    @property
    def duration_s(self) -> float:
        """Its length in seconds."""
        return self.n_samples / SAMPLE_RATE


def sounds() -> list[Sound]:
    """All streams, written on first use."""
    lines = (RECORDINGS / "manifest.jsonl").read_text(encoding="utf-8").splitlines()
    recordings = [msgspec.json.decode(line, type=Recording) for line in lines]
    # Speech of anything else becomes a coffee order: nothing to judge an engine by.
    recordings = [one for one in recordings if one.dataset != "out-of-domain"]
    FOLDER.mkdir(parents=True, exist_ok=True)
    found = [
        _saved(
            Path(recording.path).stem,
            "long" if recording.dataset == "joined" else "single",
            recording.said(),
            load_audio(RECORDINGS / recording.path),
        )
        for recording in recordings
    ]
    single = [one for one in recordings if one.dataset != "joined"]
    return [*found, _joined(single), _talk(single)]


def _joined(recordings: Sequence[Recording]) -> Sound:
    """Recordings in random order, with pauses of quiet noise."""
    rng = np.random.default_rng(0)
    said: list[ReferenceSegment] = []
    pieces = [hiss(rng, PAUSE_S)]
    for index in rng.permutation(len(recordings)):
        duration_s = sum(map(len, pieces)) / SAMPLE_RATE
        if duration_s > JOINED_S:
            break
        said += recordings[index].said(after_s=duration_s)
        pieces += [load_audio(RECORDINGS / recordings[index].path), hiss(rng, PAUSE_S)]
    return _saved("joined", "joined", said, np.concatenate(pieces))


def _talk(recordings: Sequence[Recording]) -> Sound:
    """The speech of recordings, so close together that the buffer has to be cut."""
    rng = np.random.default_rng(0)
    pieces = [hiss(rng, PAUSE_S)]
    for recording in recordings:
        if sum(map(len, pieces)) > TALK_S * SAMPLE_RATE:
            break
        bounds = (recording.speech_start, recording.speech_end)
        start, end = (round(bound * SAMPLE_RATE) for bound in bounds)
        pieces += [load_audio(RECORDINGS / recording.path)[start:end], hiss(rng, BREATH_S)]
    return _saved("talk", "talk", (), np.concatenate([*pieces, hiss(rng, PAUSE_S)]))


def hiss(rng: np.random.Generator, range_s: tuple[float, float]) -> FloatArray:
    """Quiet noise of a random length, in seconds."""
    n = round(rng.uniform(*range_s) * SAMPLE_RATE)
    return (HISS * rng.standard_normal(n)).astype(np.float32)


def _saved(name: str, kind: Kind, said: Sequence[ReferenceSegment], samples: FloatArray) -> Sound:
    sound = Sound(name, kind, tuple(said), len(samples))
    np.save(sound.path, samples)
    return sound
