"""How long a window is encoded, and where the next one starts."""

from __future__ import annotations

from importlib.resources import files

import numpy as np
import pytest

from whisperq_edge.edge.decoding.tokens import Tokenizer
from whisperq_edge.edge.transcription.windows import Window, cut, short_context
from whisperq_edge.edge.types import AudioContexts, GenerationSettings

ANY, FIXED = AudioContexts(1500), AudioContexts(1500, (250, 500, 1500))
T0 = 50364
A, B = 10, 11  # text


def at(seconds):
    return T0 + round(seconds * 50)


@pytest.fixture(scope="module")
def tokenizer():
    content = (files("whisperq_edge.models") / "demo" / "tokenizer.json").read_bytes()
    return Tokenizer(content, GenerationSettings((), (), (), ()))


@pytest.mark.parametrize(
    ("contexts", "seconds", "encoded"),
    [
        (ANY, 0.01, 1.5),
        (ANY, 5.0, 6.0),
        (ANY, 5.01, 6.5),
        (ANY, 28.6, 30.0),
        (ANY, 30.0, 30.0),
        (FIXED, 0.01, 5.0),
        (FIXED, 4.0, 5.0),
        (FIXED, 4.02, 10.0),
        (FIXED, 9.5, 30.0),
        (AudioContexts(500), 9.5, 10.0),
    ],
)
def test_a_short_window_is_encoded_short(contexts, seconds, encoded):
    assert short_context(contexts, round(seconds * 100)) == encoded * 50


def test_a_window_knows_its_place():
    window = Window(250, np.zeros(16_000 + 159, np.float32))
    assert (window.n_frames, window.start_s) == (100, 2.5)
    assert window.end_s == pytest.approx(3.5 + 159 / 16_000)


@pytest.mark.parametrize(
    ("tokens", "pieces", "next_s"),
    [
        # The second sentence is cut off: the next window starts where the first one ended.
        ([at(0), A, at(2), at(3), B], [(0, 2, [at(0), A, at(2)])], 2),
        ([at(0), A, at(2), at(3)], [(0, 2, [at(0), A, at(2)])], 2),
        # Both sentences ended, and nothing follows.
        (
            [at(0), A, at(2), at(3), B, at(4)],
            [(0, 2, [at(0), A, at(2)]), (3, 4, [at(3), B, at(4)])],
            28,
        ),
        # One sentence; with its end, and without.
        ([at(0.5), A, at(2)], [(0, 2, [at(0.5), A, at(2)])], 28),
        ([at(0.5), A], [(0, 0.5, [at(0.5), A])], 28),
        ([at(0), A], [(0, 28, [at(0), A])], 28),
        ([A, B], [(0, 28, [A, B])], 28),
        ([], [(0, 28, [])], 28),
        # A window never moves past its sound, and never stands still.
        ([at(0), A, at(29), at(29)], [(0, 29, [at(0), A, at(29)])], 28),
        ([at(0), at(0)], [(0, 0, [at(0)])], 28),
    ],
)
def test_windows_are_cut_where_two_timestamps_meet(tokenizer, tokens, pieces, next_s):
    found = cut(tokens, tokenizer, n_frames=2800)
    assert [(p.start_s, p.end_s, list(p.tokens)) for p in found.pieces] == [
        (pytest.approx(start), pytest.approx(end), part) for start, end, part in pieces
    ]
    assert found.n_frames == next_s * 100
