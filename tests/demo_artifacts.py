"""The bundled model in the format of every target, exported once for each process of the tests."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import pytest

from whisperq_edge.edge.artifact import Artifact
from whisperq_edge.edge.evaluation.export import export
from whisperq_edge.edge.types import PrecisionName
from whisperq_edge.exporters import TARGETS, ExportRequest
from whisperq_edge.models.checkpoint import load_checkpoint
from whisperq_edge.models.quantize import Recipe

# Where shapes are fixed: short, so that an interpreter in NumPy keeps its pace, and one longer.
WINDOWS = (250, 500)


@cache
def demo_artifact(target: str, precision: PrecisionName = "int8") -> Artifact:
    """Not to be changed; skips the test if what writes it is not installed."""
    pytest.importorskip(TARGETS[target].module)
    checkpoint = load_checkpoint("demo", offline=True)
    is_fixed = TARGETS[target].layouts["native"].windows == "choice"
    windows = WINDOWS if is_fixed else ()
    request = ExportRequest(checkpoint, Recipe.of(precision), windows=windows)
    folder = Path(mkdtemp()) / f"demo-{target}-{precision}"
    return export(target, request, folder, verify=False)
