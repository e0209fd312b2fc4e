"""``whisperq-edge recommend``: which configuration to use within limits, and why not the others."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from ..errors import ConfigError, WhisperqError
from .chosen_artifact import find_artifact, save_choice
from .recommend_evidence import Evidence, find_evidence
from .recommend_options import memory_bytes
from .recommend_output import Answer, answer_json, print_answer, print_default
from .screen import Screen

if TYPE_CHECKING:
    from ..profiling.board import Board
    from ..profiling.limits import Limits
    from ..profiling.recommend import Recommendation


def recommend(
    ctx: typer.Context,
    record: Annotated[
        Path | None,
        typer.Argument(
            metavar="[RECORD]", help="Of `profile`; this machine's newest if not given."
        ),
    ] = None,
    max_memory: Annotated[
        str | None,
        typer.Option(help="Most memory: 300M, 1.5G, 512MiB; the process's own limit too."),
    ] = None,
    max_wer: Annotated[
        float | None,
        typer.Option(min=0.0, help="Most words wrong of those said: 0.1 is one in ten."),
    ] = None,
    real_time: Annotated[
        float | None, typer.Option(min=0.0, help="Most time computed per second of sound.")
    ] = None,
    max_latency: Annotated[
        float | None, typer.Option(min=0.0, help="Most seconds until 5 s of sound are text.")
    ] = None,
    device: Annotated[
        str | None, typer.Option(help="A board that `devices` lists, instead of this one.")
    ] = None,
    save: Annotated[
        bool,
        typer.Option("--save", help="Make it the default of transcribe, listen and stream."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Choose a configuration within limits, from what was measured, and say why the others lost.

    For a board that was not profiled the answer is an estimate, and says so.
    """
    from ..profiling.limits import Limits
    from ..profiling.read_board import read_board
    from ..profiling.recommend import recommend as choose

    screen: Screen = ctx.obj
    most = None if max_memory is None else memory_bytes("--max-memory", max_memory)
    here = read_board()
    evidence = find_evidence(screen, record, device, here)
    if save and not evidence.is_here:
        raise ConfigError(
            "the settings are of this machine, and that is another board's record; "
            "run the same command there, or without --save"
        )
    limits = Limits(_memory(most, evidence, here), max_wer, real_time, max_latency)
    if evidence.named is None:
        if save:
            raise ConfigError(
                "nothing was measured that could be saved; run: whisperq-edge profile"
            )
        print_default(screen, evidence, limits, as_json=as_json)
        return
    found = choose(evidence.named.record, limits)
    artifact = find_artifact(found.figures.configuration) if found.figures else None
    saved = None
    if save and found.figures:
        saved = save_choice(screen, found.figures.configuration, artifact)
    answer = Answer(evidence, limits, found, artifact, saved)
    if as_json:
        typer.echo(answer_json(answer))
    else:
        print_answer(screen, answer)
    if found.figures is None:
        raise WhisperqError(_nothing(found, limits))


def _memory(most: int | None, evidence: Evidence, here: Board) -> int | None:
    """What is asked for, or what a control group leaves this process if that is less."""
    left = here.memory_limit_bytes if evidence.is_here else None
    return min((limit for limit in (most, left) if limit is not None), default=None)


def _nothing(found: Recommendation, limits: Limits) -> str:
    nearest = found.nearest
    if nearest is None:
        return "none of the configurations was measured in a way that can be relied on"
    set_limits = [value for value in msgspec.structs.astuple(limits) if value is not None]
    which = "limit" if len(set_limits) == 1 else "limits"
    name = nearest.figures.configuration.name
    return f"no configuration keeps the {which}; the nearest is {name}: {nearest.reason}"
