"""Where compiled OpenVINO models are kept between starts."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from platformdirs import user_cache_path

VARIABLE = "WHISPERQ_EDGE_CACHE"


def cache_folder(artifact: Path) -> Path | None:
    """The cache folder, made if need be; None where nothing can or should be kept.

    Args:
        artifact: The folder of the artifact that is to be loaded.
    """
    if artifact.name.startswith("."):
        return None  # an export that is being verified goes away under this name
    own = os.environ.get(VARIABLE)
    folder = (Path(own) if own else user_cache_path("whisperq-edge")) / "openvino"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError:
        return None
