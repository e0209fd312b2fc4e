"""``whisperq-edge doctor``: can this machine run the package, and what is in the way."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from typing import Annotated

import msgspec
import typer

from ..errors import WhisperqError
from .export_index import newest_export
from .libraries import LIBRARIES, LibraryState, probe, run_python
from .machine import Machine, this_machine
from .screen import Screen


@dataclass(frozen=True)
class Diagnosis:
    """Everything that ``doctor`` found.

    Attributes:
        machine: The computer.
        libraries: Each library that the package uses.
        int8: How the processor adds 8-bit products: "exact", "clamps" or "not tested".
        artifact: The newest export, if there is one.
        problems: What has to be put right; empty on a healthy machine.
    """

    machine: Machine
    libraries: tuple[LibraryState, ...]
    int8: str
    artifact: str | None
    problems: tuple[str, ...]


def doctor(
    ctx: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> None:
    """Check this machine, the libraries and the newest export.

    The exit status is 0 if nothing is wrong, otherwise 1.
    """
    screen: Screen = ctx.obj
    with screen.progress() as progress:
        states = []
        for number, library in enumerate(LIBRARIES):
            progress("import libraries", number / len(LIBRARIES))
            states.append(probe(library))
        progress("test 8-bit products", 0.0)
        found = diagnose(states)
    if as_json:
        typer.echo(msgspec.json.encode(found).decode())
    else:
        _print(screen, found)
    raise typer.Exit(1 if found.problems else 0)


def diagnose(states: list[LibraryState]) -> Diagnosis:
    """Put together what is known of the machine, given the state of the libraries."""
    problems = [f"{state.name}: {state.problem}" for state in states if state.problem]
    usable = {state.name for state in states if state.version and not state.problem}
    int8 = _int8_sums() if {"onnx", "onnxruntime", "numpy"} <= usable else "not tested"
    artifact, damage = _newest_artifact() if "numpy" in usable else (None, None)
    if damage:
        problems.append(damage)
    return Diagnosis(this_machine(), tuple(states), int8, artifact, tuple(problems))


def _int8_sums() -> str:
    try:
        run = run_python(["-m", "whisperq_edge.edge.cli.clamp"])
    except subprocess.TimeoutExpired:
        return "not tested"
    return run.stdout.strip() if run.returncode == 0 else "not tested"


def _newest_artifact() -> tuple[str | None, str | None]:
    """The folder of the newest export, and what is wrong with it."""
    from ..artifact import Artifact

    try:
        folder = newest_export()
        if folder is not None:
            Artifact.read(folder)
    except WhisperqError as error:
        return None, str(error)
    return (None if folder is None else str(folder)), None


def _print(screen: Screen, found: Diagnosis) -> None:
    machine = found.machine
    memory = "unknown" if machine.memory_mib is None else f"{machine.memory_mib} MiB"
    sums = {"clamps": "clamped (artifacts made here are safe)"}.get(found.int8, found.int8)
    screen.table(
        ("machine", ""),
        [
            ("python", machine.python),
            ("system", machine.system),
            ("processor", machine.processor or "unknown"),
            ("int8 instructions", " ".join(machine.int8_flags) or "none known"),
            ("int8 sums", sums),
            ("cores", str(machine.cores)),
            ("memory", memory),
            ("newest export", found.artifact or "none; make one with: whisperq-edge export"),
        ],
    )
    typer.echo("")
    screen.table(
        ("library", "version", "state"),
        [(state.name, state.version or "-", _state_text(state)) for state in found.libraries],
    )
    typer.echo("")
    for problem in found.problems:
        typer.echo(f"problem: {problem}")
    typer.echo(f"{len(found.problems)} problems" if found.problems else "everything works")


def _state_text(state: LibraryState) -> str:
    if state.problem:
        return state.problem
    if state.version is None:
        return f"absent; pip install 'whisperq-edge[{state.extra}]'"
    return "works"
