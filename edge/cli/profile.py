"""``whisperq-edge profile``: what each configuration costs on this machine."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ... import __version__
from ..errors import ConfigError, WhisperqError
from .default_command import DefaultCommand
from .export_index import data_folder
from .merge import merge
from .profile_candidates import exported_artifacts, named_artifacts
from .profile_options import ALL, length_s, thread_counts
from .record_page import write_page
from .screen import Screen

if TYPE_CHECKING:
    from ..artifact import Artifact
    from ..profiling.configuration import Candidate
    from ..profiling.job import Kind
    from ..profiling.journal import Header, Journal
    from ..profiling.record import Record
    from ..profiling.runner import Report, Step

KINDS: dict[Kind, str] = {
    "time": "times",
    "examine": "memory and words",
    "sustain": "sustained speed",
}

profile = typer.Typer(
    name="profile",
    cls=DefaultCommand,
    help="Measure speed, memory, words and energy on this machine.",
)


@profile.command(epilog="Example: whisperq-edge profile --targets all --threads 1,2 --minutes 10")
def run(
    ctx: typer.Context,
    artifacts: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[ARTIFACT]...", help="Exports; made as wanted if none is named."),
    ] = None,
    model: Annotated[str, typer.Option(help="What to export, as `export` takes it.")] = "demo",
    targets: Annotated[
        str, typer.Option(help="Formats, with commas; `all` for those that are installed.")
    ] = ALL,
    precisions: Annotated[
        str, typer.Option(help="Of the weights, with commas; `all` for what each target offers.")
    ] = "int8",
    threads: Annotated[
        str | None, typer.Option(help="Such as 1,2,4; up to the cores if not given.")
    ] = None,
    minutes: Annotated[
        float | None, typer.Option(min=0.1, help="About how long it may take in all.")
    ] = None,
    repeats: Annotated[int, typer.Option(min=1, help="Passes over each clip that count.")] = 6,
    sustain: Annotated[
        str, typer.Option(help="Keep each configuration busy for so long: 10m, 90s.")
    ] = "0",
    label: Annotated[
        list[str] | None, typer.Option(help="What a reader has to know first; may be repeated.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File of the record.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the table as JSON.")] = False,
    host: Annotated[
        list[str] | None, typer.Option(help="Profile this board instead; may be repeated.")
    ] = None,
    hosts: Annotated[Path | None, typer.Option(help="Boards, one a line, all at once.")] = None,
    ssh_key: Annotated[Path | None, typer.Option(help="A private key for the boards.")] = None,
) -> None:
    """Measure speed, memory, words and energy on this machine, or on boards over SSH.

    Each configuration is run in processes of its own. If it is interrupted, the same command goes
    on where it was.
    """
    from ...runtimes import usable_cores
    from ..profiling.comparison import Named
    from ..profiling.journal import Journal
    from ..profiling.runner import Budget, Runner
    from .profile_table import print_profile, profile_json
    from .remote_profile import Boards, as_options, board_targets, profile_boards

    screen: Screen = ctx.obj
    boards = Boards.named(host or [], hosts, ssh_key)
    if boards:
        boards.outputs(output)  # a mistake is told before an hour of exports
        targets = board_targets(targets)
    budget = Budget(None if minutes is None else 60 * minutes)
    if output is not None and output.exists():
        raise ConfigError(f"{output} is finished; name another --output, or delete it")
    counts, sustain_s = thread_counts(threads, usable_cores()), length_s("--sustain", sustain)
    found = (
        named_artifacts(artifacts)
        if artifacts
        else exported_artifacts(screen, model, targets, precisions)
    )
    if boards:
        asked = {"threads": threads, "minutes": minutes, "repeats": repeats, "sustain": sustain}
        options = as_options(asked, labels=label or ())
        profile_boards(screen, boards, found, options, output, as_json=as_json)
        return
    candidates = [one for artifact in found for one in _candidates(artifact, counts)]
    header = _header(candidates, repeats, sustain_s, tuple(label or ()))
    path = output or _default_output(header)
    with Journal(path.with_suffix(".journal"), header) as journal:
        if journal.is_resumed:
            screen.note(f"going on with the profile of {journal.header.created}")
        with _progress(screen) as report:
            record = Runner(candidates, journal, budget, report).run()
        if not as_json:
            print_profile(screen, record)
        _save(record, path, journal)
    page = write_page(screen, [Named(path.name, record)], path.with_suffix(".html"))
    if as_json:
        typer.echo(profile_json(record, path, page))
        return
    typer.echo(f"record: {path}")
    if page is not None:
        typer.echo(f"report: {page}")


profile.command(epilog="Example: whisperq-edge profile merge a.json b.json -o all.json")(merge)


def _candidates(artifact: Artifact, counts: Sequence[int]) -> Iterator[Candidate]:
    from ..profiling.configuration import candidate

    if artifact.manifest.target == "coreml" and sys.platform != "darwin":
        counts = counts[:1]  # a stand-in, whose threads are NumPy's own affair
    for count in counts:
        yield candidate(artifact, count)


def _header(
    candidates: Sequence[Candidate], repeats: int, sustain_s: float, labels: tuple[str, ...]
) -> Header:
    from ..profiling.journal import Header
    from ..profiling.plan import make_protocol
    from ..profiling.read_board import read_board
    from ..profiling.record import SCHEMA

    return Header(
        SCHEMA,
        datetime.now(UTC).isoformat(timespec="seconds"),
        __version__,
        make_protocol(repeats=repeats, sustain_s=sustain_s),
        read_board(),
        labels,
        tuple(candidate.configuration for candidate in candidates),
    )


def _default_output(header: Header) -> Path:
    """In the data folder: that of the latest run that was not finished, if it was the same."""
    from ..profiling.journal import is_of

    folder = data_folder() / "profiles"
    for journal in sorted(folder.glob("*.journal"), reverse=True):
        if is_of(journal, header):
            return journal.with_suffix(".json")
    # Names have no colons, which some file systems do not take.
    return folder / f"{header.created.partition('+')[0].replace(':', '')}.json"


def _save(record: Record, path: Path, journal: Journal) -> None:
    """Write the record; only then may the journal go.

    Raises:
        WhisperqError: The disk refuses.
    """
    from ..profiling.record_file import write_record

    try:
        write_record(record, path)
    except WhisperqError as error:
        journal.flush()  # the disk may have room for these lines
        raise WhisperqError(
            f"{error}; all that was measured is in {journal.path}: "
            "make room and give the same command again"
        ) from error
    journal.remove()


@contextmanager
def _progress(screen: Screen) -> Iterator[Report]:
    """A bar in a terminal; otherwise a line for each piece of the plan."""
    with screen.progress() as draw:

        def tell(step: Step) -> None:
            if screen.draws:
                draw("profile", step.done)
            if step.is_new:
                left = "" if step.left_s is None else f", {_minutes(step.left_s)} left"
                screen.note(f"{step.done:4.0%}  {step.name}: {KINDS[step.kind]}{left}")

        yield tell


def _minutes(seconds: float) -> str:
    return "{}:{:02}".format(*divmod(round(seconds), 60))
