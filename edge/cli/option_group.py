"""Options that several commands share, written down once."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any, get_type_hints


def with_groups(command: Callable[..., None]) -> Callable[..., None]:
    """Let a command take groups of options as dataclasses.

    A parameter whose type is a dataclass stands for its fields, each an option as typer wants it:
    annotated, and with a default. The command is called with an instance.
    """
    hints = get_type_hints(command, include_extras=True)
    groups: dict[str, type[Any]] = {}
    expanded: list[inspect.Parameter] = []
    for parameter in inspect.signature(command).parameters.values():
        hint = hints[parameter.name]
        if isinstance(hint, type) and dataclasses.is_dataclass(hint):
            groups[parameter.name] = hint
            expanded += inspect.signature(hint, eval_str=True).parameters.values()
        else:
            expanded.append(parameter.replace(annotation=hint))

    @wraps(command)
    def call(**values: Any) -> None:  # noqa: ANN401 (typer has checked them)
        for name, group in groups.items():
            fields = (field.name for field in dataclasses.fields(group))
            values[name] = group(**{field: values.pop(field) for field in fields})
        command(**values)

    parameters = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in expanded]
    call.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    call.__annotations__ = {p.name: p.annotation for p in parameters}
    return call
