"""What an inference library must offer to be a runtime here."""

from __future__ import annotations

from abc import ABC, abstractmethod

from ..edge.artifact import Artifact
from ..edge.types import Session


class Runtime(ABC):
    """Opens the artifacts of one target."""

    target: str

    @abstractmethod
    def open(self, artifact: Artifact, threads: int) -> Session:
        """Load an artifact; ``threads`` is at least 1.

        Raises:
            MissingDependencyError: The library is not installed.
            ArtifactError: The library refuses a graph.
        """
