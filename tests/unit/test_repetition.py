"""Texts that go round in circles."""

from __future__ import annotations

import pytest

from whisperq_edge.edge.decoding.repetition import loop_start


@pytest.mark.parametrize(
    ("tokens", "start"),
    [
        ([], None),
        (list(range(40)), None),
        ([7] * 15, None),  # people do say "no" ten times
        ([7] * 16, 1),
        ([1, 2, 3] + [7] * 16, 4),
        ([1, 2] * 7, None),
        ([1, 2] * 8, 2),
        ([9, 8, *[1, 2, 3, 4, 5] * 3], None),  # said three times is speech, or a song
        ([9, 8, *[1, 2, 3, 4, 5] * 4], 7),
        ([9, 8, *[1, 2, 3, 4, 5] * 4, 1, 2], 7),  # the last round need not be whole
        ([*[1, 2, 3, 4, 5] * 4, 6], None),  # it went on with something else
        ([*range(24)] * 4, 24),
        ([*range(25)] * 4, None),
    ],
)
def test_where_the_loop_begins(tokens, start):
    assert loop_start(tokens) == start


def test_what_is_cut_off_was_said_before():
    tokens = [5, 6, *[1, 2, 3, 1, 2, 4] * 5]
    start = loop_start(tokens)
    assert tokens[:start] == [5, 6, 1, 2, 3, 1, 2, 4]
