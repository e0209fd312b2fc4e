"""Which language is spoken."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..types import Session
from .tokens import Tokenizer


class Language(NamedTuple):
    """A language, given or detected.

    Attributes:
        code: "de".
        probability: None where it was given, or the model knows no other.
    """

    code: str
    probability: float | None = None


def language_probabilities(session: Session, tokenizer: Tokenizer) -> dict[str, float]:
    """How likely each language is in the window that is encoded.

    Args:
        session: Holds the window; the text so far is forgotten.
        tokenizer: Of a multilingual model.

    Returns:
        A probability for every code, likeliest first.
    """
    session.rewind(0)
    session.reorder(np.zeros(1, np.int64))
    codes = list(tokenizer.language_tokens)
    logits = session.step(np.array([[tokenizer.sot]], np.int64))[0]
    logits = logits[list(tokenizer.language_tokens.values())]
    weights = np.exp(logits - logits.max())
    probabilities = (weights / weights.sum()).tolist()
    session.rewind(0)
    ranked = sorted(zip(codes, probabilities, strict=True), key=lambda pair: -pair[1])
    return dict(ranked)


def detect_language(session: Session, tokenizer: Tokenizer) -> Language:
    """The likeliest language; see ``language_probabilities``."""
    code, probability = next(iter(language_probabilities(session, tokenizer).items()))
    return Language(code, probability)
