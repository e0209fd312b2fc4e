"""Capitals, punctuation, numbers, names and times, each beside a count by hand."""

from __future__ import annotations

import msgspec
import pytest

from whisperq_edge.edge.accuracy.hard_words import Misses
from whisperq_edge.edge.accuracy.orthography import Agreement
from whisperq_edge.edge.accuracy.qualities import Qualities, measure_qualities
from whisperq_edge.edge.accuracy.raw_words import raw_words
from whisperq_edge.edge.accuracy.result import Result, Settings
from whisperq_edge.edge.accuracy.time_errors import TimeErrors
from whisperq_edge.edge.accuracy.utterance import TimedWord, Utterance
from whisperq_edge.edge.errors import ConfigError


def pair(reference, text, language="en", words=(), found=(), name="a"):
    return (
        Utterance(name, "/a.wav", "0" * 64, reference, "x", language, words),
        Result("k", "d", Settings(), name, text, 1.0, 1.0, 1.0, words=found),
    )


def qualities(*pairs, names=()):
    return measure_qualities([pair(*texts) for texts in pairs], names)


class TestCapitalization:
    def test_by_hand(self):
        # Both: He, Anna. Only the reference: Paris. Only the text: Old. "went" is misheard.
        found = qualities(
            ("He met Anna in Paris. old men went", "He met Anna in paris. Old men Sent")
        )
        assert found.capitalization == Agreement(2, 1, 1)
        assert found.capitalization.f1 == pytest.approx(4 / 6)

    def test_words_behind_quotes_and_missing_ones(self):
        found = qualities(('"Yes," said Bo.', "“Yes” said."))  # Bo is missing: no capital lost
        assert found.capitalization == Agreement(1, 0, 0)

    @pytest.mark.parametrize("reference", ["all in small letters", "ALL IN CAPITALS", "12 34", ""])
    def test_references_that_cannot_say(self, reference):
        assert qualities((reference, "All In Small letters")).capitalization is None

    def test_one_utterance_of_capitals_says_something_beside_another(self):
        found = qualities(("NO", "no"), ("Well, no", "well no"))
        assert found.capitalization == Agreement(0, 2, 0)

    def test_scripts_without_capitals(self):
        assert qualities(("你好", "你好", "zh")).capitalization is None


class TestPunctuation:
    def test_by_hand(self):
        found = qualities(("Well, is it so? Yes, it is.", "Well is it so? Yes, it, was."))
        # Commas: behind "Yes" in both, "Well" only said, "it" only heard. The last dot: of "was".
        assert found.marks == {
            ".": Agreement(1, 0, 0),
            ",": Agreement(1, 1, 1),
            "?": Agreement(1, 0, 0),
        }
        assert found.punctuation == Agreement(3, 1, 1)
        assert found.punctuation.f1 == 6 / 8

    def test_marks_that_no_reference_has_count_as_added(self):
        found = qualities(("so it is.", "so; it is."))
        assert found.punctuation == Agreement(1, 0, 1)
        assert set(found.marks) == {"."}

    def test_marks_of_words_that_are_missing_or_inserted_do_not_count(self):
        found = qualities(("we go now, yes. so", "we go. yes. so then,"))
        assert found.marks["."] == Agreement(1, 0, 1)
        assert "," not in found.marks

    def test_points_within_words_are_none(self):
        found = qualities(("it is 3.5 and e.g. 1,000.", "it is 3.5 and e.g. 1,000."))
        assert found.marks == {".": Agreement(2, 0, 0)}

    def test_marks_that_stand_alone_and_in_other_scripts(self):
        assert qualities(("Bonjour !", "bonjour!", "fr")).marks == {"!": Agreement(1, 0, 0)}
        found = qualities(("你好\uff0c世界。", "你好,世界", "zh"))  # a full-width comma
        assert found.marks == {".": Agreement(0, 1, 0), ",": Agreement(1, 0, 0)}
        assert qualities(("यह है।", "यह है.", "hi")).marks == {".": Agreement(1, 0, 0)}

    def test_references_without(self):
        found = qualities(("no marks at all", "no, marks. at all!"))
        assert (found.punctuation, found.marks) == (None, {})


class TestNumbers:
    def test_by_hand(self):
        # twenty-one and $3.50 are right, third is missing, 1999 is misheard.
        said = "twenty-one of us paid $3.50 on the third day of 1999"
        heard = "21 of us paid three dollars and fifty cents on the day of 1990"
        assert qualities((said, heard)).numbers == Misses(4, 2)
        assert qualities((said, heard)).numbers.rate == 0.5

    def test_one_is_a_pronoun(self):
        assert qualities(("one never knows", "two never knows")).numbers is None

    def test_other_languages_have_numbers_in_digits(self):
        assert qualities(("5 Uhr oder sechs", "5 Uhr oder acht", "de")).numbers == Misses(1, 0)

    def test_nothing_heard(self):
        assert qualities(("in 1999", "")).numbers == Misses(1, 1)


class TestNames:
    def test_by_hand(self):
        # Anna's and Bordeaux; "He", "I'm" and what may begin a sentence are none.
        said = "He met Anna's aunt in Bordeaux, and I'm sure. Then \"Come on,\" she said"
        assert qualities((said, "he met Anna's aunt in Bordo and I'm sure")).names == Misses(2, 1)
        assert qualities((said, "HE MET ANNA AUNT IN BORDEAUX")).names == Misses(2, 0)

    def test_spelling_counts(self):
        assert qualities(("so says Catherine here", "so says Katherine here")).names == Misses(1, 1)

    def test_a_list(self):
        found = qualities(("we met john smith", "we met john smyth"), names=["John Smith", "Smyth"])
        assert found.names == Misses(2, 1)
        assert qualities(("we met Ben", "we met Ben"), names=["Anna"]).names is None

    def test_references_that_cannot_say(self):
        assert qualities(("we met john", "we met John")).names is None
        assert qualities(("WE MET JOHN", "we met John")).names is None
        assert qualities(("Er sah das Haus", "er sah das Haus", "de")).names is None
        assert qualities(("He went.", "he went")).names is None


def timed(*words):
    return tuple(TimedWord(text, start, end) for text, start, end in words)


class TestTimes:
    def test_by_hand(self):
        said = timed(("Well,", 0.0, 0.4), ("we", 0.5, 0.6), ("go", 0.7, 1.0), ("now", 1.2, 1.5))
        # "we" is misheard; starts are off by 0.1, 0.2, 0.6, ends by 0, 0.1, 0.2.
        heard = timed((" well", 0.1, 0.4), (" he", 9, 9), (" go.", 0.9, 1.1), (" now", 0.6, 1.7))
        found = measure_qualities([pair("Well, we go now", "well he go now", "en", said, heard)])
        assert found.times == TimeErrors(
            3,
            pytest.approx(0.3),
            pytest.approx(0.2),
            pytest.approx(0.1),
            pytest.approx(0.1),
        )

    def test_without_times(self):
        words = timed(("so", 0.0, 0.5))
        assert measure_qualities([pair("so", "so", "en", words, ())]).times is None
        assert measure_qualities([pair("so", "so", "en", (), words)]).times is None
        assert measure_qualities([pair("so", "no", "en", words, timed(("no", 0, 1)))]).times is None


def test_utterances_are_counted_together():
    found = qualities(("In Rome.", "in rome"), ("So to Rome.", "So to Rome."), ("", "Made up, 5."))
    assert found.capitalization == Agreement(2, 2, 0)
    assert found.punctuation == Agreement(1, 1, 0)
    assert found.names == Misses(2, 0)


def test_is_kept_as_json():
    found = qualities(("In Rome, 5.", "in rome 6."))
    assert msgspec.json.decode(msgspec.json.encode(found), type=Qualities) == found


def test_nothing_at_all():
    assert measure_qualities([]) == Qualities(None, None, {}, None, None, None)


def test_results_of_others_are_refused():
    utterance, result = pair("so", "so")[0], pair("so", "so", name="b")[1]
    with pytest.raises(ConfigError, match="'b' cannot be judged by the reference of 'a'"):
        measure_qualities([(utterance, result)])


def test_raw_words():
    words = raw_words('Uh, he said: (quietly) "The end…" — Mr. Poe\'s', "en")
    assert [word.key for word in words] == ["he", "said", "the", "end", "mister", "poe"]
    assert [word.may_start for word in words] == [True, False, True, False, True, True]
    assert [set(word.marks) for word in words] == [set(), {":"}, set(), {"."}, {"."}, set()]
