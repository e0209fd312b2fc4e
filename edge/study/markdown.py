"""The report as Markdown, with pictures beside it: what a code host shows."""

from __future__ import annotations

from collections.abc import Iterator

from ..reports.markdown import escaped, table
from .conclusions import Conclusion
from .report import Report


def markdown(report: Report, remade: str) -> str:
    """The whole page.

    Args:
        report: What it says.
        remade: The command that makes it.
    """
    return "\n".join(_lines(report, remade)) + "\n"


def _lines(report: Report, remade: str) -> Iterator[str]:
    yield f"# {escaped(report.title)}"
    yield ""
    yield escaped(report.introduction)
    yield ""
    yield f"Made by `{remade}`; do not edit. The same as a page: [index.html](index.html);"
    yield "all figures: [study.json](study.json)."
    yield ""
    yield "## What to know first"
    yield ""
    yield from (f"- {escaped(note)}" for note in report.notes)
    yield ""
    yield "## Which findings hold here"
    yield ""
    rows = [(one.claim, one.published, one.verdict) for one in report.conclusions]
    yield from table(("finding", "published", "here"), rows)
    yield ""
    for conclusion in report.conclusions:
        yield from _sentences(conclusion)
    for picture in report.pictures:
        yield f"## {escaped(picture.title)}"
        yield ""
        yield f"![{escaped(picture.title)}]({picture.name}.svg)"
        yield ""
        yield escaped(picture.caption)
        yield ""
    for one in report.tables:
        yield f"## {escaped(one.heading)}"
        yield ""
        yield from table(one.titles, one.texts)
        yield ""
        yield from (f"- {escaped(note)}" for note in one.notes)
        yield ""
        yield f"As [CSV]({one.name}.csv) and as [LaTeX]({one.name}.tex)."
        yield ""
    yield "## On what it was measured"
    yield ""
    yield from table(("", ""), report.facts)


def _sentences(conclusion: Conclusion) -> Iterator[str]:
    if not conclusion.sentences:
        return
    yield f"<details><summary>{escaped(conclusion.claim)}: {conclusion.verdict}</summary>"
    yield ""
    yield from (f"- {escaped(str(sentence))}" for sentence in conclusion.sentences)
    yield ""
    yield "</details>"
    yield ""
