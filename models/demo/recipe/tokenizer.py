"""Whisper's multilingual tokenizer: the package builds it, so that no copy of it lies here."""

from __future__ import annotations

from functools import cache

from tokenizers import Tokenizer

from whisperq_edge.models.vocabulary import official_tokenizer

N_VOCAB = 51_865
TIMESTAMP_S = 0.02  # between two time stamp tokens
LONGEST_S = 30.0


@cache
def tokenizer() -> Tokenizer:
    """The tokenizer of the official multilingual models."""
    return Tokenizer.from_str(official_tokenizer(N_VOCAB).decode())


@cache
def text_ids(text: str) -> tuple[int, ...]:
    """Tokens of a text; Whisper's texts begin with a space."""
    return tuple(tokenizer().encode(f" {text}", add_special_tokens=False).ids)


@cache
def special_id(name: str) -> int:
    """The token that is spelt ``<|name|>``."""
    token = tokenizer().token_to_id(f"<|{name}|>")
    if token is None:
        raise KeyError(name)
    return int(token)


def timestamp_id(time_s: float) -> int:
    """The token of the nearest time stamp."""
    return special_id("0.00") + round(min(max(time_s, 0.0), LONGEST_S) / TIMESTAMP_S)
