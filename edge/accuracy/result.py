"""What came of one utterance: raw, so that every rate can be computed again."""

from __future__ import annotations

from typing import Literal

import msgspec

from .utterance import TimedWord

Variant = Literal["plain", "streaming", "word-times"]
"""How it was heard: as a file; live, by LocalAgreement-2; as a file, with a time for each word."""

SETTINGS_VERSION = 1  # to be raised when the same settings come to mean other work


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How utterances are transcribed; part of what a result is filed under.

    Attributes:
        variant: See ``Variant``.
        threads: Compute threads.
        beam_size: None is greedy.
        audio_context: "auto" or "full", see ``TranscriptionOptions``.
        device: Where to run, in the library's words; None for its default.
        provider: ONNX Runtime's; None for the processor.
        condition: What was done to the sound, "clean" or as ``Condition.name`` writes it.
        version: ``SETTINGS_VERSION``.
    """

    variant: Variant = "plain"
    threads: int = 1
    beam_size: int | None = None
    audio_context: Literal["auto", "full"] = "auto"
    device: str | None = None
    provider: str | None = None
    condition: str = "clean"
    version: int = SETTINGS_VERSION


class Result(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One utterance, transcribed by one artifact: a line of the results file.

    Attributes:
        key: sha256 over what decides the text: the artifact's digest, the sound's, the settings,
            the language.
        artifact: Digest of its manifest.
        settings: How.
        id: Of the utterance.
        text: What was made of it.
        words: With times, for the variant that has them.
        duration_s: Of the sound.
        compute_s: Wall-clock time of the transcription, the model being loaded.
        cpu_s: Processor time of it.
        stand_in: Whether it was computed by what only shows the texts of a target, and not by the
            target's own library: its times are nobody's.
    """

    key: str
    artifact: str
    settings: Settings
    id: str
    text: str
    duration_s: float
    compute_s: float
    cpu_s: float
    words: tuple[TimedWord, ...] = ()
    stand_in: bool = False
