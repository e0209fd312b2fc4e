"""How the ways of listening differ: as a file, live, and with a time for each word."""

from __future__ import annotations

from collections.abc import Iterator

from ..accuracy.result import Variant
from .figure import Figure, exact
from .format_table import precision_label
from .study import Accuracy, Format, Study
from .table import Column, Table, Value

NAMES: dict[Variant, str] = {
    "plain": "plain",
    "streaming": "streaming (LocalAgreement)",
    "word-times": "with word times",
}
COLUMNS = (
    Column("checkpoint", "checkpoint"),
    Column("format", "target"),
    Column("precision", "precision"),
    Column("heard", "variant"),
    Column("words wrong, %", "word_error_rate", "percent"),
    Column("more than plain, points", "word_error_rate_more", "percent"),
    Column("texts empty, %", "empty_rate", "percent"),
    Column("made up, %", "hallucination_rate", "percent"),
    Column("processor time for a second of sound, ms", "cpu_s_per_s", "ms"),
)


def variant_table(study: Study) -> Table:
    """A row for each artifact and variant, on the first set."""
    rows = [
        _row(study, one, accuracy) for one in study.formats for accuracy in _accuracies(study, one)
    ]
    return Table("variants", "Plain, streaming, word times", COLUMNS, rows, tuple(_notes(study)))


def _accuracies(study: Study, one: Format) -> Iterator[Accuracy]:
    for variant in study.config.variants:
        found = study.accuracy(one.digest, study.config.sets[0].name, variant)
        if found is not None:
            yield found


def _row(study: Study, one: Format, accuracy: Accuracy) -> tuple[Value, ...]:
    summary, variant = accuracy.summary, accuracy.variant
    more = study.pair(one.digest, one.digest, accuracy.set, (variant, "plain"))
    return (
        one.checkpoint,
        one.target,
        precision_label(one),
        NAMES[variant],
        Figure.of(summary.wer),
        Figure.of(more),
        Figure.of(summary.empty),
        Figure.of(summary.hallucinations),
        exact(accuracy.cpu_s_per_s),
    )


def _notes(study: Study) -> Iterator[str]:
    if study.config.sets:
        yield f'By the set "{study.config.sets[0].name}".'
    limit = study.config.variant_limit
    if limit is not None:
        yield (
            f"Streaming and word times by up to {limit} of its utterances, spread over the "
            "speakers; what is more than plain, by those alone."
        )
    yield (
        "Streaming commits a word when two updates agree on it, and takes nothing back; it hears "
        "the sound as fast as it can be fed. Word times cost a second reading of the text."
    )
    yield (
        "Processor time is that of all threads, summed over the set; other work on the machine "
        "does not count, but slows it where caches are shared."
    )
