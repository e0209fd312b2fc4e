"""What was measured of a stream, as ``stream --report`` prints it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..streaming.distribution import Latency
    from ..streaming.metrics import Lagging, StreamReport

COLUMNS = ("measure", "value")
NOT_MEASURED = "-"


def rows(report: StreamReport) -> list[tuple[str, str]]:
    """Every number with its unit, for ``Screen.table`` below ``COLUMNS``.

    Where computing matters there are two: without the time that it took, and with it.
    """
    unit = "word" if report.unit == "word" else "character"
    return [
        ("sound", f"{report.sound_s:.1f} s, speech in it {report.speech_s:.1f} s"),
        (f"utterances, {unit}s", f"{report.n_utterances}, {report.n_words}"),
        (f"{unit} error rate", _errors_text(report)),
        ("LAAL", _lagging_text(report.laal)),
        ("StreamLAAL", _lagging_text(report.stream_laal)),
        ("first word p50 / p95", _latency_text(report.first_word)),
        ("commit p50 / p95", _latency_text(report.commit)),
        ("endpoint p50 / p95", _latency_text(report.endpoint)),
        ("words taken back", _erasure_text(report)),
        ("committed text changed", f"{report.n_changed} utterances"),
        ("updates", _updates_text(report)),
        ("real-time factor", _number(report.real_time_factor, ".3f")),
        ("CPU per second of sound", _number(report.cpu_per_sound, ".3f", " s")),
        ("encoded per second of sound", _number(report.encoded_per_sound, ".2f", " s")),
        ("most sound waiting", f"{report.most_behind_s:.2f} s"),
    ]


def _errors_text(report: StreamReport) -> str:
    errors = report.errors
    if errors is None:
        return NOT_MEASURED
    return (
        f"{errors.rate:.2%} of {errors.n_reference} ({errors.substitutions} substituted, "
        f"{errors.insertions} inserted, {errors.deletions} deleted)"
    )


def _lagging_text(lagging: Lagging | None) -> str:
    if lagging is None:
        return NOT_MEASURED
    without_reference = ", by the text's own length" if lagging.pace == "text" else ""
    return (
        f"{1000 * lagging.unaware_s:.0f} ms, computation-aware {1000 * lagging.aware_s:.0f} ms"
        f"{without_reference}"
    )


def _latency_text(latency: Latency | None) -> str:
    if latency is None:
        return NOT_MEASURED
    unaware, aware = latency.unaware, latency.aware
    return (
        f"{unaware.p50_s:.2f} / {unaware.p95_s:.2f} s, "
        f"computation-aware {aware.p50_s:.2f} / {aware.p95_s:.2f} s"
    )


def _erasure_text(report: StreamReport) -> str:
    per_word = _number(report.normalized_erasure, ".2f")
    return f"{report.n_erased}, normalized erasure {per_word}"


def _updates_text(report: StreamReport) -> str:
    per_s = _number(report.updates_per_s, ".2f")
    per_speech_s = _number(report.updates_per_speech_s, ".2f")
    return f"{report.n_updates}, {per_s} per second of sound, {per_speech_s} per second of speech"


def _number(value: float | None, form: str, unit: str = "") -> str:
    return NOT_MEASURED if value is None else f"{value:{form}}{unit}"
