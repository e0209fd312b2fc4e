"""The promises of Session that every runtime checks alike."""

from __future__ import annotations

from ..edge.errors import ContextFullError, InferenceError
from ..edge.types import (
    FRAMES_PER_POSITION,
    AudioContexts,
    FloatArray,
    IntArray,
    ModelDimensions,
)


def check_mel(mel: FloatArray, dimensions: ModelDimensions, contexts: AudioContexts) -> int:
    """The number of positions of a window, if the session takes it.

    Raises:
        InferenceError: The shape is not one that the session offers.
    """
    wanted = f"({dimensions.n_mels}, {FRAMES_PER_POSITION} * positions)"
    if mel.ndim != 2 or mel.shape[0] != dimensions.n_mels or mel.shape[1] % FRAMES_PER_POSITION:
        raise InferenceError(f"mel has shape {mel.shape}, wanted {wanted}")
    n_positions: int = mel.shape[1] // FRAMES_PER_POSITION
    if n_positions < 1 or contexts.fit(n_positions) != n_positions:
        offered = ", ".join(map(str, contexts.fixed)) or f"1 to {contexts.longest}"
        raise InferenceError(f"mel has {n_positions} positions, this artifact takes {offered}")
    return n_positions


def check_tokens(
    tokens: IntArray, n_hypotheses: int, n_past: int, dimensions: ModelDimensions
) -> None:
    """Refuse a step that the cache cannot take.

    Raises:
        InferenceError: Nothing is encoded, or the shape or an id is wrong.
        ContextFullError: More tokens than positions are left.
    """
    if not n_hypotheses:
        raise InferenceError("no window is encoded: call encode before step")
    if tokens.ndim != 2 or tokens.shape[0] != n_hypotheses or not tokens.shape[1]:
        raise InferenceError(f"tokens have shape {tokens.shape}, wanted ({n_hypotheses}, n)")
    if n_past + tokens.shape[1] > dimensions.n_text_ctx:
        raise ContextFullError(
            f"{n_past} + {tokens.shape[1]} tokens exceed the decoder's {dimensions.n_text_ctx}"
        )
    if tokens.min() < 0 or tokens.max() >= dimensions.n_vocab:
        raise InferenceError(f"a token is not within 0 to {dimensions.n_vocab - 1}")


def check_rewind(n_tokens: int, n_past: int) -> None:
    """Refuse to rewind forwards.

    Raises:
        InferenceError: There are not that many tokens.
    """
    if not 0 <= n_tokens <= n_past:
        raise InferenceError(f"cannot rewind to {n_tokens} tokens, there are {n_past}")


def check_reorder(sources: IntArray, n_hypotheses: int) -> None:
    """Refuse sources that are not there.

    Raises:
        InferenceError: There are none, or one is out of range.
    """
    if sources.ndim != 1 or not sources.size:
        raise InferenceError(f"sources have shape {sources.shape}, wanted (n_hypotheses,)")
    if sources.min() < 0 or sources.max() >= n_hypotheses:
        raise InferenceError(f"a source is not within 0 to {n_hypotheses - 1}")
