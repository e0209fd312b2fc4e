"""A group of commands, one of which is meant where none is named."""

from __future__ import annotations

from typing import Any

from typer.core import TyperGroup


class DefaultCommand(TyperGroup):
    """Takes ``profile --targets all`` for ``profile run --targets all``.

    The first command that was added is the one that is meant, ``--help`` included: so a command
    that takes any number of arguments can have others beneath it.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401 (hidden by typer)
        """Put the first command before what names none."""
        if not args or args[0] not in self.commands:
            args = [next(iter(self.commands)), *args]
        return super().parse_args(ctx, args)
