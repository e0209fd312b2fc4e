"""Utterances judged one by one, and what they come to together."""

from __future__ import annotations

import msgspec
import pytest

from whisperq_edge.edge.accuracy.result import Result, Settings
from whisperq_edge.edge.accuracy.scoring import Counts, Score, looped_words, score
from whisperq_edge.edge.accuracy.summary import Summary, summarize
from whisperq_edge.edge.accuracy.utterance import Utterance
from whisperq_edge.edge.errors import ConfigError


def judged(reference, text, name="a", speaker="x", language="en", duration_s=2.0):
    utterance = Utterance(name, f"/{name}.wav", "0" * 64, reference, speaker, language)
    return score(
        utterance,
        Result("k", "d", Settings(), name, text, duration_s=duration_s, compute_s=0.5, cpu_s=0.5),
    )


class TestScore:
    def test_counts(self):
        # the -> a, one word more, "mat" missing; case, punctuation and spelling do not count.
        found = judged("The grey cat sat on the mat.", "A gray cat has sat on the")
        assert found.words == Counts(7, 1, 1, 1)
        assert (found.reference, found.text) == (
            "the gray cat sat on the mat",
            "a gray cat has sat on the",
        )
        assert (found.duration_s, found.compute_s, found.speaker) == (2.0, 0.5, "x")
        assert not (found.is_silent or found.is_empty or found.is_hallucination)

    def test_characters_are_counted_with_spaces(self):
        assert judged("to day", "today").characters == Counts(6, 0, 0, 1)

    def test_no_spaces_are_counted_where_none_are_written(self):
        found = judged("你好世界", "你好界", language="zh")
        assert found.words == found.characters == Counts(4, 0, 0, 1)

    @pytest.mark.parametrize("reference", ["", " ", "...", "[music]", "(door)", "um, uh"])
    def test_silence(self, reference):
        quiet = judged(reference, "...")
        assert quiet.is_silent and not quiet.is_empty and not quiet.is_hallucination
        assert quiet.words == quiet.characters == Counts(0, 0, 0, 0)
        loud = judged(reference, "Thank you.")
        assert loud.is_silent and loud.is_hallucination and not loud.is_empty
        assert loud.words == Counts(0, 0, 2, 0)
        assert loud.characters == Counts(0, 0, 9, 0)

    def test_empty(self):
        found = judged("somebody speaks", " . ")
        assert found.is_empty and not found.is_silent and not found.is_hallucination
        assert found.words == Counts(2, 0, 0, 2)

    def test_of_another_utterance(self):
        utterance = Utterance("b", "/b.wav", "0" * 64, "so", "x")
        result = Result("k", "d", Settings(), "a", "so", 1.0, 1.0, 1.0)
        with pytest.raises(ConfigError, match="'a' cannot be judged by the reference of 'b'"):
            score(utterance, result)


class TestHallucination:
    def test_far_more_words_than_were_said(self):
        said = "yes sir"
        assert not judged(said, "yes sir I will do").is_hallucination  # three: might be heard
        assert not judged(said, "yes sir I will do that").is_hallucination  # four
        assert judged(said, "yes sir I will do that now").is_hallucination  # five

    def test_half_of_what_was_said(self):
        said = "a b c d e f g h j k l m n p q r s t u v"
        assert not judged(
            said, said + " and so on we went there for hours now"
        ).is_hallucination  # nine
        assert judged(said, said + " and so on we went there for many hours now").is_hallucination

    def test_all_misheard_is_not_made_up(self):
        assert not judged("one fine day in May", "won fire bay inn hay").is_hallucination

    def test_a_loop_in_the_place_of_speech(self):
        said = "it was the best of times it was the worst of times and we had it all before us"
        looped = "it was the best of times I know I know I know I know I know I know"
        found = judged(said, looped)
        assert found.words.insertions == 0 and found.is_hallucination
        assert not judged(said, "it was the best of times I know I know I know").is_hallucination

    def test_what_was_said_again_and_again(self):
        said = "row row row row row row row row row row your boat"
        assert not judged(said, said).is_hallucination

    def test_looped_words(self):
        assert looped_words([]) == 0
        assert looped_words("a b a b a b".split()) == 0  # three times
        assert looped_words("x a b a b a b a b y".split()) == 8
        assert looped_words("a b a b a b a b a".split()) == 9  # and begun once more
        assert looped_words("no no no no well no no no no no".split()) == 5
        assert looped_words("a b c d e f".split()) == 0


class TestSummary:
    def test_by_hand(self):
        scores = [
            judged("a b c d", "a b x d", "1", "anna"),  # 1 of 4
            judged("a b c d e f", "a b c d e f", "2", "anna"),  # 0 of 6
            judged("a b", "", "3", "ben"),  # 2 of 2, empty
            judged("", "you", "4", "ben"),  # 1 inserted, made up
        ]
        summary = summarize(scores)
        assert summary.wer.estimate == 4 / 12
        assert (summary.substitutions, summary.insertions, summary.deletions) == (
            1 / 12,
            1 / 12,
            2 / 12,
        )
        # 1 of 7, 0 of 11, 3 of 3 ("a b"), and "you".
        assert summary.cer.estimate == 7 / 21
        assert summary.hallucinations.estimate == 1 / 4
        assert summary.empty.estimate == 1 / 3
        assert (summary.n_utterances, summary.n_silent, summary.n_words, summary.n_speakers) == (
            4,
            1,
            12,
            2,
        )
        assert (summary.sound_s, summary.compute_s) == (8.0, 2.0)
        assert summary.wer.low == pytest.approx(1 / 10) and summary.wer.high == pytest.approx(3 / 2)

    def test_order_does_not_matter(self):
        scores = []
        for index in range(60):
            text = "a b" if index % 3 else "a b c"
            length_s = 1e16 if index == 0 else 1.0  # a plain sum of these depends on their order
            scores.append(judged("a b c", text, str(index), f"s{index % 7}", "en", length_s))
        assert summarize(scores) == summarize(scores[::-1])

    def test_only_silence(self):
        summary = summarize([judged("", "", "1", "x"), judged("", "hm well", "2", "y")])
        assert summary.wer is summary.cer is summary.empty is summary.insertions is None
        assert summary.hallucinations.estimate == 0.5

    def test_is_kept_as_json(self):
        summary = summarize([judged("a", "a")])
        assert msgspec.json.decode(msgspec.json.encode(summary), type=Summary) == summary
        one = judged("a", "b")
        assert msgspec.json.decode(msgspec.json.encode(one), type=Score) == one

    def test_nothing_and_twice_the_same_are_refused(self):
        with pytest.raises(ConfigError, match="no results"):
            summarize([])
        with pytest.raises(ConfigError, match="two results of the utterance 'a'"):
            summarize([judged("a", "a"), judged("a", "b")])
