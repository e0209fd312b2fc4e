"""Figures as people read them, the same in every report."""

from __future__ import annotations

from collections.abc import Sequence

from ..profiling.summary import Spread

ABSENT = "\N{EN DASH}"
TIMES = "\N{MULTIPLICATION SIGN}"


def number(value: float, digits: int = 2) -> str:
    """With so many digits that count, and never as a power of ten."""
    if not value:
        return "0"
    text = f"{value:#.{digits}g}"
    return f"{float(text):.0f}" if "e" in text else text.rstrip(".")


def spread(values: Spread | None, scale: float = 1.0, digits: int = 2) -> str:
    """Such as "0.21 (0.20 to 0.22)"; the middle alone where all are the same."""
    if values is None:
        return ABSENT
    middle, low, high = (number(scale * value, digits) for value in values)
    return middle if low == high else f"{middle} ({low} to {high})"


def megabytes(n_bytes: float | None) -> str:
    """Such as "118 MB", of a million bytes; "16.2 GB" from ten thousand of them."""
    if n_bytes is None:
        return ABSENT
    return f"{number(n_bytes / 1e9, 3)} GB" if n_bytes >= 1e10 else f"{number(n_bytes / 1e6, 3)} MB"


def percent(share: float | None) -> str:
    """Such as "4.1 %"."""
    return ABSENT if share is None else f"{100 * share:.1f} %"


def seconds(values: Spread | None) -> str:
    """Such as "1.3 s", or "24 ms" below a second; the middle alone."""
    if values is None:
        return ABSENT
    if values.median < 1:
        return f"{number(1000 * values.median, 3)} ms"
    return f"{number(values.median, 3)} s"


def first_few(names: Sequence[str], most: int = 3) -> str:
    """The first of them, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return "; ".join(names[:most]) + more


def count(n: int, noun: str) -> str:
    """Such as "1 word" or "2 words"."""
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"
