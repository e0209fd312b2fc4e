"""Labelled speech of the user's own, for what is judged or rounded by recordings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ConfigError

if TYPE_CHECKING:
    from ..evaluation.recordings import LabelledRecording

LONGEST_S = 29.0  # a window less the second of silence at its end


def labelled_speech(name: str, limit: int | None = None) -> list[LabelledRecording]:
    """The recordings of a set that fit into a window and in which somebody speaks.

    Args:
        name: As ``load_set`` takes it.
        limit: Take no more, spread over the speakers.

    Raises:
        ConfigError: There is no such set, or nothing in it will do.
        AudioError: A file cannot be read.
    """
    from ..accuracy.sets import load_set
    from ..audio.recording import load_audio
    from ..evaluation.recordings import LabelledRecording
    from ..types import SAMPLE_RATE

    found = []
    for utterance in load_set(name, limit=limit).utterances:
        samples = load_audio(Path(utterance.audio))
        if utterance.text and len(samples) <= LONGEST_S * SAMPLE_RATE:
            found.append(LabelledRecording(utterance.id, samples, utterance.text))
    if not found:
        raise ConfigError(f"{name} has no recording with words of at most {LONGEST_S:g} s")
    return found
