"""Whether intervals hold the truth as often as they say, on speakers whose true rate is known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from whisperq_edge.edge.accuracy import interval
from whisperq_edge.edge.accuracy.interval import (
    by_speaker,
    ratio_interval,
    resampled_ratios,
    student_quantile,
)

TRUE_WER = 0.08


@pytest.fixture
def quick(monkeypatch):
    """Fewer drawings, for what is done to hundreds of sets."""
    monkeypatch.setattr(interval, "N_RESAMPLES", 1000)


def simulated(generator, n_speakers, n_utterances=15):
    """Errors and words, shape (speakers, utterances); some speakers and sentences are harder."""
    spread = 0.6
    harder = np.exp(spread * generator.standard_normal((n_speakers, 1)) - spread**2 / 2)
    sentence = generator.gamma(4, 1 / 4, (n_speakers, n_utterances))
    words = generator.integers(5, 26, (n_speakers, n_utterances))
    return generator.binomial(words, np.minimum(TRUE_WER * harder * sentence, 1)), words


def coverage(n_speakers, n_sets, over_utterances=False):
    """Share of simulated sets whose interval holds the true rate."""
    generator = np.random.default_rng(7)
    n_held = 0
    for _ in range(n_sets):
        errors, words = simulated(generator, n_speakers)
        if over_utterances:
            found = ratio_interval(errors.ravel(), words.ravel())
        else:
            found = ratio_interval(errors.sum(axis=1), words.sum(axis=1))
        n_held += found.low <= TRUE_WER <= found.high
    return n_held / n_sets


def test_95_of_100_intervals_hold_the_truth(quick):
    assert 0.91 <= coverage(40, 500) <= 0.98


def test_utterances_are_no_independent_evidence(quick):
    assert coverage(20, 200, over_utterances=True) < 0.70


# What the module's docstring says of few speakers.
@pytest.mark.parametrize(("n_speakers", "stated"), [(3, 0.72), (5, 0.88), (10, 0.91), (20, 0.92)])
def test_few_speakers(n_speakers, stated, quick):
    assert coverage(n_speakers, 1000) == pytest.approx(stated, abs=0.025)


def test_plain_percentiles_would_be_too_narrow_for_few_speakers(monkeypatch, quick):
    monkeypatch.setattr(interval, "expanded_tail", lambda tail, n_speakers: tail)
    assert coverage(10, 1000) < 0.88


def test_the_bootstrap_spreads_as_the_ratio_does():
    # Of many speakers the spread is known: that of the residuals (Cochran, "Sampling Techniques").
    errors, words = (sums.sum(axis=1) for sums in simulated(np.random.default_rng(1), 300))
    residuals = errors - errors.sum() / words.sum() * words
    expected = residuals.std() / math.sqrt(len(words)) / words.mean()
    assert resampled_ratios(errors, words).std() == pytest.approx(expected, rel=0.03)


def test_the_same_on_every_machine():
    errors, words = [3, 0, 5, 2, 9, 1, 4], [50, 40, 60, 45, 70, 30, 55]
    found = ratio_interval(errors, words)
    assert found == ratio_interval(errors, words)
    assert found.estimate == 24 / 350
    # Written down when it was made; another NumPy has to draw the same.
    assert (found.low, found.high) == pytest.approx(
        (0.026415094339622643, 0.10574712643678161), abs=1e-12
    )


def test_many_speakers_in_blocks_are_drawn_as_in_one(monkeypatch):
    errors, words = np.arange(50), np.full(50, 100)
    whole = resampled_ratios(errors, words)
    monkeypatch.setattr(interval, "N_DRAWN_AT_ONCE", 777)
    assert np.array_equal(whole, resampled_ratios(errors, words))
    assert len(whole) == 10_000


def test_one_speaker_has_no_interval():
    found = ratio_interval([3], [10])
    assert (found.estimate, found.low, found.high, found.n_speakers) == (0.3, None, None, 1)


def test_no_errors_are_not_certainty():
    found = ratio_interval([0, 0, 0], [100, 100, 100])
    assert (found.estimate, found.low) == (0.0, 0.0)
    # The rate at which 300 words come out without an error in 2.5 % of cases.
    assert (1 - found.high) ** 300 == pytest.approx(0.025)


def test_no_words_have_no_rate():
    assert ratio_interval([1, 2], [0, 0]) is None
    assert ratio_interval([], []) is None


def test_speakers_without_words_are_drawn_too():
    found = ratio_interval([0, 7], [10, 0])
    assert found.estimate == 0.7
    assert found.low == 0.0  # of some drawings, which hold only the first
    assert math.isfinite(found.high)


def test_everybody_alike_is_a_point():
    found = ratio_interval([5] * 8, [50] * 8)
    assert found.low == found.estimate == found.high == 0.1


def test_higher_levels_are_wider():
    errors, words = (sums.sum(axis=1) for sums in simulated(np.random.default_rng(3), 30))
    narrow, wide = (ratio_interval(errors, words, level) for level in (0.8, 0.99))
    assert wide.low < narrow.low < narrow.estimate < narrow.high < wide.high


@pytest.mark.parametrize(
    ("share", "freedom", "value"),  # of printed tables
    [
        (0.975, 1, 12.706),
        (0.975, 4, 2.776),
        (0.975, 9, 2.262),
        (0.995, 19, 2.861),
        (0.975, 499, 1.965),
    ],
)
def test_student_quantiles(share, freedom, value):
    assert student_quantile(share, freedom) == pytest.approx(value, abs=6e-4)


def test_sums_of_speakers():
    assert by_speaker(["b", "a", "b", "c"], [1, 2, 3, 4]).tolist() == [2, 4, 4]
    assert by_speaker([], []).tolist() == []
