"""What every test shares: an environment of its own, and libraries that must not be missing."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

import pytest

from whisperq_edge.edge.cli import main

from .system_programs import missing_programs


def pytest_configure(config):
    """Refuse to run without what ``WHISPERQ_REQUIRE`` and ``WHISPERQ_REQUIRE_PROGRAMS`` name.

    Tests skip what is not installed; where all of it should be, a skip would hide a mistake. The
    first names modules, the second programs and C libraries ("libportaudio").
    """
    modules = os.environ.get("WHISPERQ_REQUIRE", "").split()
    if missing := [name for name in modules if importlib.util.find_spec(name) is None]:
        raise pytest.UsageError(f"WHISPERQ_REQUIRE: not installed: {', '.join(missing)}")
    programs = os.environ.get("WHISPERQ_REQUIRE_PROGRAMS", "").split()
    if missing := missing_programs(programs):
        raise pytest.UsageError(f"WHISPERQ_REQUIRE_PROGRAMS: not installed: {', '.join(missing)}")


@pytest.fixture(autouse=True)
def own_environment(tmp_path_factory, monkeypatch):
    """Keep the user's settings and exports out of the tests, and the tests' out of theirs."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("WHISPERQ_EDGE_DATA", str(home / "data"))
    monkeypatch.setenv("WHISPERQ_EDGE_CACHE", str(home / "cache"))
    monkeypatch.setenv("WHISPERQ_EDGE_CONFIG", str(home / "settings.toml"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "100")


class Ended(NamedTuple):
    """How a run of the command line ended."""

    status: int
    out: str
    err: str


@pytest.fixture
def cli():
    """Run the installed program in a process of its own, its output in pipes."""
    program = Path(sys.executable).with_name("whisperq-edge")
    if not program.exists():
        pytest.fail(f"{program} is missing; install the package: pip install -e '.[dev]'")

    def run(*arguments, stdin=b"", env=None, cwd=None):
        done = subprocess.run(
            [program, *map(str, arguments)],
            input=stdin,
            capture_output=True,
            env={**os.environ, **(env or {})},
            cwd=cwd,
            timeout=300,
            check=False,
        )
        return Ended(done.returncode, done.stdout.decode(), done.stderr.decode())

    return run


@pytest.fixture
def call(capsys):
    """Run the command line in this process: quicker, for what needs no process of its own."""

    def run(*arguments):
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        return Ended(int(ended.value.code or 0), *capsys.readouterr())

    return run


@pytest.fixture(scope="session")
def artifact(tmp_path_factory):
    """The bundled model as int8 ONNX, exported once; not to be changed."""
    pytest.importorskip("onnx", reason="exporting ONNX needs onnx")
    from whisperq_edge.edge.evaluation.export import export
    from whisperq_edge.exporters import ExportRequest
    from whisperq_edge.models.checkpoint import load_checkpoint
    from whisperq_edge.models.quantize import Recipe

    checkpoint = load_checkpoint("demo", offline=True)
    folder = tmp_path_factory.mktemp("artifacts") / "demo-onnx-int8"
    return export("onnx", ExportRequest(checkpoint, Recipe.of("int8")), folder, verify=False)


@pytest.fixture(scope="session")
def recordings():
    """The folder of the bundled recordings."""
    return Path(str(files("whisperq_edge.models") / "demo" / "recordings"))
