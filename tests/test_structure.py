"""The layout that ARCHITECTURE.md promises, read from the code itself."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from whisperq_edge.exporters import TARGETS

ROOT = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
NOT_SHIPPED = ("tests", "bench", "build", "dist", "exports", "models/demo/recipe")

# What each layer may import, besides itself and what stands in no layer (errors, types, artifact).
ALLOWED = {
    "core": set(),
    "models": set(),
    "edge/audio": set(),
    "edge/decoding": set(),
    "edge/transcription": {"edge/audio", "edge/decoding"},
    "exporters": {"models", "edge/audio"},
    "runtimes": {"models"},
    "edge/evaluation": {
        "models",
        "exporters",
        "runtimes",
        "edge/audio",
        "edge/decoding",
        "edge/transcription",
    },
    "edge/streaming": {"edge/audio", "edge/decoding", "edge/transcription"},
    "edge/profiling": {
        "runtimes",
        "edge/audio",
        "edge/decoding",
        "edge/transcription",
    },
    "edge/accuracy": {
        "runtimes",
        "edge/audio",
        "edge/decoding",
        "edge/transcription",
        "edge/streaming",
        "edge/profiling",
    },
    "edge/study": {
        "models",
        "exporters",
        "runtimes",
        "edge/audio",
        "edge/decoding",
        "edge/transcription",
        "edge/evaluation",
        "edge/profiling",
        "edge/accuracy",
        "edge/reports",
    },
    "edge/reports": {"edge/transcription", "edge/profiling"},
    "edge/remote": set(),
    "edge/cli": {
        "models",
        "exporters",
        "runtimes",
        "edge/audio",
        "edge/decoding",
        "edge/transcription",
        "edge/streaming",
        "edge/evaluation",
        "edge/profiling",
        "edge/accuracy",
        "edge/study",
        "edge/reports",
        "edge/remote",
    },
}
# The one runtime that is the definition itself, computed, and what it computes for whisper.cpp; no
# other may need a checkpoint.
USES_MODELS = {"run_reference.py", "ggml_attention.py"}


def shipped_files():
    """Every Python file of the package."""
    for path in sorted(ROOT.rglob("*.py")):
        relative = path.relative_to(ROOT)
        if relative.parts[0].startswith(".") or relative.as_posix().startswith(NOT_SHIPPED):
            continue
        yield path


def imports(path):
    """The modules that a file imports, ours as ``whisperq_edge...``, wherever it does so."""
    package = ["whisperq_edge", *path.relative_to(ROOT).parts[:-1]]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            base = [*base, *filter(None, [node.module])]
            yield from (".".join([*base, alias.name]) for alias in node.names)


def layer_of(parts):
    """The layer of a module, given its path below the root; the root package has none."""
    if not parts:
        return None
    if parts[0] == "edge":
        return "/".join(parts[:2]) if f"edge/{parts[1:2] and parts[1]}" in ALLOWED else "core"
    return parts[0] if parts[0] in ALLOWED else None


def by_name(paths):
    return pytest.mark.parametrize("path", paths, ids=lambda path: str(path.relative_to(ROOT)))


@by_name(list(shipped_files()))
def test_imports_follow_the_layers(path):
    own = layer_of(path.relative_to(ROOT).with_suffix("").parts)
    for module in imports(path):
        parts = module.split(".")
        if parts[0] != "whisperq_edge":
            continue
        other = layer_of(parts[1:])
        if other in (None, "core", own):
            continue
        assert other in ALLOWED[own], f"{own} may not import {module}"
        if own == "runtimes" and other == "models":
            assert path.name in USES_MODELS, f"a runtime may not import {module}"


@by_name(list(shipped_files()))
def test_oracles_are_never_imported(path):
    roots = {module.split(".")[0] for module in imports(path)}
    assert not roots & {"torch", "transformers", "whisper", "pytest"}


def test_no_heavy_library_is_loaded_by_import():
    adapters = ("to_", "run_", *(f"{target}_" for target in TARGETS))
    modules = [
        ".".join(["whisperq_edge", *path.relative_to(ROOT).with_suffix("").parts])
        for path in shipped_files()
        if not path.name.startswith(adapters) and path.name != "__init__.py"
    ]
    heavy = PYPROJECT["tool"]["ruff"]["lint"]["flake8-tidy-imports"]
    code = (
        "import importlib, sys\n"
        f"for module in {modules}: importlib.import_module(module)\n"
        f"print(*sys.modules.keys() & set({heavy['banned-module-level-imports']}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_packages_are_the_folders():
    folders = {path.parent.relative_to(ROOT) for path in shipped_files()}
    expected = {".".join(["whisperq_edge", *folder.parts]) for folder in folders}
    assert set(PYPROJECT["tool"]["setuptools"]["packages"]) == expected


def test_every_package_says_what_it_is():
    for path in shipped_files():
        assert ast.get_docstring(ast.parse(path.read_text())), f"{path} has no docstring"


def test_files_are_small():
    lengths = {path: len(path.read_text().splitlines()) for path in shipped_files()}
    assert not {str(path): n for path, n in lengths.items() if n > 400}


def test_names_are_nouns_of_the_field():
    vague = {"utils", "helpers", "manager", "common", "misc"}
    found = [path for path in shipped_files() if vague & set(path.stem.split("_"))]
    assert not found


def test_folders_with_data_have_a_readme():
    """Data lie in a package, whose docstring says what it is, or below a README."""
    ignored = {"build", "dist", "exports"}
    for path in sorted(ROOT.rglob("*")):
        parts = path.relative_to(ROOT).parts
        hidden = any(part.startswith((".", "__pycache__")) or "egg-info" in part for part in parts)
        if hidden or parts[0] in ignored or len(parts) < 2 or not path.is_file():
            continue
        if path.suffix == ".py" or (path.parent / "__init__.py").is_file():
            continue
        above = [ROOT.joinpath(*parts[:depth]) for depth in range(1, len(parts))]
        assert any((folder / "README.md").is_file() for folder in above), path


def test_nothing_lies_at_the_root_that_would_be_shipped():
    assert [path.name for path in ROOT.glob("*.py")] == ["__init__.py"]
