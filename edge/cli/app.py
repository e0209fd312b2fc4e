"""The program ``whisperq-edge``: its commands, the options they share, and how it ends."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from ... import __version__
from .adopt import adopt
from .board import board
from .compare import compare
from .devices import devices
from .doctor import doctor
from .evaluate import evaluate
from .export import export
from .failures import INTERRUPTED, explain
from .listen import listen
from .models import models
from .profile import profile
from .recommend import recommend
from .report import report
from .screen import Screen
from .sensitivity import sensitivity
from .settings import settings
from .settings_file import read_settings
from .stream import stream
from .study import study
from .targets import targets
from .transcribe import transcribe
from .verify import verify

app = typer.Typer(
    name="whisperq-edge",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    # openai/whisper writes --beam_size; both spellings are the same option here.
    context_settings={
        "help_option_names": ["-h", "--help"],
        "token_normalize_func": lambda token: token.replace("_", "-"),
    },
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"whisperq-edge {__version__}")
        raise typer.Exit


@app.callback(epilog="Example: whisperq-edge export --target onnx --int8")
def root(
    ctx: typer.Context,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Say more.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Say only results.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks of errors.")] = False,
) -> None:
    """Export Whisper checkpoints for edge boards, run them there, and prove what they lost."""
    ctx.obj = Screen(verbose=verbose and not quiet, quiet=quiet, debug=debug)
    ctx.default_map = read_settings().defaults()


for command, example in (
    (export, "whisperq-edge export --target onnx --int8"),
    (transcribe, "whisperq-edge transcribe meeting.flac --format srt --output-dir subtitles"),
    (listen, "whisperq-edge listen --language en --output events.jsonl"),
    (stream, "whisperq-edge stream interview.flac --policy local-agreement --json"),
    (adopt, "whisperq-edge adopt whisper-tiny-ONNX --variant int8 --model openai/whisper-tiny"),
    (verify, "whisperq-edge verify exports/tiny-onnx-int8"),
    (
        evaluate,
        "whisperq-edge evaluate demo-onnx-int8 demo-onnx-int4 --data LibriSpeech/test-clean",
    ),
    (sensitivity, "whisperq-edge sensitivity tiny --wer-increase 0.01 --output mix.toml"),
    (study, "whisperq-edge study --config studies/bundled.toml"),
    (recommend, "whisperq-edge recommend --max-memory 300M --real-time 0.5 --save"),
    (compare, "whisperq-edge compare before.json after.json"),
    (report, "whisperq-edge report profile.json --html profile.html"),
    (models, "whisperq-edge models tiny"),
    (targets, "whisperq-edge targets"),
    (devices, "whisperq-edge devices raspberry-pi-5"),
    (doctor, "whisperq-edge doctor --json"),
    (settings, "whisperq-edge settings"),
):
    app.command(epilog=f"Example: {example}")(command)
app.add_typer(board)
app.add_typer(profile)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the program and exit with its status; an error is one line on stderr.

    Args:
        arguments: What follows the program's name; None for the process's own.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        status = app(words, prog_name="whisperq-edge", standalone_mode=False)
        if status == INTERRUPTED:  # which is all that typer leaves of a KeyboardInterrupt
            raise typer.Abort
    except (Exception, KeyboardInterrupt) as error:
        if "--debug" in words:
            raise
        line, status = explain(error)
        typer.echo(line, err=True)
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader has gone; let the interpreter's own flush at exit go nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(status or 0)
