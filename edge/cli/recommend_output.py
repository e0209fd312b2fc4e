"""What ``recommend`` prints."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import typer

from .chosen_artifact import ChosenArtifact, export_command
from .recommend_evidence import Evidence
from .screen import Screen

if TYPE_CHECKING:
    from ..profiling.limits import Limits
    from ..profiling.recommend import Recommendation
    from ..profiling.recommend_figures import Figures
    from ..profiling.summary import Spread


class Answer(NamedTuple):
    """All that is told.

    Attributes:
        evidence: What it rests on; with a record.
        limits: That were asked for.
        found: The choice.
        artifact: Of the choice, on this machine; None if there is none.
        saved: The settings file; None if nothing was saved.
    """

    evidence: Evidence
    limits: Limits
    found: Recommendation
    artifact: ChosenArtifact | None
    saved: Path | None


def print_answer(screen: Screen, answer: Answer) -> None:
    """The choice first, then what to know of it, and why the others lost."""
    evidence, found = answer.evidence, answer.found
    assert evidence.named
    board = evidence.named.record.board
    title = board.model or board.device_id or "this machine"
    typer.echo(f"{title} ({evidence.named.name})")
    if found.figures:
        word = "estimate" if evidence.is_estimate else "use"
        typer.echo(f"{word}: {found.figures.configuration.name}: {found.figures}")
    for note in found.notes:
        typer.echo(f"note: {note}")
    if found.figures:
        typer.echo(_artifact_line(answer))
    if found.losers:
        typer.echo()
        screen.table(
            ("not chosen", "why"),
            [(loser.figures.configuration.name, loser.reason) for loser in found.losers],
        )
    if evidence.beside:
        typer.echo()
        screen.table(
            ("real-time factor", "estimated", "measured", "estimate / measured"),
            [
                (one.name, f"{one.estimated:.3g}", f"{one.measured:.3g}", f"{one.ratio:.2f}")
                for one in evidence.beside
            ],
        )


def _artifact_line(answer: Answer) -> str:
    assert answer.found.figures
    if answer.artifact is None:
        command = export_command(answer.found.figures.configuration)
        return f"artifact: not on this machine; run: {command}"
    again = "" if answer.artifact.is_same else " (exported again since it was measured)"
    return f"artifact: {answer.artifact.folder}{again}"


def answer_json(answer: Answer) -> str:
    """The same for a script."""
    evidence, found = answer.evidence, answer.found
    assert evidence.named
    return _encoded(
        {
            "board": evidence.named.record.board.model,
            "device": evidence.device_id,
            "record": evidence.named.name,
            "estimate": evidence.is_estimate,
            "limits": answer.limits,
            "choice": found.figures and _figures(found.figures),
            "artifact": answer.artifact and str(answer.artifact.folder),
            "artifact_is_measured": answer.artifact and answer.artifact.is_same,
            "export": found.figures and export_command(found.figures.configuration),
            "saved": answer.saved and str(answer.saved),
            "notes": found.notes,
            "others": [
                {**_figures(loser.figures), "reason": loser.reason} for loser in found.losers
            ],
            "beside": evidence.beside,
        }
    )


def print_default(screen: Screen, evidence: Evidence, limits: Limits, *, as_json: bool) -> None:
    """What the board's description says, where nobody has measured anything to scale."""
    from ..profiling.devices import device

    assert evidence.device_id
    described = device(evidence.device_id)
    notes = [
        "estimate, not measured: the default of devices/; run on the board: whisperq-edge profile",
        *evidence.notes,
    ]
    if any(value is not None for value in msgspec.structs.astuple(limits)):
        notes.append("the limits were not checked: there is nothing to check them with")
    if as_json:
        typer.echo(
            _encoded(
                {
                    "board": described.name,
                    "device": evidence.device_id,
                    "record": None,
                    "estimate": True,
                    "limits": limits,
                    "choice": described.default,
                    "notes": notes,
                    "published": described.published,
                }
            )
        )
        return
    default = described.default
    threads = f", {default.threads} threads" if default.threads else ""
    typer.echo(described.name)
    typer.echo(f"estimate: {default.precision} {default.target}{threads}: {default.reason}")
    for note in notes:
        typer.echo(f"note: {note}")
    if described.published:
        typer.echo()
        screen.table(
            ("others measured there", "model", "work", "took"),
            [
                (
                    one.engine,
                    f"{one.model} {one.precision}",
                    one.what,
                    f"{one.seconds:g} s"
                    if one.seconds is not None
                    else f"{one.times_real_time:g} times real time",
                )
                for one in described.published
            ],
        )


def _figures(figures: Figures) -> dict[str, Any]:
    return {
        "name": figures.configuration.name,
        "configuration": figures.configuration,
        "real_time_factor": _spread(figures.real_time_factor),
        "latency_s": _spread(figures.latency_s),
        "peak_bytes": figures.peak_bytes,
        "errors": figures.errors,
        "doubts": figures.doubts,
    }


def _spread(values: Spread | None) -> dict[str, float] | None:
    return None if values is None else values._asdict()


def _encoded(value: object) -> str:
    return msgspec.json.encode(value).decode()
