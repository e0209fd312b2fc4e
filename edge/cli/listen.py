"""``whisperq-edge listen``: a microphone becomes text while somebody speaks."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from .live_run import LiveRun
from .option_group import with_groups
from .screen import Screen
from .stream_options import ModelOptions, OutputOptions, StreamOptions

if TYPE_CHECKING:
    from ..audio.sound_stream import SoundStream


@with_groups
def listen(
    ctx: typer.Context,
    *,
    device: Annotated[
        str | None,
        typer.Option(help="The microphone: its number, its name or a part of that."),
    ] = None,
    list_devices: Annotated[
        bool, typer.Option("--list-devices", help="Show the microphones and exit.")
    ] = False,
    model: ModelOptions,
    how: StreamOptions,
    outputs: OutputOptions,
) -> None:
    """Transcribe a microphone live.

    Captions in a terminal, otherwise a line per utterance. Ctrl-C ends it: what was said until then
    is still printed.
    """
    from ..audio.input_device import choose_device, input_devices
    from ..audio.microphone import Microphone

    if list_devices:
        _print_devices(ctx.obj, as_json=outputs.as_json)
        return
    choose_device(device, input_devices())  # a mistake is told before the model is loaded

    def open_sound(start_s: float, notify: Callable[[str], None]) -> SoundStream:
        return Microphone(device, notify=notify)

    LiveRun(ctx.obj, model, how, outputs).run(open_sound, hears_again=False)


def _print_devices(screen: Screen, *, as_json: bool) -> None:
    from ..audio.input_device import input_devices

    devices = input_devices()
    if as_json:
        typer.echo(msgspec.json.encode(devices).decode())
        return
    screen.table(
        ("number", "name", "sound system", "channels", "rate", ""),
        [
            (
                str(device.number),
                device.name,
                device.host_api,
                str(device.channels),
                str(device.rate),
                "default" if device.is_default else "",
            )
            for device in devices
        ],
    )
