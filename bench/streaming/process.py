"""The parent's end of a worker that streams."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from engine_process import EngineProcess


class StreamProcess(EngineProcess):
    """An engine of ``streaming/engines`` in a process of its own."""

    package = "streaming.engines"

    def stream(self, key: str, clip: Path, job: dict[str, object]) -> dict[str, Any]:
        """Play a sound to what was loaded as ``key``; see ``playback.play``."""
        return self._ask(key=key, clip=str(clip), stream=job)
