"""What pip installs: the metadata, and the wheel itself."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

import whisperq_edge

ROOT = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT = PYPROJECT["project"]
SHIPPED = ("edge", "exporters", "models", "runtimes")


def distributions(requirements):
    return {re.match(r"[\w.-]+", text)[0].lower().replace("_", "-") for text in requirements}


def test_the_version_is_said_once():
    assert whisperq_edge.__version__ == PROJECT["version"] == metadata.version("whisperq-edge")
    assert f"## [{PROJECT['version']}]" in (ROOT / "CHANGELOG.md").read_text()


def test_the_program_exists():
    (program,) = metadata.entry_points(group="console_scripts", name="whisperq-edge")
    assert callable(program.load())


def test_every_import_is_a_declared_dependency():
    extras = PROJECT["optional-dependencies"]
    declared = distributions(PROJECT["dependencies"])
    for name, requirements in extras.items():
        declared |= set() if name == "dev" else distributions(requirements)
    found = set()
    for folder in SHIPPED:
        for path in (ROOT / folder).rglob("*.py"):
            if "recipe" in path.parts:
                continue
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Import):
                    found |= {alias.name.split(".")[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and not node.level:
                    found.add(node.module.split(".")[0])
    third_party = found - set(sys.stdlib_module_names) - {"whisperq_edge"}
    named_otherwise = {"google": "protobuf", "_pywhispercpp": "pywhispercpp"}
    assert {named_otherwise.get(name, name).replace("_", "-") for name in third_party} <= declared


def test_the_oracle_is_pinned():
    pins = [text for text in PROJECT["optional-dependencies"]["dev"] if text.startswith("torch")]
    assert len(pins) == 1
    assert re.fullmatch(r"torch==\d+\.\d+\.\d+", pins[0])


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built from a copy without network; its content by name."""
    setuptools = pytest.importorskip("setuptools", reason="building a wheel needs setuptools")
    if int(setuptools.__version__.split(".")[0]) < 77:
        pytest.skip("building a wheel needs setuptools 77 or later")
    copy = tmp_path_factory.mktemp("copy") / "checkout"
    skipped = shutil.ignore_patterns(".*", "build", "dist", "exports", "*.egg-info", "__pycache__")
    shutil.copytree(ROOT, copy, ignore=skipped)
    code = "from setuptools.build_meta import build_wheel; build_wheel('dist')"
    subprocess.run(
        [sys.executable, "-c", code], cwd=copy, check=True, capture_output=True, timeout=120
    )
    (built,) = (copy / "dist").glob("*.whl")
    with zipfile.ZipFile(built) as archive:
        return {entry.filename: entry.file_size for entry in archive.infolist()}


def test_the_wheel_holds_the_code_and_the_bundled_model(wheel):
    for folder in SHIPPED:
        for path in (ROOT / folder).rglob("*.py"):
            if "recipe" not in path.parts:
                assert f"whisperq_edge/{path.relative_to(ROOT).as_posix()}" in wheel
    for name in (
        *("py.typed", "models/registry.toml", "models/demo/model.safetensors"),
        *("models/demo/tokenizer.json", "models/demo/recordings/manifest.jsonl"),
    ):
        assert wheel[f"whisperq_edge/{name}"] == (ROOT / name).stat().st_size


def test_the_wheel_holds_every_recording_and_its_licence(wheel):
    for path in (ROOT / "models/demo/recordings").iterdir():
        assert f"whisperq_edge/{path.relative_to(ROOT).as_posix()}" in wheel


def test_the_wheel_holds_nothing_else(wheel):
    tops = {name.split("/")[0] for name in wheel}
    assert tops == {"whisperq_edge", f"whisperq_edge-{PROJECT['version']}.dist-info"}
    assert not [name for name in wheel if "/tests/" in name or "/bench/" in name]
    assert not [name for name in wheel if "/recipe/" in name]
