"""The documents tell the truth: commands and options exist, and what is shown works."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

from whisperq_edge.edge.cli.app import app
from whisperq_edge.edge.cli.settings_file import Settings
from whisperq_edge.exporters import TARGETS
from whisperq_edge.models.registry import registry

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
README = (ROOT / "README.md").read_text()
PROGRAM: Any = typer.main.get_command(app)
COMMANDS = PROGRAM.commands
COMMON = {"--help", "-h", "--install-completion", "--show-completion"}
TESTED = re.compile(r"<!-- tested -->\n```(bash|python)\n(.*?)```", re.DOTALL)


def own_options(command):
    return {name for parameter in command.params for name in getattr(parameter, "opts", [])}


def options(command):
    """Of a command, and of those beneath it."""
    return own_options(command).union(*map(options, getattr(command, "commands", {}).values()))


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_and_option_is_in_the_readme(name):
    assert f"whisperq-edge {name}" in README
    long = {option for option in options(COMMANDS[name]) if option.startswith("--")} - COMMON
    missing = [option for option in long if not re.search(rf"{option}\b", README)]
    assert not missing


def test_common_options_are_in_the_readme():
    shared = {option for option in own_options(PROGRAM) if option.startswith("--")}
    assert not [option for option in shared if option not in README]


def test_settings_targets_and_models_are_in_the_readme():
    for name in (*Settings.__struct_fields__, *TARGETS, *registry()):
        assert f"`{name}`" in README or f"\n{name} = " in README, name


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_shown_commands_exist(document):
    """Every `whisperq-edge COMMAND --option` in a document is one that the program has."""
    for line in document.read_text().splitlines():
        for words in re.findall(r"whisperq-edge ((?:[a-z]+)(?: [^`|#]*)?)", line):
            command, *rest = words.split()
            if command not in COMMANDS:
                continue
            known = options(COMMANDS[command]) | COMMON
            given = {word.split("=")[0] for word in rest if re.match(r"--?[a-z]", word)}
            assert given <= known, f"{document.name}: {line}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document):
    for link in re.findall(r"\]\((?!https?://|#)([^)#]+)", document.read_text()):
        assert (document.parent / link).exists(), f"{document.name}: {link}"


def test_paths_in_documents_exist():
    for document in DOCUMENTS:
        if document.name == "CHANGELOG.md":
            continue
        for path in re.findall(
            r"`((?:edge|models|exporters|runtimes|tests|bench)/[^`*<> ]*)`", document.read_text()
        ):
            assert (ROOT / path).exists() or "NAME" in path, f"{document.name}: {path}"


def test_the_two_first_commands_come_first():
    opening = README.split("```")[1]
    assert ["make demo", "make test"] == re.findall(r"^make \w+", opening, re.MULTILINE)


@pytest.mark.parametrize("name", ["README.md", "docs/streaming.md"])
def test_what_is_shown_works(tmp_path, recordings, artifact, name):
    """The marked blocks run from top to bottom, as a reader would type them."""
    (tmp_path / "demo-onnx-int8").symlink_to(artifact.folder)
    blocks = TESTED.findall((ROOT / name).read_text())
    assert blocks
    bin_folder = Path(sys.executable).parent
    sound = sorted(recordings.glob("*.flac"))[0]
    script = [f"export PATH={bin_folder}:$PATH", f"cp {sound} recording.flac", "set -ex"]
    for language, text in blocks:
        script += [text] if language == "bash" else [f"python - <<'END'\n{text}END"]
    done = subprocess.run(
        ["bash", "-c", "\n".join(script)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
