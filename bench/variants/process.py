"""The parent's end of a worker that gives words with times."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine_process import EngineProcess


class WordProcess(EngineProcess):
    """A program of ``variants/engines`` in a process of its own."""

    package = "variants.engines"

    def words(self, key: str, clip: Path, options: Mapping[str, object]) -> dict[str, Any]:
        """Transcribe a clip with what was loaded as ``key``."""
        return self._ask(key=key, clip=str(clip), words=dict(options))
