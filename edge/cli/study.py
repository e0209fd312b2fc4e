"""``whisperq-edge study``: the published comparison of quantized Whispers, measured here."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from ..errors import ConfigError
from .export_index import data_folder
from .screen import Screen

if TYPE_CHECKING:
    from ..accuracy.task import Task
    from ..study.config import StudyConfig
    from ..study.pace import Report, Step
    from ..study.run import Done, Recruit

NOTE_EVERY_S = 30.0  # where progress is told in lines


def study(
    ctx: typer.Context,
    config: Annotated[Path, typer.Option(help="File that says what is compared, in TOML.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder of the report.")
    ] = None,
    work: Annotated[
        Path | None, typer.Option(help="Folder of exports and results, to go on with.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes that transcribe; as many as fit.")
    ] = None,
    cluster: Annotated[
        str | None, typer.Option(help="Address of a Dask scheduler, whose workers transcribe.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print what came of it as JSON.")] = False,
) -> None:
    """Compare checkpoints, formats and precisions: words, sizes and times, as one report.

    Every piece is kept as soon as it is done: if it is interrupted, the same command goes on where
    it was, and a study that is finished is not done again.
    """
    from ..reports.svg import require_library
    from ..study.config import read_config
    from ..study.output import check_output, is_shown, write_output
    from ..study.run import run_study

    screen: Screen = ctx.obj
    if cluster is not None and workers is not None:
        raise ConfigError("--workers are of this machine; a --cluster has its own")
    asked = read_config(config)
    folder = output or _output(asked, config)
    check_output(folder)
    require_library()  # before an hour of measurements
    place = work or data_folder() / "studies" / config.stem
    with _progress(screen) as report, _kept(screen, place):
        done = run_study(asked, config.parent, place, _recruit(workers, cluster), report)
    remade = f"whisperq-edge study --config {config}"
    is_written = not is_shown(done.study, folder, remade)
    if is_written:
        write_output(done.study, folder, remade)
    if not done.is_new:
        screen.note("nothing was left to do" + ("" if is_written else ": the report is there"))
    _print(screen, asked, done, folder, as_json=as_json)


def _output(asked: StudyConfig, config: Path) -> Path:
    """Where the file says, seen from its own folder; otherwise beside the user."""
    if not asked.output:
        return Path(f"study-{config.stem}")
    return Path(os.path.normpath(config.parent / asked.output))  # without the ".." between them


def _recruit(workers: int | None, cluster: str | None) -> Recruit:
    """Processes of this machine, or those of a cluster."""

    def recruit(tasks: Sequence[Task]) -> Executor:
        if cluster is not None:
            from ..accuracy.cluster import cluster_executor

            return cluster_executor(cluster)
        from ..accuracy.pool import Pool, pool_width
        from ..artifact import Artifact

        threads = tasks[0].settings.threads
        artifacts = [Artifact.read(Path(folder)) for folder in {task.artifact for task in tasks}]
        return Pool(workers or pool_width(artifacts, threads), threads=threads)

    return recruit


def _print(screen: Screen, asked: StudyConfig, done: Done, folder: Path, *, as_json: bool) -> None:
    from ..study.conclusions import conclusions_of
    from ..study.output import FIGURES, MARKDOWN, PAGE

    found = conclusions_of(done.study)
    if as_json:
        content = {
            "title": asked.title,
            "page": str(folder / PAGE),
            "figures": str(folder / FIGURES),
            "exported": done.n_exports,
            "transcribed": done.n_utterances,
            "timed": done.n_measurements,
            "missing": done.study.missing,
            "conclusions": [
                {
                    "claim": one.claim,
                    "published": one.published,
                    "verdict": one.verdict,
                    "sentences": [str(sentence) for sentence in one.sentences],
                }
                for one in found
            ],
        }
        typer.echo(msgspec.json.encode(content).decode())
        return
    screen.table(("finding", "here"), [(one.claim, one.verdict) for one in found])
    for missing in done.study.missing:
        screen.note(f"{missing.name} is missing: {missing.reason}")
    typer.echo(f"report: {folder / PAGE}, {folder / MARKDOWN}")


@contextmanager
def _kept(screen: Screen, place: Path) -> Iterator[None]:
    """Say what is not lost if the block is interrupted."""
    try:
        yield
    except KeyboardInterrupt:
        screen.note(f"what is done is in {place}; the same command goes on there")
        raise


@contextmanager
def _progress(screen: Screen) -> Iterator[Report]:
    """A bar in a terminal; otherwise a line for each part, and one now and then."""
    from ..study.pace import PARTS

    told, part = time.monotonic(), ""
    with screen.progress() as draw:

        def tell(step: Step) -> None:
            nonlocal told, part
            number = f"{PARTS.index(step.part) + 1}/{len(PARTS)} {step.part}"
            if screen.draws:
                draw(number, step.done)
                return
            now = time.monotonic()
            if step.part != part or now - told >= NOTE_EVERY_S:
                told, part = now, step.part
                left = "" if step.left_s is None else f", {_minutes(step.left_s)} left"
                screen.note(f"{number} {step.done:4.0%}  {step.what}{left}")

        yield tell


def _minutes(seconds: float) -> str:
    return "{}:{:02}".format(*divmod(round(seconds), 60))
