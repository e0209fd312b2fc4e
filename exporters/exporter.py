"""What an exporter is asked, and what it answers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..edge.artifact import GraphSpec, Manifest
from ..edge.types import AudioContexts, Progress
from ..models.checkpoint import Checkpoint
from ..models.parameters import Parameters
from ..models.quantize import Recipe


@dataclass(frozen=True)
class ExportRequest:
    """One checkpoint, one precision for each part, one layout of the target."""

    checkpoint: Checkpoint
    recipe: Recipe
    layout: str = "native"


@dataclass(frozen=True)
class ExportedGraphs:
    """What the manifest has to say about the files that an exporter wrote."""

    graphs: Mapping[str, GraphSpec]
    audio_contexts: AudioContexts
    tools: Mapping[str, str]


class Exporter(ABC):
    """Writes the graphs of one target, and reads their weights back."""

    target: str
    layouts: tuple[str, ...]

    @abstractmethod
    def check(self, recipe: Recipe, layout: str) -> None:
        """Refuse what the target does not offer, before any work is done.

        Raises:
            UnsupportedPrecisionError: The recipe has no form here.
            UnknownNameError: There is no such layout.
        """

    @abstractmethod
    def write(
        self, request: ExportRequest, parameters: Parameters, folder: Path, progress: Progress
    ) -> ExportedGraphs:
        """Write the graphs and weights into ``folder``; the caller adds the rest.

        Raises:
            ExportError: They could not be written.
        """

    @abstractmethod
    def read_parameters(self, folder: Path, manifest: Manifest) -> Parameters:
        """The weights as the artifact holds them, bit for bit, for the reference to run.

        Raises:
            ArtifactError: They are not there, or not as the manifest says.
        """
