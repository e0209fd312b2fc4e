"""What ``evaluate`` ends with: a table, differences, and the worst utterances."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import msgspec
import typer

from ..accuracy.failure import Failure
from ..accuracy.interval import Interval
from ..accuracy.judged import Beside, Judged, Worst, beside_first, worst_utterances
from ..accuracy.marked_text import marked_words
from ..accuracy.result import Settings
from ..accuracy.scoring import Score
from .screen import Screen

COLUMNS = (
    "artifact",
    "words",
    "WER",
    "CER",
    "sub",
    "ins",
    "del",
    "hallucinated",
    "empty",
    "real time",
)
NOTHING = "-"


@dataclass(frozen=True)
class Evaluation:
    """All that an evaluation found.

    Attributes:
        set_name: Of the set.
        n_utterances: That were asked for.
        settings: How they were transcribed.
        results: The file with every result.
        judged: Each artifact of which there are any.
        failures: By the artifact's name, what could not be transcribed.
        n_worst: Utterances to show.
    """

    set_name: str
    n_utterances: int
    settings: Settings
    results: Path
    judged: tuple[Judged, ...]
    failures: dict[str, tuple[Failure, ...]]
    n_worst: int

    @property
    def beside(self) -> list[Beside]:
        """The others beside the first artifact."""
        return beside_first(self.judged)

    @property
    def worst(self) -> list[Worst]:
        """The utterances to show."""
        return worst_utterances(self.judged, self.n_worst)


def print_evaluation(screen: Screen, evaluation: Evaluation) -> None:
    """For people, and for pipes: aligned columns, and [brackets] for colour."""
    if evaluation.judged:
        screen.table(COLUMNS, [_row(one) for one in evaluation.judged])
    for beside in evaluation.beside:
        typer.echo(_difference(beside, evaluation.judged[0].name))
    for worst in evaluation.worst:
        typer.echo()
        _print_worst(worst)


def evaluation_json(evaluation: Evaluation) -> str:
    """The same and more as JSON."""
    return msgspec.json.encode(
        {
            "set": evaluation.set_name,
            "n_utterances": evaluation.n_utterances,
            "settings": evaluation.settings,
            "results": str(evaluation.results),
            "artifacts": [_artifact(one) for one in evaluation.judged],
            "failures": evaluation.failures,
            "differences": [
                {
                    "artifact": beside.name,
                    "beside": evaluation.judged[0].name,
                    **msgspec.structs.asdict(beside.difference),
                    "adjusted_p": beside.adjusted_p,
                }
                for beside in evaluation.beside
            ],
            "worst": [
                {
                    "id": worst.id,
                    "speaker": _any(worst).speaker,
                    "reference": _any(worst).reference,
                    "texts": {name: score.text for name, score in worst.scores.items()},
                    "errors": {name: score.words.errors for name, score in worst.scores.items()},
                }
                for worst in evaluation.worst
            ],
        }
    ).decode()


def _artifact(judged: Judged) -> dict[str, Any]:
    summary = msgspec.structs.asdict(judged.summary)
    if judged.is_stand_in:
        summary["compute_s"] = None
    return {
        "name": judged.name,
        "digest": judged.digest,
        **summary,
        "real_time_factor": judged.real_time_factor,
    }


def _row(judged: Judged) -> tuple[str, ...]:
    summary, factor = judged.summary, judged.real_time_factor
    return (
        judged.name,
        str(summary.n_words),
        interval_text(summary.wer),
        interval_text(summary.cer),
        _share(summary.substitutions),
        _share(summary.insertions),
        _share(summary.deletions),
        interval_text(summary.hallucinations),
        interval_text(summary.empty),
        NOTHING if factor is None else f"{factor:.3f}",
    )


def interval_text(interval: Interval | None) -> str:
    """``4.13% (3.2-5.3)``; without the ends where there are none, and "-" for no rate."""
    if interval is None:
        return NOTHING
    ends = _ends(interval.low, interval.high, "-", "{:.1f}")
    return f"{interval.estimate:.2%}{ends}"


def _difference(beside: Beside, first: str) -> str:
    found = beside.difference
    ends = _ends(found.low, found.high, " to ", "{:+.2f}")
    adjusted = "" if beside.adjusted_p == found.p_value else f" ({beside.adjusted_p:.3g} adjusted)"
    speakers = "1 speaker" if found.n_speakers == 1 else f"{found.n_speakers} speakers"
    return (
        f"{beside.name} - {first}: {100 * found.estimate:+.2f} points of WER{ends}, "
        f"p = {found.p_value:.3g}{adjusted}, {speakers}"
    )


def _ends(low: float | None, high: float | None, between: str, form: str) -> str:
    if low is None or high is None:
        return ""
    return f" ({form.format(100 * low)}{between}{form.format(100 * high)})"


def _share(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.2%}"


def _print_worst(worst: Worst) -> None:
    said = _any(worst)
    width = max(len("said"), *map(len, worst.scores))
    typer.echo(f"{worst.id} ({said.speaker})")
    typer.echo(f"  {'said'.ljust(width)}  {said.reference or NOTHING}")
    for name, score in worst.scores.items():
        text = _marked(score.reference, score.text)
        typer.echo(f"  {name.ljust(width)}  {text or NOTHING}")


def _marked(reference: str, text: str) -> str:
    """Wrong words in [brackets] and missing ones in [-brackets]; in colours in a terminal."""
    colours = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    shown = []
    for mark, run in groupby(marked_words(reference, text), key=lambda marked: marked.mark):
        words = " ".join(marked.word for marked in run)
        if mark == "right":
            shown.append(words)
        elif mark == "wrong":
            shown.append(typer.style(words, fg="red") if colours else f"[{words}]")
        else:
            missing = typer.style(words, fg="yellow", strikethrough=True)
            shown.append(missing if colours else f"[-{words}]")
    return " ".join(shown)


def _any(worst: Worst) -> Score:
    return next(iter(worst.scores.values()))
