"""Capitals and punctuation, beside those of the references."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from .raw_words import MARKS, RawWord, aligned


class Agreement(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How often two texts have something in the same places.

    Attributes:
        n_both: Places where both have it.
        n_missing: Places where only the reference does.
        n_added: Places where only the text does.
    """

    n_both: int
    n_missing: int
    n_added: int

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall; 1 is perfect."""
        return 2 * self.n_both / (2 * self.n_both + self.n_missing + self.n_added)


class Compared(msgspec.Struct, frozen=True):
    """One utterance's words as they are written, and which of them stand for each other.

    Attributes:
        reference: Words of the reference.
        text: Words of the text.
        pairs: Indices into both.
    """

    reference: Sequence[RawWord]
    text: Sequence[RawWord]
    pairs: Sequence[tuple[int, int]]

    @classmethod
    def of(cls, reference: Sequence[RawWord], text: Sequence[RawWord]) -> Compared:
        """Align them."""
        keys = [word.key for word in reference], [word.key for word in text]
        return cls(reference, text, aligned(*keys))

    @property
    def both(self) -> Iterable[tuple[RawWord, RawWord]]:
        """The words that stand for each other."""
        return ((self.reference[one], self.text[other]) for one, other in self.pairs)


def tell_case(compared: Sequence[Compared]) -> bool:
    """Whether the references have small letters and capitals; many sets are all of one kind."""
    letters = {
        (letter.islower(), letter.isupper())
        for utterance in compared
        for word in utterance.reference
        for letter in word.text
    }
    return {(True, False), (False, True)} <= letters


def capitalization(compared: Sequence[Compared]) -> Agreement | None:
    """Which words begin with a capital, of those that were recognized.

    A word that was misheard is an error of words, and not counted again.

    Returns:
        None where the references do not tell, or nothing has a capital.
    """
    if not tell_case(compared):
        return None
    return _agreement(
        (one.is_capitalized, other.is_capitalized)
        for utterance in compared
        for one, other in utterance.both
        if one.key == other.key
    )


def punctuation(compared: Sequence[Compared]) -> tuple[Agreement | None, dict[str, Agreement]]:
    """Which marks stand behind words that stand for each other, recognized or misheard.

    Marks behind words that are missing or inserted are not counted.

    Returns:
        Over all marks; None where the references have none. And for each mark of the references.
    """
    marks = {mark for utterance in compared for word in utterance.reference for mark in word.marks}
    if not marks:
        return None, {}
    found = {
        mark: _agreement(
            (mark in one.marks, mark in other.marks)
            for utterance in compared
            for one, other in utterance.both
        )
        for mark in MARKS
    }
    counted = {mark: agreement for mark, agreement in found.items() if agreement is not None}
    if not counted:
        return None, {}
    overall = Agreement(
        sum(agreement.n_both for agreement in counted.values()),
        sum(agreement.n_missing for agreement in counted.values()),
        sum(agreement.n_added for agreement in counted.values()),
    )
    return overall, {mark: counted[mark] for mark in MARKS if mark in marks & counted.keys()}


def _agreement(places: Iterable[tuple[bool, bool]]) -> Agreement | None:
    """Count; None where neither has it anywhere."""
    n_both = n_missing = n_added = 0
    for reference_has, text_has in places:
        n_both += reference_has and text_has
        n_missing += reference_has and not text_has
        n_added += text_has and not reference_has
    if n_both + n_missing + n_added == 0:
        return None
    return Agreement(n_both, n_missing, n_added)
