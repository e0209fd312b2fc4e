"""From what was heard to what the tables show."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from rows import Cell, Row

from .clips import Clip, Kind
from .matching import Agreement, Shift, Timed, compared
from .results import WARM_UP, Heard, WordResults
from .setups import ORIGINAL, WordSetup

Clock = Literal["cpu_s", "wall_s"]

# Single recordings are heard in one round alone, so they have no ratio.
TIMED: dict[Kind, str] = {"placed": "clips of 5 to 7 s", "long": "28, 71 and 121 s"}


@dataclass(frozen=True)
class Sides:
    """How the bounds of words differ."""

    start: Shift | None
    end: Shift | None

    @classmethod
    def of(cls, agreement: Agreement) -> Sides:
        """Of all words that two texts share."""
        return cls(Shift.of(agreement.starts_ms), Shift.of(agreement.ends_ms))


@dataclass(frozen=True)
class WordFigures:
    """One setup over all clips of a kind.

    Attributes:
        setup: Its name.
        n_said: Words that were said.
        n_wrong: Substituted, missing and superfluous words.
        same: Share of the original's words that it has too; None without the original.
        from_original: Of those, how much later they are than the original's.
        from_places: How much later words are than they were said, where that is known.
    """

    setup: str
    n_said: int
    n_wrong: int
    same: float | None
    from_original: Sides
    from_places: Sides


class Figures:
    """The word times of one run."""

    def __init__(self, results: WordResults, setups: Sequence[WordSetup]) -> None:
        self._results = results
        self._heard: dict[str, dict[tuple[int, str], Heard]] = {}
        for heard in results.heard:
            if heard.round != WARM_UP:
                self._heard.setdefault(heard.setup, {})[heard.round, heard.clip] = heard
        self.setups = [setup.name for setup in setups if setup.name in self._heard]

    @property
    def others(self) -> float:
        """The median share of the core that other processes took."""
        shares = [heard.others for rounds in self._heard.values() for heard in rounds.values()]
        return statistics.median(shares) if shares else 0.0

    def words(self, setup: str, kind: Kind) -> WordFigures:
        """The first round, over all clips of a kind."""
        clips = self._clips(kind)
        heard = self._words(setup)
        original = self._words(ORIGINAL.name)
        said = Agreement.of(
            compared(_said(clip), heard[clip.name]) for clip in clips if clip.name in heard
        )
        shared = Agreement.of(
            compared(original[clip.name], heard[clip.name])
            for clip in clips
            if clip.name in heard and clip.name in original
        )
        return WordFigures(
            setup=setup,
            n_said=said.n_one,
            n_wrong=said.n_wrong,
            same=shared.n_same / shared.n_one if shared.n_one else None,
            from_original=Sides.of(shared),
            from_places=Sides.of(said),
        )

    def speed(self, kind: Kind, clock: Clock) -> Row:
        """Milliseconds per second of sound, in clips of a kind."""
        clips = self._clips(kind)
        cells = {setup: Cell(self._by_round(setup, clips, clock), 0) for setup in self.setups}
        return Row(TIMED[kind], "ms per s", cells)

    def _clips(self, kind: Kind) -> list[Clip]:
        return [clip for clip in self._results.clips.values() if clip.kind == kind]

    def _words(self, setup: str) -> dict[str, list[Timed]]:
        rounds = self._heard.get(setup, {})
        return {clip: heard.words for (number, clip), heard in rounds.items() if number == 0}

    def _by_round(self, setup: str, clips: Sequence[Clip], clock: Clock) -> dict[int, float]:
        """Only of rounds in which all of the clips were heard."""
        if not clips:
            return {}
        rounds = self._heard[setup]
        sound_s = sum(clip.duration_s for clip in clips)
        return {
            number: 1000 * sum(getattr(rounds[number, c.name], clock) for c in clips) / sound_s
            for number in sorted({number for number, _ in rounds})
            if all((number, clip.name) in rounds for clip in clips)
        }


def _said(clip: Clip) -> list[Timed]:
    return [Timed(word.word, word.start, word.end) for word in clip.said]
