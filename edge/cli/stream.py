"""``whisperq-edge stream``: a file or a pipe becomes text as if somebody were speaking."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from typing import TYPE_CHECKING, Annotated

import typer

from .live_run import LiveRun
from .option_group import with_groups
from .sound_input import STANDARD_INPUT
from .stream_options import ModelOptions, OutputOptions, StreamOptions

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..audio.sound_stream import SoundStream


@with_groups
def stream(
    ctx: typer.Context,
    sound: Annotated[
        str, typer.Argument(help="A sound file; - takes raw PCM from standard input.")
    ],
    *,
    speed: Annotated[
        float, typer.Option(min=0, help="1 hears it in real time; 0 as fast as it can.")
    ] = 1.0,
    rate: Annotated[int, typer.Option(help="Of raw PCM, in samples per second.")] = 16_000,
    channels: Annotated[int, typer.Option(help="Of raw PCM.")] = 1,
    sample_format: Annotated[
        str, typer.Option(help="Of raw PCM: s16le, s32le or f32le, as ffmpeg calls them.")
    ] = "s16le",
    model: ModelOptions,
    how: StreamOptions,
    outputs: OutputOptions,
) -> None:
    """Transcribe a file or a pipe live.

    Captions in a terminal, otherwise a line per utterance. Ctrl-C ends the sound: what was said
    until then is still printed.
    """
    from ..audio.played import Played
    from ..audio.raw_format import RawFormat
    from ..audio.raw_sound import RawSound
    from ..audio.recording import open_recording
    from ..audio.remainder import Remainder

    layout = RawFormat(rate=rate, channels=channels, sample_format=sample_format)
    is_piped = sound == STANDARD_INPUT
    with nullcontext() if is_piped else open_recording(sound) as recording:

        def open_sound(start_s: float, notify: Callable[[str], None]) -> SoundStream:
            if recording is None:
                return RawSound(sys.stdin.buffer, layout, speed)
            return Played(Remainder(recording, start_s), speed)

        ended_by = LiveRun(ctx.obj, model, how, outputs).run(open_sound, hears_again=not is_piped)
    if ended_by is not None:
        raise typer.Exit(128 + ended_by)
