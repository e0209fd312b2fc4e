"""What was found of one configuration, put together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import msgspec

from .doubts import doubts
from .job import (
    Failed,
    Finding,
    Judged,
    Metered,
    Observed,
    Opened,
    Sustained,
    Timed,
    Unjudged,
    Weighed,
)
from .record import Configuration, Energy, Outcome, Protocol, Status
from .summary import measured

T = TypeVar("T", bound=Finding)


def assemble(
    configuration: Configuration,
    findings: Sequence[Finding],
    protocol: Protocol,
    left_out: str | None = None,
) -> Outcome:
    """The outcome of a configuration.

    Args:
        configuration: Which.
        findings: In the order in which they were found.
        protocol: What was to be measured.
        left_out: Why something was not tried; None if all was.

    Returns:
        "failed" where it ended with an error, with what was measured before; "measured" where a
        pass counts; "skipped" otherwise.
    """
    opened, timed = _of(findings, Opened), _of(findings, Timed)
    observed, metered = _of(findings, Observed), _of(findings, Metered)
    outcome = Outcome(
        configuration,
        "skipped",
        tools=opened[-1].tools if opened else {},
        device=opened[-1].device if opened else None,
        stand_in=any(each.stand_in for each in opened),
        starts=tuple(each.start for each in opened),
        passes=tuple(each.one for each in timed),
        memory=next((each.memory for each in _of(findings, Weighed)), None),
        errors=next((each.errors for each in _of(findings, Judged)), None),
        texts={each.one.clip: each.text for each in reversed(timed)},
        energy=_together([each.energy for each in metered]),
        sustained=tuple(each.moment for each in _of(findings, Sustained)),
        before=next((each.condition for each in observed if each.when == "before"), None),
        after=next((each.condition for each in reversed(observed) if each.when == "after"), None),
    )
    status, reason = _status(outcome, findings, left_out)
    outcome = msgspec.structs.replace(outcome, status=status, reason=reason)
    if not measured(outcome):
        return outcome
    lines = [
        *doubts(outcome, protocol, findings),
        *(f"no words were counted: {each.reason}" for each in _of(findings, Unjudged)),
        *([left_out] if left_out and status == "measured" else []),
    ]
    return msgspec.structs.replace(outcome, doubts=tuple(lines))


def _status(
    outcome: Outcome, findings: Sequence[Finding], left_out: str | None
) -> tuple[Status, str | None]:
    if failed := _of(findings, Failed):
        return "failed", failed[0].reason
    if measured(outcome):
        return "measured", None
    return "skipped", left_out or "its share of the time was over before a pass that counts"


def _together(energies: Sequence[Energy]) -> Energy | None:
    """One for all processes: sums, and the mean idle power."""
    if not energies:
        return None
    return Energy(
        energies[0].meter,
        {name: sum(each.joules.get(name, 0.0) for each in energies) for name in energies[0].joules},
        {
            name: sum(each.idle_w.get(name, 0.0) for each in energies) / len(energies)
            for name in energies[0].idle_w
        },
        sum(each.sound_s for each in energies),
    )


def _of(findings: Sequence[Finding], kind: type[T]) -> list[T]:
    return [finding for finding in findings if isinstance(finding, kind)]
