"""The formulas of the stream's report, each beside a number worked out by hand."""

import itertools
import random

import pytest

from whisperq_edge.edge.streaming.committed_words import CommittedWords
from whisperq_edge.edge.streaming.distribution import Distribution, Quantiles
from whisperq_edge.edge.streaming.erasure import Erasure
from whisperq_edge.edge.streaming.lateness import average_lagging, stream_lagging
from whisperq_edge.edge.streaming.resegmentation import resegment
from whisperq_edge.edge.transcription.word_errors import compare, plain, split, unit_of


class TestAverageLagging:
    def test_by_hand(self):
        # Sound of 4 s, four words of four: one per second would be 0, 1, 2, 3 s.
        # 1 - 0, 2 - 1, 3 - 2, 4 - 3: each is a second late. The last comes with the sound's end.
        assert average_lagging([1.0, 2.0, 3.0, 4.0], 4.0, 4) == 1.0

    def test_ends_with_the_first_word_behind_the_sound(self):
        # 2 - 0 = 2, 4 - 1 = 3, and nothing of the two that follow at 4: 5 / 2.
        assert average_lagging([2.0, 4.0, 4.0, 4.0], 4.0, 4) == 2.5

    def test_a_word_that_comes_after_the_sound_counts_whole(self):
        # 2 - 0 = 2, 5 - 1 = 4: 6 / 2.
        assert average_lagging([2.0, 5.0, 6.0, 7.0], 4.0, 4) == 3.0

    def test_a_first_word_after_the_sound(self):
        assert average_lagging([5.0, 6.0], 4.0, 2) == 5.0

    def test_too_many_words_gain_nothing(self):
        # Eight words at the times of four, for a reference of four. The pace is that of the eight,
        # half a second: 1 - 0, 1 - .5, 2 - 1, 2 - 1.5, 3 - 2, 3 - 2.5, 3.9 - 3, 3.9 - 3.5.
        # Plain average lagging takes the reference's second and falls below 0.
        delays = [1.0, 1.0, 2.0, 2.0, 3.0, 3.0, 3.9, 3.9]
        assert average_lagging(delays, 4.0, 4) == pytest.approx(5.8 / 8)

    def test_too_few_words_are_not_charged_for(self):
        # Two words for a reference of four: the pace stays at a second. 1 - 0, 2 - 1.
        assert average_lagging([1.0, 2.0], 4.0, 4) == 1.0

    def test_of_a_stream(self):
        # The first segment, 0 to 2 s with two words: 1 - 0, 2 - 1. The second, 10 to 14 s with two
        # words: 11.5 - 10 = 1.5, 13.5 - 10 - 2 = 1.5. The third has no words and does not count.
        places = [(0.0, 2.0), (10.0, 14.0), (20.0, 21.0)]
        assert stream_lagging([[1.0, 2.0], [11.5, 13.5], []], places, [2, 2, 1]) == 1.25

    def test_a_word_before_its_segment_has_no_delay(self):
        assert stream_lagging([[9.0, 12.0]], [(10.0, 12.0)], [2]) == (0 + 2 - 1) / 2

    def test_a_stream_without_words(self):
        assert stream_lagging([[]], [(0.0, 1.0)], [1]) is None


class TestResegmentation:
    @pytest.mark.parametrize(
        ("segments", "text", "expected"),
        [
            (["a b", "c d"], "a b c d", ["a b", "c d"]),
            (["a b", "c d"], "a x c d", ["a x", "c d"]),
            (["a b", "c d"], "a c d", ["a", "c d"]),
            (["a b", "c d"], "a b x x c d", ["a b x x", "c d"]),
            (["a b", "c d"], "x a b c d x", ["x a b", "c d x"]),
            (["a b", "c d", "e f"], "a b e f", ["a b", "", "e f"]),
            (["a b", "c d"], "", ["", ""]),
            (["a b", "c d"], "c d", ["", "c d"]),
            (["a b", "c d"], "w x y z", ["w x", "y z"]),
        ],
    )
    def test_by_hand(self, segments, text, expected):
        words = text.split()
        _, matches = compare(" ".join(segments).split(), words)
        cuts = resegment(matches, [len(segment.split()) for segment in segments])
        assert [" ".join(words[start:stop]) for start, stop in cuts] == expected

    def test_every_word_falls_to_one_segment(self):
        chance = random.Random(1)
        for _ in range(200):
            segments = [chance.choices("abcd", k=chance.randint(1, 4)) for _ in range(4)]
            words = chance.choices("abcd", k=chance.randint(0, 15))
            errors, matches = compare(list(itertools.chain(*segments)), words)
            cuts = resegment(matches, [len(segment) for segment in segments])
            assert [start for start, _ in cuts] == [0, *(stop for _, stop in cuts[:-1])]
            assert cuts[-1][1] == len(words)
            # The cut loses nothing: the segments' edits are those of the whole.
            n_edits = 0
            for segment, (start, stop) in zip(segments, cuts, strict=True):
                of_segment, _ = compare(segment, words[start:stop])
                n_edits += round(of_segment.rate * of_segment.n_reference)
            assert n_edits == round(errors.rate * errors.n_reference)


class TestWordErrors:
    def test_by_hand(self):
        # b is another word, d is missing, h is too many.
        errors, _ = compare("a b c d e f g".split(), "a x c e f g h".split())
        assert errors.n_reference == 7
        assert (errors.substitutions, errors.deletions, errors.insertions) == (1, 1, 1)
        assert errors.rate == 3 / 7

    def test_words_and_characters(self):
        assert split("Twenty-One, DON'T  stop!", "word") == ["twentyone", "don't", "stop"]
        assert split("你好。 世界", "char") == ["你", "好", "世", "界"]
        assert (unit_of("en"), unit_of("zh")) == ("word", "char")


class TestErasure:
    def test_by_hand(self):
        erasure = Erasure()
        erasure.update([], ["can", "i", "have"])  # nothing was there before
        erasure.update([], ["can", "eye"])  # i have vanish: 2
        erasure.update(["can"], ["i", "have"])  # eye: 1
        erasure.update(["i"], ["have", "a"])  # none
        erasure.update(["have", "the"], [])  # a: 1
        assert (erasure.n_erased, erasure.n_final) == (4, 4)
        assert erasure.normalized == 1.0

    def test_a_partial_text_that_stays_is_moved_by_what_comes_before_it(self):
        erasure = Erasure()
        erasure.update([], ["b"])
        erasure.update(["a"], None)  # b becomes a b
        erasure.update(["b"], [])
        assert erasure.n_erased == 1

    def test_nothing_is_normalized_before_there_is_text(self):
        assert Erasure().normalized is None


class TestDistribution:
    def test_quantiles_are_the_nearest_ranks(self):
        times = Distribution()
        for hundredths in random.Random(1).sample(range(1, 101), 100):
            times.add(hundredths / 100)
        found = times.quantiles()
        assert (found.n, found.p50_s, found.p95_s, found.max_s) == (100, 0.5, 0.95, 1.0)

    def test_few_values(self):
        times = Distribution()
        assert times.quantiles() is None
        times.add(0.25)
        assert times.quantiles() == Quantiles(1, 0.25, 0.25, 0.25)

    def test_rounds_to_three_digits(self):
        times = Distribution()
        for value in (0.12345, 12.345, 1234.5):
            times.add(value)
        found = times.quantiles()
        assert (found.p50_s, found.max_s) == (12.3, 1230.0)


class TestCommittedWords:
    def test_are_those_of_the_joined_text(self):
        chance = random.Random(1)
        pieces = ["a", " b", "-c", " -", ",", "'s", " ", " d e", "", " don't", "."]
        for _ in range(300):
            texts = chance.choices(pieces, k=8)
            words = CommittedWords("word")
            for number, text in enumerate(texts):
                words.add(text, number, number)
            assert words.words == plain("".join(texts)).split()
            assert words.n == len(words.words) == len(words.unaware_s) == len(words.aware_s)

    def test_a_word_is_there_when_its_last_piece_is(self):
        words = CommittedWords("word")
        words.add(" twenty", 1.0, 1.5)
        words.add("-one", 2.0, 2.5)
        assert (words.words, list(words.unaware_s), list(words.aware_s)) == (
            ["twentyone"],
            [2.0],
            [2.5],
        )
