"""How the words sound: targets for the encoder's auxiliary loss."""

from __future__ import annotations

from functools import cache
from pathlib import Path

LEXICON = Path(__file__).with_name("lexicon.tsv")
BLANK = 0  # of connectionist temporal classification


@cache
def _lexicon() -> dict[str, list[str]]:
    lines = LEXICON.read_text(encoding="utf-8").splitlines()
    return {word: phones.split() for word, phones in (line.split("\t") for line in lines)}


@cache
def _phone_ids() -> dict[str, int]:
    phones = sorted({phone for spoken in _lexicon().values() for phone in spoken})
    return {phone: index for index, phone in enumerate(phones, BLANK + 1)}


def n_phones() -> int:
    """Outputs of the auxiliary loss, the blank included."""
    return len(_phone_ids()) + 1


def phones(text: str) -> list[int]:
    """Phone ids of a text; words that are not in the lexicon are left out."""
    return [_phone_ids()[phone] for word in text.split() for phone in _lexicon().get(word, [])]
