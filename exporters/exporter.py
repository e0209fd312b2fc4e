"""What an exporter is asked, and what it answers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..edge.artifact import GraphSpec, Manifest
from ..edge.types import AudioContexts, FloatArray, IntArray, Progress
from ..models.checkpoint import Checkpoint
from ..models.parameters import Parameters
from ..models.quantize import Recipe


@dataclass(frozen=True)
class CalibrationSample:
    """One recording, for a target whose activations have fixed ranges.

    Attributes:
        mel: Log-mel features of a whole window, (n_mels, n_frames).
        tokens: What was said in it, after the prompt: (n_tokens,).
        n_prompt: How many of the tokens are the prompt.
    """

    mel: FloatArray
    tokens: IntArray
    n_prompt: int


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
    """

    checkpoint: Checkpoint
    recipe: Recipe
    layout: str = "native"
    windows: tuple[int, ...] = ()
    calibration: tuple[CalibrationSample, ...] = ()


@dataclass(frozen=True)
class ExportedGraphs:
    """What the manifest has to say about the files that an exporter wrote."""

    graphs: Mapping[str, GraphSpec]
    audio_contexts: AudioContexts
    tools: Mapping[str, str]


class Exporter(ABC):
    """Writes the graphs of one target, and reads their weights back."""

    target: str
    needs_calibration: bool = False

    def check(self, request: ExportRequest) -> None:  # noqa: B027 - most have nothing to add
        """Refuse what the table of targets cannot say; called before any work is done.

        Raises:
            UnsupportedPrecisionError: The recipe has no form here.
            ConfigError: Something else of the request is not possible.
        """

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
