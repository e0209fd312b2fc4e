"""Why the figures of an outcome cannot be trusted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import median

from .job import Finding, Timed
from .record import Outcome, Pass, Protocol
from .summary import measured, real_time_factor

WAITED_SHARE = 0.05  # of the time in which it could have run
CLOCK_SHARE = 0.05  # that the clock may fall
SPREAD = 0.10  # between the fastest round and the slowest, of the median
FEWEST_PASSES = 3


def doubts(outcome: Outcome, protocol: Protocol, findings: Sequence[Finding]) -> Iterator[str]:
    """Each in one line; none where there is nothing to be doubted.

    Args:
        outcome: With passes.
        protocol: What was to be measured.
        findings: That the outcome was made of.
    """
    passes = measured(outcome)
    if outcome.stand_in:
        yield "a stand-in shows what the target computes: its times are nobody's"
    n_each = [len(measured(outcome, clip.name)) for clip in protocol.clips]
    if min(n_each) < min(FEWEST_PASSES, protocol.repeats):
        yield f"too few passes: {min(n_each)} of {protocol.repeats} over some clip"
    if protocol.warm_ups and not any(one.phase == "warm-up" for one in outcome.passes):
        yield "it was not warmed up: there was no time"
    if (share := _waited_share(passes)) > WAITED_SHARE:
        yield f"it waited for a processor {share:.0%} of the time: other programs ran"
    yield from _clock(passes)
    yield from _throttling(outcome)
    factor = real_time_factor(outcome, protocol)
    if factor and factor.median and (factor.high - factor.low) / factor.median > SPREAD:
        spread = (factor.high - factor.low) / factor.median
        yield f"its rounds differ by {spread:.0%}"
    yield from _texts(findings)


def _waited_share(passes: Sequence[Pass]) -> float:
    """Of the time in which threads ran or could have."""
    known = [one for one in passes if one.waited_s is not None]
    waited_s = sum(one.waited_s or 0.0 for one in known)
    ran_s = sum(one.stages["total"].cpu_s for one in known)
    return waited_s / (waited_s + ran_s) if waited_s else 0.0


def _clock(passes: Sequence[Pass]) -> Iterator[str]:
    clocks = [one.clock_mhz for one in passes if one.clock_mhz is not None]
    if len(clocks) < FEWEST_PASSES:
        return
    third = max(1, len(clocks) // 3)
    first, last = median(clocks[:third]), median(clocks[-third:])
    if last < first * (1 - CLOCK_SHARE):
        yield f"the clock fell from {first:.0f} to {last:.0f} MHz"


def _throttling(outcome: Outcome) -> Iterator[str]:
    before, after = outcome.before, outcome.after
    if before is None or after is None:
        return
    new = set(after.throttled_since_boot or ()) - set(before.throttled_since_boot or ())
    found = new | set(before.throttled or ()) | set(after.throttled or ())
    if found:
        yield f"the board was held back: {', '.join(sorted(found))}"


def _texts(findings: Sequence[Finding]) -> Iterator[str]:
    said: dict[str, set[str]] = {}
    for finding in findings:
        if isinstance(finding, Timed):
            said.setdefault(finding.one.clip, set()).add(finding.text)
    differing = [clip for clip, texts in said.items() if len(texts) > 1]
    if differing:
        yield f"the same sound gave different words: {', '.join(differing)}"
