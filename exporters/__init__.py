"""Write a checkpoint as an artifact for one target.

The table below is all there is to registering a target: its name, and where its Exporter lives.
"""

from __future__ import annotations

import importlib

from ..edge.errors import UnknownNameError
from .exporter import Exporter, ExportRequest

TARGETS = {"onnx": "to_onnx:OnnxExporter"}

__all__ = ["TARGETS", "ExportRequest", "Exporter", "exporter_for"]


def exporter_for(target: str) -> Exporter:
    """The exporter of a target.

    Raises:
        UnknownNameError: There is no such target.
        MissingDependencyError: The target's library is not installed.
    """
    if target not in TARGETS:
        raise UnknownNameError("target", target, TARGETS)
    module_name, class_name = TARGETS[target].split(":")
    module = importlib.import_module(f".{module_name}", __package__)
    exporter: Exporter = getattr(module, class_name)()
    return exporter
