"""What an exporter is asked, and what it answers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..edge.artifact import GraphSpec, Manifest
from ..edge.errors import ConfigError
from ..edge.types import AudioContexts, Progress
from ..models.checkpoint import Checkpoint
from ..models.observer import CalibrationSample
from ..models.parameters import Parameters
from ..models.quantize import Recipe


@dataclass(frozen=True)
class ExportRequest:
    """One checkpoint, one precision for each part, one layout of the target.

    Attributes:
        checkpoint: What is exported.
        recipe: The precisions.
        layout: One of the target's.
        windows: Fixed encoder lengths in positions, ascending, where the layout takes a choice;
            empty for its default.
        calibration: Recordings, for an exporter that asks for them.
        socs: Chips to compile for, for an exporter that can.
    """

    checkpoint: Checkpoint
    recipe: Recipe
    layout: str = "native"
    windows: tuple[int, ...] = ()
    calibration: tuple[CalibrationSample, ...] = ()
    socs: tuple[str, ...] = ()


@dataclass(frozen=True)
class ExportedGraphs:
    """What the manifest has to say about the files that an exporter wrote."""

    graphs: Mapping[str, GraphSpec]
    audio_contexts: AudioContexts
    tools: Mapping[str, str]


class Exporter(ABC):
    """Writes the graphs of one target, and reads their weights back.

    Attributes:
        target: Its name.
        as_published: Whether what runs the artifact wants a checkpoint's own tensors, so that
            queries are not scaled beforehand.
    """

    target: str
    as_published: bool = False

    def check(self, request: ExportRequest) -> None:
        """Refuse what the table of targets cannot say; called before any work is done.

        Raises:
            UnsupportedPrecisionError: The recipe has no form here.
            ConfigError: Something else of the request is not possible.
        """
        if request.socs:
            raise ConfigError(f"--soc is for --target qualcomm; {self.target} needs no chip's name")

    def needs_calibration(self, request: ExportRequest) -> bool:
        """Whether ``write`` has to see recordings, because the ranges of activations are fixed."""
        return False

    def fitted(self, parameters: Parameters) -> Parameters:
        """The parameters as this target can hold them: vectors in halves, say.

        The integers and scales of quantized matrices are never changed.
        """
        return parameters

    @abstractmethod
    def write(
        self, request: ExportRequest, parameters: Parameters, folder: Path, progress: Progress
    ) -> ExportedGraphs:
        """Write the graphs and weights into ``folder``; the caller adds the rest.

        Args:
            request: What is exported.
            parameters: As ``fitted`` gave them.
            folder: Empty but for the tokenizer.
            progress: Told the stage "write".

        Raises:
            ExportError: They could not be written.
        """

    @abstractmethod
    def read_parameters(self, folder: Path, manifest: Manifest) -> Parameters:
        """The weights as the artifact holds them, bit for bit, for the reference to run.

        Raises:
            ArtifactError: They are not there, or not as the manifest says.
        """
