"""Table II: one window in its stages, beside the study's."""

from __future__ import annotations

from collections.abc import Iterator

from .figure import Figure, printed
from .format_table import precision_label
from .published import PublishedRun, published
from .stages import N_HYPOTHESES, N_TOKENS
from .study import Format, Study, Times
from .table import Column, Table, Value

COLUMNS = (
    Column("what", "configuration"),
    Column("threads", "threads"),
    Column("load", "load_s", "ms"),
    Column("mel", "mel_s", "ms"),
    Column("sample, a run", "sample_s", "ms"),
    Column("encode, a run", "encode_s", "ms"),
    Column("decode, a run", "decode_s", "ms"),
    Column("batched decode, a run", "batched_s", "ms"),
    Column("prompt", "prompt_s", "ms"),
    Column("total", "total_s", "ms"),
)
NOTES = (
    "Milliseconds by the clock: medians, and the passes that enclose them. Every artifact does the "
    f"same work: a window of 30 s, a prompt of the usual tokens, and {N_TOKENS} tokens of a text "
    "that is given.",
    "Load: until the artifact is open, the library being loaded. Mel: the features of the "
    "window. Sample: Whisper's rules and the choice of a token. Encode: one call over the window. "
    "Decode: one call with one token.",
    f"Batched decode: one call with a token of each of {N_HYPOTHESES} hypotheses. Prompt: the call "
    "before the first token. Total: load, and the window from its sound to the last token; the "
    "batched calls are not in it.",
)


def stage_table(study: Study) -> Table:
    """Every artifact with every number of threads, then the study's four columns as rows."""
    rows = [
        _row(one, times)
        for one in study.formats
        for times in study.times
        if times.digest == one.digest and times.passes
    ]
    rows += [_published(run) for run in published().runs]
    return Table("table-2", "Where the time goes, ms", COLUMNS, rows, tuple(_notes()))


def stage(times: Times, name: str) -> Figure | None:
    """One stage of the window; None where it was not measured in every pass."""
    values = [getattr(one, name) for one in times.passes]
    return None if None in values else Figure.median(values)


def _row(one: Format, times: Times) -> tuple[Value, ...]:
    load, total = Figure.median(times.loads_s), stage(times, "total")
    names = ("mel", "sample", "encode", "decode", "batched", "prompt")
    return (
        f"{one.checkpoint} {one.target} {precision_label(one)}",
        str(times.threads),
        load,
        *(stage(times, name) for name in names),
        _sum(load, total),
    )


def _sum(one: Figure | None, other: Figure | None) -> Figure | None:
    if one is None or other is None:
        return None
    low = None if one.low is None or other.low is None else one.low + other.low
    high = None if one.high is None or other.high is None else one.high + other.high
    return Figure(one.value + other.value, low, high)


def _published(run: PublishedRun) -> tuple[Value, ...]:
    names = ("load", "mel", "sample", "encode", "decode", "batched", "prompt", "total")
    return (
        f"published: whisper.cpp, {run.name}",
        "",
        *(printed(getattr(run, name) / 1000) for name in names),
    )


def _notes() -> Iterator[str]:
    yield from NOTES
    yield (
        f"The rows below ours are Table II of {published().source}: another model on another "
        'machine, whose threads it does not say, nor which precision is "quantized".'
    )
