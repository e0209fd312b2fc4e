"""Ratios and differences as people say them."""

from __future__ import annotations

from ..reports.wording import number
from .figure import Figure

_MINUS = "\N{MINUS SIGN}"


def less_or_more(ratio: Figure, less: str, more: str) -> str:
    """Such as "23 % less (20 to 26 %)", or "between 3 % less and 5 % more ...".

    Args:
        ratio: To what it is set beside.
        less: What to call less of it: "smaller", "less time".
        more: And more.
    """
    if ratio.low is None or ratio.high is None:
        return f"{change(ratio.value, less, more)} (no interval)"
    if ratio.low == ratio.high:
        return change(ratio.value, less, more)
    if ratio.low < 1 < ratio.high:
        ends = f"{change(ratio.low, less, more)} and {change(ratio.high, less, more)}"
        return f"between {ends} (the interval spans 0)"
    nearer, farther = sorted((abs(ratio.low - 1), abs(ratio.high - 1)))
    return f"{change(ratio.value, less, more)} ({_percent(nearer)} to {_percent(farther)} %)"


def change(ratio: float, less: str, more: str) -> str:
    """Such as "23 % less"."""
    if ratio == 1:
        return f"not {less}"
    return f"{_percent(abs(ratio - 1))} % {less if ratio < 1 else more}"


def points(more: Figure, what: str) -> str:
    """Such as "0.42 points more words wrong (+0.10 to +0.70)".

    Args:
        more: A difference of shares.
        what: Of what they are shares.
    """
    amount = f"{100 * abs(more.value):.2f} points {'more' if more.value > 0 else 'fewer'}"
    text = f"{amount} {what}" if more.value else f"as many {what}"
    if more.low is None or more.high is None:
        return f"{text} (one speaker, no interval)"
    spans = ", which spans 0" if more.low < 0 < more.high else ""
    return f"{text} ({_signed(more.low)} to {_signed(more.high)}{spans})"


def _percent(share: float) -> str:
    return number(100 * share, 3 if share >= 0.1 else 2)


def _signed(share: float) -> str:
    return f"{100 * share:+.2f}".replace("-", _MINUS)
