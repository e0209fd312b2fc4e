"""Normalized texts and counts, beside openai/whisper's normalizers, jiwer, and the textbook.

``golden/pairs.jsonl`` was written by hand: references and texts that are awkward to compare.
"""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path

import jiwer
import pytest

from whisperq_edge.edge.accuracy.normalizer import normalizer_for
from whisperq_edge.edge.accuracy.scoring import count_characters, count_words
from whisperq_edge.edge.errors import MissingDependencyError

UNSPACED = {"zh", "ja", "th", "lo", "my", "yue"}
LINES = (Path(__file__).parents[1] / "golden" / "pairs.jsonl").read_text("utf-8").splitlines()
PAIRS = [json.loads(line) for line in LINES]


@pytest.fixture(scope="module")
def openai():
    """openai/whisper's own normalizer of a language."""
    pytest.importorskip("whisper", reason="the normalizers are compared with openai-whisper's")
    from whisper.normalizers import BasicTextNormalizer, EnglishTextNormalizer

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # it leaves a file open
        english = EnglishTextNormalizer()
    letters, words = BasicTextNormalizer(split_letters=True), BasicTextNormalizer()

    def of(language):
        return english if language == "en" else letters if language in UNSPACED else words

    return of


def levenshtein(one, other):
    """Fewest edits, by the textbook."""
    row = list(range(len(other) + 1))
    for index, item in enumerate(one, 1):
        diagonal, row[0] = row[0], index
        for column, candidate in enumerate(other, 1):
            costs = row[column] + 1, row[column - 1] + 1, diagonal + (item != candidate)
            diagonal, row[column] = row[column], min(costs)
    return row[-1]


def test_there_are_two_hundred_different_pairs():
    assert len(set(LINES)) == len(LINES) >= 200
    assert len({pair["language"] for pair in PAIRS}) > 25


def test_texts_are_normalized_as_by_openai(openai):
    for pair in PAIRS:
        for text in (pair["reference"], pair["text"]):
            expected = openai(pair["language"])(text)
            # Only spaces at the ends are ours, which no count can see.
            assert normalizer_for(pair["language"])(text) == expected.strip(), pair


def test_rules_that_the_library_added_are_left_out(openai):
    # whisper-normalizer turns "cause" into "because"; should it stop, ADDED_RULES may go.
    from whisper_normalizer.english import EnglishTextNormalizer

    text = "kinda the cause, sorta, dunno"
    assert normalizer_for("en")(text) == "kinda the cause sorta dunno" == openai("en")(text)
    assert EnglishTextNormalizer()(text) != openai("en")(text)


def test_word_counts_are_those_of_jiwer_and_of_the_textbook():
    for pair in PAIRS:
        normalize = normalizer_for(pair["language"])
        reference, text = normalize(pair["reference"]), normalize(pair["text"])
        counts = count_words(reference.split(), text.split())
        found = jiwer.process_words([reference], [text])
        n_edits = (found.substitutions, found.insertions, found.deletions)
        assert (counts.substitutions, counts.insertions, counts.deletions) == n_edits, pair
        assert counts.n_reference == len(reference.split())
        assert counts.errors == levenshtein(reference.split(), text.split()), pair


def test_character_counts_are_those_of_jiwer_and_of_the_textbook():
    for pair in PAIRS:
        normalize = normalizer_for(pair["language"])
        reference, text = normalize(pair["reference"]), normalize(pair["text"])
        counts = count_characters(reference, text)
        found = jiwer.process_characters([reference], [text])
        n_edits = (found.substitutions, found.insertions, found.deletions)
        assert (counts.substitutions, counts.insertions, counts.deletions) == n_edits, pair
        assert counts.n_reference == len(reference)
        assert counts.errors == levenshtein(reference, text), pair


def test_a_loop_of_digits_is_no_crash():
    for loop in ("9" * 10_000, "000," * 3000, "1" * 4300 + ".5"):
        digits = normalizer_for("en")(loop)
        assert digits and max(map(len, digits.split())) <= 4300


def test_languages_without_spaces_are_split_into_letters():
    assert normalizer_for("zh")("你好、世界。") == "你 好 世 界"
    assert normalizer_for("ko")("안녕, 세계!") == "안녕 세계"


def test_a_missing_library_is_named(monkeypatch):
    normalizer_for.cache_clear()
    monkeypatch.setitem(sys.modules, "whisper_normalizer", None)
    with pytest.raises(MissingDependencyError, match=r"whisperq-edge\[evaluate\]"):
        normalizer_for("en")
