"""``whisperq-edge doctor``: can this machine run the package, and what is in the way."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from typing import Annotated

import msgspec
import typer

from ..errors import WhisperqError
from ..profiling.board import Board
from .board import core_text, memory_text
from .export_index import newest_export
from .libraries import LIBRARIES, LibraryState, probe, run_python
from .parity_report import size_text
from .screen import Screen
from .surroundings import Disk, Microphones, export_disk, memory_problem, microphones


@dataclass(frozen=True)
class Diagnosis:
    """Everything that ``doctor`` found.

    Attributes:
        board: The machine.
        available_bytes: Memory that programs may still take; None if the system does not say.
        disk: Where exports go.
        microphones: What captures sound.
        libraries: Each library that the package uses.
        int8: How the processor adds 8-bit products: "exact", "clamps" or "not tested".
        artifact: The newest export, if there is one.
        problems: What has to be put right; empty on a healthy machine.
    """

    board: Board
    available_bytes: int | None
    disk: Disk
    microphones: Microphones
    libraries: tuple[LibraryState, ...]
    int8: str
    artifact: str | None
    problems: tuple[str, ...]


def doctor(
    ctx: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> None:
    """Check this machine, its microphone, disk and memory, the libraries and the newest export.

    The exit status is 0 if nothing is wrong, otherwise 1.
    """
    screen: Screen = ctx.obj
    with screen.progress() as progress:
        states = []
        for number, library in enumerate(LIBRARIES):
            progress("import libraries", number / len(LIBRARIES))
            states.append(probe(library))
        progress("look at the machine", 0.0)
        found = diagnose(states)
    if as_json:
        typer.echo(msgspec.json.encode(found).decode())
    else:
        _print(screen, found)
    raise typer.Exit(1 if found.problems else 0)


def diagnose(states: list[LibraryState]) -> Diagnosis:
    """Put together what is known of the machine, given the state of the libraries."""
    from ..profiling.read_board import read_board, read_condition, read_unidentified_board

    usable = {state.name for state in states if state.version and not state.problem}
    # An import of NumPy may end this process too.
    board = read_board() if "numpy" in usable else read_unidentified_board()
    available = read_condition().available_bytes
    int8 = _int8_sums() if {"onnx", "onnxruntime", "numpy"} <= usable else "not tested"
    artifact, damage = _newest_artifact() if "numpy" in usable else (None, None)
    disk = export_disk()
    listed = microphones() if "sounddevice" in usable else Microphones((), "needs sounddevice")
    problems = [_problem_text(state) for state in states if state.problem]
    others = (damage, disk.problem, memory_problem(available, board.memory_limit_bytes))
    problems += filter(None, others)
    return Diagnosis(board, available, disk, listed, tuple(states), int8, artifact, tuple(problems))


def _problem_text(state: LibraryState) -> str:
    return "; ".join(filter(None, [f"{state.name}: {state.problem}", state.remedy]))


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
    board = found.board
    sums = {"clamps": "clamped (artifacts made here are safe)"}.get(found.int8, found.int8)
    available = found.available_bytes
    screen.table(
        ("machine", ""),
        [
            ("board", board.model or "unknown"),
            ("python", board.python),
            ("system", f"{board.system} {board.machine}"),
            ("processor", "; ".join(map(core_text, board.cores)) or "unknown"),
            ("usable cores", str(board.usable_cores)),
            ("int8 instructions", " ".join(board.features) or "none known"),
            ("int8 sums", sums),
            ("memory", memory_text(board)),
            ("available memory", "unknown" if available is None else size_text(available)),
            ("room for exports", f"{size_text(found.disk.free_bytes)} in {found.disk.folder}"),
            ("microphones", _microphone_text(found.microphones)),
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


def _microphone_text(found: Microphones) -> str:
    if found.untested:
        return f"not tested: {found.untested}"
    return ", ".join(found.names) or "none"


def _state_text(state: LibraryState) -> str:
    if state.problem:
        return state.problem
    return "works" if state.version else f"absent; {state.remedy}"
