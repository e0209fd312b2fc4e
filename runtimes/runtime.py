"""What an inference library must offer to be a runtime here."""

from __future__ import annotations

from abc import ABC, abstractmethod

from ..edge.artifact import Artifact
from ..edge.types import Session


class Runtime(ABC):
    """Opens the artifacts of one target."""

    target: str

    @abstractmethod
    def open(self, artifact: Artifact, threads: int, decoder: str | None) -> Session:
        """Load an artifact.

        Args:
            artifact: Of this target.
            threads: At least 1.
            decoder: The decoder graph to use; None for the fastest here.

        Raises:
            MissingDependencyError: The library is not installed.
            ArtifactError: The library refuses a graph.
        """
