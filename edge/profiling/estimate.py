"""What configurations would cost on a board that nobody has profiled."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from ..errors import ConfigError
from .board import Board, CoreGroup
from .device import Device
from .devices import devices
from .estimate_published import Anchor, anchor, worst_error
from .record import Duration, Outcome, Pass, Record, Stage
from .vector_unit import VectorUnit

_ONE_CORE: tuple[Stage, ...] = ("mel", "sample", "other")  # NumPy and Python


class Ratios(NamedTuple):
    """How many times as long work takes on the other board.

    Attributes:
        one_core: Of a single thread.
        arithmetic: Of products, by as many threads.
        memory: Of reading weights.
    """

    one_core: float
    arithmetic: float
    memory: float

    def of(self, stage: Stage) -> float:
        """What limits a stage; a total is the sum of the others."""
        if stage in _ONE_CORE:
            return self.one_core
        return self.memory if stage == "decode" else self.arithmetic


def estimate(record: Record, device_id: str, device: Device) -> Record:
    """A record as another board might give it, scaled stage by stage.

    Where somebody has timed the same work of the same program on both boards (``published`` in
    their files), all times are scaled by what that took: it knows of caches and pipelines, which
    data sheets do not. Elsewhere each stage is scaled by what limits it:

    - encoder and prompt by arithmetic: clock, times products of one vector instruction (of bytes
      or floats, whichever is multiplied there), over as many of the fastest cores as threads;
    - each further token by memory bandwidth, since all weights are read for it; by arithmetic where
      the bandwidth of a board is not known;
    - features and Python's part by the clock of one core.

    Memory and words are taken over, because they hardly depend on the board. How many instructions
    a core executes at a time is left out: by that much the estimate is wrong, and ``worst_error``
    says how much that was where it can be checked.

    Args:
        record: Measured on a board of which enough is known.
        device_id: The board that is asked for.
        device: What its file says.

    Returns:
        A record whose first label says that it is an estimate. What does not run there is skipped.

    Raises:
        ConfigError: Nothing can be said; the message says what is missing.
    """
    if any(label.startswith(("emulated", "estimate")) for label in record.labels):
        raise ConfigError("no estimate can be made of times that were not measured on a board")
    here, there = _known(record), _described(device)
    anchored = anchor(record.board.device_id, device_id)
    outcomes = tuple(_scaled(outcome, here, there, device, anchored) for outcome in record.outcomes)
    if all(outcome.status != "measured" or outcome.stand_in for outcome in outcomes):
        reasons = dict.fromkeys(outcome.reason for outcome in outcomes if outcome.reason)
        why = "; ".join(reasons) or "nothing was measured but by stand-ins"
        raise ConfigError(f"no estimate for {device.name}: {why}")
    return Record(
        schema=record.schema,
        created=record.created,
        package=record.package,
        protocol=record.protocol,
        board=_board(device_id, device),
        labels=(_label(record, anchored), *record.labels),
        outcomes=outcomes,
    )


class _Machine(NamedTuple):
    """What limits times.

    Attributes:
        whose: For messages.
        cores: The fastest first.
        unit: Of each core.
        gb_per_s: None if nobody says.
    """

    whose: str
    cores: tuple[CoreGroup, ...]
    unit: VectorUnit
    gb_per_s: float | None

    def clock_sum(self, threads: int) -> float:
        """MHz of as many cores, the fastest first.

        Raises:
            ConfigError: So many are not known.
        """
        total, left = 0.0, threads
        for group in self.cores:
            if group.max_mhz is None:
                raise ConfigError(f"the clock of {self.whose} is not known")
            total += min(left, group.count) * group.max_mhz
            left -= min(left, group.count)
        if left:
            raise ConfigError(f"{self.whose} has fewer than {threads} cores that are known")
        return total


def _known(record: Record) -> _Machine:
    board = record.board
    device = devices().get(board.device_id or "")
    cores = board.cores
    if device and any(group.max_mhz is None for group in cores):
        cores = _cores(device)
    cores = tuple(sorted(cores, key=lambda group: -(group.max_mhz or 0)))
    bandwidth = device.bandwidth.gb_per_s if device and device.bandwidth else None
    unit = VectorUnit.of(board.machine, board.features)
    return _Machine("the board of the record", cores, unit, bandwidth)


def _described(device: Device) -> _Machine:
    unit = VectorUnit.of(device.machine, device.int8.instructions)
    bandwidth = device.bandwidth.gb_per_s if device.bandwidth else None
    return _Machine(device.name, _cores(device), unit, bandwidth)


def _cores(device: Device) -> tuple[CoreGroup, ...]:
    """Those of which number and clock are known; at least the first kind, to be complained of."""
    known = [kind for kind in device.cores if kind.count is not None and kind.max_mhz is not None]
    kinds = known or device.cores[:1]
    return tuple(CoreGroup(kind.name, kind.count or 1, kind.max_mhz) for kind in kinds)


def _scaled(
    outcome: Outcome, here: _Machine, there: _Machine, device: Device, anchored: Anchor | None
) -> Outcome:
    configuration = outcome.configuration
    if outcome.status != "measured" or outcome.stand_in:
        return outcome
    support = device.targets[configuration.target]
    if not support.works:
        return _skipped(outcome, f"{configuration.target} does not work there: {support.note}")
    if configuration.device or configuration.provider:
        return _skipped(outcome, "an accelerator is not estimated")
    try:
        ratios = _ratios(outcome, here, there, anchored)
    except ConfigError as error:
        return _skipped(outcome, str(error))
    return msgspec.structs.replace(
        outcome,
        tools={},
        device=None,
        starts=(),
        passes=tuple(_slowed(one, ratios) for one in outcome.passes),
        energy=None,
        sustained=(),
        before=None,
        after=None,
    )


def _skipped(outcome: Outcome, reason: str) -> Outcome:
    return Outcome(outcome.configuration, "skipped", reason)


def _ratios(outcome: Outcome, here: _Machine, there: _Machine, anchored: Anchor | None) -> Ratios:
    if anchored is not None:
        return Ratios(anchored.ratio, anchored.ratio, anchored.ratio)
    configuration = outcome.configuration
    work = [
        machine.clock_sum(configuration.threads)
        * machine.unit.products(configuration.target, configuration.precision)
        for machine in (here, there)
    ]
    arithmetic = work[0] / work[1]
    memory = arithmetic
    if here.gb_per_s and there.gb_per_s:
        memory = here.gb_per_s / there.gb_per_s
    return Ratios(here.clock_sum(1) / there.clock_sum(1), arithmetic, memory)


def _slowed(one: Pass, ratios: Ratios) -> Pass:
    stages: dict[Stage, Duration] = {
        stage: Duration(took.wall_s * ratios.of(stage), took.cpu_s * ratios.of(stage))
        for stage, took in one.stages.items()
        if stage != "total"
    }
    stages["total"] = Duration(
        sum(took.wall_s for took in stages.values()), sum(took.cpu_s for took in stages.values())
    )
    return Pass(one.clip, one.phase, stages, one.n_tokens, None, None, None)


def _board(device_id: str, device: Device) -> Board:
    cores = _cores(device)
    return Board(
        model=device.name,
        machine=device.machine,
        system="",
        cores=cores,
        usable_cores=sum(group.count for group in cores),
        features=tuple(device.int8.instructions),
        memory_bytes=None,
        memory_limit_bytes=None,
        governor=None,
        device_id=device_id,
        python="",
    )


def _label(record: Record, anchored: Anchor | None) -> str:
    board = record.board.model or record.board.device_id or "another board"
    if anchored is not None:
        return f"estimate, not measured: times of {board}, scaled as those of {anchored.text} are"
    return (
        f"estimate, not measured: times of {board}, scaled by clocks, instructions and bandwidth; "
        f"between boards that others have timed, this is wrong by up to {worst_error():.0f} times"
    )
