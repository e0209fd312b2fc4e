"""From raw samples to the rows of the table."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from contenders import (
    ANCHOR,
    CONTENDERS,
    LONG,
    LONG_FEW_WORDS,
    SHORT,
    SHORT_PADDED,
    Job,
)
from results import Results, Sample, Seconds, Start

ByRound = dict[int, float]


@dataclass(frozen=True)
class Spread:
    """Median and range over rounds."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: list[float]) -> Spread:
        """Of at least one value."""
        return cls(statistics.median(values), min(values), max(values))


@dataclass(frozen=True)
class Cell:
    """One engine in one row.

    Attributes:
        value: In the row's unit; None where nothing was measured.
        ratio: Over the anchor in the same round; None where that makes no sense.
        mismatches: Runs whose words were not the script's.
    """

    value: Spread | None
    ratio: Spread | None
    mismatches: int


@dataclass(frozen=True)
class Row:
    """One line of the table, a cell for each engine."""

    name: str
    unit: str
    cells: Mapping[str, Cell]


def rows(results: Results, size: str) -> list[Row]:
    """Everything that is known about one size."""
    return [*_speed(results, size), *_starts(results, size), _disk(results, size)]


def others(results: Results) -> float:
    """The median share of the cores that other processes took."""
    shares = [sample.others for sample in results.samples if sample.round >= 0]
    return statistics.median(shares) if shares else 0.0


def _speed(results: Results, size: str) -> list[Row]:
    view = _View(results, size)
    windows = {"short": SHORT, "padded": SHORT_PADDED}
    shipped = {contender.name: windows[contender.default_window] for contender in CONTENDERS}
    return [
        view.derived("log-mel 30 s", view.mel),
        view.derived("encoder 30 s, up to the first logits", view.first_logits),
        view.derived("one more token", view.token),
        view.whole("30 s, 90 tokens", lambda engine: LONG),
        view.whole("5 s, 15 tokens, as shipped", lambda engine: shipped[engine]),
        view.whole("5 s, all cut to 6 s", lambda engine: SHORT),
        view.whole("5 s, all padded to 30 s", lambda engine: SHORT_PADDED),
    ]


class _View:
    """The samples of one size, in milliseconds of the run's clock."""

    def __init__(self, results: Results, size: str) -> None:
        self._clock = results.clock
        self._engines = results.engines
        self._samples: dict[tuple[str, str], dict[int, Sample]] = {}
        for sample in results.samples:
            if sample.size == size and sample.round >= 0:
                key = sample.engine, sample.job
                self._samples.setdefault(key, {})[sample.round] = sample

    def whole(self, name: str, job_of: Callable[[str], Job]) -> Row:
        """A row of whole transcriptions; ``job_of`` says which one counts for an engine."""
        values = {engine: self._total(engine, job_of(engine)) for engine in self._engines}
        mismatches = {engine: self._mismatches(engine, job_of(engine)) for engine in self._engines}
        return _row(name, "ms", values, mismatches)

    def derived(self, name: str, value_of: Callable[[str], ByRound]) -> Row:
        """A row of a part of the long transcriptions."""
        values = {engine: value_of(engine) for engine in self._engines}
        mismatches = {
            engine: sum(self._mismatches(engine, job) for job in (LONG, LONG_FEW_WORDS))
            for engine in self._engines
        }
        return _row(name, "ms", values, mismatches)

    def mel(self, engine: str, job: Job = LONG) -> ByRound:
        """What comes before the encoder's call."""
        return self._stage(engine, job, "mel")

    def token(self, engine: str) -> ByRound:
        """The slope between many and few words: all else drops out of the difference."""
        many, few = self._decode(engine, LONG), self._decode(engine, LONG_FEW_WORDS)
        n_more = LONG.n_tokens - LONG_FEW_WORDS.n_tokens
        return {number: (many[number] - few[number]) / n_more for number in many.keys() & few}

    def first_logits(self, engine: str) -> ByRound:
        """The encoder, the cross-attention's keys and values, and the prompt.

        Engines compute the keys and values in different calls, so only the sum compares.
        """
        job, token = LONG_FEW_WORDS, self.token(engine)
        total, mel = self._total(engine, job), self.mel(engine, job)
        return {
            number: total[number] - mel[number] - job.n_tokens * token[number] for number in token
        }

    def _decode(self, engine: str, job: Job) -> ByRound:
        """What comes after the encoder's call."""
        total, mel = self._total(engine, job), self.mel(engine, job)
        encode = self._stage(engine, job, "encode")
        return {number: total[number] - mel[number] - encode[number] for number in total}

    def _total(self, engine: str, job: Job) -> ByRound:
        return {n: self._ms(sample.total) for n, sample in self._of(engine, job).items()}

    def _stage(self, engine: str, job: Job, stage: str) -> ByRound:
        return {n: self._ms(sample.stages[stage]) for n, sample in self._of(engine, job).items()}

    def _mismatches(self, engine: str, job: Job) -> int:
        return sum(sample.said is not None for sample in self._of(engine, job).values())

    def _of(self, engine: str, job: Job) -> dict[int, Sample]:
        return self._samples.get((engine, job.name), {})

    def _ms(self, seconds: Seconds) -> float:
        return 1000 * float(getattr(seconds, self._clock))


def _starts(results: Results, size: str) -> list[Row]:
    engines = results.engines
    starts: dict[str, list[Start]] = {engine: [] for engine in engines}
    for start in results.starts:
        if start.size == size and start.round >= 0:
            starts[start.engine].append(start)
    mismatches = {
        engine: sum(start.said is not None for start in starts[engine]) for engine in engines
    }

    def row(name: str, unit: str, value: Callable[[Start], float]) -> Row:
        values = {
            engine: {start.round: value(start) for start in starts[engine]} for engine in engines
        }
        return _row(name, unit, values, mismatches)

    return [
        row("load, from process start", "ms", lambda s: 1000 * getattr(s.ready, results.clock)),
        row("memory when loaded", "MiB", lambda s: s.rss_mib),
        row("memory, peak at 30 s", "MiB", lambda s: s.peak_mib),
    ]


def _disk(results: Results, size: str) -> Row:
    disk = {engine: {0: mib} for engine, mib in results.disk_mib[size].items()}
    return _row("disk", "MiB", disk, dict.fromkeys(disk, 0))


def _row(name: str, unit: str, values: Mapping[str, ByRound], mismatches: Mapping[str, int]) -> Row:
    anchor = values.get(ANCHOR, {})
    spoilt = any(mismatches.values())
    cells = {}
    for engine, by_round in values.items():
        ratios = [by_round[number] / anchor[number] for number in by_round.keys() & anchor]
        cells[engine] = Cell(
            Spread.of(list(by_round.values())) if by_round else None,
            Spread.of(ratios) if ratios and not spoilt else None,
            mismatches[engine],
        )
    return Row(name, unit, cells)
