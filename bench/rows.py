"""From raw samples to what the tables show."""

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

LONG_ROW = "30 s, 90 tokens"
SHIPPED_ROW = "5 s, 15 tokens, as shipped"
LOAD_ROW = "load, from process start"
PEAK_ROW = "memory, peak at 30 s"

ByRound = dict[int, float]


@dataclass(frozen=True)
class Spread:
    """Median and range over rounds."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: list[float]) -> Spread | None:
        """None where there are no values."""
        if not values:
            return None
        return cls(statistics.median(values), min(values), max(values))


@dataclass(frozen=True)
class Cell:
    """One engine in one row.

    Attributes:
        by_round: In the row's unit; empty where nothing was measured.
        mismatches: Runs whose words were not the script's.
    """

    by_round: ByRound
    mismatches: int

    @property
    def value(self) -> Spread | None:
        """Over all rounds."""
        return Spread.of(list(self.by_round.values()))

    def over(self, other: Cell) -> Spread | None:
        """The ratio to another engine in the same round; None where that makes no sense."""
        if self.mismatches or other.mismatches:
            return None
        rounds = self.by_round.keys() & other.by_round
        return Spread.of([self.by_round[number] / other.by_round[number] for number in rounds])


@dataclass(frozen=True)
class Row:
    """One quantity, a cell for each engine."""

    name: str
    unit: str
    cells: Mapping[str, Cell]

    def ratio(self, engine: str, other: str = ANCHOR) -> Spread | None:
        """One engine over another."""
        if engine not in self.cells or other not in self.cells:
            return None
        return self.cells[engine].over(self.cells[other])


def speed_rows(results: Results, size: str) -> list[Row]:
    """How long loaded engines take."""
    view = _View(results, size)
    jobs = {"short": SHORT, "padded": SHORT_PADDED}
    shipped = {contender.name: jobs[contender.windows[0]] for contender in CONTENDERS}
    return [
        view.derived("log-mel 30 s", view.mel),
        view.derived("encoder 30 s, up to the first logits", view.first_logits),
        view.derived("one more token", view.token),
        view.whole(LONG_ROW, lambda engine: LONG),
        view.whole(SHIPPED_ROW, lambda engine: shipped[engine]),
        view.whole("5 s, cut to 6 s", lambda engine: SHORT),
        view.whole("5 s, padded to 30 s", lambda engine: SHORT_PADDED),
    ]


def cost_rows(results: Results, size: str) -> list[Row]:
    """What an engine takes before it says anything: time, memory, disk."""
    starts: dict[str, list[Start]] = {engine: [] for engine in results.engines}
    for start in results.starts:
        if start.size == size and start.round >= 0:
            starts[start.engine].append(start)

    def row(name: str, unit: str, value: Callable[[Start], float]) -> Row:
        cells = {
            engine: Cell(
                {start.round: value(start) for start in runs},
                sum(start.said is not None for start in runs),
            )
            for engine, runs in starts.items()
        }
        return Row(name, unit, cells)

    disk = {engine: Cell({0: mib}, 0) for engine, mib in results.disk_mib[size].items()}
    return [
        row(LOAD_ROW, "ms", lambda start: 1000 * getattr(start.ready, results.clock)),
        row("memory when loaded", "MiB", lambda start: start.rss_mib),
        row(PEAK_ROW, "MiB", lambda start: start.peak_mib),
        Row("disk", "MiB", disk),
    ]


def others(results: Results) -> float:
    """The median share of the cores that other processes took."""
    shares = [sample.others for sample in results.samples if sample.round >= 0]
    return statistics.median(shares) if shares else 0.0


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
        cells = {
            engine: Cell(
                self._total(engine, job_of(engine)), self._mismatches(engine, job_of(engine))
            )
            for engine in self._engines
        }
        return Row(name, "ms", cells)

    def derived(self, name: str, value_of: Callable[[str], ByRound]) -> Row:
        """A row of a part of the long transcriptions."""
        cells = {
            engine: Cell(
                value_of(engine),
                sum(self._mismatches(engine, job) for job in (LONG, LONG_FEW_WORDS)),
            )
            for engine in self._engines
        }
        return Row(name, "ms", cells)

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
            number: total[number] - mel[number] - job.n_tokens * token[number]
            for number in token.keys() & mel
        }

    def _decode(self, engine: str, job: Job) -> ByRound:
        """What comes after the stages that the engine tells apart."""
        rest = self._total(engine, job)
        for name in ("mel", "encode"):
            for number, ms in self._stage(engine, job, name).items():
                rest[number] -= ms
        return rest

    def _total(self, engine: str, job: Job) -> ByRound:
        return {n: self._ms(sample.total) for n, sample in self._of(engine, job).items()}

    def _stage(self, engine: str, job: Job, stage: str) -> ByRound:
        return {
            number: self._ms(sample.stages[stage])
            for number, sample in self._of(engine, job).items()
            if stage in sample.stages
        }

    def _mismatches(self, engine: str, job: Job) -> int:
        return sum(sample.said is not None for sample in self._of(engine, job).values())

    def _of(self, engine: str, job: Job) -> dict[int, Sample]:
        return self._samples.get((engine, job.name), {})

    def _ms(self, seconds: Seconds) -> float:
        return 1000 * float(getattr(seconds, self._clock))
