"""Using the package leaves nothing behind but what was asked for, and asks nobody."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from whisperq_edge.exporters import TARGETS

PROGRAM = Path(sys.executable).with_name("whisperq-edge")

USE = """
from pathlib import Path
import socket, sys

def refuse(*arguments, **options):
    raise AssertionError("the network was asked")

socket.socket.connect = refuse
socket.getaddrinfo = refuse

from whisperq_edge.edge.artifact import TOKENIZER, Artifact
from whisperq_edge.edge.audio.recording import open_recording
from whisperq_edge.edge.decoding.tokens import Tokenizer
from whisperq_edge.edge.transcription.transcriber import Transcriber
from whisperq_edge.runtimes import open_session

artifact = Artifact.read(Path(sys.argv[1]))
generation = artifact.manifest.generation
tokenizer = Tokenizer.read(artifact.folder / TOKENIZER, generation)
with open_session(artifact) as session, open_recording(sys.argv[2]) as recording:
    print(Transcriber(session, tokenizer, generation).transcribe(recording).text)
"""


@pytest.fixture
def bare(tmp_path):
    """A home with nothing in it, and an environment that knows no other place."""
    home = tmp_path / "home"
    home.mkdir()
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    return home, {**kept, "HOME": str(home), "TMPDIR": str(tmp_path)}


def files_in(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_transcribing_with_the_library(bare, artifact, recordings):
    home, environment = bare
    sound = sorted(recordings.glob("*.flac"))[0]
    done = subprocess.run(
        [sys.executable, "-c", USE, artifact.folder, sound],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
    assert files_in(home) == []


def test_every_command(bare, artifact, recordings, tmp_path):
    home, environment = bare
    sound = sorted(recordings.glob("*.flac"))[0]
    for arguments in (
        ("doctor",),
        ("models",),
        ("settings",),
        ("transcribe", sound, "--artifact", artifact.folder),
    ):
        subprocess.run(
            [PROGRAM, *arguments], env=environment, capture_output=True, check=True, cwd=tmp_path
        )
        assert files_in(home) == [], arguments


@pytest.mark.parametrize("target", TARGETS)
def test_export_leaves_the_artifact_and_the_list(bare, target):
    pytest.importorskip(TARGETS[target].module, reason=f"exporting {target} needs it")
    home, environment = bare
    done = subprocess.run(
        [PROGRAM, "export", "--target", target, "--no-verify", "--json"],
        env=environment,
        capture_output=True,
        check=True,
    )
    folder = Path(json.loads(done.stdout)["artifact"])
    left = [home / name for name in files_in(home)]
    assert [path.name for path in left if folder not in path.parents] == ["exports.json"]
