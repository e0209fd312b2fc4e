"""The rules that forbid tokens, against openai/whisper's on random logits."""

from __future__ import annotations

import math
from importlib.resources import files

import numpy as np
import pytest

from whisperq_edge.edge.decoding.rules import (
    SuppressBlank,
    SuppressTokens,
    TimestampRules,
    suppressed_tokens,
)
from whisperq_edge.edge.decoding.tokens import Tokenizer
from whisperq_edge.edge.errors import ConfigError
from whisperq_edge.edge.types import GenerationSettings

# openai-whisper leaves its vocabulary file to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")

N_VOCAB = 51865
PROMPT = [50258, 50259, 50359]
EOT, T0 = 50257, 50364  # the end of the text and the timestamp 0.00

HISTORIES = [
    [],
    [T0],
    [T0 + 50],
    [T0, 10],
    [T0, 10, 11, 12],
    [T0, 10, T0 + 40],
    [T0, 10, T0 + 40, T0 + 40],
    [T0, 10, T0 + 40, T0 + 60, 9],
    [T0, 10, T0 + 1500],
    [T0, 10, T0 + 1500, T0 + 1500],
    [T0, 10, T0 + 1500, T0 + 1500, 10],
    [10, 11],
    [T0 + 3, T0 + 3],
]


@pytest.fixture(scope="module")
def tokenizer():
    generation = GenerationSettings((), (), (), ())
    content = (files("whisperq_edge.models") / "demo" / "tokenizer.json").read_bytes()
    return Tokenizer(content, generation)


def random_logits(seed, n_rows=1, favour=0.0):
    """``favour`` is added to the timestamps, so that either side may win."""
    logits = np.random.default_rng(seed).normal(0, 3, (n_rows, N_VOCAB)).astype(np.float32)
    logits[:, T0:] += favour
    return logits


def apply_theirs(rule, logits, sampled):
    torch = pytest.importorskip("torch", reason="the oracle is openai-whisper")
    tensor = torch.from_numpy(logits.copy())
    rule.apply(tensor, torch.tensor([PROMPT + tokens for tokens in sampled]))
    return tensor.numpy()


def their_rules():
    decoding = pytest.importorskip("whisper.decoding", reason="the oracle is openai-whisper")
    tokenizers = pytest.importorskip("whisper.tokenizer", reason="the oracle is openai-whisper")
    return decoding, tokenizers.get_tokenizer(True, language="en", task="transcribe")


@pytest.mark.parametrize("history", HISTORIES, ids=lambda tokens: f"{len(tokens)}-tokens")
@pytest.mark.parametrize("favour", [-20.0, -4.0, 0.0, 4.0, 20.0])
def test_timestamp_rules_are_openais(tokenizer, history, favour):
    decoding, their_tokenizer = their_rules()
    theirs = decoding.ApplyTimestampRules(their_tokenizer, len(PROMPT), 50)
    ours = TimestampRules(tokenizer, latest_first=50)
    for seed in range(3):
        logits = random_logits(seed, favour=favour)
        expected = apply_theirs(theirs, logits, [history])
        SuppressTokens([tokenizer.no_timestamps]).apply(logits, [history])  # theirs does both
        ours.apply(logits, [history])
        np.testing.assert_array_equal(logits, expected)


def test_timestamp_rules_look_at_each_hypothesis(tokenizer):
    decoding, their_tokenizer = their_rules()
    sampled = [[T0, 10, T0 + 40], [T0, 10, 11], [T0, 10, 12]]
    logits = random_logits(7, n_rows=3)
    expected = apply_theirs(
        decoding.ApplyTimestampRules(their_tokenizer, len(PROMPT), 50), logits, sampled
    )
    SuppressTokens([tokenizer.no_timestamps]).apply(logits, sampled)
    TimestampRules(tokenizer, latest_first=50).apply(logits, sampled)
    np.testing.assert_array_equal(logits, expected)


@pytest.mark.parametrize("margin", [-0.01, 0.01])
def test_timestamps_win_by_their_sum(tokenizer, margin):
    logits = np.full((1, N_VOCAB), -np.inf, np.float32)
    logits[0, 10] = 1.0
    logits[0, T0 + 5 : T0 + 105] = 1.0 - math.log(100) + margin  # a hundred that add up
    TimestampRules(tokenizer, latest_first=50).apply(logits, [[T0, 10]])
    assert (logits[0].argmax() >= T0) == (margin > 0)


def test_blank_is_openais(tokenizer):
    decoding, their_tokenizer = their_rules()
    theirs = decoding.SuppressBlank(their_tokenizer, len(PROMPT))
    ours = SuppressBlank([*tokenizer.encode(" "), tokenizer.eot])
    for sampled in ([[]], [[10]]):
        logits = random_logits(1)
        expected = apply_theirs(theirs, logits, sampled)
        ours.apply(logits, sampled)
        np.testing.assert_array_equal(logits, expected)


def test_suppressed_tokens_are_minus_infinity_in_every_row():
    logits = random_logits(2, n_rows=2)
    before = logits.copy()
    SuppressTokens([3, 1, 3]).apply(logits, [[5], [6]])
    assert np.isneginf(logits[:, [1, 3]]).all()
    others = np.delete(np.arange(N_VOCAB), [1, 3])
    np.testing.assert_array_equal(logits[:, others], before[:, others])


def test_minus_one_is_the_list_of_the_checkpoint(tokenizer):
    control = set(tokenizer.control_tokens)
    assert suppressed_tokens((-1, 7), (8, 9), tokenizer, N_VOCAB) == {7, 8, 9} | control
    assert suppressed_tokens((7,), (8, 9), tokenizer, N_VOCAB) == {7} | control
    assert suppressed_tokens((), (8, 9), tokenizer, N_VOCAB) == control


def test_the_end_of_the_text_is_never_suppressed(tokenizer):
    assert EOT not in suppressed_tokens((-1, EOT), (EOT,), tokenizer, N_VOCAB)


@pytest.mark.parametrize("token", [-2, N_VOCAB])
def test_an_id_outside_the_vocabulary_is_refused(tokenizer, token):
    with pytest.raises(ConfigError, match=rf"suppress_tokens: {token} is not a token; give 0 to"):
        suppressed_tokens((token,), (), tokenizer, N_VOCAB)


def test_the_official_list_is_openais(tokenizer):
    """With the demo's list, the same tokens are suppressed as openai/whisper suppresses."""
    _, their_tokenizer = their_rules()
    from whisperq_edge.models.checkpoint import load_checkpoint

    default = load_checkpoint("demo", offline=True).generation.suppress_tokens
    control = (their_tokenizer.sot_lm, *tokenizer.control_tokens)
    assert suppressed_tokens((-1,), default, tokenizer, N_VOCAB) == {
        *their_tokenizer.non_speech_tokens,
        *control,
    }
