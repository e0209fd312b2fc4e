"""``whisperq-edge profile --host``: the profiler, run on boards over SSH."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from platformdirs import user_cache_path

from ..errors import ConfigError, WhisperqError
from .export_index import data_folder
from .failures import explain
from .host_screen import HostRow, host_rows
from .profile_options import ALL
from .profile_table import print_profile, profile_json
from .record_page import write_page
from .screen import Screen

if TYPE_CHECKING:
    from ..artifact import Artifact
    from ..remote.board_task import BoardTask
    from ..remote.host import Host

CACHE_VARIABLE = "WHISPERQ_EDGE_CACHE"
RESULT = "record.json"


# Formats that boards of every kind run; `all` means those, and the others have to be named.
EVERYWHERE = ("onnx", "openvino", "tflite")


@dataclass(frozen=True)
class Boards:
    """Where to profile.

    Attributes:
        hosts: Each once.
        key: A private key to use in place of ssh's own; None for those.
    """

    hosts: Sequence[Host]
    key: Path | None

    @classmethod
    def named(cls, names: Sequence[str], path: Path | None, key: Path | None) -> Boards | None:
        """The boards of the options; None if none is named, so that this machine is meant.

        Args:
            names: ``user@board:port`` each.
            path: A list of such, one a line.
            key: See above.

        Raises:
            ConfigError: A name or a line is no host, or there is a key and no host.
        """
        from ..remote.host import Host, distinct, read_hosts

        hosts = [Host.parse(name) for name in names] + (read_hosts(path) if path else [])
        if not hosts and key:
            raise ConfigError("--ssh-key is for boards; name one with --host")
        return cls(distinct(hosts), key) if hosts else None

    def outputs(self, output: Path | None) -> list[Path]:
        """The record's file for each board; several have the boards' names in theirs.

        Raises:
            ConfigError: One of them is there already.
        """
        if output is None:
            now = datetime.now(UTC).isoformat(timespec="seconds").partition("+")[0]
            output = data_folder() / "profiles" / f"{now.replace(':', '')}.json"
            output.parent.mkdir(parents=True, exist_ok=True)
        paths = [output]
        if len(self.hosts) > 1:
            paths = [output.with_stem(f"{output.stem}-{host.file_name}") for host in self.hosts]
        for path in paths:
            if path.exists():
                raise ConfigError(f"{path} is finished; name another --output, or delete it")
        return paths


def board_targets(targets: str) -> str:
    """The value of ``--targets`` for boards; names with commas."""
    from ..evaluation.plan import installed_targets

    if targets.strip() != ALL:
        return targets
    return ",".join(name for name in installed_targets() if name in EVERYWHERE)


def as_options(asked: Mapping[str, object], labels: Sequence[str]) -> list[str]:
    """What a board's ``profile`` is asked; what is None is left to it."""
    pairs = [(f"--{name}", str(value)) for name, value in asked.items() if value is not None]
    return [word for pair in [*pairs, *(("--label", label) for label in labels)] for word in pair]


def profile_boards(
    screen: Screen,
    boards: Boards,
    artifacts: Sequence[Artifact],
    options: Sequence[str],
    output: Path | None,
    *,
    as_json: bool,
) -> None:
    """Profile artifacts on boards, on all of them at once.

    Args:
        screen: Shows how far each is.
        boards: Where.
        artifacts: What.
        options: Of ``profile``, for the boards.
        output: See ``Boards.outputs``.
        as_json: Print the tables as JSON.

    Raises:
        Exit: Something failed on some, after that was told and the others were shown.
    """
    from ..profiling.comparison import Named
    from ..profiling.record_file import read_record
    from ..remote.board_task import BoardTask

    paths = boards.outputs(output)
    task = BoardTask(
        [artifact.folder for artifact in artifacts],
        sorted({_extra(artifact) for artifact in artifacts}),
        lambda folders: ["profile", *folders, *options, "--output", RESULT],
        RESULT,
    )
    names = [str(host) for host in boards.hosts]
    with host_rows(screen, names) as rows:
        failures = asyncio.run(_run_all(task, boards, rows, paths))
    found = {
        path: Named(name, read_record(path))
        for path, name, failure in zip(paths, names, failures, strict=True)
        if failure is None
    }
    page = write_page(screen, list(found.values()), (output or paths[0]).with_suffix(".html"))
    if as_json:
        tables = [profile_json(named.record, path, page) for path, named in found.items()]
        typer.echo(tables[0] if len(paths) == 1 else f"[{','.join(tables)}]")
    else:
        for path, named in found.items():
            if len(paths) > 1:
                typer.echo(f"{named.name}:")
            print_profile(screen, named.record)
            typer.echo(f"record: {path}")
        if page is not None:
            typer.echo(f"report: {page}")
    errors = [explain(failure) for failure in failures if failure is not None]
    for line, _ in errors:
        typer.echo(line, err=True)
    if errors:
        raise typer.Exit(errors[0][1])


async def _run_all(
    task: BoardTask, boards: Boards, rows: Sequence[HostRow], paths: Sequence[Path]
) -> list[WhisperqError | None]:
    """Why each board failed; None where none did. A mistake of ours ends them all."""
    from ..remote.link import Link

    cache = Path(os.environ.get(CACHE_VARIABLE) or user_cache_path("whisperq-edge")) / "wheels"

    async def run(host: Host, row: HostRow, path: Path) -> WhisperqError | None:
        try:
            async with Link.to(host, boards.key, row.note) as link:
                await task.run(link, cache, row, path)
        except WhisperqError as error:
            return error
        return None

    async with asyncio.TaskGroup() as group:
        runs = [
            group.create_task(run(host, row, path))
            for host, row, path in zip(boards.hosts, rows, paths, strict=True)
        ]
    return [run.result() for run in runs]


def _extra(artifact: Artifact) -> str:
    """Of this package, that runs an artifact; each of them also counts words."""
    target = artifact.manifest.target
    return "verify" if target == "onnx" else target  # ONNX Runtime is there in any case
