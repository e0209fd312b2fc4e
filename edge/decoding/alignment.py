"""One pass over a text that is known, to see where in the window its words lie."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..types import FloatArray, Session
from .softmax import Normalizer
from .timing import WordTiming, align_words
from .tokens import Tokenizer


def align_text(
    session: Session,
    tokenizer: Tokenizer,
    tokens: Sequence[int],
    probabilities: Sequence[float] | None,
    *,
    task: str,
    language: str,
    n_positions: int,
) -> list[WordTiming]:
    """Align a text with the window that is encoded; what the session held of a text is forgotten.

    The text is fed without timestamps and without the text before it, whatever it was decoded with:
    that is how the alignment heads were chosen.

    Args:
        session: Holds the window. One that gives only the mean of its heads will do.
        tokenizer: Of the same checkpoint.
        tokens: The text, without timestamps.
        probabilities: Of each token. None asks this pass for them, which then takes as long as it
            takes to decode the text.
        task: That the text was decoded for.
        language: Likewise.
        n_positions: Encoder positions that hold sound; words lie within them.

    Returns:
        The words in order; punctuation is a word of its own.

    Raises:
        ContextFullError: The text is longer than the decoder.
        InferenceError: The runtime failed.
    """
    if not tokens:
        return []
    prompt = tokenizer.start_sequence(task, language, without_timestamps=True)
    session.rewind(0)
    session.reorder(np.zeros(1, np.int64))
    if probabilities is None:
        attention, probabilities = _token_by_token(session, tokenizer, prompt, tokens)
    else:
        session.step(np.array([[*prompt, *tokens, tokenizer.eot]], np.int64))
        attention = session.alignment[0]
    n_before = len(prompt) - 1  # the prompt's last token already predicts text
    return align_words(
        attention[:, :, :n_positions], tokens, probabilities, tokenizer, language, n_prompt=n_before
    )


def _token_by_token(
    session: Session, tokenizer: Tokenizer, prompt: Sequence[int], tokens: Sequence[int]
) -> tuple[FloatArray, list[float]]:
    """Feed a text; its attention, and how probable each token was among those that spell text."""
    normalizer = Normalizer(session.dimensions.n_vocab)
    logits = session.step(np.array([prompt], np.int64))
    attention, probabilities = [session.alignment[0].copy()], []
    for token in tokens:
        logits[0, tokenizer.eot : tokenizer.timestamp_end] = -np.inf
        probabilities.append(normalizer.probability(logits[0, : tokenizer.n_tokens], token))
        logits = session.step(np.array([[token]], np.int64))
        attention.append(session.alignment[0].copy())
    session.step(np.array([[tokenizer.eot]], np.int64))
    attention.append(session.alignment[0].copy())
    return np.concatenate(attention, axis=1), probabilities
