"""From what was played to what the tables show."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from rows import Cell, Row

from whisperq_edge.edge.streaming.distribution import Latency
from whisperq_edge.edge.streaming.metrics import StreamReport

from .jobs import SETUPS, Setup
from .replay import measured
from .results import WARM_UP, Played, Results
from .sounds import Kind

Value = Callable[[StreamReport, Played], float | None]


@dataclass(frozen=True)
class Quantity:
    """One line of a table."""

    name: str
    unit: str
    value: Value


def latency(
    name: str, of: Callable[[StreamReport], Latency | None], quantile: str
) -> tuple[Quantity, Quantity]:
    """A latency without and with the time that computing takes."""

    def value(clock: str) -> Value:
        def read(report: StreamReport, _: Played) -> float | None:
            found = of(report)
            return None if found is None else float(getattr(getattr(found, clock), f"{quantile}_s"))

        return read

    percent = quantile.removeprefix("p")
    return (
        Quantity(f"{name}, p{percent}, by the sound", "s", value("unaware")),
        Quantity(f"{name}, p{percent}, with computing", "s", value("aware")),
    )


def _lagging(clock: str) -> Value:
    def read(report: StreamReport, _: Played) -> float | None:
        found = report.stream_laal
        return None if found is None else float(getattr(found, f"{clock}_s"))

    return read


def _error_rate(report: StreamReport, _: Played) -> float | None:
    return None if report.errors is None else 100 * report.errors.rate


CPU = Quantity("CPU, per s of sound", "s", lambda report, _: report.cpu_per_sound)
HYPOTHESES = Quantity(
    "hypotheses, per s of sound",
    "",
    lambda report, played: played.counts["updates"] / report.sound_s,
)
ENCODED = Quantity(
    "windows encoded, per s of sound", "s", lambda report, _: report.encoded_per_sound
)
PER_HYPOTHESIS = Quantity(
    "CPU, per hypothesis",
    "ms",
    lambda report, played: 1000 * report.cpu_s / played.counts["updates"],
)
LATENCIES = (
    *latency("first word", lambda report: report.first_word, "p50"),
    *latency("first word", lambda report: report.first_word, "p95"),
    *latency("commit", lambda report: report.commit, "p50"),
    *latency("commit", lambda report: report.commit, "p95"),
    Quantity("StreamLAAL, by the sound", "s", _lagging("unaware")),
    Quantity("StreamLAAL, with computing", "s", _lagging("aware")),
    *latency("endpoint", lambda report: report.endpoint, "p50"),
)
TEXT = (
    Quantity("word error rate", "%", _error_rate),
    Quantity("words retracted, per word", "", lambda report, _: report.normalized_erasure),
    Quantity("updates, per s of sound", "", lambda report, _: report.updates_per_s),
)
WORK = (HYPOTHESES, ENCODED, PER_HYPOTHESIS, CPU)


@dataclass(frozen=True)
class Words:
    """What one setup made of all sounds of a kind.

    Attributes:
        n_wrong: Substituted, deleted and inserted words, of those in noise as well.
        n_reference: Words that were said.
        cpu_per_s: CPU seconds per second of sound.
        n_updates: Hypotheses.
        n_widened: Of those, how many were made again from the whole window.
        n_drawn: Of those, how many were drawn at a higher temperature.
    """

    n_wrong: int
    n_reference: int
    cpu_per_s: float
    n_updates: int
    n_widened: int | None
    n_drawn: int | None


class Figures:
    """The figures of one run, a cell for each of its setups."""

    def __init__(self, results: Results, setups: Sequence[Setup] = SETUPS) -> None:
        self._results = results
        self._setups = setups
        self._reports: dict[tuple[str, str, str], dict[int, tuple[StreamReport, Played]]] = {}
        for played in results.played:
            if played.round == WARM_UP:
                continue
            key = played.model, played.setup, played.sound
            sound, silences = results.sounds[played.sound], results.silences[played.sound]
            report = measured(played, sound, silences, results.n_frame)
            self._reports.setdefault(key, {})[played.round] = (report, played)

    def models(self) -> list[str]:
        """Those that were measured, in order."""
        return list(dict.fromkeys(model for model, _, _ in self._reports))

    def streams(self, model: str) -> list[str]:
        """The sounds that were played in more than one round, or alone."""
        names = list(dict.fromkeys(sound for m, _, sound in self._reports if m == model))
        return [name for name in names if self._results.sounds[name].kind != "single"]

    def rows(self, model: str, sound: str, quantities: Iterable[Quantity]) -> list[Row]:
        """A cell for each setup."""
        return [
            Row(
                quantity.name,
                quantity.unit,
                {
                    setup.name: Cell(
                        {
                            number: value
                            for number, told in self._of(model, setup.name, sound).items()
                            if (value := quantity.value(*told)) is not None
                        },
                        mismatches=0,
                    )
                    for setup in self._setups
                },
            )
            for quantity in quantities
        ]

    def words(self, model: str, setup: str, kind: Kind | None) -> Words | None:
        """The first round, over all sounds of a kind, or over all."""
        told = [
            rounds[0]
            for (m, s, sound), rounds in self._reports.items()
            if (m, s) == (model, setup)
            and 0 in rounds
            and kind in (None, self._results.sounds[sound].kind)
        ]
        if not told:
            return None
        errors = [report.errors for report, _ in told]
        counts = [played.counts for _, played in told]

        def total(name: str) -> int | None:
            return round(sum(c[name] for c in counts)) if name in counts[0] else None

        return Words(
            n_wrong=sum(
                found.substitutions + found.deletions + found.insertions
                if found
                else report.n_words
                for found, (report, _) in zip(errors, told, strict=True)
            ),
            n_reference=sum(found.n_reference for found in errors if found),
            cpu_per_s=sum(r.cpu_s for r, _ in told) / sum(r.sound_s for r, _ in told),
            n_updates=total("updates") or 0,
            n_widened=total("widened"),
            n_drawn=total("drawn"),
        )

    def _of(self, model: str, setup: str, sound: str) -> dict[int, tuple[StreamReport, Played]]:
        return self._reports.get((model, setup, sound), {})
