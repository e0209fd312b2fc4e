"""The artifact that a command transcribes with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ConfigError
from .export_index import newest_export
from .screen import Screen

if TYPE_CHECKING:
    from ..artifact import Artifact


def open_artifact(screen: Screen, folder: Path | None) -> Artifact:
    """The artifact in a folder, or the newest export; says so if the gate had refused it.

    Says so as well if it hardly fits into memory.

    Raises:
        ConfigError: No folder is given, and there is no export.
        ArtifactError: It is incomplete, changed or of another version.
    """
    from ..artifact import Artifact

    if folder is None:
        folder = newest_export()
        if folder is None:
            raise ConfigError(
                "there is no export yet; run: whisperq-edge export, or name one with --artifact"
            )
        screen.note(f"using {folder}")
    found = Artifact.read(folder)
    if found.manifest.refusal is not None:
        screen.note(f"warning: the gate refused this artifact: {found.manifest.refusal}")
    _warn_of_memory(screen, found)
    return found


def _warn_of_memory(screen: Screen, artifact: Artifact) -> None:
    """Say so if it will hardly fit: the system would kill the program, or let it crawl."""
    from ..profiling.control_group import read_limit_bytes
    from ..profiling.fit import misfit, needed_bytes
    from ..profiling.system_memory import read_available_bytes
    from ..profiling.system_tree import SystemTree

    tree = SystemTree()
    reason = misfit(needed_bytes(artifact), read_available_bytes(tree), read_limit_bytes(tree))
    if reason is not None:
        screen.note(f"warning: {artifact.folder.name} may not fit: {reason}")
