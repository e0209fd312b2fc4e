"""Core ML packages where there is no Core ML: their programs are executed in NumPy.

For building, testing and verifying on any machine. What this shows and what it does not is in
``coreml_program``; the docs say it too.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..edge.artifact import Artifact
from ..edge.types import Session, SessionFacts
from .coreml_program import Program, ProgramPackage
from .coreml_session import CoremlSession
from .runtime import Runtime, SessionOptions


class CoremlReferenceRuntime(Runtime):
    """See Runtime."""

    target = "coreml"

    def open(self, artifact: Artifact, options: SessionOptions) -> Session:
        """See Runtime; threads are NumPy's own affair."""
        graphs = artifact.manifest.graphs.values()
        rules = {part: rule for graph in graphs for part, rule in graph.activations.items()}
        facts = SessionFacts(
            "NumPy in place of Core ML", np.__version__, "cpu", 0, "decoder", rules, stand_in=True
        )
        packages: dict[Path, ProgramPackage] = {}

        def open_model(path: Path, function: str | None) -> Program:
            if path not in packages:
                packages[path] = ProgramPackage(path)
            return packages[path].program(function)

        return CoremlSession(artifact, facts, open_model)
