"""Greedy search, beam search and sampling, on predictions that are written down."""

from __future__ import annotations

import math

import numpy as np
import pytest

from whisperq_edge.edge.decoding.beam import BeamSearch
from whisperq_edge.edge.decoding.greedy import GreedySearch
from whisperq_edge.edge.decoding.rules import SuppressBlank
from whisperq_edge.edge.decoding.sampling import SamplingSearch
from whisperq_edge.edge.decoding.search import Candidate, best, run
from whisperq_edge.edge.decoding.softmax import Normalizer
from whisperq_edge.edge.errors import InferenceError
from whisperq_edge.tests.scripted_session import UNLIKELY, ScriptedSession

N_VOCAB, START, EOT = 16, 14, 15
A, B, C, D, E, F = range(6)

# A text by its beginning: how likely is each next token. Greedy takes A first; B leads further.
GARDEN = {
    (): {A: 0.5, B: 0.4, C: 0.1},
    (A,): {C: 0.4, D: 0.35, EOT: 0.25},
    (A, C): {EOT: 0.6, E: 0.4},
    (B,): {C: 0.9, EOT: 0.1},
    (B, C): {EOT: 0.95, E: 0.05},
}
OVER = {EOT: 1.0}


def garden(_window, tokens):
    return {token: math.log(p) for token, p in GARDEN.get(tokens[1:], OVER).items()}


def search_in(script, search, n_tokens=10, rules=()):
    session = ScriptedSession(script, n_vocab=N_VOCAB)
    session.encode(np.zeros((80, 3000), np.float32))
    logits = session.step(np.array([[START]])).copy()
    session.reorder(np.zeros(search.n_start, np.int64))
    run(search, session, np.repeat(logits, search.n_start, axis=0), rules, n_tokens)
    return search.candidates()


def normalizer():
    return Normalizer(N_VOCAB)


def test_greedy_takes_the_likeliest_token():
    [found] = search_in(garden, GreedySearch(EOT, normalizer()))
    assert found.tokens == (A, C)
    assert found.ended
    assert found.sum_logprob == pytest.approx(math.log(0.5 * 0.4 * 0.6), abs=1e-5)
    assert found.avg_logprob == pytest.approx(found.sum_logprob / 3)


def test_greedy_obeys_the_rules():
    [found] = search_in(garden, GreedySearch(EOT, normalizer()), rules=[SuppressBlank([A])])
    assert found.tokens == (B, C)
    # A's share goes to the others.
    assert found.sum_logprob == pytest.approx(math.log(0.8 * 0.9 * 0.95), abs=1e-5)


def test_greedy_stops_where_the_room_ends():
    [found] = search_in(garden, GreedySearch(EOT, normalizer()), n_tokens=2)
    logprobs = pytest.approx((math.log(0.5), math.log(0.4)), abs=1e-5)
    assert found == Candidate((A, C), logprobs, ended=False)


def test_the_last_token_is_not_fed():
    session = ScriptedSession(garden, n_vocab=N_VOCAB, n_text_ctx=2)
    session.encode(np.zeros((80, 3000), np.float32))
    logits = session.step(np.array([[START]])).copy()
    search = GreedySearch(EOT, normalizer())
    run(search, session, logits, [], n_tokens=2)
    assert search.sampled == [[A, C]]


def test_beam_search_finds_the_likelier_text():
    found = search_in(garden, BeamSearch(EOT, normalizer(), beam_size=2))
    assert [text.tokens for text in found] == [(B, C), (A, C)]
    assert best(found, None).tokens == (B, C)
    assert best(found, None).sum_logprob == pytest.approx(math.log(0.4 * 0.9 * 0.95), abs=1e-5)


def test_a_beam_of_one_is_greedy():
    [beam] = search_in(garden, BeamSearch(EOT, normalizer(), beam_size=1))
    [greedy] = search_in(garden, GreedySearch(EOT, normalizer()))
    assert beam.tokens == greedy.tokens
    assert beam.sum_logprob == pytest.approx(greedy.sum_logprob)


def test_patience_waits_for_more_texts():
    found = search_in(garden, BeamSearch(EOT, normalizer(), beam_size=2, patience=1.5))
    assert len(found) == 3
    assert len(search_in(garden, BeamSearch(EOT, normalizer(), 2, patience=0.5))) == 2


def test_a_beam_goes_on_beside_a_text_that_ended():
    found = search_in(garden, BeamSearch(EOT, normalizer(), beam_size=1, patience=2))
    assert [text.tokens for text in found] == [(A, C), (A, C, E)]


def test_unfinished_texts_make_up_for_those_that_did_not_end():
    found = search_in(garden, BeamSearch(EOT, normalizer(), beam_size=2), n_tokens=2)
    assert [(text.tokens, text.ended) for text in found] == [((B, C), False), ((A, C), False)]


def test_a_beam_survives_when_few_tokens_are_allowed():
    def narrow(_window, tokens):
        row = dict.fromkeys(range(N_VOCAB), -np.inf)
        return {**row, **({A: 0.0} if len(tokens) < 3 else {EOT: 0.0})}

    found = search_in(narrow, BeamSearch(EOT, normalizer(), beam_size=5))
    assert [text.tokens for text in found] == [(A, A)]


# openai-whisper sorts a tensor with NumPy.
@pytest.mark.filterwarnings("ignore:__array_wrap__ must accept:DeprecationWarning")
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("beam_size", "patience"), [(1, None), (3, None), (4, 2.0), (5, 0.5)])
def test_beam_search_is_openais(seed, beam_size, patience):
    """On a random language model of 16 tokens."""
    torch = pytest.importorskip("torch", reason="the oracle is openai-whisper")
    decoding = pytest.importorskip("whisper.decoding", reason="the oracle is openai-whisper")

    def random_language(_window, tokens):
        seeds = np.random.default_rng([seed, *tokens[-3:]])
        return dict(enumerate(seeds.normal(0, 2, N_VOCAB).tolist()))

    class Cache:
        def rearrange_kv_cache(self, sources):
            """Their tokens carry the whole text."""

    theirs = decoding.BeamSearchDecoder(beam_size, EOT, Cache(), patience)
    tokens = torch.full((beam_size, 1), START)
    sums = torch.zeros(beam_size)
    for _ in range(12):
        rows = [list(random_language(0, tuple(row)).values()) for row in tokens.tolist()]
        tokens, completed = theirs.update(tokens, torch.tensor(rows), sums)
        if completed:
            break
    texts, totals = theirs.finalize(tokens[None], sums[None])
    expected = {tuple(t.tolist()[1:-1]): s for t, s in zip(texts[0], totals[0], strict=True)}

    found = search_in(random_language, BeamSearch(EOT, normalizer(), beam_size, patience), 12)
    assert {text.tokens: pytest.approx(text.sum_logprob, abs=1e-4) for text in found} == expected
    for penalty in (None, 0.0, 0.6, 1.0):
        bare = [[t[1:-1] for t in texts[0]]]
        [chosen] = decoding.MaximumLikelihoodRanker(penalty).rank(bare, totals)
        assert best(found, penalty).tokens == tuple(bare[0][chosen].tolist())


def sample(seed, n_texts=1, temperature=1.0, script=garden):
    generator = np.random.default_rng(seed)
    return search_in(script, SamplingSearch(EOT, normalizer(), temperature, n_texts, generator))


def test_samples_follow_the_probabilities():
    n = 4000
    found = sample(seed=0, n_texts=n)
    firsts = np.bincount([text.tokens[0] for text in found], minlength=N_VOCAB) / n
    spread = 4 * math.sqrt(0.25 / n)
    np.testing.assert_allclose(firsts[[A, B, C]], [0.5, 0.4, 0.1], atol=spread)
    assert firsts[[A, B, C]].sum() == 1


def test_a_temperature_flattens_or_sharpens():
    n = 4000
    found = sample(seed=0, n_texts=n, temperature=0.5)
    firsts = np.bincount([text.tokens[0] for text in found], minlength=N_VOCAB) / n
    squares = np.square([0.5, 0.4, 0.1])
    spread = 4 * math.sqrt(0.25 / n)
    np.testing.assert_allclose(firsts[[A, B, C]], squares / squares.sum(), atol=spread)


def test_the_probability_of_a_sample_is_that_at_temperature_one():
    for text in sample(seed=1, n_texts=50, temperature=0.3):
        parts = [GARDEN.get(text.tokens[:i], OVER)[t] for i, t in enumerate((*text.tokens, EOT))]
        assert text.sum_logprob == pytest.approx(math.log(math.prod(parts)), abs=1e-4)
        assert text.ended


def test_a_seed_repeats_a_run():
    assert sample(seed=3, n_texts=20) == sample(seed=3, n_texts=20)
    assert sample(seed=3, n_texts=20) != sample(seed=4, n_texts=20)


def test_a_forbidden_token_is_never_drawn():
    def two(_window, tokens):
        row = dict.fromkeys(range(N_VOCAB), -np.inf)
        return {**row, **({A: 0.0, EOT - 1: 0.0} if len(tokens) < 4 else {EOT: 0.0})}

    found = sample(seed=0, n_texts=300, script=two)
    assert {token for text in found for token in text.tokens} == {A, EOT - 1}


def search_of(name):
    return {
        "greedy": lambda: GreedySearch(EOT, normalizer()),
        "beam": lambda: BeamSearch(EOT, normalizer(), beam_size=3, patience=2),
        "sampling": lambda: SamplingSearch(EOT, normalizer(), 0.7, 20, np.random.default_rng(0)),
    }[name]()


@pytest.mark.parametrize("n_tokens", [2, 10])
@pytest.mark.parametrize("name", ["greedy", "beam", "sampling"])
def test_every_token_has_its_own_probability(name, n_tokens):
    found = search_in(garden, search_of(name), n_tokens)
    assert {text.ended for text in found} >= {n_tokens == 10}
    for text in found:
        said = (*text.tokens, EOT) if text.ended else text.tokens
        rows = [GARDEN.get(said[:index], OVER) for index in range(len(said))]
        logprobs = [
            math.log(row[token]) if token in row else UNLIKELY
            for row, token in zip(rows, said, strict=True)
        ]
        assert text.logprobs == pytest.approx(logprobs, abs=1e-4)
        assert text.sum_logprob == pytest.approx(sum(logprobs), abs=1e-4)


def test_best_prefers_the_likelier_token_on_average():
    long, short = Candidate((1, 2, 3, 4), (-2.0,), True), Candidate((1,), (-1.0,), True)
    assert best([short, long], None) is long
    assert best([short, long], 0.0) is short
    assert best([long, long._replace(ended=False)], None) is long


def test_the_length_penalty_is_googles():
    short, long = Candidate((1,), (-1.0,), True), Candidate((1, 2, 3, 4), (-1.47,), True)
    assert best([short, long], 1.0) is long  # -1 / (6/6) against -1.47 / (9/6)
    assert best([short, long._replace(logprobs=(-1.53,))], 1.0) is short


def test_best_takes_an_empty_text():
    assert best([Candidate((), (-0.1,), True), Candidate((1,), (-3.0,), True)], None).tokens == ()


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize(
    "search",
    [
        GreedySearch(EOT, normalizer()),
        BeamSearch(EOT, normalizer(), 2),
        SamplingSearch(EOT, normalizer(), 1.0, 1, np.random.default_rng(0)),
    ],
    ids=lambda search: type(search).__name__,
)
def test_numbers_that_are_none_are_reported(search, bad):
    with pytest.raises(InferenceError, match="logits are not finite; check the artifact with"):
        search_in(lambda *_: {A: bad}, search)


def test_log_sum_exp_is_exact_and_leaves_the_row():
    row = np.random.default_rng(0).normal(50, 20, N_VOCAB).astype(np.float32)
    before = row.copy()
    expected = np.logaddexp.reduce(row.astype(np.float64))
    assert normalizer().log_sum_exp(row) == pytest.approx(expected, rel=1e-6)
    np.testing.assert_array_equal(row, before)
