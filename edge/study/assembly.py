"""From all that was measured to the study: scores, comparisons, raw times."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version

from ... import __version__
from ...models.checkpoint import Checkpoint
from ...models.tensors import n_parameters
from ..accuracy.difference import Difference, paired_difference
from ..accuracy.qualities import measure_qualities
from ..accuracy.result import Result
from ..accuracy.scoring import Score, score
from ..accuracy.summary import summarize
from ..accuracy.utterance import Utterance
from ..profiling.board import Board
from ..profiling.summary import measured, peak_bytes
from .config import StudyConfig
from .evaluate_step import EvaluateStep, Heard
from .export_step import Made
from .profile_step import ProfileStep
from .stage_step import StageStep
from .study import (
    SCHEMA,
    Accuracy,
    CheckpointFacts,
    Format,
    Missing,
    Pair,
    SetFacts,
    Study,
    Times,
)

JUDGES = ("jiwer", "whisper-normalizer", "numpy")  # libraries that decide what an error is
Heards = list[tuple[Heard, list[Score]]]


def assemble(
    config: StudyConfig,
    board: Board,
    checkpoints: Mapping[str, Checkpoint],
    made: Sequence[Made],
    missing: Sequence[Missing],
    evaluated: EvaluateStep,
    stages: StageStep,
    profiles: ProfileStep,
) -> Study:
    """Put a study together.

    Args:
        config: What was asked.
        board: On what.
        checkpoints: By their names.
        made: The artifacts.
        missing: What could not be had.
        evaluated: What was understood.
        stages: What a window took.
        profiles: What whole recordings took.
    """
    scored: Heards = []
    accuracies = []
    for heard in evaluated.heard():
        if pairs := evaluated.results(heard):
            scores = [score(utterance, result) for utterance, result in pairs]
            scored.append((heard, scores))
            accuracies.append(_accuracy(config, heard, scores, pairs))
    return Study(
        schema=SCHEMA,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        package=__version__,
        config=config,
        board=board,
        tools={name: found for name in JUDGES if (found := _version(name))},
        checkpoints=tuple(_facts(name, checkpoints[name]) for name in config.checkpoints),
        sets=tuple(_sets(config, evaluated, scored)),
        formats=tuple(_format(one, stages, config) for one in made),
        accuracies=tuple(accuracies),
        pairs=tuple(_pairs(config, scored)),
        times=tuple(
            times
            for one in made
            for threads in config.threads
            if (times := _times(one, threads, stages, profiles))
        ),
        missing=(*missing, *evaluated.missing),
    )


def _facts(name: str, checkpoint: Checkpoint) -> CheckpointFacts:
    size = n_parameters(checkpoint.dimensions)
    return CheckpointFacts(name, checkpoint.digest, checkpoint.licence, size)


def _sets(config: StudyConfig, evaluated: EvaluateStep, scored: Heards) -> Iterator[SetFacts]:
    for number, one in enumerate(config.sets[: len(evaluated.sets)]):
        speech = evaluated.sets[number]
        scores = next((found for heard, found in scored if heard.number == number), [])
        yield SetFacts(
            one.name,
            speech.name,
            one.condition,
            len(speech.utterances),
            sum(each.words.n_reference for each in scores),
            len({utterance.speaker for utterance in speech.utterances}),
            sum(each.duration_s for each in scores),
        )


def _accuracy(
    config: StudyConfig,
    heard: Heard,
    scores: Sequence[Score],
    pairs: Sequence[tuple[Utterance, Result]],
) -> Accuracy:
    results = [result for _, result in pairs]
    sound_s = sum(result.duration_s for result in results)
    is_stand_in = any(result.stand_in for result in results)
    cpu_s = sum(result.cpu_s for result in results)
    return Accuracy(
        digest=heard.made.digest,
        set=config.sets[heard.number].name,
        variant=heard.settings.variant,
        summary=summarize(scores),
        qualities=measure_qualities(pairs),
        cpu_s_per_s=None if is_stand_in or not sound_s else cpu_s / sound_s,
    )


def _format(one: Made, stages: StageStep, config: StudyConfig) -> Format:
    cell, manifest = one.cell, one.artifact.manifest
    starts = [start for threads in config.threads for start in stages.starts(one, threads)]
    ran = {name: tool for start in starts for name, tool in start.tools.items()}
    written = {name: tool for name, tool in manifest.tools.items() if name != "whisperq-edge"}
    return Format(
        checkpoint=cell.checkpoint,
        target=cell.target,
        precision=cell.precision,
        stored=cell.stored,
        instead_of=cell.instead_of,
        digest=one.digest,
        size_bytes=one.artifact.size,
        stand_in=any(start.stand_in for start in starts),
        tools=written | ran,
    )


def _pairs(config: StudyConfig, scored: Heards) -> Iterator[Pair]:
    """Precisions of one target beside each other; other ways of listening beside the plain one."""
    for heard, scores in scored:
        name, variant = config.sets[heard.number].name, heard.settings.variant
        for other, others in scored:
            if heard is other or other.settings.variant != "plain" or not _is_pair(heard, other):
                continue
            difference = _difference(scores, others)
            if difference is not None:
                yield Pair(heard.made.digest, other.made.digest, name, variant, "plain", difference)


def _is_pair(heard: Heard, other: Heard) -> bool:
    one, its = heard.made.cell, other.made.cell
    if heard.number != other.number:
        return False
    if heard.settings.variant != "plain":
        return heard.made.digest == other.made.digest
    return (one.checkpoint, one.target) == (its.checkpoint, its.target)


def _difference(scores: Sequence[Score], others: Sequence[Score]) -> Difference | None:
    """By the utterances that both have, of which some may have failed."""
    by_id = {each.id: each for each in others}
    shared = [each for each in scores if each.id in by_id]
    if not any(each.words.n_reference for each in shared):
        return None
    return paired_difference(shared, [by_id[each.id] for each in shared])


def _times(one: Made, threads: int, stages: StageStep, profiles: ProfileStep) -> Times | None:
    starts = stages.starts(one, threads)
    if not starts or any(start.stand_in for start in starts):
        return None
    outcome = profiles.outcome(one.digest, threads)
    passes = measured(outcome) if outcome else []
    doubts = [start.error for start in starts if start.error]
    if outcome:
        doubts += [outcome.reason] if outcome.reason else list(outcome.doubts)
    return Times(
        digest=one.digest,
        threads=threads,
        clip_s=profiles.clip_s if passes else None,
        whole_s=tuple(each.stages["total"].wall_s for each in passes),
        loads_s=tuple(load_s for start in starts for load_s in start.loads_s),
        passes=tuple(each for start in starts for each in start.passes),
        peak_bytes=peak_bytes(outcome) if outcome else None,
        doubts=tuple(dict.fromkeys(doubts)),
    )


def _version(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None
