"""What the benchmark of variants says of words and times: which word is which, how far apart."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from whisperq_edge.bench.variants.matching import Agreement, Shift, Timed, compared
from whisperq_edge.bench.variants.places import Spoken, spoken
from whisperq_edge.edge.streaming.reference import ReferenceSegment

BENCH = Path(__file__).parents[2] / "bench"


def timed(text, start=0.0):
    """Words of half a second each."""
    return [
        Timed(f" {word}", start + index / 2, start + index / 2 + 0.5)
        for index, word in enumerate(text.split())
    ]


def same(comparison):
    return [pair.one.word for pair in comparison.pairs]


@pytest.mark.parametrize(
    ("said", "heard", "n_wrong", "shared"),
    [
        ("one two three", "one two three", 0, ["one", "two", "three"]),
        ("one two three", "one too three", 1, ["one", "three"]),
        ("one two three", "two three", 1, ["two", "three"]),
        ("one two", "one and two", 1, ["one", "two"]),
        ("One, two!", "one two.", 0, ["one", "two"]),  # case and punctuation do not count
        ("one two", "", 2, []),
        ("", "one two", 2, []),
        ("one", "... one", 0, ["one"]),  # what is nothing but punctuation is no word
    ],
)
def test_words_are_matched_by_the_fewest_edits(said, heard, n_wrong, shared):
    found = compared(timed(said), timed(heard))
    assert (found.n_wrong, same(found)) == (n_wrong, shared)


def test_a_word_is_matched_with_the_one_that_stands_for_it():
    found = compared(timed("no left no"), timed("left no", start=3.0))
    assert [(pair.one.start, pair.other.start) for pair in found.pairs] == [(0.5, 3.0), (1.0, 3.5)]


def test_times_differ_where_both_are_known():
    said = [Timed("one", 1.0, None), Timed("two", None, 2.0), Timed("three", 2.0, 3.0)]
    heard = [Timed("one", 0.9, 1.5), Timed("two", 1.5, 2.3), Timed("tree", 2.3, 3.0)]
    assert Agreement.of([compared(heard, said)]).starts_ms == pytest.approx([100])
    agreement = Agreement.of([compared(said, heard)])
    assert agreement.starts_ms == pytest.approx([-100])
    assert agreement.ends_ms == pytest.approx([300])
    assert (agreement.n_one, agreement.n_wrong, agreement.n_same) == (3, 1, 2)


def test_texts_are_added_up():
    whole = Agreement.of(
        compared(timed("one two"), timed(heard, start=0.2)) for heard in ("one two", "one")
    )
    assert (whole.n_one, whole.n_wrong, whole.n_same) == (4, 1, 3)
    assert whole.starts_ms == pytest.approx([200] * 3)


def test_a_shift_tells_size_and_side():
    later_ms = [-10.0, -20.0, -30.0, -40.0, -50.0, -60.0, -70.0, -80.0, 90.0, 1000.0]
    assert Shift.of(later_ms) == Shift(n=10, median=55.0, p90=90.0, bias=-35.0)
    assert Shift.of([]) is None


def test_the_bounds_of_a_stretch_of_speech_are_those_of_its_outer_words():
    segments = [ReferenceSegment(1.0, 3.0, "Go on, then"), ReferenceSegment(4.0, 4.5, "stop")]
    assert spoken(segments) == (
        Spoken("go", 1.0, None),
        Spoken("on", None, None),
        Spoken("then", None, 3.0),
        Spoken("stop", 4.0, 4.5),
    )


def test_a_word_in_a_long_recording_may_lie_anywhere():
    assert spoken([ReferenceSegment(0.1, 4.6, "alexa")]) == (Spoken("alexa", None, None),)


ORIGINAL, OURS = "openai-whisper fp32", "whisperq-edge onnx int8, short window"


def heard(setup, number, words, cpu_s, clip="placed_00"):
    return {
        "setup": setup,
        "clip": clip,
        "round": number,
        "words": words,
        "cpu_s": cpu_s,
        "wall_s": 2 * cpu_s,
        "others": 0.0,
    }


@pytest.fixture
def shown(tmp_path):
    """What is printed and written of results that a run saved."""
    pytest.importorskip("rich", reason="the benchmarks print with it")
    said = [{"word": "no", "start": 1.0, "end": 1.5}, {"word": "left", "start": 2.0, "end": 2.5}]
    clip = {"name": "placed_00", "kind": "placed", "said": said, "duration_s": 4.0}
    theirs = [["no", 0.9, 1.5], ["left", 1.5, 2.5]]
    ours = [[" No", 0.94, 1.46], [" let", 1.46, 2.5], [" go", 2.5, 2.5]]
    results = {
        "when": "today",
        "machine": {"cpu": "of no note"},
        "core": 0,
        "clips": {"placed_00": clip, "talk": {**clip, "name": "talk", "kind": "long"}},
        "versions": {ORIGINAL: {"openai-whisper": "1"}},
        "failures": {"whisper-timestamped fp32": "it broke"},
        "heard": [
            heard(ORIGINAL, -1, [], 9.0),  # the warm-up counts for nothing
            heard(OURS, -1, [], 9.0),
            heard(ORIGINAL, 0, theirs, 0.4),
            heard(OURS, 0, ours, 0.1),
            heard(ORIGINAL, 1, theirs, 0.8),
            heard(OURS, 1, [], 0.4),  # only the first round's words count
            heard(ORIGINAL, 0, theirs, 2.0, clip="talk"),
            heard(OURS, 0, theirs, 1.0, clip="talk"),
        ],
    }
    (tmp_path / "words.json").write_text(json.dumps(results))
    written = tmp_path / "figures.json"
    command = [sys.executable, str(BENCH / "variants"), "--show", str(tmp_path)]
    done = subprocess.run(
        [*command, "--json", str(written)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, json.loads(written.read_text())["words"]


def test_a_run_is_shown_again(shown):
    printed, figures = shown
    original, ours = figures["words"]["single words, joined"]
    assert (original["n_wrong"], ours["n_wrong"], ours["n_said"]) == (0, 2, 2)
    assert ours["same"] == 0.5
    assert ours["from_original"]["start"]["median"] == pytest.approx(40)
    assert ours["from_places"]["start"]["bias"] == pytest.approx(-60)
    cpu = next(row for row in figures["speed"] if row["name"].startswith("clips of"))
    assert cpu["setups"][OURS]["value"]["median"] == pytest.approx(62.5)  # ms per second of sound
    # Each round by itself: a quarter and a half, not a third.
    assert cpu["setups"][OURS]["ratio"] == pytest.approx(
        {"median": 0.375, "low": 0.25, "high": 0.5}
    )
    assert "FAILED: whisper-timestamped fp32: it broke" in printed
    assert "x0.38 [0.25-0.50]" in printed
