"""``whisperq-edge export --target all`` and ``whisperq-edge targets``."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from whisperq_edge.edge.artifact import Artifact
from whisperq_edge.edge.cli.export_index import newest_export
from whisperq_edge.edge.errors import ExportError
from whisperq_edge.edge.evaluation import plan as plan_module
from whisperq_edge.edge.evaluation.plan import Job, Wish, fit, installed_targets, plan
from whisperq_edge.edge.evaluation.several import affordable_workers, run_side_by_side
from whisperq_edge.edge.types import Precision
from whisperq_edge.exporters import TARGETS
from whisperq_edge.exporters.targets import Layout, Target
from whisperq_edge.models.checkpoint import load_checkpoint
from whisperq_edge.models.quantize import Recipe

pytest.importorskip("onnx", reason="exporting ONNX needs onnx")
PROGRAM = Path(sys.executable).with_name("whisperq-edge")
WISH = Wish(
    "demo",
    None,
    True,
    Recipe.of("int8"),
    "int8",
    "native",
    windows=(),
    socs=(),
    verify=False,
    allow_loss=False,
)
WIDE = Target(
    "to_onnx:OnnxExporter",
    "onnx",
    "onnx",
    {"native": Layout("tests", ("fp32", "int8", "int8:64", "int4:64"), "any")},
)


def made(job, report=lambda *_: None):
    return run_side_by_side([job], 1, report)[0]


# What is asked, and what a target has of it


def test_what_is_offered_is_taken_as_it_is():
    assert fit(WISH, "wide", WIDE) == (WISH, ())


@pytest.mark.parametrize(
    ("recipe", "taken", "note"),
    [
        (Recipe.of("int4"), Precision("int4", 64), "wide (native) has no int4 in blocks of 32"),
        (Recipe.of("fp16"), Precision("fp32"), "wide (native) has no fp16; taking fp32"),
        (Recipe.of("int8", 128), Precision("int8"), "taking int8"),
    ],
)
def test_what_is_not_offered_becomes_the_next_finer(recipe, taken, note):
    fitted, notes = fit(replace(WISH, recipe=recipe), "wide", WIDE)
    assert fitted.recipe.encoder == taken
    assert note in notes[0]


def test_nothing_coarser_is_taken():
    narrow = replace(WIDE, layouts={"native": Layout("tests", ("int8",), "choice")})
    wish = replace(WISH, recipe=Recipe.of("fp32"), windows=(250,))
    fitted, notes = fit(wish, "narrow", narrow)
    assert fitted == wish
    assert notes == ()


def test_a_layout_and_windows_that_a_target_lacks_are_left_out():
    fitted, notes = fit(replace(WISH, layout="genai", windows=(250,)), "wide", WIDE)
    assert (fitted.layout, fitted.windows) == ("native", ())
    assert notes == ("wide has no genai layout; taking native",)


def test_every_installed_target_is_planned(tmp_path):
    jobs = list(plan(WISH, installed_targets(), tmp_path, "openai/tiny"))
    assert [job.target for job in jobs] == installed_targets()
    assert "onnx" in installed_targets()
    assert jobs[0].output.parent == tmp_path
    assert {job.output.name for job in jobs if job.wish.layout == "native"} >= {"tiny-onnx-int8"}


# Processes


def test_a_job_makes_its_artifact_and_tells_its_stages(tmp_path):
    stages = []
    job = Job("onnx", WISH, tmp_path / "a")
    outcome = made(job, lambda job, stage, done: stages.append((job.target, stage)))
    assert (outcome.error, outcome.status) == (None, 0)
    assert Artifact.read(job.output, digests=True).manifest.target == "onnx"
    assert ("onnx", "quantize") in stages
    assert ("onnx", "write") in stages


def test_a_failure_does_not_stop_the_others(tmp_path):
    """One is refused, one dies without a word, one is done."""
    refused = Job("refused", WISH, tmp_path / "refused")
    killed = Killed("killed", WISH, tmp_path / "killed")
    good = Job("onnx", WISH, tmp_path / "good")
    outcomes = run_side_by_side([refused, killed, good], 2, lambda *_: None)
    assert [outcome.job for outcome in outcomes] == [refused, killed, good]
    assert [outcome.status for outcome in outcomes] == [2, 1, 0]
    assert "unknown target 'refused'" in outcomes[0].error
    assert "SIGKILL" in outcomes[1].error
    assert [path.name for path in tmp_path.iterdir()] == ["good"]


class Killed(Job):
    """Dies as under a library's crash."""

    def run(self, progress, checkpoint=None):
        os.kill(os.getpid(), signal.SIGKILL)


class Endless(Job):
    """Holds a half-written artifact until it is stopped."""

    def run(self, progress, checkpoint=None):
        from whisperq_edge.edge.artifact import staging_folder

        with staging_folder(self.output) as folder:
            (folder / "half").write_text("written")
            progress("write", 0.5)
            time.sleep(60)


def test_interrupted_no_process_and_no_folder_is_left(tmp_path):
    jobs = [Endless(name, WISH, tmp_path / name) for name in ("a", "b")]
    started = set()

    def interrupt(job, stage, done):
        started.add(job.target)
        if len(started) == 2:
            assert len(list(tmp_path.iterdir())) == 2
            raise KeyboardInterrupt

    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        run_side_by_side(jobs, 2, interrupt)
    assert time.monotonic() - began < 50
    assert list(tmp_path.iterdir()) == []


def test_there_is_always_a_worker():
    assert affordable_workers(10**13) == 1
    assert 1 <= affordable_workers(1) <= 4


# What is there already


@pytest.fixture(scope="module")
def there(tmp_path_factory):
    """An artifact as ``--target all`` makes it, not verified."""
    job = Job("onnx", WISH, tmp_path_factory.mktemp("all") / "demo-onnx-int8")
    assert made(job).status == 0
    return job


@pytest.fixture(scope="module")
def demo():
    return load_checkpoint("demo", offline=True)


def test_what_is_done_is_known(there, demo):
    assert there.done(demo) is not None


@pytest.mark.parametrize(
    "wish",
    [
        replace(WISH, recipe=Recipe.of("int4")),
        replace(WISH, layout="portable"),
        replace(WISH, verify=True),
        replace(WISH, recipe=None),
    ],
)
def test_something_else_is_not_done(there, demo, wish):
    assert replace(there, wish=wish).done(demo) is None


def test_another_checkpoint_or_release_or_damage_is_not_done(there, demo, tmp_path, monkeypatch):
    assert there.done(replace(demo, weights=Other())) is None
    monkeypatch.setattr(plan_module, "__version__", "0.0")
    assert there.done(demo) is None
    monkeypatch.undo()
    copy = Job("onnx", WISH, tmp_path / "copy")
    copy.output.mkdir()
    for path in there.output.iterdir():
        (copy.output / path.name).write_bytes(path.read_bytes())
    assert copy.done(demo) is not None
    damaged = bytearray((copy.output / "encoder.onnx").read_bytes())
    damaged[100] ^= 1
    (copy.output / "encoder.onnx").write_bytes(damaged)
    assert copy.done(demo) is None


class Other:
    """Weights of another checkpoint."""

    def digest(self):
        return "another"


# The command


@pytest.fixture
def only_onnx(monkeypatch):
    monkeypatch.setattr(plan_module, "installed_targets", lambda: ["onnx"])


def test_the_command_prints_a_table_and_skips_what_is_done(call, tmp_path, only_onnx):
    arguments = ("export", "--target", "all", "--no-verify", "--output", tmp_path)
    first = call(*arguments)
    assert first.status == 0, first.err
    head, row = first.out.splitlines()
    assert head.split()[:2] == ["target", "precision"]
    assert row.split()[:2] == ["onnx", "int8"]
    assert "not verified" in row
    assert newest_export() == tmp_path / "demo-onnx-int8"
    again = call(*arguments, "--json")
    (record,) = json.loads(again.out)
    assert record["verdict"] == "not verified; was there already"
    assert record["seconds"] is None
    assert record["artifact"] == str(tmp_path / "demo-onnx-int8")


def test_a_target_that_fails_is_a_row_and_the_exit_status(call, tmp_path, monkeypatch):
    monkeypatch.setattr(plan_module, "installed_targets", lambda: ["onnx", "qualcomm"])
    pytest.importorskip("onnxruntime_qnn")
    ended = call("export", "--target", "all", "--fp32", "--no-verify", "--output", tmp_path)
    assert ended.status == ExportError.exit_code
    good, bad = ended.out.splitlines()[1:]
    assert good.startswith("onnx ")
    assert "qualcomm (native) has no fp32; it offers int8" in bad
    assert [path.name for path in tmp_path.iterdir()] == ["demo-onnx-fp32"]


def test_ctrl_c_leaves_nothing_half_written(tmp_path):
    """The signal goes to the whole group of processes, as a terminal sends it."""
    process = subprocess.Popen(
        [PROGRAM, "export", "--target", "all", "--output", tmp_path],
        stderr=subprocess.PIPE,
        start_new_session=True,
        text=True,
    )
    with process:
        while not list(tmp_path.iterdir()):  # until one writes
            assert process.poll() is None, "it ended before it could be interrupted"
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err.splitlines()[-1] == "interrupted"
    assert "Traceback" not in err
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
    for path in tmp_path.iterdir():  # one that was ready in time is whole
        Artifact.read(path, digests=True)


def test_the_table_of_targets_is_shown(call):
    listed = call("targets").out
    for name, target in TARGETS.items():
        for layout, offer in target.layouts.items():
            assert offer.purpose in listed
            assert layout in listed
        assert name in listed
    records = {record["name"]: record for record in json.loads(call("targets", "--json").out)}
    assert set(records) == set(TARGETS)
    assert records["onnx"]["installed"]
    native = records["onnx"]["layouts"]["native"]
    assert native["windows"] == "any"
    assert "int4:32" in native["precisions"]


def test_a_target_that_is_missing_shows_its_pip_command(call, monkeypatch):
    monkeypatch.setattr("whisperq_edge.edge.cli.targets.find_spec", lambda _: None)
    assert "pip install 'whisperq-edge[onnx]'" in call("targets").out


def test_without_any_target_it_says_what_to_do(call, monkeypatch):
    monkeypatch.setattr(plan_module, "installed_targets", list)
    ended = call("export", "--target", "all")
    assert ended.status == 2
    assert "whisperq-edge targets" in ended.err
