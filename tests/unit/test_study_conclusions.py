"""Sentences that are made from figures, in every direction that the figures can go."""

from __future__ import annotations

import msgspec
import pytest

from whisperq_edge.edge.study.conclusions import Conclusion, conclusions_of
from whisperq_edge.edge.study.figure import Figure, exact
from whisperq_edge.edge.study.judges import (
    Sentence,
    judge_faster,
    judge_lowest,
    judge_size,
    judge_slower,
    judge_words,
)
from whisperq_edge.edge.study.phrases import less_or_more, points
from whisperq_edge.edge.study.verdict import all_below_zero, is_kept, is_less, is_more

from ..studies import artifact, difference, pair, study, times

INT8, FP16 = artifact("int8"), artifact("fp16")
MINUS = "\N{MINUS SIGN}"


@pytest.mark.parametrize(
    ("ratio", "less", "more"),
    [
        (Figure(0.8, 0.7, 0.9), "holds", "does not hold"),
        (Figure(1.2, 1.1, 1.3), "does not hold", "holds"),
        (Figure(0.9, 0.8, 1.1), "cannot be told", "cannot be told"),
        (Figure(1.0, 1.0, 1.0), "does not hold", "does not hold"),
        (Figure(0.5), "cannot be told", "cannot be told"),
        (Figure(0.9, 0.8, 1.0), "cannot be told", "does not hold"),
    ],
)
def test_a_ratio_is_judged_by_all_of_its_interval(ratio, less, more):
    assert is_less(ratio) == less
    assert is_more(ratio) == more


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (-0.004, 0.006, "holds"),
        (0.001, 0.009, "holds"),  # words are surely lost, and surely few
        (-0.004, 0.016, "cannot be told"),
        (0.002, 0.016, "does not hold"),
        (-0.02, -0.01, "holds"),
        (None, None, "cannot be told"),
    ],
)
def test_words_are_kept_within_a_margin(low, high, expected):
    assert is_kept(Figure(0.005, low, high)) == expected


@pytest.mark.parametrize(
    ("ends", "expected"),
    [
        ([(-0.02, -0.01), (-0.03, -0.001)], "holds"),
        ([(-0.02, -0.01), (-0.03, 0.001)], "cannot be told"),
        ([(-0.02, -0.01), (0.001, 0.02)], "does not hold"),
        ([(None, None)], "cannot be told"),
    ],
)
def test_the_lowest_is_below_all_others(ends, expected):
    assert all_below_zero([Figure(0.0, low, high) for low, high in ends]) == expected


@pytest.mark.parametrize(
    ("ratio", "text"),
    [
        (Figure(0.77, 0.74, 0.8), "23.0 % less (20.0 to 26.0 %)"),
        (Figure(1.05, 1.02, 1.08), "5.0 % more (2.0 to 8.0 %)"),
        (Figure(1.0, 0.97, 1.05), "between 3.0 % less and 5.0 % more (the interval spans 0)"),
        (Figure(0.504, 0.504, 0.504), "49.6 % less"),
        (Figure(1.0, 1.0, 1.0), "not less"),
        (Figure(0.5), "50.0 % less (no interval)"),
    ],
)
def test_a_ratio_in_words(ratio, text):
    assert less_or_more(ratio, "less", "more") == text


@pytest.mark.parametrize(
    ("more", "text"),
    [
        (Figure(0.0042, 0.001, 0.007), "0.42 points more words wrong (+0.10 to +0.70)"),
        (
            Figure(-0.002, -0.005, 0.001),
            f"0.20 points fewer words wrong ({MINUS}0.50 to +0.10, which spans 0)",
        ),
        (Figure(0.0, 0.0, 0.0), "as many words wrong (+0.00 to +0.00)"),
        (Figure(0.01), "1.00 points more words wrong (one speaker, no interval)"),
    ],
)
def test_a_difference_in_words(more, text):
    assert points(more, "words wrong") == text


def test_sizes():
    found = judge_size(study(), INT8)
    assert str(found) == "demo, ggml: int8 is 45.0 % smaller: holds."
    assert judge_size(study(), FP16) is None  # the reference itself
    larger = msgspec.structs.replace(INT8, size_bytes=25_000_000)
    found = judge_size(study(formats=(FP16, larger)), larger)
    assert str(found) == "demo, ggml: int8 is 25.0 % larger: does not hold."


@pytest.mark.parametrize(
    ("seconds", "faster", "slower", "says"),
    [
        (0.20, "holds", "does not hold", "33.3 % less time"),
        (0.40, "does not hold", "holds", "33.3 % more time"),
        (0.31, "cannot be told", "cannot be told", "spans 0"),
    ],
)
def test_times_in_every_direction(seconds, faster, slower, says):
    one = study(times=(times(FP16, 0.30), times(INT8, seconds)))
    for judge, verdict in ((judge_faster, faster), (judge_slower, slower)):
        found = judge(one, INT8)
        assert found.verdict == verdict
        assert says in found.text


def test_without_times_nothing_is_said_of_them():
    assert judge_faster(study(times=()), INT8) is None
    assert judge_faster(study(times=(times(INT8, 0.2),)), INT8) is None  # nothing beside it


@pytest.mark.parametrize(
    ("more", "spread", "expected"),
    [
        (0.0, 0.004, "holds"),
        (0.004, 0.008, "cannot be told"),
        (0.008, 0.004, "does not hold"),
        (-0.02, 0.004, "holds"),
    ],
)
def test_words_in_every_direction(more, spread, expected):
    one = study(pairs=(pair(INT8, FP16, more, spread),))
    assert judge_words(one, INT8).verdict == expected
    assert judge_words(study(pairs=()), INT8) is None


def test_one_speaker_tells_nothing_of_words():
    alone = pair(INT8, FP16, 0.0)
    alone = msgspec.structs.replace(alone, difference=difference(0.0))
    assert judge_words(study(pairs=(alone,)), INT8).verdict == "cannot be told"


def test_int4_is_compared_with_every_other():
    int4 = artifact("int4")
    others = [artifact(name) for name in ("fp16", "int8", "int5")]
    best = study(pairs=tuple(pair(int4, other, -0.02) for other in others))
    found = judge_lowest(best, int4)
    assert found.verdict == "holds"
    assert all(other.precision in found.text for other in others)
    values = (-0.02, -0.02, 0.02)
    beaten = study(
        pairs=tuple(pair(int4, other, v) for other, v in zip(others, values, strict=True))
    )
    assert judge_lowest(beaten, int4).verdict == "does not hold"
    assert judge_lowest(study(pairs=()), int4) is None


def test_findings_are_those_of_the_study():
    found = {one.claim: one for one in conclusions_of(study())}
    size = found["INT8 makes the model smaller"]
    assert size.published == "45 % smaller in the abstract, 44.7 % smaller in Table III"
    assert size.verdict == "holds"
    slower = found["INT5 is slower than unquantized"]
    assert slower.published == "4.4 % more time in Table III"
    # A stand-in is no INT5: only ggml has one.
    assert {sentence.subject for sentence in slower.sentences} == {
        "demo, ggml",
        "random:base, ggml",
    }
    words = found["INT4 keeps the words"]
    assert words.published.startswith("1.59 % of them wrong beside 1.99 % in Table III")
    assert found["INT4 has the fewest words wrong"].verdict == "does not hold"
    assert found["A quantized model encodes more slowly on a CPU"].verdict == "does not hold"
    assert found["A quantized model decodes faster on a CPU"].verdict == "holds"


def test_what_nobody_measured_is_said():
    found = conclusions_of(study(formats=(), accuracies=(), pairs=(), times=()))
    assert {one.verdict for one in found} == {"not measured here"}


def test_different_sentences_are_counted():
    def conclusion(*verdicts):
        return Conclusion("c", "p", tuple(Sentence("s", "t", verdict) for verdict in verdicts))

    assert conclusion("holds", "holds").verdict == "holds"
    mixed = conclusion("cannot be told", "holds", "holds", "does not hold")
    assert mixed.verdict == "holds in 2, does not hold in 1, cannot be told in 1 of 4"


def test_without_an_unquantized_format_nothing_is_compared():
    alone = study(formats=(INT8,))
    assert judge_size(alone, INT8) is None
    assert judge_words(alone, INT8) is None
    assert exact(1.0) == Figure(1.0, 1.0, 1.0)
