"""``whisperq-edge evaluate``: how many words artifacts get wrong on labelled speech."""

from __future__ import annotations

import hashlib
import re
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ..errors import ConfigError
from . import decoding_options as decoding
from .artifact_input import open_artifact
from .export_index import data_folder
from .screen import Screen

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..accuracy.failure import Failure
    from ..accuracy.result import Settings
    from ..accuracy.store import ResultStore
    from ..accuracy.subject import Subject
    from ..accuracy.sweep_progress import SweepProgress
    from ..accuracy.utterance import SpeechSet
    from ..accuracy.workers import Workers

NOTE_EVERY_S = 30.0  # where progress is told in lines
MOST_REASONS = 5  # why utterances failed, told one by one


def evaluate(
    ctx: typer.Context,
    artifacts: Annotated[
        list[Path], typer.Argument(metavar="ARTIFACT...", help="Folders of exports.")
    ],
    data: Annotated[
        str,
        typer.Option(
            help="Labelled speech: a folder or manifest, hf:NAME[:CONFIG][:SPLIT], or demo."
        ),
    ],
    condition: Annotated[
        str, typer.Option(help="Done to the sound: clean, challenging, snr10+rt0.5 ...")
    ] = "clean",
    variant: Annotated[
        Literal["plain", "streaming", "word-times"],
        typer.Option(help="Hear it as a file, live, or with a time for each word."),
    ] = "plain",
    threads: Annotated[int, typer.Option(min=1, help="Compute threads of each worker.")] = 1,
    beam_size: Annotated[
        int | None, typer.Option(min=1, help="Hypotheses of a beam search; greedy if not given.")
    ] = None,
    device: Annotated[
        str | None, typer.Option(help="Where to run, in the library's words: GPU, NPU, AUTO ...")
    ] = None,
    provider: decoding.Provider = None,
    language: Annotated[
        str, typer.Option(help="Spoken where the set does not say; code or English name.")
    ] = "en",
    limit: Annotated[
        int | None, typer.Option(min=1, help="Take so many utterances, of many speakers.")
    ] = None,
    results: Annotated[
        Path | None, typer.Option(help="File of the results; the set's own if not given.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes; as many as fit if not given.")
    ] = None,
    cluster: Annotated[
        str | None, typer.Option(help="Address of a Dask scheduler, whose workers do the work.")
    ] = None,
    worst: Annotated[int, typer.Option(min=0, help="Utterances with most errors to show.")] = 5,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
) -> None:
    """Count the words that artifacts get wrong on labelled speech, and compare them.

    Every utterance is recorded as soon as it is done: if it is interrupted, the same command goes
    on where it was.
    """
    from ..accuracy.condition import Condition
    from ..accuracy.judged import judge
    from ..accuracy.result import Settings
    from ..accuracy.sets import load_set
    from ..accuracy.store import ResultStore
    from ..accuracy.subject import read_subjects
    from .evaluate_output import Evaluation, evaluation_json, print_evaluation

    screen: Screen = ctx.obj
    if cluster is not None and workers is not None:
        raise ConfigError("--workers are of this machine; a --cluster has its own")
    settings = Settings(
        variant=variant,
        threads=threads,
        beam_size=beam_size,
        device=device,
        provider=provider,
        condition=Condition.parse(condition).name,
    )
    _check_scoring()
    speech = load_set(data, limit=limit, language=language)
    if all(utterance.speaker == utterance.id for utterance in speech.utterances):
        screen.note("the set names no speakers: each utterance counts as one, for the intervals")
    for folder in artifacts:
        open_artifact(screen, folder)  # says what a user should know of it
    languages = {utterance.language for utterance in speech.utterances}
    subjects = read_subjects(artifacts, settings, languages, run_here=cluster is None)
    path = results or _default_results(data, speech.name)
    with ResultStore(path) as store:
        failures = _transcribe(
            screen,
            subjects,
            speech,
            settings,
            store,
            partial(_workers, workers, cluster, subjects, settings),
        )
        judged = [
            judge(subject.name, subject.digest, speech.utterances, settings, store)
            for subject in subjects
        ]
    evaluation = Evaluation(
        speech.name,
        len(speech.utterances),
        settings,
        path,
        tuple(one for one in judged if one is not None),
        failures,
        worst,
    )
    if as_json:
        typer.echo(evaluation_json(evaluation))
    else:
        print_evaluation(screen, evaluation)
        if evaluation.judged:
            screen.note(f"results: {path}")
    status = _tell_failures(failures)
    if status:
        raise typer.Exit(status)


def _check_scoring() -> None:
    """See that what compares texts is there, before an hour of transcription.

    Raises:
        MissingDependencyError: It is not installed.
    """
    from ..accuracy.normalizer import normalizer_for
    from ..transcription.word_errors import load_jiwer

    load_jiwer()
    normalizer_for("en")


def _default_results(data: str, name: str) -> Path:
    """In the data folder, one file for each set, whatever part of it is taken."""
    place = str(Path(data).expanduser().resolve()) if Path(data).expanduser().exists() else data
    digest = hashlib.sha256(place.encode()).hexdigest()[:8]
    title = re.sub(r"[^\w.-]+", "-", name).strip("-")
    return data_folder() / "evaluations" / f"{title}-{digest}.jsonl"


def _transcribe(
    screen: Screen,
    subjects: Sequence[Subject],
    speech: SpeechSet,
    settings: Settings,
    store: ResultStore,
    open_workers: Callable[[], Workers],
) -> dict[str, tuple[Failure, ...]]:
    """Do what is not recorded yet; what could not be done, by the artifact's name."""
    from ..accuracy.plan import plan_tasks
    from ..accuracy.sweep import run_sweep
    from ..accuracy.task import result_key

    of_key = {
        result_key(subject.digest, utterance, settings): subject.name
        for subject in subjects
        for utterance in speech.utterances
    }
    n_known = sum(map(store.has, of_key))
    if n_known:
        screen.note(f"{n_known} of {len(of_key)} results are there already")
    tasks = plan_tasks([subject.artifact for subject in subjects], speech, settings, store)
    failures: dict[str, list[Failure]] = defaultdict(list)
    if tasks:
        with _kept(screen, store), open_workers() as workers, _progress(screen) as tell:
            for failure in run_sweep(tasks, workers, store, on_progress=tell):
                failures[of_key[failure.key]].append(failure)
    return {name: tuple(found) for name, found in failures.items()}


def _workers(
    n_workers: int | None, cluster: str | None, subjects: Sequence[Subject], settings: Settings
) -> Workers:
    """Who transcribes: the workers of a cluster, or processes of this machine."""
    from ..accuracy.cluster import cluster_executor
    from ..accuracy.pool import Pool, pool_width

    if cluster is not None:
        return cluster_executor(cluster)
    if n_workers is None and (settings.device or settings.provider):
        n_workers = 1  # an accelerator is one, however many cores there are
    artifacts = [subject.artifact for subject in subjects]
    width = n_workers or pool_width(artifacts, settings.threads)
    return Pool(width, threads=settings.threads)


@contextmanager
def _kept(screen: Screen, store: ResultStore) -> Iterator[None]:
    """Say what is not lost if the block is interrupted."""
    try:
        yield
    except KeyboardInterrupt:
        if len(store):
            screen.note(f"{len(store)} results are in {store.path}; the same command goes on there")
        raise


@contextmanager
def _progress(screen: Screen) -> Iterator[Callable[[SweepProgress], None]]:
    """A bar in a terminal; otherwise a line now and then, with the time left."""
    told = time.monotonic()
    with screen.progress() as draw:

        def tell(progress: SweepProgress) -> None:
            nonlocal told
            done = progress.done_s / progress.total_s if progress.total_s else 0.0
            draw("evaluate", done)
            if screen.draws or time.monotonic() - told < NOTE_EVERY_S:
                return
            told = time.monotonic()
            left = "" if progress.left_s is None else f", {_minutes(progress.left_s)} left"
            screen.note(f"{done:4.0%}  {progress.n_done} of {progress.n_total} utterances{left}")

        yield tell


def _minutes(seconds: float) -> str:
    return "{}:{:02}".format(*divmod(round(seconds), 60))


def _tell_failures(failures: dict[str, tuple[Failure, ...]]) -> int:
    """Say what could not be transcribed, a line for each reason; the exit status of the first."""
    status = 0
    for name, found in failures.items():
        reasons: dict[str, list[str]] = defaultdict(list)
        for failure in found:
            reasons[failure.reason].append(failure.id)
        for reason, ids in list(reasons.items())[:MOST_REASONS]:
            which = ids[0] if len(ids) == 1 else f"{len(ids)} utterances"
            typer.echo(f"error: {name}, {which}: {reason}", err=True)
        if len(reasons) > MOST_REASONS:
            n_more = sum(map(len, list(reasons.values())[MOST_REASONS:]))
            typer.echo(f"error: {name}: {n_more} utterances more, see --json", err=True)
        status = status or found[0].exit_code
    return status
