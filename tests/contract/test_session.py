"""The promises of Session, on every form of every runtime and on the reference."""

from __future__ import annotations

import numpy as np
import pytest

from whisperq_edge.edge.errors import ContextFullError, InferenceError
from whisperq_edge.edge.types import AudioContexts
from whisperq_edge.exporters import TARGETS
from whisperq_edge.runtimes import RUNTIMES

from .sessions import (
    ALTERNATIVES,
    DECODING,
    EXACT,
    checkpoint,
    n_alignments,
    reference,
    session,
)

PROMPT = np.array([[50258, 50259, 50359, 50363]])


def mel(opened, n_positions=60, seed=0):
    """A window of noise, of the shortest length on offer that holds so many positions."""
    shape = (80, 2 * opened.contexts.fit(n_positions))
    return np.random.default_rng(seed).normal(0, 0.5, shape).astype(np.float32)


def tokens(*rows):
    return np.array(rows, np.int64)


def relative(a, b):
    return np.linalg.norm(a - b) / np.linalg.norm(b)


@pytest.fixture(params=["reference", *DECODING, *ALTERNATIVES])
def opened(request):
    with session(request.param) as opened:
        yield opened


@pytest.fixture(params=["reference", *EXACT])
def exact(request):
    """A form without rounded activations, where equal text gives equal numbers however it came."""
    with session(request.param) as opened:
        yield opened


def test_every_target_has_a_runtime():
    assert set(RUNTIMES) == set(TARGETS)


def test_logits_have_a_row_for_each_hypothesis_and_the_right_type(opened):
    opened.encode(mel(opened))
    logits = opened.step(PROMPT)
    assert logits.shape == (1, 51865)
    assert logits.dtype == np.float32
    assert np.isfinite(logits).all()
    assert opened.n_past == 4


def test_encode_forgets_the_text(opened):
    opened.encode(mel(opened))
    first = opened.step(PROMPT).copy()
    # Fill the whole context, so that a position that is not reset would show.
    opened.step(np.full((1, 448 - 4), 11))
    with pytest.raises(ContextFullError, match="448"):
        opened.step(tokens([1]))
    opened.encode(mel(opened))
    assert opened.n_past == 0
    np.testing.assert_array_equal(opened.step(PROMPT), first)


def test_encode_changes_the_window(opened):
    opened.encode(mel(opened, seed=1))
    first = opened.step(PROMPT).copy()
    opened.encode(mel(opened, seed=2))
    assert relative(opened.step(PROMPT), first) > 1e-3


def test_rewind_returns_to_the_same_numbers(opened):
    opened.encode(mel(opened))
    opened.step(PROMPT)
    first = opened.step(tokens([7])).copy()
    opened.step(tokens([8]))
    opened.step(tokens([9]))
    opened.rewind(4)
    assert opened.n_past == 4
    np.testing.assert_allclose(opened.step(tokens([7])), first, atol=2e-5)


def test_rewind_to_nothing_keeps_the_window(opened):
    opened.encode(mel(opened))
    first = opened.step(PROMPT).copy()
    opened.rewind(0)
    np.testing.assert_allclose(opened.step(PROMPT), first, atol=2e-5)


def test_tokens_at_once_equal_tokens_one_by_one(exact):
    exact.encode(mel(exact))
    exact.step(PROMPT)
    exact.step(tokens([5]))
    exact.step(tokens([6]))
    singly = exact.step(tokens([7])).copy()
    exact.rewind(4)
    assert relative(exact.step(tokens([5, 6, 7])), singly) < 1e-5


def test_hypotheses_do_not_touch_each_other(exact):
    exact.encode(mel(exact))
    exact.step(PROMPT)
    alone = exact.step(tokens([21])).copy()
    exact.rewind(4)
    exact.reorder(np.zeros(3, np.int64))
    together = exact.step(tokens([20], [21], [22])).copy()
    assert together.shape == (3, 51865)
    assert relative(together[1], alone[0]) < 1e-5
    assert relative(together[0], alone[0]) > 1e-3


def test_reorder_copies_the_text_of_its_sources(exact):
    exact.encode(mel(exact))
    exact.step(PROMPT)
    exact.reorder(np.zeros(2, np.int64))
    exact.step(tokens([20], [21]))
    exact.reorder(np.array([1, 0, 1]))
    logits = exact.step(tokens([30], [30], [30])).copy()
    assert relative(logits[0], logits[2]) < 1e-5
    assert relative(logits[0], logits[1]) > 1e-3
    exact.reorder(np.array([1]))
    exact.rewind(4)
    exact.step(tokens([20]))
    assert relative(exact.step(tokens([30]))[0], logits[1]) < 1e-5


def test_several_tokens_for_several_hypotheses_on_a_past(exact):
    exact.encode(mel(exact))
    exact.step(PROMPT)
    exact.reorder(np.zeros(2, np.int64))
    logits = exact.step(tokens([5, 6], [7, 8])).copy()
    alignment = exact.alignment
    assert alignment.shape == (2, 2, 2, exact.contexts.fit(60))
    exact.rewind(4)
    exact.step(tokens([5], [7]))
    first = exact.alignment
    assert relative(exact.step(tokens([6], [8])), logits) < 1e-5
    np.testing.assert_allclose(alignment[:, :, :1], first, atol=1e-6)
    np.testing.assert_allclose(alignment[:, :, 1:], exact.alignment, atol=1e-6)


def test_alignment_is_attention_to_the_window(opened, request):
    opened.encode(mel(opened, 75))
    opened.step(PROMPT)
    alignment = opened.alignment
    n_positions = opened.contexts.fit(75)
    n_heads = n_alignments(request.node.callspec.params["opened"])
    assert alignment.shape == (1, n_heads, 4, n_positions)
    # A half has eleven bits: weights that are halves add up to one within fewer.
    in_halves = "float16" in opened.facts.activations.values()
    np.testing.assert_allclose(alignment.sum(-1), 1, atol=1e-3 if in_halves else 1e-5)
    opened.reorder(np.zeros(3, np.int64))
    opened.step(tokens([1], [2], [3]))
    assert opened.alignment.shape == (3, n_heads, 1, n_positions)


def test_alignment_belongs_to_the_last_step(opened):
    opened.encode(mel(opened))
    opened.step(PROMPT)
    first = opened.alignment.copy()
    opened.step(tokens([11]))
    second = opened.alignment
    assert second.shape[2] == 1
    assert relative(second[:, :, 0], first[:, :, -1]) > 1e-3


def test_window_is_what_the_reference_encodes(opened, request):
    opened.encode(mel(opened, 50))
    if not opened.facts.shows_window:
        with pytest.raises(InferenceError, match="does not show"):
            opened.window()
        return
    window, n_positions = opened.window(), opened.contexts.fit(50)
    if window.ndim == 2:  # the encoder's own output, which depends on how its norm is smoothed
        assert window.shape == (n_positions, 64)
        with reference(request.node.callspec.params["opened"]) as theirs:
            theirs.encode(mel(opened, 50))
            assert relative(window, theirs.encoded()) < 0.3
        return
    assert window.shape == (4, 2, n_positions, 32)
    with session("reference") as theirs:
        theirs.encode(mel(opened, 50))
        assert relative(window, theirs.window()) < 0.3  # the right arrays; parity is elsewhere


@pytest.mark.parametrize("n_positions", [1, 7, 250, 1500])
def test_every_audio_context_on_offer(opened, n_positions):
    contexts = opened.contexts
    if contexts.fixed:
        assert contexts.longest == contexts.fixed[-1]
    else:
        assert contexts == AudioContexts(1500)
    opened.encode(mel(opened, n_positions))
    assert np.isfinite(opened.step(PROMPT)).all()


@pytest.mark.parametrize("shape", [(80, 121), (128, 120), (80, 0), (80, 3002), (80,)])
def test_a_window_of_another_shape_is_refused(opened, shape):
    with pytest.raises(InferenceError, match=r"mel has"):
        opened.encode(np.zeros(shape, np.float32))


def test_a_refused_step_changes_nothing(opened):
    with pytest.raises(InferenceError, match="call encode before step"):
        opened.step(PROMPT)
    opened.encode(mel(opened))
    first = opened.step(PROMPT).copy()
    for wrong in (np.zeros((2, 1), np.int64), np.zeros((1, 0), np.int64), np.zeros(1, np.int64)):
        with pytest.raises(InferenceError, match="tokens have shape"):
            opened.step(wrong)
    for wrong in (-1, 51865):
        with pytest.raises(InferenceError, match="not within 0 to 51864"):
            opened.step(tokens([wrong]))
    with pytest.raises(InferenceError, match="cannot rewind to 5"):
        opened.rewind(5)
    with pytest.raises(InferenceError, match="not within 0 to 0"):
        opened.reorder(np.array([1]))
    assert opened.n_past == 4
    opened.rewind(0)
    np.testing.assert_allclose(opened.step(PROMPT), first, atol=2e-5)


def test_close_twice_and_use_after(opened):
    opened.encode(mel(opened))
    opened.close()
    opened.close()
    with pytest.raises(InferenceError):
        opened.step(PROMPT)
    with pytest.raises(InferenceError, match="closed"):
        opened.encode(mel(opened))


def test_facts_name_what_runs(opened, request):
    assert opened.facts.runtime
    assert opened.facts.version[0].isdigit()
    assert opened.facts.device == "cpu"
    dimensions = checkpoint(request.node.callspec.params["opened"]).dimensions
    assert opened.dimensions == dimensions
