"""From attention to word times, beside openai/whisper's functions."""

from __future__ import annotations

from importlib.resources import files

import numpy as np
import pytest

from whisperq_edge.edge.decoding.punctuation import merge_punctuation
from whisperq_edge.edge.decoding.timing import (
    WordTiming,
    align_words,
    alignment_matrix,
    median_filter,
    word_timings,
)
from whisperq_edge.edge.decoding.tokens import Tokenizer
from whisperq_edge.edge.types import GenerationSettings


@pytest.fixture(scope="module")
def tokenizer():
    content = (files("whisperq_edge.models") / "demo" / "tokenizer.json").read_bytes()
    return Tokenizer(content, GenerationSettings(("en",), (), (), ()))


@pytest.mark.parametrize("shape", [(5,), (3, 4, 50), (2, 8), (1, 1, 4), (2, 3), (1,)])
@pytest.mark.parametrize("width", [3, 7])
def test_the_median_filter_is_openais(shape, width):
    torch = pytest.importorskip("torch", reason="the oracle is openai-whisper")
    timing = pytest.importorskip("whisper.timing", reason="the oracle is openai-whisper")
    values = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    expected = timing.median_filter(torch.from_numpy(values), width).numpy()
    np.testing.assert_array_equal(median_filter(values, width), expected)


def test_a_median_ignores_a_single_peak():
    values = np.zeros(30, np.float32)
    values[[3, 12, 13, 14, 15]] = 1
    assert median_filter(values, 7).nonzero()[0].tolist() == [12, 13, 14, 15]


def looks(*spans, n_positions=100):
    """Attention of two heads, one row for each span of positions; rows sum to one."""
    rows = np.full((2, len(spans), n_positions), 0.01, np.float32)
    for index, (start, end) in enumerate(spans):
        rows[:, index, start:end] = 1
    return rows / rows.sum(axis=-1, keepdims=True)


def test_words_lie_where_the_decoder_looked(tokenizer):
    tokens = tokenizer.encode(" two coffees, please")
    assert len(tokens) == 5
    spans = [(10, 25), (25, 35), (35, 50), (50, 55), (60, 80), (80, 100)]
    probabilities = [0.9, 0.8, 0.6, 0.1, 0.5]
    words = word_timings(looks(*spans), tokens, probabilities, tokenizer, "en")
    assert [(word.word, word.start, word.end) for word in words] == [
        (" two", 0.0, 0.5),  # the first word begins with the window
        (" coffees,", 0.5, 1.0),
        (" please", pytest.approx(1.1, abs=0.1), 1.6),
    ]
    assert [word.probability for word in words] == pytest.approx([0.9, 0.7, 0.5])
    assert [token for word in words for token in word.tokens] == tokens


def test_rows_beside_the_text_count_for_the_scale_alone(tokenizer):
    tokens = tokenizer.encode(" two please")
    spans = [(0, 5), (0, 5), (10, 40), (40, 70), (70, 100), (90, 100)]
    words = align_words(looks(*spans), tokens, [1, 1], tokenizer, "en", n_prompt=2)
    assert [(word.word, word.start, word.end) for word in words] == [
        (" two", 0.0, 0.8),
        (" please", 0.8, 1.4),
    ]


def test_positions_that_are_cut_off_change_nothing():
    rows = np.random.default_rng(0).random((2, 5, 80)).astype(np.float32)
    shares = rows / rows.sum(axis=-1, keepdims=True)
    np.testing.assert_allclose(alignment_matrix(rows), alignment_matrix(shares), atol=1e-5)


@pytest.mark.filterwarnings("error")
def test_positions_that_no_row_tells_apart_are_harmless(tokenizer):
    """Also one row alone, and rows of nothing."""
    for attention in (np.full((1, 3, 40), 1 / 40), np.zeros((2, 3, 40))):
        attention = attention.astype(np.float32)
        assert not alignment_matrix(attention).any()
        words = word_timings(attention, tokenizer.encode(" two please"), [1, 1], tokenizer, "en")
        assert len(words) == 2
    assert np.isfinite(alignment_matrix(looks((0, 5)))).all()


def test_a_text_without_tokens_has_no_words(tokenizer):
    assert word_timings(looks((0, 5)), [], [], tokenizer, "en") == []


def timing_of(words):
    return [
        WordTiming(word, (index,), index, index + 1, 0.5 + index / 100)
        for index, word in enumerate(words)
    ]


@pytest.mark.parametrize(
    "words",
    [
        [" Can", " I", ",", " please", "?"],
        [' "', "Well", ",", '"', " she", " said", ".", ".", "."],
        [" (", "no", ")", " ¿", "Qué", "?", " -", " -", "hm"],
        [" yes", " ,", " no"],
        ["。", "好", "。", "」", "是"],
        [' "'],
        [" "],
        [" end", ' "', " ("],
        [],
    ],
)
@pytest.mark.parametrize("marks", [(), ("(", "?")])
def test_punctuation_is_merged_as_openai_does(words, marks):
    timing = pytest.importorskip("whisper.timing", reason="the oracle is openai-whisper")
    defaults = ("\"'“¿([{-", "\"'.。,，!！?？:：”)]}、")  # noqa: RUF001
    theirs = [timing.WordTiming(w, list(t), s, e, p) for w, t, s, e, p in timing_of(words)]
    timing.merge_punctuations(theirs, *(marks or defaults))
    expected = [(w.word, w.tokens, w.start, w.end, w.probability) for w in theirs if w.word]
    found = merge_punctuation(timing_of(words), *marks)
    assert [(w.word, list(w.tokens), w.start, w.end, w.probability) for w in found] == expected


def test_punctuation_goes_with_the_word_beside_it():
    found = merge_punctuation(timing_of([' "', "Well", ",", '"', " she", "."]))
    assert [(word.word, word.start) for word in found] == [(' "Well,"', 1), (" she.", 4)]
