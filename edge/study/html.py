"""The report as one page of HTML: it opens offline, asks for nothing and runs no script."""

from __future__ import annotations

from importlib.resources import files

from ... import __version__
from ..errors import MissingDependencyError
from .report import Report


def page(report: Report, remade: str) -> str:
    """The page's text.

    Args:
        report: What it says; its pictures are drawn.
        remade: The command that makes it.

    Raises:
        MissingDependencyError: Jinja2 is not installed.
    """
    try:
        from jinja2 import Environment, StrictUndefined
    except ModuleNotFoundError:
        raise MissingDependencyError("Jinja2", "report", "a report as HTML") from None

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    own, shared = files(__package__), files("whisperq_edge.edge.reports")
    template = environment.from_string((own / "page.html.jinja").read_text("utf-8"))
    return template.render(
        css=(shared / "page.css").read_text("utf-8"),
        version=__version__,
        report=report,
        remade=remade,
    )
