"""Table III: words, size and time of every format, beside the study's."""

from __future__ import annotations

from collections.abc import Iterator

from ..reports.wording import ABSENT, count
from .config import is_random
from .figure import Figure, exact, printed
from .published import PublishedFormat, published
from .study import Format, Study
from .table import Column, Table, Value

COLUMNS = (
    Column("checkpoint", "checkpoint"),
    Column("format", "target"),
    Column("precision", "precision"),
    Column("words wrong, %", "word_error_rate", "percent"),
    Column("published, %", "published_word_error_rate", "percent", is_published=True),
    Column("size, MB", "size_bytes", "MB"),
    Column("of unquantized", "size_ratio", "ratio"),
    Column("published, MiB", "published_size_bytes", "MiB", is_published=True),
    Column("published, of its", "published_size_ratio", "ratio", is_published=True),
    Column("latency, s", "latency_s", "s"),
    Column("of unquantized", "latency_ratio", "ratio"),
    Column("published, s", "published_latency_s", "s", is_published=True),
    Column("published, of its", "published_latency_ratio", "ratio", is_published=True),
    Column("peak memory, MB", "peak_bytes", "MB"),
)


def format_table(study: Study) -> Table:
    """Every artifact, in the order of the study's file."""
    rows = [_row(study, one) for one in study.formats]
    return Table("table-3", "Words, size and latency", COLUMNS, rows, tuple(_notes(study)))


def precision_label(one: Format) -> str:
    """Such as "int8 (q8_0)", or "int8, for int5 too"."""
    stored = "" if one.stored == one.precision else f" ({one.stored})"
    instead = f", for {' and '.join(one.instead_of)} too" if one.instead_of else ""
    return f"{one.precision}{stored}{instead}"


def _row(study: Study, one: Format) -> tuple[Value, ...]:
    accuracy = study.accuracy(one.digest, study.sets[0].name) if study.sets else None
    reference = study.reference(one)
    size_ratio = latency_ratio = None
    latency, peak = latency_of(study, one), peak_of(study, one)
    if reference is not None:
        size_ratio = exact(one.size_bytes / reference.size_bytes)
        beside = latency_of(study, reference)
        latency_ratio = latency.over(beside) if latency and beside else None
    if reference == one:
        size_ratio = latency_ratio = exact(1.0)
        latency_ratio = latency_ratio if latency else None
    row = published_beside(study, one)
    base = published().format("unquantized")
    assert base is not None
    return (
        one.checkpoint,
        one.target,
        precision_label(one),
        Figure.of(accuracy.summary.wer) if accuracy else None,
        printed(row.word_error_rate) if row else None,
        exact(one.size_bytes),
        size_ratio,
        printed(row.size_mib * 2**20) if row else None,
        exact(row.size_mib / base.size_mib) if row else None,
        latency,
        latency_ratio,
        printed(row.latency_s) if row else None,
        exact(row.latency_s / base.latency_s) if row else None,
        exact(peak),
    )


def latency_of(study: Study, one: Format) -> Figure | None:
    """What a recording takes with the first number of threads."""
    times = study.times_of(one.digest, study.config.threads[0])
    return times.latency if times else None


def peak_of(study: Study, one: Format) -> int | None:
    """Memory, likewise."""
    times = study.times_of(one.digest, study.config.threads[0])
    return times.peak_bytes if times else None


def published_beside(study: Study, one: Format) -> PublishedFormat | None:
    """The study's figures for what is stored so."""
    is_reference = one.precision == study.config.reference
    return published().format("unquantized" if is_reference else one.precision)


def _notes(study: Study) -> Iterator[str]:
    threads = study.config.threads[0]
    clips = {times.clip_s for times in study.times if times.clip_s is not None}
    if clips:
        yield (
            f"Latency is a recording of {min(clips):g} s transcribed whole, the artifact being "
            f"open, with {count(threads, 'thread')}: the median of {study.config.repeats} passes, "
            "and the passes that enclose it."
        )
    if any(is_random(one.checkpoint) for one in study.formats):
        yield (
            "Random checkpoints have no words. Their latency is a window of 30 s and 32 tokens "
            "(Table II), so that it does not depend on what is made up."
        )
    if study.config.reference:
        yield (
            f'"Unquantized" is {study.config.reference} of the same checkpoint and target. A ratio '
            "of two times goes as far as both intervals allow: at least 95 % with seven passes."
        )
    yield (
        f'"Published" is Table III of {published().source}, another model on another machine, in '
        f"whisper.cpp's format: shown, and not aimed at. {ABSENT} where it has no such row."
    )
