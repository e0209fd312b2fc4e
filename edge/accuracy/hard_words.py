"""Numbers and names: few words of a text, but those that it is read for."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence

import msgspec

from .orthography import Compared, tell_case
from .raw_words import RawWord, aligned, word_key

CAPITAL_NOUNS = frozenset({"de", "lb"})  # languages where a capital makes no name
SELF = re.compile(r"\W*I(?:['\u2019]\w+)?\W*")  # "I", "I'm"


class Misses(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many words of one kind were not recognized.

    Attributes:
        n_words: Of the references.
        n_wrong: Of those, misheard or missing.
    """

    n_words: int
    n_wrong: int

    @property
    def rate(self) -> float:
        """Share that is wrong."""
        return self.n_wrong / self.n_words


def number_errors(texts: Iterable[tuple[str, str]]) -> Misses | None:
    """Numbers of the references that are not in the texts.

    In English, "twenty-one" is normalized to 21, and counts as 21 does, so do "third" and "$5";
    "one" is left as a word, for it is a pronoun as well. In other languages, words stay words, and
    only what is written in digits is a number.

    Args:
        texts: Reference and text of each utterance, normalized.

    Returns:
        None without numbers in the references.
    """
    n_words = n_wrong = 0
    for reference, text in texts:
        expected, found = reference.split(), text.split()
        numbers = [index for index, word in enumerate(expected) if re.search(r"\d", word)]
        if not numbers:
            continue
        right = {one for one, other in aligned(expected, found) if expected[one] == found[other]}
        n_words += len(numbers)
        n_wrong += sum(index not in right for index in numbers)
    return Misses(n_words, n_wrong) if n_words else None


def name_errors(
    compared: Sequence[tuple[Compared, str]], names: Collection[str] = ()
) -> Misses | None:
    """Names of the references that are not in the texts, spelled alike.

    Without a list, a name is a word with a capital where no sentence begins: behind no full stop,
    colon or opening quotation mark (so that the one after "Mr." is left out rather than guessed).
    Days and acronyms are names too, then; "I" is none.

    Args:
        compared: Each utterance's words, and its language.
        names: The list; names of several words count word by word.

    Returns:
        None without names in the references, where they do not tell capitals from small letters,
        or in languages that write nouns with a capital.
    """
    listed: dict[str, frozenset[str]] = {}
    cased = tell_case([utterance for utterance, _ in compared])
    n_words = n_wrong = 0
    for utterance, language in compared:
        if language not in listed:
            words = [word for name in names for word in name.split()]
            listed[language] = frozenset(word_key(word, language) for word in words)
        if not names and (not cased or language in CAPITAL_NOUNS):
            continue
        right = {
            one
            for one, other in utterance.pairs
            if utterance.reference[one].key == utterance.text[other].key
        }
        for index, word in enumerate(utterance.reference):
            if word.key in listed[language] if names else _is_name(word):
                n_words += 1
                n_wrong += index not in right
    return Misses(n_words, n_wrong) if n_words else None


def _is_name(word: RawWord) -> bool:
    return word.is_capitalized and not word.may_start and not SELF.fullmatch(word.text)
