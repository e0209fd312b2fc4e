"""The program as a whole: help, start, and how it ends."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

from whisperq_edge import __version__
from whisperq_edge.edge.cli.app import app
from whisperq_edge.edge.cli.failures import explain
from whisperq_edge.edge.errors import AudioError

PROGRAM: Any = typer.main.get_command(app)
COMMANDS = sorted(PROGRAM.commands)


def test_version(call):
    assert call("--version") == (0, f"whisperq-edge {__version__}\n", "")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(call, command):
    ended = call(command, "--help")
    assert ended.status == 0
    assert f"Example: whisperq-edge {command}" in ended.out
    parameters = PROGRAM.commands[command].params
    assert not [p.name for p in parameters if not p.help], "every option says what it does"


def test_help_loads_nothing_heavy():
    code = (
        "import sys\n"
        "from whisperq_edge.edge.cli import main\n"
        "try: main(['export', '--help'])\n"
        "finally: print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.splitlines()[-1].split())
    assert not loaded & {"numpy", "onnxruntime", "onnx", "soundfile", "soxr", "tokenizers"}
    assert "whisperq_edge.edge.cli.export" in loaded


def test_no_command_shows_the_commands(cli):
    ended = cli()
    assert ended.status == 2
    assert all(command in ended.out + ended.err for command in COMMANDS)


@pytest.mark.parametrize(
    "arguments",
    [
        ("exprot",),
        ("export", "--int9"),
        ("export", "--quant-block", "many"),
        ("transcribe",),
        ("transcribe", "a.wav", "--format", "docx"),
    ],
)
def test_wrong_usage_is_one_line(call, arguments):
    ended = call(*arguments)
    assert ended.status == 2
    assert ended.out == ""
    assert ended.err.startswith("error: ")
    assert ended.err.count("\n") == 1


def test_debug_shows_where(cli, tmp_path):
    ended = cli("--debug", "verify", tmp_path)
    assert ended.status == 1
    assert "Traceback" in ended.err
    assert "ArtifactError" in ended.err


def test_options_may_be_written_as_openai_writes_them(call):
    with_dashes = call("transcribe", "a.wav", "--beam-size", "none")
    assert "beam" in with_dashes.err
    assert call("transcribe", "a.wav", "--beam_size", "none") == with_dashes


@pytest.mark.parametrize(
    ("error", "line", "status"),
    [
        (AudioError("a.wav: no\nsuch file"), "error: a.wav: no such file", 7),
        (typer.Abort(), "interrupted", 130),
        (KeyboardInterrupt(), "interrupted", 130),
        (MemoryError(), "error: out of memory; try a smaller model, --int8 or --int4", 1),
        (
            OSError(errno.ENOSPC, "No space left on device", "/mnt/out.txt"),
            "error: no space left on the disk for /mnt/out.txt",
            1,
        ),
        (
            PermissionError(errno.EACCES, "Permission denied", "/x"),
            "error: /x: Permission denied",
            1,
        ),
        (
            RuntimeError("what\nnow"),
            "error: unexpected RuntimeError: what now (--debug shows where)",
            1,
        ),
    ],
)
def test_each_failure_is_explained(error, line, status):
    assert explain(error) == (line, status)


def test_a_reader_that_leaves_is_no_error():
    program = Path(sys.executable).with_name("whisperq-edge")
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(
            [program, "--version"], stdout=writer, stderr=subprocess.PIPE, check=False
        )
    finally:
        os.close(writer)
    assert done.stderr == b""


def test_ctrl_c_is_one_line(artifact):
    program = Path(sys.executable).with_name("whisperq-edge")
    # Standard input never ends: the program waits in it until it is interrupted.
    with subprocess.Popen(
        [program, "--verbose", "transcribe", "--artifact", artifact.folder, "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # A shell that starts the tests in the background has it ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        try:
            assert process.stderr.readline()  # it has started to work
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 130
    assert err.splitlines()[-1] == b"interrupted"
    assert b"Traceback" not in err
