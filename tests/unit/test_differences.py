"""Whether differences are found where there are some, and not where there are none."""

from __future__ import annotations

import itertools
import random

import numpy as np
import pytest

from whisperq_edge.edge.accuracy import difference, interval
from whisperq_edge.edge.accuracy.difference import holm, paired_difference, sign_flip
from whisperq_edge.edge.accuracy.scoring import Counts, Score
from whisperq_edge.edge.errors import ConfigError


def scored(name, speaker, n_words, n_errors, reference="said"):
    words = Counts(n_words, n_errors, 0, 0)
    silent = n_words == 0
    return Score(name, speaker, reference, "heard", words, words, silent, False, False, 1.0, 1.0)


def simulated(generator, n_speakers, effect=0.0, n_utterances=4):
    """Words, and two artifacts' errors, each of shape (speakers, utterances).

    Sentences and speakers are as hard for the one as for the other.
    """
    shape = (n_speakers, n_utterances)
    words = generator.integers(5, 26, shape)
    harder = np.exp(0.6 * generator.standard_normal((n_speakers, 1)))
    rates = 0.1 * harder * generator.gamma(4, 1 / 4, shape)
    return words, *(
        generator.binomial(words, np.minimum(rates * (1 + more), 1)) for more in (effect, 0)
    )


def simulated_scores(*arguments):
    """The same as scores."""
    words, *sides = simulated(*arguments)
    return [
        [
            scored(f"{speaker}-{utterance}", f"s{speaker}", int(words[speaker, utterance]), int(n))
            for (speaker, utterance), n in np.ndenumerate(errors)
        ]
        for errors in sides
    ]


def p_values(n_speakers, n_sets, effect=0.0, n_utterances=4):
    """Of many simulated pairs of artifacts."""
    generator = np.random.default_rng(11)
    pairs = (simulated(generator, n_speakers, effect, n_utterances) for _ in range(n_sets))
    return np.array([sign_flip((a - b).sum(axis=1)) for _, a, b in pairs])


def found_share(n_speakers, n_sets, effect=0.0):
    """Share of pairs that are told apart at 0.05."""
    return np.mean(p_values(n_speakers, n_sets, effect) <= 0.05)


def test_by_hand():
    a = [scored("1", "x", 10, 3), scored("2", "x", 10, 1), scored("3", "y", 20, 4)]
    b = [scored("1", "x", 10, 1), scored("2", "x", 10, 1), scored("3", "y", 20, 1)]
    found = paired_difference(a, b)
    assert found.estimate == 5 / 40
    # x: 2 of 20, y: 3 of 20; drawn twice, the one or the other.
    assert (found.low, found.high) == (0.1, 0.15)
    assert found.p_value == 0.5  # +2 +3 and -2 -3, of four
    assert found.n_speakers == 2
    back = paired_difference(b, a)
    assert (back.estimate, back.low, back.high) == (-5 / 40, -0.15, -0.1)
    assert back.p_value == found.p_value


# All assignments of signs are tried with 10 speakers, random ones with 30.
@pytest.mark.parametrize(("n_speakers", "n_sets"), [(10, 1000), (30, 400)])
def test_no_difference_is_seldom_found(n_speakers, n_sets):
    # Three standard deviations of a binomial; fewer than 0.05 are right too, because counts tie.
    most = 0.05 + 3 * (0.05 * 0.95 / n_sets) ** 0.5
    assert 0.025 <= found_share(n_speakers, n_sets) <= most


def test_p_values_are_uniform_where_there_is_no_difference():
    found = p_values(12, 800, n_utterances=40)  # many words, so that sums seldom tie
    for limit in (0.1, 0.25, 0.5, 0.75):
        assert np.mean(found <= limit) == pytest.approx(limit, abs=0.05)


def test_larger_differences_are_found_more_often():
    shares = [found_share(20, 150, effect) for effect in (0.0, 0.15, 0.3, 0.6)]
    assert shares == sorted(shares)
    assert shares[0] < 0.1 and shares[-1] > 0.95


def test_more_speakers_find_it_more_often():
    assert found_share(8, 150, 0.4) < found_share(40, 150, 0.4)


def test_intervals_hold_the_true_difference(monkeypatch):
    monkeypatch.setattr(interval, "N_RESAMPLES", 1000)
    monkeypatch.setattr(difference, "sign_flip", lambda differences: 1.0)
    generator = np.random.default_rng(2)
    pairs = (paired_difference(*simulated_scores(generator, 30)) for _ in range(400))
    assert 0.91 <= np.mean([found.low <= 0 <= found.high for found in pairs]) <= 0.98


def test_order_does_not_matter():
    a, b = simulated_scores(np.random.default_rng(1), 25, 0.3)
    expected = paired_difference(a, b)
    for seed in range(3):
        random.Random(seed).shuffle(a)
        random.Random(seed + 9).shuffle(b)
        assert paired_difference(a, b) == expected


class TestSignFlip:
    def test_all_assignments_are_tried_with_few_speakers(self):
        values = np.array([3, -1, 4, 1, 5, -2])
        signs = itertools.product((1, -1), repeat=6)
        as_large = [
            abs(sum(s * v for s, v in zip(row, values, strict=True))) >= 10 for row in signs
        ]
        assert sign_flip(values) == sum(as_large) / 64

    def test_the_least_that_few_speakers_can_show(self):
        assert sign_flip(np.array([7] * 5)) == 2 / 2**5
        assert sign_flip(np.array([7] * 6)) == 2 / 2**6

    def test_is_never_zero(self):
        assert sign_flip(np.full(300, 9)) == 1 / 16_385
        assert sign_flip(np.full(14, 9)) == 2 / 2**14

    def test_random_assignments_agree_with_all(self, monkeypatch):
        values = np.array([3, -1, 4, 1, 5, -2, 6, 2, -3, 5, 1, -4, 2, 3])
        exact = sign_flip(values)
        monkeypatch.setattr(difference, "MOST_EXACT", 3)
        whole = sign_flip(values)
        assert whole == pytest.approx(exact, abs=0.012)
        assert whole != exact
        monkeypatch.setattr(difference, "N_SIGNS_AT_ONCE", 1000)
        assert sign_flip(values) == whole

    def test_no_difference(self):
        assert sign_flip(np.zeros(40, np.int64)) == sign_flip(np.array([], np.int64)) == 1.0
        assert sign_flip(np.array([4, 0, 0, 0])) == 1.0


def test_same_texts_are_no_proof_of_equality():
    a = [scored(str(index), f"s{index}", 100, 10) for index in range(5)]
    found = paired_difference(a, a)
    assert (found.estimate, found.p_value) == (0.0, 1.0)
    assert found.low == -found.high
    assert (1 - found.high) ** 500 == pytest.approx(0.025)


def test_one_speaker():
    found = paired_difference([scored("1", "x", 10, 3)], [scored("1", "x", 10, 0)])
    assert (found.estimate, found.low, found.high, found.p_value) == (0.3, None, None, 1.0)


class TestRefused:
    def test_other_utterances(self):
        a = [scored("1", "x", 10, 3), scored("2", "x", 10, 3)]
        with pytest.raises(ConfigError, match="1 have only one of them, '2' first"):
            paired_difference(a, a[:1])
        with pytest.raises(ConfigError, match="2 have only one of them"):
            paired_difference(a, [a[0], scored("7", "x", 10, 3)])

    def test_other_references(self):
        a, b = scored("1", "x", 10, 3), scored("1", "x", 10, 3, reference="sad")
        with pytest.raises(ConfigError, match="'1' has two different references"):
            paired_difference([a], [b])

    def test_one_twice(self):
        a = scored("1", "x", 10, 3)
        with pytest.raises(ConfigError, match="two results of the utterance '1'"):
            paired_difference([a, a], [a])

    def test_silence(self):
        a = scored("1", "x", 0, 3)
        with pytest.raises(ConfigError, match="nobody speaks"):
            paired_difference([a], [a])
        with pytest.raises(ConfigError, match="nobody speaks"):
            paired_difference([], [])


def test_holm():
    # 0.01 x 4; 0.02 x 3; 0.03 x 2, no less than the one before; 0.5.
    assert holm([0.03, 0.01, 0.5, 0.02]) == pytest.approx([0.06, 0.04, 0.5, 0.06])
    assert holm([0.4, 0.6]) == [0.8, 0.8]
    assert holm([0.9, 0.7, 0.8]) == [1.0, 1.0, 1.0]
    assert holm([]) == []
