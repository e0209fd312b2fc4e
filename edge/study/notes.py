"""What a reader has to know before believing any of it, and on what it was measured."""

from __future__ import annotations

from collections.abc import Iterator

from ..reports.wording import ABSENT, TIMES, count, megabytes
from .config import ENOUGH_REPEATS, is_random
from .study import Study

Fact = tuple[str, str]
BUNDLED = "demo"


def notes_of(study: Study) -> list[str]:
    """In the order of their weight, a sentence or two each."""
    return [*_models(study), *_speech(study), *_stand_ins(study), *_times(study), *_missing(study)]


def _models(study: Study) -> Iterator[str]:
    for one in study.checkpoints:
        if one.name == BUNDLED:
            yield (
                f"The bundled model has {one.n_parameters / 1e6:.1f} million parameters, and was "
                "trained on speech like the recordings that come with the package: short orders, "
                "commands and words. Its figures say how formats compare on such speech, and "
                "nothing of official checkpoints."
            )
    if any(is_random(one.name) for one in study.checkpoints):
        yield (
            "Random checkpoints have the shape of official ones and weights drawn by chance: "
            "their sizes and times are true, and there are no words to be judged."
        )


def _speech(study: Study) -> Iterator[str]:
    for one in study.sets:
        under = "" if one.condition == "clean" else f", heard under {one.condition}"
        yield (
            f'The set "{one.name}" is {count(one.n_utterances, "recording")} of '
            f"{count(one.n_speakers, 'speaker')} ({one.source}), {count(one.n_words, 'word')} in "
            f"{one.sound_s / 60:.1f} minutes{under}."
        )
    if study.sets and study.sets[0].n_speakers == 1:
        yield "With one speaker there are no intervals, and nothing can be told of words."


def _stand_ins(study: Study) -> Iterator[str]:
    ran = dict.fromkeys(one.target for one in study.formats if one.stand_in)
    for target in ran:
        yield (
            f"{target} was run by what only shows its results, since its own library or chip is "
            "not here: words and sizes are true, its times would be nobody's and are left out."
        )
    instead = dict.fromkeys(
        (one.target, asked, one.precision) for one in study.formats for asked in one.instead_of
    )
    for target, asked, precision in instead:
        yield f"{target} has no {asked}; {precision} stands in for it."


def _times(study: Study) -> Iterator[str]:
    if study.times and study.config.repeats < ENOUGH_REPEATS:
        yield (
            f"Times rest on {count(study.config.repeats, 'pass')}, and their intervals hold the "
            f"truth less often than 95 % of the time: that takes {ENOUGH_REPEATS}."
        ).replace("passs", "passes")
    names = {one.digest: one.name for one in study.formats}
    for times in study.times:
        for doubt in times.doubts:
            yield f"{names[times.digest]}, {count(times.threads, 'thread')}: {doubt}."


def _missing(study: Study) -> Iterator[str]:
    for one in study.missing:
        yield f"{one.name} is missing: {one.reason}."


def facts_of(study: Study) -> list[Fact]:
    """Machine, versions and date: a label and a value each."""
    board = study.board
    cores = ", ".join(
        f"{core.count} {TIMES} {core.name}" + (f" up to {core.max_mhz} MHz" if core.max_mhz else "")
        for core in board.cores
    )
    tools: dict[str, str] = dict(study.tools)
    for one in study.formats:
        tools |= one.tools
    return [
        ("machine", board.model or ABSENT),
        ("cores", cores or ABSENT),
        ("cores that may be used", str(board.usable_cores)),
        ("instructions for 8-bit products", ", ".join(board.features) or "none"),
        ("memory", megabytes(board.memory_bytes)),
        ("system", f"{board.machine}, {board.system}"),
        ("Python", board.python or ABSENT),
        ("whisperq-edge", study.package),
        ("libraries", ", ".join(f"{name} {tools[name]}" for name in sorted(tools))),
        *(
            (
                one.name,
                f"{one.n_parameters / 1e6:.1f} million parameters, licence {one.licence}, "
                f"sha256 {one.digest[:16]}",
            )
            for one in study.checkpoints
        ),
        ("put together", study.created),
    ]
