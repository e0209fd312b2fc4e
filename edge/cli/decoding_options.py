"""The options of decoding, under openai/whisper's names, for every command that transcribes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from .option_values import optional_number


def optional_number_option(meaning: str) -> Any:  # noqa: ANN401 (as typer.Option)
    """An option that takes a number, or ``none``."""
    return typer.Option(parser=optional_number, metavar="<float|none>", help=meaning)


Artifact = Annotated[
    Path | None, typer.Option(help="Folder of an export; the newest one if not given.")
]
Language = Annotated[str | None, typer.Option(help="Code or English name; detected if not given.")]
Task = Annotated[
    Literal["transcribe", "translate"], typer.Option(help="Write down, or put into English.")
]
Threads = Annotated[
    int | None, typer.Option(min=1, help="Compute threads; every core if not given.")
]
Provider = Annotated[
    str | None, typer.Option("--ep", help="ONNX Runtime's execution provider: cuda, qnn ...")
]
Temperature = Annotated[float, typer.Option(help="Of the first try.")]
TemperatureIncrement = Annotated[
    float | None, optional_number_option("Added when a try fails; None for one try.")
]
CompressionRatioThreshold = Annotated[
    float | None, optional_number_option("A try that repeats itself more has failed.")
]
LogprobThreshold = Annotated[
    float | None, optional_number_option("A try that is less probable has failed.")
]
NoSpeechThreshold = Annotated[
    float | None, optional_number_option("A failed try that is surer of silence is none.")
]
RepetitionGuard = Annotated[
    bool,
    typer.Option(
        "--repetition-guard/--no-repetition-guard",
        help="Stop a try that goes round in circles: it has failed.",
    ),
]
SuppressTokens = Annotated[
    str, typer.Option(help="Ids never chosen, with commas; -1 is the checkpoint's list.")
]
InitialPrompt = Annotated[
    str | None, typer.Option(help="Text that comes before: names, spelling, style.")
]
ConditionOnPreviousText = Annotated[
    Literal["true", "false"],
    typer.Option(case_sensitive=False, help="Tell the model what was said before."),
]
AudioContext = Annotated[
    Literal["auto", "full"],
    typer.Option(help="Encode short sound short, or always a full window."),
]
