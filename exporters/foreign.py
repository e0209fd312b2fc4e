"""Graphs that other programs wrote, as their files describe themselves."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path

from ..edge.artifact import GraphSpec
from ..edge.errors import MissingDependencyError
from ..edge.types import Precision
from .targets import target_named


@dataclass(frozen=True)
class ForeignGraph:
    """One graph.

    Attributes:
        spec: Its inputs and outputs.
        precision: The number format of most of its weights.
        data_files: Names of the files beside it that hold weights.
        properties: What its exporter wrote into it.
    """

    spec: GraphSpec
    precision: Precision
    data_files: tuple[str, ...]
    properties: dict[str, str]


def describe(target: str, folder: Path, file: str) -> ForeignGraph:
    """Read a graph, without weights that lie beside it.

    Args:
        target: Of ours, that it belongs to.
        folder: Where it lies.
        file: Its name there.

    Raises:
        ArtifactError: It is not such a graph.
        MissingDependencyError: The library that reads it is not installed.
    """
    try:
        module = importlib.import_module(f".{target}_foreign", __package__)
    except ModuleNotFoundError as error:
        row = target_named(target)
        raise MissingDependencyError(row.module, row.extra, f"adopting {target} graphs") from error
    found: ForeignGraph = module.describe(folder, file)
    return found
