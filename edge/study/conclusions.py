"""Which findings of the study hold here: sentences that are made from the figures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from .judges import (
    Judge,
    Sentence,
    judge_faster,
    judge_lowest,
    judge_size,
    judge_slower,
    judge_stage,
    judge_words,
)
from .phrases import change
from .published import published
from .study import Study
from .verdict import MARGIN, VERDICTS, is_less, is_more

PRECISIONS = ("int8", "int5", "int4")


@dataclass(frozen=True)
class Conclusion:
    """One finding of the study.

    Attributes:
        claim: As a sentence.
        published: What the study has for it.
        sentences: What was measured here; empty where nothing was.
    """

    claim: str
    published: str
    sentences: tuple[Sentence, ...]

    @property
    def verdict(self) -> str:
        """Of all sentences: "holds", or "holds in 3, cannot be told in 1 of 4"."""
        verdicts = [sentence.verdict for sentence in self.sentences]
        if not verdicts:
            return "not measured here"
        if len(set(verdicts)) == 1:
            return verdicts[0]
        counted = [f"{one} in {verdicts.count(one)}" for one in VERDICTS if one in verdicts]
        return f"{', '.join(counted)} of {len(verdicts)}"


def conclusions_of(study: Study) -> list[Conclusion]:
    """All findings: sizes, times, words, stages."""
    return [*_sizes(study), *_latencies(study), *_words(study), *_stages(study)]


def _sizes(study: Study) -> Iterator[Conclusion]:
    claimed = f"{100 * published().claims.size_reduction:g} % smaller in the abstract, "
    for precision in PRECISIONS:
        yield Conclusion(
            f"{precision.upper()} makes the model smaller",
            f"{claimed if precision == 'int8' else ''}"
            f"{_printed_change(precision, 'size_mib', 'smaller', 'larger')} in Table III",
            _sentences(study, precision, judge_size),
        )


def _latencies(study: Study) -> Iterator[Conclusion]:
    claimed = f"{100 * published().claims.latency_reduction:g} % less time in the abstract, "
    for precision in PRECISIONS:
        is_slower = precision == "int5"
        yield Conclusion(
            f"{precision.upper()} is {'slower' if is_slower else 'faster'} than unquantized",
            f"{claimed if precision == 'int8' else ''}"
            f"{_printed_change(precision, 'latency_s', 'less time', 'more time')} in Table III",
            _sentences(study, precision, judge_slower if is_slower else judge_faster),
        )


def _words(study: Study) -> Iterator[Conclusion]:
    for precision in PRECISIONS:
        yield Conclusion(
            f"{precision.upper()} keeps the words",
            f"{_printed_rate(precision)} of them wrong beside {_printed_rate('unquantized')} in "
            f"Table III; here: surely no more than {100 * MARGIN:g} point more",
            _sentences(study, precision, judge_words),
        )
    yield Conclusion(
        "INT4 has the fewest words wrong",
        f"{_printed_rate('int4')}, and {_printed_rate('int8')} all others in Table III",
        _sentences(study, "int4", judge_lowest),
    )


def _stages(study: Study) -> Iterator[Conclusion]:
    columns = {run.name: run for run in published().runs}
    standard, quantized = columns["CPU, standard"], columns["CPU, quantized"]
    for name, said, claim in (
        ("load", "opens sooner", is_less),
        ("encode", "encodes more slowly", is_more),
        ("decode", "decodes faster", is_less),
    ):
        yield Conclusion(
            f"A quantized model {said} on a CPU",
            f"{getattr(quantized, name):g} ms beside {getattr(standard, name):g} in Table II; "
            "here: INT8",
            _sentences(study, "int8", judge_stage(name, claim)),
        )


def _sentences(study: Study, precision: str, judge: Judge) -> tuple[Sentence, ...]:
    formats = (one for one in study.formats if one.precision == precision)
    return tuple(sentence for one in formats if (sentence := judge(study, one)))


def _printed_change(precision: str, field: str, less: str, more: str) -> str:
    row, base = published().format(precision), published().format("unquantized")
    assert row is not None and base is not None
    return change(getattr(row, field) / getattr(base, field), less, more)


def _printed_rate(precision: str) -> str:
    row = published().format(precision)
    assert row is not None
    return f"{100 * row.word_error_rate:.2f} %"
