"""The doctor: libraries probed in processes of their own, the machine, the verdict."""

from __future__ import annotations

import json

import pytest

from whisperq_edge.edge.cli.doctor import diagnose
from whisperq_edge.edge.cli.export_index import record_export
from whisperq_edge.edge.cli.libraries import LIBRARIES, Library, LibraryState, failure, probe
from whisperq_edge.edge.cli.machine import this_machine


def test_a_healthy_machine(cli):
    pytest.importorskip("onnx", reason="the 8-bit test is made with onnx")
    ended = cli("doctor", "--json")
    found = json.loads(ended.out)
    assert (ended.status, found["problems"]) == (0, [])
    assert found["int8"] in ("exact", "clamps")
    assert all(library["version"] for library in found["libraries"])


def test_the_verdict_is_the_last_line(call):
    ended = call("doctor")
    assert ended.out.splitlines()[-1] == "everything works"


def test_an_import_that_kills_is_survived():
    code = "import os, signal; os.kill(os.getpid(), signal.SIGILL)"
    assert failure(["-c", code]) == "killed by SIGILL"


def test_an_import_that_fails_says_why():
    assert failure(["-c", "raise ImportError('libfoo.so.1 is missing')"]) == (
        "ImportError: libfoo.so.1 is missing"
    )
    assert failure(["-c", "import sys; sys.exit(3)"]) == "exit status 3"


def test_absence_is_a_problem_only_where_the_package_needs_it():
    assert probe(Library("no_such_module", "x")).problem == "not installed"
    assert probe(Library("no_such_module", "x", "onnx")).problem is None


def test_a_broken_library_is_not_an_absent_one(tmp_path, monkeypatch):
    (tmp_path / "broken_library.py").write_text("raise OSError('wrong processor')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.syspath_prepend(tmp_path)
    state = probe(Library("broken_library", "broken-library", "onnx"))
    assert state.problem == "OSError: wrong processor"


def test_a_missing_c_library_says_how_to_get_it(tmp_path, monkeypatch):
    """sounddevice without PortAudio, as on a Raspberry Pi after nothing but pip."""
    (tmp_path / "sounddevice.py").write_text("raise OSError('PortAudio library not found')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (library,) = [library for library in LIBRARIES if library.module == "sounddevice"]
    assert probe(library).problem == (
        "OSError: PortAudio library not found; run: sudo apt-get install libportaudio2"
    )


def test_problems_are_counted(tmp_path):
    broken = tmp_path / "artifact"
    broken.mkdir()
    (broken / "artifact.json").write_text("{}")
    record_export(broken)
    states = [
        LibraryState("numpy", "2.0", None, None),
        LibraryState("soxr", "1.0", None, "killed by SIGILL"),
    ]
    found = diagnose(states)
    assert found.int8 == "not tested"
    assert found.problems[0] == "soxr: killed by SIGILL"
    assert "format version" in found.problems[1]


def test_the_machine_is_known():
    machine = this_machine()
    assert machine.cores >= 1
    assert machine.memory_mib is None or machine.memory_mib > 100
    assert machine.python.startswith("3.")
