"""A miniature study by the installed program: killed, interrupted, finished, and not done again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import pytest

from whisperq_edge.edge.study.output import FIGURES, MARKDOWN, PAGE, read_study
from whisperq_edge.exporters import TARGETS

pytest.importorskip("onnx", reason="exporting ONNX needs onnx")
pytest.importorskip("matplotlib", reason="a report as HTML needs matplotlib")
pytest.importorskip("jinja2", reason="a report as HTML needs Jinja2")
pytest.importorskip("whisper_normalizer", reason="judging words needs whisper-normalizer")

N_RECORDINGS = 6
PATIENCE_S = 120.0
CONFIG = """
title = "A miniature"
checkpoints = ["demo"]
targets = [{targets}]
precisions = ["fp16", "int8"]
repeats = 1
[[sets]]
name = "clean"
data = "demo"
limit = {limit}
"""


@pytest.fixture
def targets():
    return [name for name in ("onnx", "ggml") if name in TARGETS and find_spec(MODULES[name])]


MODULES = {"onnx": "onnxruntime", "ggml": "pywhispercpp"}


@pytest.fixture
def config(tmp_path, targets):
    path = tmp_path / "mini.toml"
    names = ", ".join(f'"{name}"' for name in targets)
    path.write_text(CONFIG.format(targets=names, limit=N_RECORDINGS))
    return path


def start(config, work, output):
    """The program, running."""
    program = Path(sys.executable).with_name("whisperq-edge")
    return subprocess.Popen(
        [program, "study", "--config", config, "--work", work, "-o", output, "--workers", "1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=dict(os.environ),
    )


def wait_until(process, condition):
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert process.poll() is None, process.stderr.read().decode()
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_study_survives_a_kill_and_an_interrupt_and_is_done_once(cli, config, tmp_path, targets):
    work, output = tmp_path / "work", tmp_path / "report"
    results = work / "results.jsonl"

    def lines():
        return results.read_bytes().splitlines() if results.exists() else []

    with start(config, work, output) as process:
        wait_until(process, lines)
        process.kill()
    assert not output.exists()  # nothing is shown of a study that is not finished
    kept = lines()
    made = {path: path.stat().st_mtime_ns for path in work.glob("artifacts/*/artifact.json")}
    assert len(made) == 2 * len(targets)

    with start(config, work, output) as process:
        wait_until(process, lambda: list(work.glob("stages/*.json")))
        process.send_signal(signal.SIGINT)
        error = process.communicate(timeout=PATIENCE_S)[1].decode()
    assert process.returncode == 130
    assert f"what is done is in {work}" in error and "Traceback" not in error
    measured = {path: path.stat().st_mtime_ns for path in work.glob("stages/*.json")}

    done = cli("study", "--config", config, "--work", work, "-o", output, "--workers", "1")
    assert done.status == 0, done.err
    assert lines()[: len(kept) - 1] == kept[:-1]  # the last may have been torn
    keys = [json.loads(line)["key"] for line in lines()]
    assert len(keys) == len(set(keys)) == 2 * len(targets) * N_RECORDINGS
    assert {path: path.stat().st_mtime_ns for path in made} == made
    assert {path: path.stat().st_mtime_ns for path in measured} == measured
    check_figures(read_study(output / FIGURES), targets)
    assert str(tmp_path) not in (output / FIGURES).read_text()
    assert "INT8 makes the model smaller" in done.out

    put_together = [path.stat().st_mtime_ns for path in work.glob("studies/*.json")]
    before = {path: path.stat().st_mtime_ns for path in output.iterdir()}
    assert {PAGE, MARKDOWN, "table-1.csv", "table-3.tex", "words-size.png"} <= {
        path.name for path in before
    }
    again = cli("study", "--config", config, "--work", work, "-o", output, "--json")
    assert again.status == 0, again.err
    assert "nothing was left to do: the report is there" in again.err
    told = json.loads(again.out)
    assert (told["exported"], told["transcribed"], told["timed"]) == (0, 0, 0)
    assert {path: path.stat().st_mtime_ns for path in output.iterdir()} == before
    assert [path.stat().st_mtime_ns for path in work.glob("studies/*.json")] == put_together


def check_figures(study, targets):
    """All of it was measured, and nothing twice."""
    assert [one.name for one in study.formats] == [
        f"demo {precision} {target}" for target in targets for precision in ("fp16", "int8")
    ]
    assert study.sets[0].n_utterances == N_RECORDINGS
    for one in study.formats:
        times = study.times_of(one.digest, 1)
        assert len(times.whole_s) == len(times.passes) == len(times.loads_s) == 1
        assert all(each.batched > 0 for each in times.passes if each.batched is not None)
        assert times.peak_bytes > one.size_bytes
        assert study.accuracy(one.digest, "clean").summary.n_utterances == N_RECORDINGS
        if one.precision == "int8":
            assert one.size_bytes < study.reference(one).size_bytes
            assert study.pair(one.digest, study.reference(one).digest, "clean") is not None
    assert not study.missing


def test_a_folder_of_something_else_is_left_alone(call, config, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "README.md").write_text("mine")
    ended = call("study", "--config", config, "-o", tmp_path / "mine")
    assert ended.status == 2
    assert "is not a study's" in ended.err
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["README.md"]


def test_a_mistake_in_the_file_is_one_line(call, config):
    config.write_text(config.read_text() + "\nspeed = 1\n")
    ended = call("study", "--config", config)
    assert ended.status == 2
    assert str(config) in ended.err and "speed" in ended.err
    assert len(ended.err.splitlines()) == 1


def test_workers_are_of_this_machine(call, config):
    ended = call("study", "--config", config, "--workers", "2", "--cluster", "tcp://nowhere:1")
    assert ended.status == 2
    assert "--cluster has its own" in ended.err
