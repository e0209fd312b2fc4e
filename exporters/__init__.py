"""Write a checkpoint as an artifact for one target.

``TARGETS`` in ``targets.py`` is all there is to registering a target.
"""

from __future__ import annotations

import importlib

from ..edge.privacy import keep_private
from .exporter import Exporter, ExportRequest
from .targets import TARGETS, check_offer, target_named

keep_private()  # nothing of ours imports a target's library before this package

__all__ = ["TARGETS", "ExportRequest", "Exporter", "check_offer", "exporter_for", "target_named"]


def exporter_for(target: str) -> Exporter:
    """The exporter of a target.

    Raises:
        UnknownNameError: There is no such target.
        MissingDependencyError: The target's library is not installed.
    """
    module_name, class_name = target_named(target).exporter.split(":")
    module = importlib.import_module(f".{module_name}", __package__)
    exporter: Exporter = getattr(module, class_name)()
    return exporter
