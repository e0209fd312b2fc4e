"""What is streamed with what: engines, policies, windows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import prepare
from contenders import ANCHOR, CONTENDERS, Contender
from environments import HERE

from .speech import Speech

TRIMMING_S = 15.0  # length from which the buffer is cut
WORDS_PER_S = 3.0  # of the buffer, for the scripted checkpoints
N_SCRIPTED = 90  # words that those have for a window
BUNDLED = "bundled"
SCRIPTED = ("tiny", "base")
MODELS = (BUNDLED, *SCRIPTED)

Policy = Literal["local-agreement", "alignatt"]
Window = Literal["auto", "full"]

_BY_NAME = {contender.name: contender for contender in CONTENDERS}


@dataclass(frozen=True)
class Setup:
    """One way to stream.

    Attributes:
        contender: The engine.
        policy: What decides that a word stays.
        window: Whether the encoder sees the buffer as short as it is ("auto") or padded to 30 s.
        note: What else is told apart.
        options: What its engine is told beside all that.
    """

    contender: Contender
    policy: Policy
    window: Window
    note: str = ""
    options: Mapping[str, object] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """As results and tables call it."""
        return f"{self.contender.name}, {self.how}"

    @property
    def how(self) -> str:
        """What is told apart beside the engine."""
        window = "short window" if self.window == "auto" else "30 s window"
        return ", ".join(filter(None, (self.policy, window, self.note)))


def ours(policy: Policy, window: Window) -> Setup:
    """Our ONNX artifact."""
    return Setup(_BY_NAME["whisperq-edge onnx int8"], policy, window)


PEER = Setup(_BY_NAME[ANCHOR], "local-agreement", "full")  # what all ratios are over
SETUPS = (
    PEER,
    ours("local-agreement", "auto"),
    ours("alignatt", "auto"),
    ours("local-agreement", "full"),
)


def checkpoint(model: str) -> Path:
    """A model in Hugging Face's layout."""
    if model == BUNDLED:
        return HERE.parent / "models" / "demo"
    return prepare.checkpoint(model, N_SCRIPTED)


def job(setup: Setup, model: str, speech: Speech, chunk_s: float) -> dict[str, object]:
    """What an engine has to know of a stream, as plain data.

    Args:
        setup: How.
        model: A key of ``MODELS``.
        speech: The sound's.
        chunk_s: New sound between two updates, in seconds.
    """
    return {
        "policy": setup.policy,
        "audio_context": setup.window,
        "chunk_s": chunk_s,
        "trimming_s": TRIMMING_S,
        "words_per_s": WORDS_PER_S if model in SCRIPTED else None,
        "n_frame": speech.n_frame,
        "activity": str(speech.activity),
        "utterances": [list(utterance) for utterance in speech.utterances],
        "silences": [list(silence) for silence in speech.silences],
        **setup.options,
    }
