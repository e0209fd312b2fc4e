"""The profiler's parts: what it times, plans and doubts."""

from __future__ import annotations

import time
from contextlib import contextmanager

import msgspec
import numpy as np
import pytest

from whisperq_edge.edge.cli.profile_options import chosen, length_s, thread_counts
from whisperq_edge.edge.errors import ConfigError, UnknownNameError
from whisperq_edge.edge.profiling.clips import (
    CLIPS,
    spoken_recordings,
    timed_clips,
    words_digest,
)
from whisperq_edge.edge.profiling.configuration import precision_name
from whisperq_edge.edge.profiling.fit import misfit
from whisperq_edge.edge.profiling.job import (
    Failed,
    Judged,
    Metered,
    Observed,
    Opened,
    Timed,
    Unjudged,
    Weighed,
)
from whisperq_edge.edge.profiling.outcome import assemble
from whisperq_edge.edge.profiling.plan import make_protocol, pieces, rounds_of, weight
from whisperq_edge.edge.profiling.record import Duration, Energy, Memory, Pass, Start
from whisperq_edge.edge.profiling.runner import Budget
from whisperq_edge.edge.profiling.staged_session import StagedSession, StagedSource
from whisperq_edge.edge.profiling.stages import StagePeaks, StageTimes
from whisperq_edge.edge.types import Precision

from ..records import COOL, HOT, configuration, errors
from ..scripted_session import ScriptedSession

PROTOCOL = make_protocol(("2s", "5s"), repeats=3, cold_starts=1)
WINDOW = np.zeros((80, 300), np.float32)


def tokens(*ids):
    return np.array([ids], np.int64)


class SlowSession(ScriptedSession):
    """Takes as long as a test says."""

    def __init__(self, encode_s, step_s):
        super().__init__(lambda window, past: {1: 0.0})
        self._encode_s, self._step_s = encode_s, step_s

    def encode(self, mel):
        time.sleep(self._encode_s)
        super().encode(mel)

    def step(self, ids):
        time.sleep(self._step_s)
        return super().step(ids)


# -- stages -------------------------------------------------------------------------------------


def test_stages_are_told_apart_and_add_up():
    times = StageTimes()
    session = StagedSession(SlowSession(0.04, 0.01), times.watch)
    source = StagedSource(np.zeros(160, np.float32), times.mark)
    time.sleep(0.03)  # before the sound: no feature is computed yet
    source.read(0, 160)
    time.sleep(0.02)  # the features
    session.encode(WINDOW)
    session.step(tokens(5))  # the start token, by itself
    session.step(tokens(6, 7))
    for _ in range(3):
        time.sleep(0.01)  # choosing a token
        session.step(tokens(1))
    stages = times.finish()
    assert times.n_tokens == 3
    least = {
        "mel": 0.02,
        "encode": 0.04,
        "prompt": 0.02,
        "decode": 0.03,
        "sample": 0.03,
        "other": 0.03,
    }
    for stage, seconds in least.items():
        assert stages[stage].wall_s >= seconds, stage
        assert stages[stage].cpu_s < seconds  # it slept
    parts = [took for stage, took in stages.items() if stage != "total"]
    assert sum(part.wall_s for part in parts) == pytest.approx(stages["total"].wall_s)
    assert sum(part.cpu_s for part in parts) == pytest.approx(stages["total"].cpu_s)


def test_a_prompt_that_is_fed_again_is_a_prompt():
    seen = []

    @contextmanager
    def watch(work):
        seen.append(work)
        yield

    session = StagedSession(ScriptedSession(lambda window, past: {1: 0.0}), watch)
    session.encode(WINDOW)
    session.step(tokens(5))
    session.step(tokens(1))
    session.rewind(0)
    session.step(tokens(5))
    session.reorder(np.zeros(2, np.int64))
    session.step(np.array([[1], [1]], np.int64))
    assert seen == ["encode", "prompt", "decode", "prompt", "decode"]
    assert session.n_past == 2


def test_a_pass_without_speech_has_every_stage():
    stages = StageTimes().finish()
    assert set(stages) == {"mel", "encode", "prompt", "decode", "sample", "other", "total"}
    assert stages["decode"] == Duration(0.0, 0.0)


def test_peaks_belong_to_their_stage():
    peaks = StagePeaks()
    if not peaks.is_reset:
        pytest.skip("this system counts one peak for the whole process")

    def take(mib):
        return np.ones(mib << 17).sum()  # 8 bytes each; gone when this returns

    with peaks.watch("encode"):
        take(96)
    take(160)  # between two stages
    with peaks.watch("prompt"):
        take(16)
    found = peaks.finish()
    assert found["encode"] - found["decode"] > 64 << 20
    assert found["total"] - found["encode"] > 48 << 20


# -- clips --------------------------------------------------------------------------------------


def test_clips_are_what_they_were():
    """Their digests are in every record: another sound would need another protocol."""
    found = {timed.clip.name: timed for timed in timed_clips()}
    assert list(found) == ["2s", "5s", "10s", "30s"]
    assert {name: timed.clip.digest[:8] for name, timed in found.items()} == {
        "2s": "f170b73e",
        "5s": "9b567c72",
        "10s": "0790144c",
        "30s": "ed9f799f",
    }
    for name, timed in found.items():
        assert len(timed.samples) == 16_000 * timed.clip.duration_s == 16_000 * int(name[:-1])
        assert not timed.samples[-100:].any()  # no word is cut off


def test_clips_can_be_chosen():
    assert [timed.clip.name for timed in timed_clips(("10s", "2s"))] == ["2s", "10s"]


def test_words_are_counted_in_recordings_of_people():
    found = list(spoken_recordings())
    assert len({spoken.name for spoken in found}) == len(found) == 30
    assert all(spoken.text and len(spoken.samples) for spoken in found)
    assert len(words_digest()) == 64
    assert set(CLIPS["5s"]) <= {path.name for path in recordings_folder().iterdir()}


def recordings_folder():
    from importlib.resources import files

    return files("whisperq_edge.models") / "demo" / "recordings"


# -- plan ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("repeats", "cold_starts"), [(1, 1), (1, 3), (5, 2), (6, 3), (7, 3)])
def test_every_pass_is_in_one_visit(repeats, cold_starts):
    protocol = make_protocol(("2s",), repeats=repeats, cold_starts=cold_starts)
    visits = [rounds_of(visit, protocol) for visit in range(protocol.cold_starts)]
    assert [number for visit in visits for number in visit] == list(range(repeats))
    assert all(visits)


def test_configurations_take_turns():
    protocol = make_protocol(("2s",), repeats=4, cold_starts=2, sustain_s=1)
    found = list(pieces(2, protocol))
    assert [(piece.configuration, piece.kind, piece.visit) for piece in found] == [
        (0, "time", 0),
        (1, "time", 0),
        (0, "examine", 0),
        (1, "examine", 0),
        (0, "time", 1),
        (1, "time", 1),
        (0, "sustain", 0),
        (1, "sustain", 0),
    ]
    assert weight(found[0], protocol) == weight(found[5], protocol) > 0


def test_time_is_shared_out_evenly(monkeypatch):
    now = 100.0
    monkeypatch.setattr("whisperq_edge.edge.profiling.runner.time.monotonic", lambda: now)
    budget = Budget(60.0)
    assert budget.share(1.0, 3.0) == pytest.approx(20.0)
    now += 45.0  # the first took more than its share: the others give of theirs
    assert budget.share(1.0, 2.0) == pytest.approx(7.5)
    now += 45.0
    assert budget.left_s == budget.share(1.0, 1.0) == 0.0
    assert Budget(None).share(1.0, 3.0) is None


# -- outcomes -----------------------------------------------------------------------------------


def timed(clip, number, wall_s=1.0, *, phase="measured", text="yes", **more):
    stages = {
        stage: Duration(wall_s / 5, wall_s / 5)
        for stage in ("mel", "encode", "prompt", "decode", "other")
    }
    stages["total"] = Duration(wall_s, wall_s)
    facts = {"waited_s": 0.0, "clock_mhz": 2400, "temperature_c": 50.0} | more
    return Timed(0, number, Pass(clip, phase, stages, 4, **facts), text)


def good(**more):
    return [
        Observed(0, "before", COOL),
        Opened(0, Start(*[Duration(1, 1)] * 3, False), {"onnxruntime": "1"}, "cpu", False),
        timed("2s", 0, 3.0, phase="first"),
        timed("2s", 0, phase="warm-up"),
        timed("5s", 0, phase="warm-up"),
        *(timed(clip, number, **more) for number in range(3) for clip in ("2s", "5s")),
        Observed(0, "after", COOL),
        Weighed(Memory(1, 2, {"total": 3}, True)),
        Judged(errors()),
    ]


def doubts(findings):
    return assemble(configuration(), findings, PROTOCOL).doubts


def test_what_was_found_is_put_together():
    energy = [Energy("rapl", {"package": joules}, {"package": 2.0}, 7.0) for joules in (3.0, 5.0)]
    found = [*good(), *(Metered(visit, each) for visit, each in enumerate(energy))]
    outcome = assemble(configuration(), found, PROTOCOL)
    assert (outcome.status, outcome.reason, outcome.doubts) == ("measured", None, ())
    assert [one.phase for one in outcome.passes[:3]] == ["first", "warm-up", "warm-up"]
    assert (len(outcome.passes), len(outcome.starts)) == (9, 1)
    assert (outcome.before, outcome.after, outcome.errors) == (COOL, COOL, errors())
    assert outcome.texts == {"2s": "yes", "5s": "yes"}
    assert outcome.energy == Energy("rapl", {"package": 8.0}, {"package": 2.0}, 14.0)


def test_a_failure_keeps_what_was_measured_before_it():
    outcome = assemble(configuration(), [*good(), Failed("it broke")], PROTOCOL)
    assert (outcome.status, outcome.reason) == ("failed", "it broke")
    assert len(outcome.passes) == 9


def test_nothing_found_is_skipped_and_says_why():
    assert assemble(configuration(), [], PROTOCOL, "no room").reason == "no room"
    outcome = assemble(configuration(), good()[:3], PROTOCOL)
    assert outcome.status == "skipped" and "time was over" in outcome.reason


def replaced(findings, old, new):
    return [new if isinstance(finding, old) else finding for finding in findings]


def test_doubts_say_why():
    stand_in = msgspec.structs.replace(good()[1], stand_in=True)
    hot = Observed(0, "after", HOT)
    slowing = [timed(c, n, clock_mhz=2400 - 300 * n) for n in range(3) for c in ("2s", "5s")]
    uneven = [timed(c, n, 1 + 0.06 * n) for n in range(3) for c in ("2s", "5s")]
    head, tail = good()[:5], good()[-3:]
    cases = {
        "stand-in": replaced(good(), Opened, stand_in),
        "too few passes: 2 of 3": good()[:9] + tail,
        "not warmed up": [f for f in good() if getattr(f, "one", None) is None
                          or f.one.phase != "warm-up"],
        "waited for a processor 9%": good(waited_s=0.1),
        "clock fell from 2400 to 1800": head + slowing + tail,
        "held back: throttled": [*good()[:-3], hot, *tail[1:]],
        "its rounds differ by 11%": head + uneven + tail,
        "different words: 2s": [*good(), timed("2s", 9, text="no")],
        "no words were counted: jiwer": replaced(good(), Judged, Unjudged("jiwer")),
    }  # fmt: skip
    for said, findings in cases.items():
        lines = doubts(findings)
        assert len(lines) == 1 and said in lines[0], (said, lines)


def test_throttling_in_the_past_is_no_doubt():
    long_ago = msgspec.structs.replace(COOL, throttled_since_boot=("under-voltage",))
    findings = [
        msgspec.structs.replace(f, condition=long_ago) if isinstance(f, Observed) else f
        for f in good()
    ]
    assert doubts(findings) == ()


def test_small_differences_are_no_doubt():
    assert doubts(good(waited_s=0.04)) == ()
    near = [timed(c, n, 1 + 0.04 * n) for n in range(3) for c in ("2s", "5s")]
    assert doubts(good()[:5] + near + good()[-3:]) == ()


# -- memory -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("available", "limit", "said"),
    [
        (2_000_000_000, None, None),
        (1_050_000_000, None, "it needs about 1100 MB of memory, and 1050 MB are free"),
        (2_000_000_000, 900_000_000, "800 MB are left of this process's limit"),
        (500_000_000, 900_000_000, "500 MB are free"),
        (None, None, None),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(available, limit, said):
    found = misfit(
        1_000_000_000,
        available,
        limit,
        own_bytes=100_000_000,
    )
    assert found is None if said is None else said in found


# -- names and options --------------------------------------------------------------------------


def test_precisions_are_called_as_the_command_line_does():
    int8, int4 = Precision("int8"), Precision("int4", 32)
    assert precision_name({"encoder": int8, "decoder": int8, "head": int8}) == "int8"
    assert precision_name({"encoder": int4, "decoder": int4, "head": int8}) == "int4:32"
    mixed = {"encoder": int4, "encoder.0.fc1": int8, "decoder": int4, "head": int8}
    assert precision_name(mixed) == "mixed"


def test_threads_go_up_to_the_cores():
    assert thread_counts(None, 1) == [1]
    assert thread_counts(None, 4) == [1, 2, 4]
    assert thread_counts(None, 6) == [1, 2, 4, 6]
    assert thread_counts("4, 1,4", 2) == [4, 1]
    for text in ("0", "1,x", ""):
        with pytest.raises(ConfigError, match="--threads takes numbers"):
            thread_counts(text, 2)


def test_names_are_checked():
    known = ("onnx", "tflite")
    assert chosen("target", "all", known) == ["onnx", "tflite"]
    assert chosen("target", "tflite,onnx,tflite", known) == ["tflite", "onnx"]
    with pytest.raises(UnknownNameError, match="did you mean 'tflite'"):
        chosen("target", "onnx,tflit", known)
    with pytest.raises(ConfigError, match="no target"):
        chosen("target", ",", known)


def test_lengths_have_units():
    assert [length_s("--sustain", text) for text in ("0", "90s", "10m", "1.5h")] == [
        0.0,
        90.0,
        600.0,
        5400.0,
    ]
    for text in ("m", "-1s", "10 minutes", "1d"):
        with pytest.raises(ConfigError, match="--sustain takes a length"):
            length_s("--sustain", text)
