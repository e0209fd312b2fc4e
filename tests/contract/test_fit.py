"""What the profiler says fits into memory runs in so much, and what it says does not is refused."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import msgspec
import pytest

from whisperq_edge.edge.profiling.board import Board
from whisperq_edge.edge.profiling.configuration import candidate
from whisperq_edge.edge.profiling.fit import MARGIN
from whisperq_edge.edge.profiling.journal import Header, Journal
from whisperq_edge.edge.profiling.plan import make_protocol
from whisperq_edge.edge.profiling.read_board import read_board
from whisperq_edge.edge.profiling.record import SCHEMA
from whisperq_edge.edge.profiling.record_file import read_record, write_record
from whisperq_edge.edge.profiling.runner import Budget, Runner
from whisperq_edge.edge.profiling.summary import peak_bytes

from ..measured_program import SCRIPT
from ..memory_cap import fresh_copy, run_capped

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="control groups are Linux's")

PROGRAM = Path(sys.executable).with_name("whisperq-edge")
# What a process that transcribes maps the most of.
LIBRARIES = ("onnxruntime", "numpy", "tokenizers", "_soundfile_data")
# Of the peak: less than the memory that is no file's, so that it does not fit even where all
# pages of libraries are free because other programs have read them.
FAR_BELOW = 0.4


@pytest.fixture(scope="module")
def profiled(artifact, tmp_path_factory):
    """A record of the ONNX artifact with one thread: its path, and the peak in bytes."""
    found = candidate(artifact, 1)
    protocol = make_protocol(warm_ups=0, repeats=1, cold_starts=1, judges=False)
    created, package = "2026-11-28T08:00:00Z", "0.1.0"
    header = Header(SCHEMA, created, package, protocol, read_board(), (), (found.configuration,))
    folder = tmp_path_factory.mktemp("fit")
    with Journal(folder / "record.journal", header) as journal:
        record = Runner([found], journal, Budget(None), lambda step: None).run()
    assert record.outcomes[0].status == "measured", record.outcomes[0].reason
    write_record(record, folder / "record.json")
    peak = peak_bytes(record.outcomes[0])
    assert peak is not None
    return folder / "record.json", peak


def boundary(peak):
    """The least memory that the verdict calls enough."""
    least = int(peak * MARGIN)
    return least + (least < peak * MARGIN)


def test_the_verdict_has_one_boundary(call, profiled):
    path, peak = profiled
    enough = boundary(peak)
    fits = call("recommend", path, "--max-memory", enough, "--json")
    assert (fits.status, fits.err) == (0, "")
    assert json.loads(fits.out)["choice"]["peak_bytes"] == peak
    refused = call("recommend", path, "--max-memory", enough - 1_000_000)
    assert refused.status == 1
    assert refused.err.splitlines() == [
        "error: no configuration keeps the limit; the nearest is demo int8 onnx, 1 thread: "
        f"it needs {peak * MARGIN / 1e6:.1f} MB of memory ({peak / 1e6:.1f} MB and 10 %), "
        f"{(peak * MARGIN - enough + 1_000_000) / 1e6:.1f} MB over the limit of "
        f"{(enough - 1_000_000) / 1e6:.1f} MB"
    ]


def test_what_fits_runs_under_that_cap(profiled, artifact, recordings, tmp_path):
    """With every page of the artifact and the libraries charged to it."""
    _, peak = profiled
    site = tmp_path / "site"
    site.mkdir()
    for name in LIBRARIES:
        found = importlib.util.find_spec(name)
        assert found is not None and found.submodule_search_locations
        source = Path(next(iter(found.submodule_search_locations)))
        fresh_copy(source, site)
        if (bundled := source.with_name(f"{name}.libs")).is_dir():
            fresh_copy(bundled, site)
    folder = fresh_copy(artifact.folder, tmp_path)
    report = tmp_path / "report.json"
    command = [sys.executable, "-c", SCRIPT, report, "transcribe"]
    options = ["--artifact", folder, "--threads", 1, "--language", "en", "--output-dir", tmp_path]
    ran = run_capped(
        [*command, recordings / "68_long_28_s.flac", *options],
        boundary(peak),
        env={"PYTHONPATH": str(site)},
    )
    assert (ran.status, ran.killed) == (0, 0), ran.err
    assert len((tmp_path / "68_long_28_s.txt").read_text().split()) > 10
    told = json.loads(report.read_text())
    assert told["status"] == 0
    # The group's peak would prove little: pages of files are given back when memory is short.
    assert told["peak_kib"] * 1024 <= boundary(peak)
    if ran.peak_bytes < 0.8 * peak:
        pytest.skip(f"it ran, but pages of files in {tmp_path} are not charged to who reads them")


def test_what_does_not_fit_is_refused_beforehand(profiled, artifact, tmp_path):
    _, peak = profiled
    cap = int(peak * FAR_BELOW)
    output = tmp_path / "refused.json"
    options = ["--threads", "1", "--repeats", "1", "--output", output]
    refused = run_capped([PROGRAM, "profile", artifact.folder, *options], cap)
    assert refused.killed == 0
    lines = [line for line in refused.err.splitlines() if "demo int8 onnx, 1 thread: it" in line]
    assert len(lines) == 1, refused.err
    assert " MB of memory, and " in lines[0]
    (outcome,) = read_record(output).outcomes
    assert (outcome.status, outcome.passes) == ("skipped", ())


def test_a_recommendation_keeps_the_cap_that_it_finds(profiled):
    """Without --max-memory: what the control group leaves this process is a limit as well."""
    path, peak = profiled
    cap = int(peak * FAR_BELOW)
    refused = run_capped([PROGRAM, "recommend", path], cap)
    assert (refused.status, refused.killed) == (1, 0)
    # The kernel counts in pages.
    assert f"over the limit of {cap // 4096 * 4096 / 1e6:.1f} MB" in refused.err
    assert len(refused.err.splitlines()) == 1


def test_what_was_refused_would_not_have_run(profiled, artifact, recordings, tmp_path):
    _, peak = profiled
    options = ["--artifact", artifact.folder, "--threads", 1, "--output-dir", tmp_path]
    ran = run_capped(
        [PROGRAM, "transcribe", recordings / "68_long_28_s.flac", *options], int(peak * FAR_BELOW)
    )
    assert (ran.status, ran.killed) == (-9, 1)


def test_the_cap_is_seen_by_the_board():
    script = (
        "import msgspec; from whisperq_edge.edge.profiling.read_board import read_board;"
        "print(msgspec.json.encode(read_board()).decode())"
    )
    ran = run_capped([sys.executable, "-c", script], 1 << 28)
    assert msgspec.json.decode(ran.out, type=Board).memory_limit_bytes == 1 << 28
