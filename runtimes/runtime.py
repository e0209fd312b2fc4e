"""What an inference library must offer to be a runtime here."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from ..edge.artifact import Artifact
from ..edge.errors import InferenceError
from ..edge.types import Session


@dataclass(frozen=True)
class SessionOptions:
    """How an artifact is to be run.

    Attributes:
        threads: Compute threads, at least 1.
        decoder: The decoder graph to use; None for the fastest here.
        device: Where to run, in the library's own words ("GPU", "CPU_AND_NE"); None for its
            default here.
        provider: ONNX Runtime's execution provider, in short ("cuda"); None for the CPU's.
    """

    threads: int
    decoder: str | None = None
    device: str | None = None
    provider: str | None = None


class Runtime(ABC):
    """Opens the artifacts of one target."""

    target: str
    chooses_device: bool = False
    chooses_provider: bool = False

    @abstractmethod
    def open(self, artifact: Artifact, options: SessionOptions) -> Session:
        """Load an artifact.

        Args:
            artifact: Of this target.
            options: Checked: a device or provider is given only if this runtime has a choice.

        Raises:
            MissingDependencyError: The library is not installed.
            ArtifactError: The library refuses a graph.
            InferenceError: There is no such device or provider here.
        """

    def check(self, options: SessionOptions) -> None:
        """Refuse a choice that this runtime does not have.

        Raises:
            InferenceError: Names the option.
        """
        if options.device and not self.chooses_device:
            raise InferenceError(f"{self.target} artifacts have no choice of --device here")
        if options.provider and not self.chooses_provider:
            raise InferenceError(f"--ep is for ONNX Runtime; this artifact is for {self.target}")
