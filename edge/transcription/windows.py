"""Windows: how much of the sound is encoded at once, and where the next one starts.

Source: openai/whisper ``whisper/transcribe.py`` for the cutting at timestamps.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from ..decoding.tokens import Tokenizer
from ..types import (
    FRAMES_PER_POSITION,
    FRAMES_PER_SECOND,
    HOP_LENGTH,
    POSITIONS_PER_SECOND,
    SAMPLE_RATE,
    AudioContexts,
    FloatArray,
)

TAIL_POSITIONS = POSITIONS_PER_SECOND  # a second of silence tells the decoder that speech ends
STEP_POSITIONS = POSITIONS_PER_SECOND // 2  # few lengths are kinder to a runtime's memory plans


class Window(NamedTuple):
    """Sound that is encoded at once.

    Attributes:
        seek: Its start in the recording, in mel frames.
        samples: At 16 kHz; fewer than the encoder takes where the recording ends.
    """

    seek: int
    samples: FloatArray

    @property
    def n_frames(self) -> int:
        """Sound in the window, in mel frames."""
        return len(self.samples) // HOP_LENGTH

    @property
    def start_s(self) -> float:
        """Its start in the recording."""
        return self.seek / FRAMES_PER_SECOND

    @property
    def end_s(self) -> float:
        """The end of its sound in the recording."""
        return self.start_s + len(self.samples) / SAMPLE_RATE


def short_context(contexts: AudioContexts, n_frames: int) -> int:
    """The encoder length for a window that is not full.

    Args:
        contexts: What the artifact offers.
        n_frames: Sound in the window, in mel frames.

    Returns:
        Positions for the sound and one second of silence, in steps of half a second where any
        length is offered; at most the longest window.
    """
    n_positions = -(-n_frames // FRAMES_PER_POSITION) + TAIL_POSITIONS
    if not contexts.fixed:
        n_positions += -n_positions % STEP_POSITIONS
    return contexts.fit(n_positions)


class Piece(NamedTuple):
    """One stretch of speech in a window, in seconds from the window's start."""

    start_s: float
    end_s: float
    tokens: tuple[int, ...]


class Cut(NamedTuple):
    """A window cut into pieces.

    Attributes:
        pieces: At least one, in order.
        n_frames: After how many frames the next window starts.
        is_complete: Whether a lone timestamp says that nothing follows the last piece.
    """

    pieces: tuple[Piece, ...]
    n_frames: int
    is_complete: bool


def cut(tokens: Sequence[int], tokenizer: Tokenizer, n_frames: int) -> Cut:
    """Cut what was decoded wherever two timestamps meet.

    Speech that the window's end interrupts has no second timestamp: it is left to the next window,
    which starts where the last whole piece ended. A lone timestamp at the end says that silence
    follows.

    Args:
        tokens: Text and timestamps of the window.
        tokenizer: Says which tokens are timestamps.
        n_frames: Sound in the window, in mel frames.
    """
    tokens = tuple(tokens)
    is_time = [tokenizer.is_time(token) for token in tokens]
    is_complete = is_time[-2:] == [False, True]
    ends = [index + 1 for index, pair in enumerate(pairwise(is_time)) if all(pair)]
    if not ends:
        return Cut((_whole(tokens, tokenizer, n_frames),), n_frames, is_complete)
    if is_complete:
        ends.append(len(tokens))
    pieces = tuple(
        Piece(tokenizer.seconds(part[0]), tokenizer.seconds(part[-1]), part)
        for part in (tokens[start:end] for start, end in pairwise([0, *ends]))
    )
    if is_complete:
        return Cut(pieces, n_frames, is_complete)
    last = tokens[ends[-1] - 1] - tokenizer.timestamp_begin
    # Every window moves on, whatever the model says.
    return Cut(pieces, min(last * FRAMES_PER_POSITION, n_frames) or n_frames, is_complete)


def _whole(tokens: tuple[int, ...], tokenizer: Tokenizer, n_frames: int) -> Piece:
    later = (token for token in reversed(tokens) if token != tokenizer.timestamp_begin)
    last = next((token for token in later if tokenizer.is_time(token)), None)
    end_s = n_frames / FRAMES_PER_SECOND if last is None else tokenizer.seconds(last)
    return Piece(0.0, end_s, tokens)
