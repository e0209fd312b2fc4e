"""What one utterance's text has otherwise than its reference."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from ..decoding.words import UNSPACED_LANGUAGES
from ..errors import ConfigError
from ..transcription.word_errors import compare, load_jiwer
from .normalizer import normalizer_for
from .result import Result
from .utterance import Utterance

FEWEST_INSERTED = 5  # words: less is a compound written apart, a filler, a false start
INSERTED_SHARE = 0.5  # of the reference; recognition that only mishears stays far below
FEWEST_ROUNDS = 4  # a phrase said three times is speech, or a song
FEWEST_LOOPED = 10  # words: people do say "no, no, no, no"
LONGEST_PHRASE = 24  # words


class Counts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The fewest edits between a text and its reference.

    Attributes:
        n_reference: Words, or characters, of the reference.
        substitutions: Those that are others.
        insertions: Those too many.
        deletions: Those that are missing.
    """

    n_reference: int
    substitutions: int
    insertions: int
    deletions: int

    @property
    def errors(self) -> int:
        """All edits."""
        return self.substitutions + self.insertions + self.deletions


class Score(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One utterance, judged.

    Attributes:
        id: Of the utterance.
        speaker: Who said it.
        reference: What was said, normalized.
        text: What was made of it, normalized.
        words: Edits of words; of letters where a language writes no spaces.
        characters: Edits of characters, spaces between words among them.
        is_silent: Nobody speaks: the reference is empty, once normalized.
        is_empty: Somebody speaks, and there is no text.
        is_hallucination: See ``is_hallucination``.
        duration_s: Of the sound.
        compute_s: Wall-clock time of the transcription.
    """

    id: str
    speaker: str
    reference: str
    text: str
    words: Counts
    characters: Counts
    is_silent: bool
    is_empty: bool
    is_hallucination: bool
    duration_s: float
    compute_s: float


def score(utterance: Utterance, result: Result) -> Score:
    """Compare a result with what was said.

    Args:
        utterance: With its reference.
        result: Of the same utterance.

    Raises:
        ConfigError: The result is another utterance's.
        MissingDependencyError: jiwer or whisper-normalizer is not installed.
    """
    refuse_another(utterance, result)
    normalize = normalizer_for(utterance.language)
    reference, text = _spoken(normalize(utterance.text)), _spoken(normalize(result.text))
    words = count_words(reference.split(), text.split())
    if utterance.language in UNSPACED_LANGUAGES:
        # The normalizer put the spaces there; they are nothing that could be got wrong.
        characters = count_characters(reference.replace(" ", ""), text.replace(" ", ""))
    else:
        characters = count_characters(reference, text)
    return Score(
        id=utterance.id,
        speaker=utterance.speaker,
        reference=reference,
        text=text,
        words=words,
        characters=characters,
        is_silent=not reference,
        is_empty=bool(reference) and not text,
        is_hallucination=is_hallucination(reference.split(), text.split(), words),
        duration_s=result.duration_s,
        compute_s=result.compute_s,
    )


def refuse_another(utterance: Utterance, result: Result) -> None:
    """Refuse the result of another utterance.

    Raises:
        ConfigError: It is one.
    """
    if utterance.id != result.id:
        raise ConfigError(
            f"the result of '{result.id}' cannot be judged by the reference of '{utterance.id}'"
        )


def _spoken(text: str) -> str:
    """Nothing, if there is neither letter nor digit: of "..." the normalizer leaves a dot."""
    return text if any(sign.isalnum() for sign in text) else ""


def count_words(reference: Sequence[str], text: Sequence[str]) -> Counts:
    """Count the edits between two lists of words; where nobody speaks, every word is inserted.

    Raises:
        MissingDependencyError: jiwer is not installed.
    """
    if not reference:
        return Counts(0, 0, len(text), 0)
    errors, _ = compare(reference, text)
    return Counts(errors.n_reference, errors.substitutions, errors.insertions, errors.deletions)


def count_characters(reference: str, text: str) -> Counts:
    """Count the edits between two texts, a space being a character like any other.

    Raises:
        MissingDependencyError: jiwer is not installed.
    """
    if not reference:
        return Counts(0, 0, len(text), 0)
    found = load_jiwer().process_characters([reference], [text])
    return Counts(len(reference), found.substitutions, found.insertions, found.deletions)


def is_hallucination(reference: Sequence[str], text: Sequence[str], words: Counts) -> bool:
    """Whether a text was made up, as far as counting can tell.

    It was, if one of these holds:

    - Nobody speaks, and there is text (Barański et al., arXiv 2501.11378).
    - At least ``FEWEST_INSERTED`` words are inserted, and at least ``INSERTED_SHARE`` of the
      reference's number: the fewest edits explain by substitutions whatever can be a mishearing,
      so these stand for no speech at all.
    - The text goes round in a loop that the reference has not got: a phrase ``FEWEST_ROUNDS`` times
      in succession or more, ``FEWEST_LOOPED`` words or more, and more than twice the longest such
      run of the reference. A loop that takes the place of speech is all substitutions, and would
      pass the rule above (Radford et al., arXiv 2212.04356, section 4.5, on repetition loops).

    A fluent sentence about something else, as long as what was said, is a hallucination by its
    meaning (Frieske and Shi, arXiv 2401.01572), and counts here as misheard: no count of edits
    tells the two apart. The thresholds are ours; there are no established ones.

    Args:
        reference: Normalized words.
        text: Normalized words.
        words: The edits between them.
    """
    if not reference:
        return bool(text)
    if words.insertions >= max(FEWEST_INSERTED, INSERTED_SHARE * words.n_reference):
        return True
    looped = looped_words(text)
    return looped > 2 * looped_words(reference) and looped >= FEWEST_LOOPED


def looped_words(words: Sequence[str]) -> int:
    """Length of the longest stretch that is one phrase, said ``FEWEST_ROUNDS`` times or more."""
    longest = 0
    for n_phrase in range(1, min(LONGEST_PHRASE, len(words) // FEWEST_ROUNDS) + 1):
        n_same = 0  # words in succession that stand one phrase behind their like
        for earlier, later in zip(words, words[n_phrase:], strict=False):
            n_same = n_same + 1 if earlier == later else 0
            n_run = n_same + n_phrase
            if n_same >= (FEWEST_ROUNDS - 1) * n_phrase and n_run > longest:
                longest = n_run
    return longest
