"""Table I: what the study says of texts in words, measured."""

from __future__ import annotations

from collections.abc import Iterator

from ..accuracy.qualities import Qualities
from .config import SetConfig
from .figure import Figure, exact
from .format_table import precision_label
from .published import published
from .study import Accuracy, Format, Study
from .table import Column, Table, Value

# The key of a column, its title, and why it may be empty everywhere.
QUALITIES = {
    "capitalization_f1": ("capitals, F1", "the references do not tell capitals from small letters"),
    "punctuation_f1": ("punctuation, F1", "the references have no punctuation"),
    "number_errors": (
        "numbers wrong, %",
        "the references hold no numbers, once they are normalized",
    ),
    "name_errors": ("names wrong, %", "the references do not tell names: they have no capitals"),
    "timestamp_error_s": (
        "word times off, ms",
        "the set does not say when words begin, or no variant asks for word times",
    ),
}


def quality_table(study: Study) -> Table:
    """Every artifact that says something, by all sets; qualities by the first."""
    sets = study.config.sets
    columns = (
        Column("checkpoint", "checkpoint"),
        Column("format", "target"),
        Column("precision", "precision"),
        *(Column(f"words wrong, {one.name}, %", _key(one), "percent") for one in sets),
        *(
            Column(title, key, "percent" if "%" in title else "ms" if "ms" in title else "share")
            for key, (title, _) in QUALITIES.items()
        ),
        Column("time for a second of sound, ms", "real_time_factor", "ms"),
    )
    rows = [_row(study, one) for one in study.formats if _is_judged(study, one)]
    table = Table("table-1", "What is understood", columns, rows)
    return Table(table.name, table.title, columns, rows, tuple(_notes(study, table)))


def _key(one: SetConfig) -> str:
    return f"word_error_rate[{one.name}]"


def _is_judged(study: Study, one: Format) -> bool:
    return any(accuracy.digest == one.digest for accuracy in study.accuracies)


def _row(study: Study, one: Format) -> tuple[Value, ...]:
    times = study.times_of(one.digest, study.config.threads[0])
    first = study.config.sets[0].name
    plain = study.accuracy(one.digest, first)
    timed = study.accuracy(one.digest, first, "word-times")
    return (
        one.checkpoint,
        one.target,
        precision_label(one),
        *(_word_errors(study.accuracy(one.digest, each.name)) for each in study.config.sets),
        *_qualities(plain.qualities if plain else None),
        exact(_times_off(timed.qualities if timed else None)),
        times.real_time_factor if times else None,
    )


def _word_errors(accuracy: Accuracy | None) -> Figure | None:
    return Figure.of(accuracy.summary.wer) if accuracy else None


def _qualities(found: Qualities | None) -> Iterator[Figure | None]:
    """All but the times, in the order of the columns."""
    if found is None:
        yield from (None,) * (len(QUALITIES) - 1)
        return
    yield exact(found.capitalization.f1 if found.capitalization else None)
    yield exact(found.punctuation.f1 if found.punctuation else None)
    yield exact(found.numbers.rate if found.numbers else None)
    yield exact(found.names.rate if found.names else None)


def _times_off(found: Qualities | None) -> float | None:
    return found.times.start_median_s if found and found.times else None


def _notes(study: Study, table: Table) -> Iterator[str]:
    for key, (title, reason) in QUALITIES.items():
        if table.rows and table.is_empty(key):
            yield f'"{title}" is empty: {reason}.'
    conditions = [one for one in study.config.sets if one.condition != "clean"]
    for one in conditions:
        yield f'"{one.name}" is heard under {one.condition}, which is added to the recordings.'
    yield (
        "Words wrong: substituted, inserted and missing ones per word that was said, after "
        "Whisper's normalization; between brackets 95 %, by a bootstrap over speakers."
    )
    if not table.is_empty("timestamp_error_s"):
        yield "Word times: the median distance of a word's start from where it is said to be."
    yield f"Table I of {published().source} compares models in words alone: nothing is set beside."
