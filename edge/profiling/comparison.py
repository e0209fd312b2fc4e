"""Records beside each other: the same configurations on other boards, or after a change."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Literal, NamedTuple

import msgspec

from ..errors import ConfigError
from .record import Configuration, Outcome, Protocol, Record
from .summary import Spread, error_rate, peak_bytes, real_time_factor, token_s

Measure = Literal["real_time_factor", "token_s", "load_s", "peak_bytes", "size_bytes", "error_rate"]
COSTS: tuple[Measure, ...] = ("real_time_factor", "token_s", "load_s", "peak_bytes")

# Everything else about a configuration is what was asked for; these two are what an export made.
MADE = ("digest", "size_bytes")


class Named(NamedTuple):
    """A record, and how to call it: where it was read from."""

    name: str
    record: Record


class Ratio(msgspec.Struct, frozen=True):
    """How many times the first record's value another's is.

    Attributes:
        median: Of the medians.
        low: The least that the two spreads allow: their lowest value over our highest.
        high: The most.
    """

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, first: Spread, other: Spread) -> Ratio | None:
        """None where the first is nothing."""
        if not first.low or not first.median:
            return None
        return cls(other.median / first.median, other.low / first.high, other.high / first.low)

    @property
    def is_clear(self) -> bool:
        """Whether the spreads leave no doubt which of the two is larger."""
        return not self.low <= 1 <= self.high


class Compared(msgspec.Struct, frozen=True):
    """One measure of one configuration in every record.

    Attributes:
        measure: What.
        values: One for each record; None where it has none.
        ratios: To the first record's; None for it, and where there is nothing to compare.
    """

    measure: Measure
    values: tuple[Spread | None, ...]
    ratios: tuple[Ratio | None, ...]


class Compare(msgspec.Struct, frozen=True):
    """One configuration in every record.

    Attributes:
        name: For people.
        measures: All of ``Measure``, in its order.
        notes: What to know before believing it, one line each.
    """

    name: str
    measures: tuple[Compared, ...]
    notes: tuple[str, ...]


class Comparison(msgspec.Struct, frozen=True):
    """What ``compare`` found.

    Attributes:
        names: Of the records; ratios are to the first.
        protocol: Of all of them.
        rows: Configurations that at least two of them measured.
        alone: Configurations that only one of them measured, with its name.
        notes: What to know of the records as a whole.
    """

    names: tuple[str, ...]
    protocol: Protocol
    rows: tuple[Compare, ...]
    alone: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]


def compare(records: Sequence[Named]) -> Comparison:
    """Set records beside each other.

    Configurations are the same if they were asked for in the same words; their artifacts may
    differ, which is noted. Of a record that has a configuration twice, the last counts.

    Args:
        records: At least two, of one protocol.

    Raises:
        ConfigError: Their protocols differ; the message names the field.
    """
    require_one_protocol(records)
    found: dict[Configuration, dict[int, Outcome]] = {}
    for index, (_, record) in enumerate(records):
        for outcome in record.outcomes:
            if outcome.status == "measured":
                found.setdefault(_asked(outcome.configuration), {})[index] = outcome
    rows, alone = [], []
    for asked, outcomes in found.items():
        if len(outcomes) == 1:
            alone.append((asked.name, records[next(iter(outcomes))].name))
        else:
            rows.append(_row(asked.name, outcomes, records))
    notes = tuple(f"{name}: {label}" for name, record in records for label in record.labels)
    names = tuple(name for name, _ in records)
    return Comparison(names, records[0].record.protocol, tuple(rows), tuple(alone), notes)


def unlike_field(first: Protocol, other: Protocol) -> tuple[str, str, str] | None:
    """The first field in which protocols differ, and its values; None if they are the same."""
    for field in Protocol.__struct_fields__:
        ours, theirs = getattr(first, field), getattr(other, field)
        if ours == theirs:
            continue
        if field != "clips":
            return f"protocol.{field}", str(ours), str(theirs)
        our_names, their_names = (", ".join(clip.name for clip in both) for both in (ours, theirs))
        if our_names != their_names:
            return "protocol.clips", our_names, their_names
        one, another = next((a, b) for a, b in zip(ours, theirs, strict=True) if a != b)
        part = "digest" if one.digest != another.digest else "duration_s"
        our_value, their_value = (str(getattr(clip, part))[:16] for clip in (one, another))
        return f"protocol.clips[{one.name}].{part}", our_value, their_value
    return None


def require_one_protocol(records: Sequence[Named], purpose: str = "compared") -> None:
    """Refuse records that were measured in different ways.

    Args:
        records: At least one.
        purpose: What cannot be done with them, for the message.

    Raises:
        ConfigError: Two of them differ; the message names both, the field and its values.
    """
    first = records[0]
    for other in records[1:]:
        if unlike := unlike_field(first.record.protocol, other.record.protocol):
            field, ours, theirs = unlike
            raise ConfigError(
                f"{first.name} and {other.name} cannot be {purpose}: "
                f"{field} is {ours} and {theirs}; profile both in the same way"
            )


def is_emulated(record: Record) -> bool:
    """Whether a processor was imitated: times and memory then say nothing of any board."""
    return any(label.startswith("emulated") for label in record.labels)


def has_costs(outcome: Outcome, record: Record) -> bool:
    """Whether its times and its memory are a board's: no stand-in, and no emulated processor."""
    return not (outcome.stand_in or is_emulated(record))


def _asked(configuration: Configuration) -> Configuration:
    return msgspec.structs.replace(configuration, digest="", size_bytes=0)


def _row(name: str, outcomes: dict[int, Outcome], records: Sequence[Named]) -> Compare:
    measures = []
    for measure, read in _READERS.items():
        values = tuple(
            read(outcomes[index], record)
            if index in outcomes and (has_costs(outcomes[index], record) or measure not in COSTS)
            else None
            for index, (_, record) in enumerate(records)
        )
        first, *others = values
        ratios = [Ratio.of(first, value) if first and value else None for value in others]
        measures.append(Compared(measure, values, (None, *ratios)))
    return Compare(name, tuple(measures), tuple(_notes(outcomes, records)))


def _notes(outcomes: dict[int, Outcome], records: Sequence[Named]) -> Iterator[str]:
    if len({outcome.configuration.digest for outcome in outcomes.values()}) > 1:
        yield "the artifacts differ"
    tools = {tuple(sorted(outcome.tools.items())) for outcome in outcomes.values()}
    if len(tools) > 1:
        yield f"the libraries differ: {_differing(outcomes)}"
    for index, outcome in outcomes.items():
        if outcome.doubts:
            yield f"{records[index].name}: {'; '.join(outcome.doubts)}"


def _differing(outcomes: dict[int, Outcome]) -> str:
    tools = [outcome.tools for outcome in outcomes.values()]
    names = sorted({name for one in tools for name in one})
    return ", ".join(
        f"{name} {' and '.join(one.get(name, 'none') for one in tools)}"
        for name in names
        if len({one.get(name) for one in tools}) > 1
    )


def _exactly(value: float | None) -> Spread | None:
    return None if value is None else Spread(value, value, value)


_READERS: dict[Measure, Callable[[Outcome, Record], Spread | None]] = {
    "real_time_factor": lambda outcome, record: real_time_factor(outcome, record.protocol),
    "token_s": lambda outcome, _: token_s(outcome),
    "load_s": lambda outcome, _: Spread.of([start.load.wall_s for start in outcome.starts]),
    "peak_bytes": lambda outcome, _: _exactly(peak_bytes(outcome)),
    "size_bytes": lambda outcome, _: _exactly(float(outcome.configuration.size_bytes)),
    "error_rate": lambda outcome, _: _exactly(error_rate(outcome)),
}
