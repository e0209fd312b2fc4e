"""What one artifact says of one finding, beside the unquantized one of its target."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .figure import Figure, exact
from .format_table import latency_of
from .phrases import less_or_more, points
from .stage_table import stage
from .study import Format, Study
from .verdict import Verdict, all_below_zero, is_kept, is_less, is_more


@dataclass(frozen=True)
class Sentence:
    """One finding, for one checkpoint and target.

    Attributes:
        subject: "demo, onnx".
        text: What was measured, without a verdict.
        verdict: What follows.
    """

    subject: str
    text: str
    verdict: Verdict

    def __str__(self) -> str:
        """The whole sentence."""
        return f"{self.subject}: {self.text}: {self.verdict}."


Judge = Callable[[Study, Format], Sentence | None]
"""None where it was not measured, or there is nothing to set it beside."""


def judge_size(study: Study, one: Format) -> Sentence | None:
    """Whether it is smaller."""
    reference = _reference(study, one)
    ratio = exact(one.size_bytes / reference.size_bytes) if reference else None
    if ratio is None:
        return None
    return _sentence(one, f"is {less_or_more(ratio, 'smaller', 'larger')}", is_less(ratio))


def judge_faster(study: Study, one: Format) -> Sentence | None:
    """Whether it takes less time."""
    ratio = _latency_ratio(study, one)
    return _sentence(one, _time(ratio), is_less(ratio)) if ratio else None


def judge_slower(study: Study, one: Format) -> Sentence | None:
    """Whether it takes more."""
    ratio = _latency_ratio(study, one)
    return _sentence(one, _time(ratio), is_more(ratio)) if ratio else None


def judge_words(study: Study, one: Format) -> Sentence | None:
    """Whether it keeps the words of the first set."""
    reference = _reference(study, one)
    more = _more(study, one, reference) if reference else None
    if reference is None or more is None:
        return None
    text = f"has {points(more, 'words wrong')} than {reference.precision}"
    return _sentence(one, text, is_kept(more))


def judge_lowest(study: Study, one: Format) -> Sentence | None:
    """Whether it has fewer words wrong than every other precision of the first set."""
    others = [
        (other, more)
        for other in study.formats
        if (other.checkpoint, other.target) == (one.checkpoint, one.target)
        and (more := _more(study, one, other))
    ]
    if not others:
        return None
    listed = "; ".join(
        f"{points(more, 'words wrong')} than {other.precision}" for other, more in others
    )
    return _sentence(one, f"has {listed}", all_below_zero([more for _, more in others]))


def judge_stage(name: str, claim: Callable[[Figure], Verdict]) -> Judge:
    """A judge of one stage of the window.

    Args:
        name: "load", or a field of ``StagePass``.
        claim: What is said of the ratio.
    """

    def judge(study: Study, one: Format) -> Sentence | None:
        reference = _reference(study, one)
        beside = _stage(study, reference, name) if reference else None
        own = _stage(study, one, name)
        ratio = own.over(beside) if own and beside else None
        if ratio is None:
            return None
        return _sentence(one, f"{_time(ratio)} to {name}", claim(ratio))

    return judge


def _sentence(one: Format, text: str, verdict: Verdict) -> Sentence:
    return Sentence(f"{one.checkpoint}, {one.target}", f"{one.precision} {text}", verdict)


def _time(ratio: Figure) -> str:
    return f"takes {less_or_more(ratio, 'less time', 'more time')}"


def _reference(study: Study, one: Format) -> Format | None:
    """The unquantized one; None where it is that itself."""
    reference = study.reference(one)
    return None if reference == one else reference


def _stage(study: Study, one: Format, name: str) -> Figure | None:
    times = study.times_of(one.digest, study.config.threads[0])
    if times is None or not times.passes:
        return None
    return Figure.median(times.loads_s) if name == "load" else stage(times, name)


def _latency_ratio(study: Study, one: Format) -> Figure | None:
    reference = _reference(study, one)
    beside = latency_of(study, reference) if reference else None
    own = latency_of(study, one)
    return own.over(beside) if own and beside else None


def _more(study: Study, one: Format, other: Format) -> Figure | None:
    """Words wrong of the one minus the other's."""
    if other == one or not study.config.sets:
        return None
    return Figure.of(study.pair(one.digest, other.digest, study.config.sets[0].name))
