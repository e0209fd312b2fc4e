"""A profile of a real artifact: what it holds, and what no accident may take away or make up."""

from __future__ import annotations

import itertools
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest

from whisperq_edge.edge.artifact import Artifact
from whisperq_edge.edge.profiling.configuration import candidate
from whisperq_edge.edge.profiling.fit import MARGIN, needed_bytes
from whisperq_edge.edge.profiling.job import Finished, Job, Observed, Opened, Timed
from whisperq_edge.edge.profiling.journal import Entry, Header, Journal
from whisperq_edge.edge.profiling.measurement import measure
from whisperq_edge.edge.profiling.plan import make_protocol
from whisperq_edge.edge.profiling.read_board import read_board, read_condition
from whisperq_edge.edge.profiling.record import SCHEMA
from whisperq_edge.edge.profiling.record_file import read_record
from whisperq_edge.edge.profiling.runner import Budget, Runner
from whisperq_edge.edge.profiling.summary import measured, peak_bytes
from whisperq_edge.edge.profiling.worker_process import OverdueError, WorkerProcess

PROGRAM = Path(sys.executable).with_name("whisperq-edge")
QUICK = make_protocol(("2s",), warm_ups=0, repeats=2, cold_starts=2, judges=False)
REPEATS = 6
WORKER = "whisperq_edge.edge.profiling.worker"


def command(artifact, record, *options):
    return [PROGRAM, "profile", artifact.folder, "--threads", "1", "--output", record, *options]


def run(artifacts, folder, protocol=QUICK, *, budget_s=None, report=lambda step: None):
    """The profiler in this process, one thread for each artifact."""
    candidates = [candidate(artifact, 1) for artifact in artifacts]
    header = Header(
        SCHEMA,
        "2026-11-28T08:00:00+00:00",
        "0.1.0",
        protocol,
        read_board(),
        (),
        tuple(each.configuration for each in candidates),
    )
    with Journal(folder / "record.journal", header) as journal:
        return Runner(candidates, journal, Budget(budget_s), report).run()


def copied(artifact, folder):
    return Artifact.read(Path(shutil.copytree(artifact.folder, folder)))


def job_of(artifact, **changes):
    """What a worker is asked, if it is not said otherwise: to time one clip."""
    job = Job(
        kind="time", visit=0, folder=str(artifact.folder),
        digest=candidate(artifact, 1).configuration.digest, threads=1, device=None, provider=None,
        clips=("2s",), warm_ups=0, rounds=(), judges=False, sustain_s=0.0, limit_s=None,
        spawned_s=time.monotonic(),
    )  # fmt: skip
    return msgspec.structs.replace(job, **changes)


def children():
    """Workers of this process that still run."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if WORKER.encode() in (entry / "cmdline").read_bytes():
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                if parent == os.getpid():
                    found.append(int(entry.name))
        except OSError:
            continue
    return found


# -- what it holds ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def record_path(artifact, tmp_path_factory):
    """A whole run of the program, the usual way."""
    path = tmp_path_factory.mktemp("profile") / "record.json"
    done = subprocess.run(
        command(artifact, path, "--label", "of a test"), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert f"record: {path}" in done.stdout
    return path


def test_a_record_is_complete(artifact, record_path):
    record = read_record(record_path)
    (outcome,) = record.outcomes
    assert (outcome.status, outcome.reason) == ("measured", None)
    assert record.labels == ("of a test",)
    assert outcome.configuration.name == "demo int8 onnx, 1 thread"
    assert outcome.configuration.size_bytes == artifact.size
    assert outcome.tools.keys() == {"whisperq-edge", "numpy", "onnxruntime"}
    assert len(outcome.starts) == record.protocol.cold_starts == 2
    for clip in record.protocol.clips:
        assert len(measured(outcome, clip.name)) == record.protocol.repeats == REPEATS
    assert [one.phase for one in outcome.passes].count("first") == 2
    assert [one.phase for one in outcome.passes].count("warm-up") == 2 * 4
    assert outcome.texts["2s"] == "up on left"
    assert outcome.errors.n_reference == 135 and outcome.errors.rate < 0.2
    assert not record_path.with_suffix(".journal").exists()
    assert not record_path.with_suffix(".cache").exists()


def test_its_times_are_times(record_path):
    (outcome,) = read_record(record_path).outcomes
    for one in outcome.passes:
        parts = [took for stage, took in one.stages.items() if stage != "total"]
        assert sum(part.wall_s for part in parts) == pytest.approx(one.stages["total"].wall_s)
        assert all(took.wall_s > 0 for took in one.stages.values())
        assert one.n_tokens > 0
    for start in outcome.starts:
        assert start.process.wall_s > 0.02 and start.load.wall_s > 0.01


def test_its_memory_is_that_of_stages(artifact, record_path):
    (outcome,) = read_record(record_path).outcomes
    memory = outcome.memory
    assert memory.before < memory.loaded <= memory.peaks["load"] <= memory.peaks["total"]
    assert memory.loaded - memory.before > artifact.size / 2
    assert peak_bytes(outcome) == memory.peaks["total"]
    assert {"load", "encode", "decode", "total"} == set(memory.peaks)


def test_what_it_needs_is_known_beforehand(artifact, record_path):
    (outcome,) = read_record(record_path).outcomes
    assert peak_bytes(outcome) <= needed_bytes(artifact) * MARGIN <= 1.4 * peak_bytes(outcome)


def test_its_words_are_those_of_transcribe(artifact, record_path, recordings, call):
    (outcome,) = read_record(record_path).outcomes
    found = call(
        "transcribe", "--artifact", artifact.folder, "--language", "en",
        recordings / "08_make_me_a_triple_shot_sixteen_ounce_hous.flac",
    )  # fmt: skip
    assert outcome.texts["5s"] == found.out.strip()


def test_a_finished_record_is_not_touched(artifact, record_path, call):
    before = record_path.read_bytes()
    ended = call(*command(artifact, record_path)[1:])
    assert ended.status == 2 and "is finished" in ended.err
    assert record_path.read_bytes() == before


def test_what_is_missing_is_exported_once(call, tmp_path, monkeypatch):
    pytest.importorskip("onnx")
    monkeypatch.setenv("WHISPERQ_EDGE_DATA", str(tmp_path / "data"))
    options = ("profile", "--targets", "onnx", "--threads", "1", "--repeats", "1", "--json")
    first = json.loads(call(*options).out)
    made = list((tmp_path / "data" / "artifacts").glob("*/artifact.json"))
    assert [path.parent.name for path in made] == ["demo-onnx-int8"]
    written = made[0].stat().st_mtime_ns
    second = json.loads(call(*options, "--output", tmp_path / "second.json").out)
    assert made[0].stat().st_mtime_ns == written
    assert [row["configuration"] for row in first["rows"]] == ["demo int8 onnx, 1 thread"]
    assert Path(first["record"]).parent == tmp_path / "data" / "profiles"
    assert Path(second["record"]) == tmp_path / "second.json"
    assert second["rows"][0]["real_time_factor"]["median"] > 0


def test_it_stays_busy_as_long_as_asked(artifact, tmp_path):
    protocol = msgspec.structs.replace(QUICK, sustain_s=2.5)
    (outcome,) = run([artifact], tmp_path, protocol).outcomes
    times = [moment.at_s for moment in outcome.sustained]
    assert 1 <= len(times) <= 3 and times == sorted(times) and times[-1] < 2.5
    assert all(0 < moment.real_time_factor < 10 for moment in outcome.sustained)


# -- accidents ----------------------------------------------------------------------------------


def test_killed_anywhere_nothing_is_lost_or_measured_twice(artifact, tmp_path):
    """Ten times, wherever it is at that moment, and gone on with each time."""
    path = tmp_path / "record.json"
    journal = path.with_suffix(".journal")
    chance = random.Random(2026)
    known: list[bytes] = []
    for number in range(10):
        process = subprocess.Popen(
            command(artifact, path), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        until = len(known) + chance.randint(1, 6)
        while process.poll() is None and n_lines(journal) < until:
            time.sleep(0.002)
        process.kill()
        process.wait()
        now = whole_lines(journal)
        assert now[: len(known)] == known, f"kill {number} lost what was written"
        known = now
    assert not path.exists()
    done = subprocess.run(command(artifact, path), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "going on with the profile" in done.stderr
    record = read_record(path)
    (outcome,) = record.outcomes
    before = [msgspec.json.decode(line, type=Entry).finding for line in known[1:]]
    passes = [finding.one for finding in before if isinstance(finding, Timed)]
    assert len(passes) > 10
    assert list(outcome.passes[: len(passes)]) == passes
    for clip in record.protocol.clips:
        assert len(measured(outcome, clip.name)) == REPEATS
    assert len(outcome.starts) == record.protocol.cold_starts
    assert record.created == msgspec.json.decode(known[0], type=Header).created
    assert not journal.exists()


def test_what_is_known_is_not_measured_again(artifact, tmp_path, monkeypatch):
    record = run([artifact], tmp_path)  # this one leaves its journal
    started = "whisperq_edge.edge.profiling.runner.WorkerProcess"
    monkeypatch.setattr(started, lambda *_: pytest.fail("it was started again"))
    assert run([artifact], tmp_path) == record


def n_lines(path):
    return path.read_bytes().count(b"\n") if path.exists() else 0


def whole_lines(path):
    lines = path.read_bytes().splitlines(keepends=True) if path.exists() else []
    return [line for line in lines if line.endswith(b"\n")]


def test_no_worker_outlives_whoever_asked(artifact):
    """Its answers may still have a reader, or none may be due for a while: the end of its input is
    what it goes by, since a program that is killed says nothing."""
    job = job_of(artifact, kind="sustain", sustain_s=3600.0)
    worker = subprocess.Popen(
        [sys.executable, "-m", WORKER], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    worker.stdin.write(msgspec.json.encode(job) + b"\n")
    worker.stdin.flush()
    time.sleep(0.5)
    worker.stdin.close()
    try:
        worker.wait(timeout=30)
    finally:
        worker.kill()
        worker.wait()
        worker.stdout.close()


def test_other_programs_make_it_doubtful(artifact, tmp_path):
    cores = len(os.sched_getaffinity(0))
    burners = [
        # Each in a session of its own: Linux shares processors out by sessions.
        subprocess.Popen([sys.executable, "-c", "while True: pass"], start_new_session=True)
        for _ in range(3 * cores)
    ]
    try:
        (outcome,) = run([artifact], tmp_path).outcomes
    finally:
        for burner in burners:
            burner.kill()
            burner.wait()
    assert outcome.status == "measured"
    assert any("waited for a processor" in doubt for doubt in outcome.doubts), outcome.doubts
    assert sum(one.waited_s for one in measured(outcome)) > 0


def test_an_artifact_that_vanishes_fails_alone(artifact, tmp_path):
    doomed = copied(artifact, tmp_path / "doomed")

    def report(step):
        if step.kind == "examine":
            shutil.rmtree(doomed.folder, ignore_errors=True)

    lost, kept = run([doomed, artifact], tmp_path, report=report).outcomes
    assert lost.status == "failed" and "is not an artifact" in lost.reason
    assert "\n" not in lost.reason
    assert len(measured(lost)) == 1  # of the visit before
    assert kept.status == "measured" and len(measured(kept)) == 2


def test_an_artifact_that_becomes_another_fails(artifact, tmp_path):
    changing = copied(artifact, tmp_path / "changing")

    def report(step):
        if step.kind == "examine":
            manifest = changing.folder / "artifact.json"
            manifest.write_bytes(manifest.read_bytes() + b"\n")

    (outcome,) = run([changing], tmp_path, report=report).outcomes
    assert outcome.status == "failed" and "exported anew" in outcome.reason


@pytest.mark.parametrize(
    ("number", "said"),
    [(signal.SIGKILL, "out of memory"), (signal.SIGILL, "another processor"),
     (signal.SIGSEGV, "a library crashed (SIGSEGV)")],
)  # fmt: skip
def test_a_process_that_dies_is_an_outcome(artifact, tmp_path, number, said):
    def report(step):
        if not step.is_new and step.kind == "time" and step.name.startswith("demo"):
            for pid in children():
                os.kill(pid, number)

    first, second = run([artifact, artifact], tmp_path, report=report).outcomes
    assert (first.status, second.status) == ("failed", "failed")
    assert said in first.reason
    assert first.passes  # what it had told stays


def test_a_full_disk_stops_nothing_and_loses_nothing(artifact, tmp_path):
    """Files that may not grow are, to the program, a disk without room."""
    path = tmp_path / "record.json"
    full = subprocess.run(
        command(artifact, path),
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192)),
    )
    assert full.returncode == 1
    assert full.stderr.strip().splitlines()[-1].startswith("error: cannot write ")
    assert "demo int8 onnx, 1 thread" in full.stdout  # the figures are shown all the same
    assert not path.exists()
    known = whole_lines(path.with_suffix(".journal"))
    assert len(known) > 3
    done = subprocess.run(command(artifact, path), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (outcome,) = read_record(path).outcomes
    before = [msgspec.json.decode(line, type=Entry).finding for line in known[1:]]
    passes = [finding.one for finding in before if isinstance(finding, Timed)]
    assert list(outcome.passes[: len(passes)]) == passes
    assert all(len(measured(outcome, clip)) == REPEATS for clip in ("2s", "5s", "10s", "30s"))


def test_a_clock_that_jumps_changes_no_figure(artifact, tmp_path):
    """Only ``created`` is by the wall clock, which a board sets when it finds the network."""
    (tmp_path / "sitecustomize.py").write_text(
        "import itertools, time\n"
        "jumps = itertools.cycle([1e6, -1e6, 3e7, 0.0])\n"
        "wall = time.time\n"
        "time.time = lambda: wall() + next(jumps)\n"
    )
    path = tmp_path / "record.json"
    began = time.monotonic()
    done = subprocess.run(
        command(artifact, path, "--repeats", "2", "--sustain", "1s"),
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}"},
    )
    took_s = time.monotonic() - began
    assert done.returncode == 0, done.stderr
    (outcome,) = read_record(path).outcomes
    assert len(measured(outcome)) == 2 * 4
    assert outcome.sustained
    durations = [one.stages[stage].wall_s for one in outcome.passes for stage in one.stages]
    durations += [start.process.wall_s + start.load.wall_s for start in outcome.starts]
    durations += [moment.at_s for moment in outcome.sustained]
    assert all(0 <= duration < took_s for duration in durations)


def test_a_worker_that_does_not_come_back_is_ended(artifact):
    job = job_of(artifact, kind="sustain", sustain_s=3600.0)
    with WorkerProcess(job, {}, limit_s=0.5) as worker:
        with pytest.raises(OverdueError):
            list(worker.findings())
        assert children()
    assert not children()


def test_what_took_too_long_has_not_failed(artifact, tmp_path, monkeypatch):
    class Stuck(WorkerProcess):
        def findings(self):
            raise OverdueError("it was ended")

    monkeypatch.setattr("whisperq_edge.edge.profiling.runner.WorkerProcess", Stuck)
    (outcome,) = run([artifact], tmp_path).outcomes
    assert (outcome.status, outcome.reason) == ("skipped", "it was ended")


# -- what is not tried --------------------------------------------------------------------------


def test_what_does_not_fit_is_not_started(artifact, tmp_path, monkeypatch):
    poor = msgspec.structs.replace(read_condition(), available_bytes=50_000_000)
    runner = "whisperq_edge.edge.profiling.runner"
    monkeypatch.setattr(f"{runner}.read_condition", lambda: poor)
    monkeypatch.setattr(f"{runner}.WorkerProcess", lambda *_: pytest.fail("it was started"))
    (outcome,) = run([artifact], tmp_path).outcomes
    assert outcome.status == "skipped"
    assert "MB of memory, and 50 MB are free" in outcome.reason


def test_a_budget_that_is_over_says_what_it_left_out(artifact, tmp_path, monkeypatch):
    now = 0.0
    clock = type("Clock", (), {"monotonic": staticmethod(lambda: now)})
    monkeypatch.setattr("whisperq_edge.edge.profiling.runner.time", clock)

    def report(step):
        nonlocal now
        now += 50.0 if step.is_new else 0.0  # each piece takes most of a minute

    first, second = run([artifact, artifact], tmp_path, budget_s=60.0, report=report).outcomes
    assert (first.status, second.status) == ("measured", "measured")
    for outcome in (first, second):
        assert "left out: the 1 minutes were over" in outcome.doubts
        assert any("too few passes: 1 of 2" in doubt for doubt in outcome.doubts)


def test_a_worker_stops_when_its_time_is_over(artifact, monkeypatch):
    clock = itertools.count(1.0)  # each look at it takes a second
    module = "whisperq_edge.edge.profiling.measurement.time"
    monkeypatch.setattr(f"{module}.monotonic", lambda: next(clock))
    found = list(measure(job_of(artifact, clips=("2s", "5s"), rounds=range(500), limit_s=20.0)))
    timed = [finding for finding in found if isinstance(finding, Timed)]
    assert 4 < len(timed) < 20
    assert {finding.one.phase for finding in timed} == {"first", "measured"}
    assert isinstance(found[-1], Finished) and found[-1].is_cut
    assert any(isinstance(finding, Opened) for finding in found)


def test_a_worker_without_time_still_says_that_it_starts(artifact):
    found = list(measure(job_of(artifact, rounds=range(2), limit_s=0.0, spawned_s=0.0)))
    assert [type(finding) for finding in found] == [Observed, Opened, Timed, Observed, Finished]
    assert found[-1].is_cut
