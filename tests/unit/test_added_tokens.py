"""Tokens that a fine-tune added behind the timestamps, and rows that only pad the embedding."""

from __future__ import annotations

import json

import numpy as np
import pytest

from whisperq_edge.edge.decoding.rules import TimestampRules, suppressed_tokens
from whisperq_edge.edge.decoding.tokens import Tokenizer
from whisperq_edge.edge.transcription.windows import cut
from whisperq_edge.edge.types import GenerationSettings
from whisperq_edge.models.vocabulary import LANGUAGES, official_tokenizer

EOT, T0, N_OFFICIAL = 50257, 50364, 51865
WORD, MARK = N_OFFICIAL, N_OFFICIAL + 1  # a new word and a new special token
N_VOCAB = N_OFFICIAL + 7  # rows beyond the two are padding


@pytest.fixture(scope="module")
def tokenizer():
    content = json.loads(official_tokenizer(N_OFFICIAL))
    last = content["added_tokens"][-1]
    content["added_tokens"] += [
        last | {"id": WORD, "content": " Gugelhupf", "special": False},
        last | {"id": MARK, "content": "<|laughter|>", "special": True},
    ]
    generation = GenerationSettings(LANGUAGES[:99], (), (), ())
    return Tokenizer(json.dumps(content).encode(), generation)


def test_a_new_word_is_text_and_a_new_mark_is_not(tokenizer):
    hello = tokenizer.encode(" hello")
    assert tokenizer.decode([T0, *hello, WORD, MARK, T0 + 50, EOT]) == " hello Gugelhupf"
    assert tokenizer.encode(" hello Gugelhupf<|laughter|>") == [*hello, WORD]
    assert tokenizer.decode_with_timestamps([T0, WORD, T0 + 50]) == "<|0.00|> Gugelhupf<|1.00|>"


def test_a_new_word_is_no_time(tokenizer):
    assert [tokenizer.is_time(token) for token in (T0 - 1, T0, T0 + 1500, WORD)] == [
        False,
        True,
        True,
        False,
    ]
    tokens = [T0, 11, T0 + 50, T0 + 60, WORD, WORD, T0 + 100]
    pieces = cut(tokens, tokenizer, n_frames=3000).pieces
    assert [(piece.start_s, piece.end_s) for piece in pieces] == [(0, 1), (1.2, 2)]
    assert cut([WORD, WORD], tokenizer, n_frames=700).pieces[0].end_s == 7


def test_padding_is_never_chosen(tokenizer):
    suppressed = suppressed_tokens((), (), tokenizer, N_VOCAB)
    assert not suppressed & {WORD, MARK}
    assert {token for token in suppressed if token >= N_OFFICIAL} == set(range(MARK + 1, N_VOCAB))


@pytest.mark.parametrize(
    ("sampled", "allowed"),
    [
        ([], False),  # a timestamp comes first
        ([T0], True),
        ([T0, WORD], True),
        ([T0, WORD, T0 + 40], False),  # a second timestamp, or the end
        ([T0, WORD, T0 + 40, T0 + 40], True),
    ],
)
def test_a_new_word_may_come_where_text_may(tokenizer, sampled, allowed):
    logits = np.zeros((1, N_VOCAB), np.float32)
    logits[0, WORD] = logits[0, 11] = 20  # beats all timestamps together
    TimestampRules(tokenizer, 50).apply(logits, [sampled])
    assert np.isfinite(logits[0, WORD]) == np.isfinite(logits[0, 11]) == allowed


def test_timestamps_that_outweigh_text_outweigh_a_new_word(tokenizer):
    logits = np.zeros((1, N_VOCAB), np.float32)  # 1501 equal timestamps beat any one of the others
    TimestampRules(tokenizer, 50).apply(logits, [[T0, WORD]])
    assert set(np.flatnonzero(np.isfinite(logits[0]))) == set(range(T0 + 1, T0 + 1501))
