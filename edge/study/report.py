"""A study as it is shown, whatever the form: tables, pictures, conclusions and notes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .conclusions import Conclusion, conclusions_of
from .format_table import format_table
from .notes import Fact, facts_of, notes_of
from .pictures import Picture, pictures_of
from .published import published
from .quality_table import quality_table
from .stage_table import stage_table
from .study import Study
from .table import Table
from .variant_table import variant_table


@dataclass(frozen=True)
class Report:
    """All that every writer takes.

    Attributes:
        title: Of the page.
        introduction: What this is, in two sentences.
        conclusions: Findings of the study, and what became of them.
        tables: The study's three, and the variants; those without rows of ours are left out.
        pictures: Words against size and against time.
        notes: What to know before believing it.
        facts: On what it was measured.
    """

    title: str
    introduction: str
    conclusions: Sequence[Conclusion]
    tables: Sequence[Table]
    pictures: Sequence[Picture]
    notes: Sequence[str]
    facts: Sequence[Fact]


def report_of(study: Study, *, draws: bool = True) -> Report:
    """Make it.

    Args:
        study: All figures.
        draws: Whether there are pictures.

    Raises:
        MissingDependencyError: They are wanted, and matplotlib is not installed.
    """
    printed = published()
    tables = [format_table(study)]
    if any(times.passes for times in study.times):
        tables.insert(0, stage_table(study))
    if study.accuracies:
        tables.insert(0, quality_table(study))
        if len(study.config.variants) > 1:
            tables.append(variant_table(study))
    return Report(
        title=study.config.title,
        introduction=(
            f'The comparison of "{printed.title}" ({printed.source}), measured again with '
            "whisperq-edge. Published figures stand beside ours and are never aimed at: they are "
            "of another model, on another machine."
        ),
        conclusions=conclusions_of(study),
        tables=tables,
        pictures=pictures_of(study) if draws else [],
        notes=notes_of(study),
        facts=facts_of(study),
    )
