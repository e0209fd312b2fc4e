"""What an error rate does not say of a text: capitals, punctuation, numbers, names and times."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import msgspec

from .hard_words import Misses, name_errors, number_errors
from .normalizer import normalizer_for
from .orthography import Agreement, Compared, capitalization, punctuation
from .raw_words import raw_words
from .result import Result
from .scoring import refuse_another
from .time_errors import TimeErrors, time_errors
from .utterance import Utterance


class Qualities(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Counted over all utterances together; None where the references cannot say.

    The study (arXiv 2503.09905, table I) compares models by these in words; here they are measured.

    Attributes:
        capitalization: Words that begin with a capital.
        punctuation: Marks behind words, all together.
        marks: The same for each mark that the references have.
        numbers: Words of the references that are numbers.
        names: Words of the references that are names.
        times: Of words, for results that have them.
    """

    capitalization: Agreement | None
    punctuation: Agreement | None
    marks: dict[str, Agreement]
    numbers: Misses | None
    names: Misses | None
    times: TimeErrors | None


def measure_qualities(
    pairs: Sequence[tuple[Utterance, Result]], names: Collection[str] = ()
) -> Qualities:
    """Compare results with references, as both are written.

    Args:
        pairs: Utterances and their results, in any order.
        names: What counts as a name; capitals decide where none are given.

    Raises:
        ConfigError: A result is another utterance's.
        MissingDependencyError: jiwer or whisper-normalizer is not installed.
    """
    for utterance, result in pairs:
        refuse_another(utterance, result)
    compared = [
        Compared.of(
            raw_words(utterance.text, utterance.language),
            raw_words(result.text, utterance.language),
        )
        for utterance, result in pairs
    ]
    languages = [utterance.language for utterance, _ in pairs]
    normalized = [
        (normalizer_for(language)(utterance.text), normalizer_for(language)(result.text))
        for (utterance, result), language in zip(pairs, languages, strict=True)
    ]
    overall, marks = punctuation(compared)
    return Qualities(
        capitalization=capitalization(compared),
        punctuation=overall,
        marks=marks,
        numbers=number_errors(normalized),
        names=name_errors(list(zip(compared, languages, strict=True)), names),
        times=time_errors(
            (utterance.words, result.words, utterance.language) for utterance, result in pairs
        ),
    )
